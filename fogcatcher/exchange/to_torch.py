"""A model as a torch.export file: the denoiser alone, for programs that know torch but not this library."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch.export import ExportedProgram

from fogcatcher.base.disk import write_atomically
from fogcatcher.exchange.wrapped import program_of
from fogcatcher.model.model import Model


def to_torch(model: Model, path: Path) -> None:
    """Write ``model`` as one .pt2 file; ``torch.export.load(path).module()`` is its denoiser.

    It takes x_t, (B, C, H, W) float32; t, (B,) float64, from 0 (data) to 1 (noise); and (B, k) float32 for
    every attribute in the order of conditions.json, where a row of zeros says nothing. It returns x0_hat,
    (B, C, H, W). The preconditioning is inside.
    """
    write_program(program_of(model), path)


def write_program(program: ExportedProgram, path: Path) -> None:
    """Write a program as .pt2. By a name that is not UTF-8 torch would end the process, so it gets none."""
    archive = io.BytesIO()
    torch.export.save(program, archive)
    write_atomically(path, lambda part: part.write_bytes(archive.getvalue()))
