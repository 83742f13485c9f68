"""The forms in which a model goes out, each as a file or a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fogcatcher.base.errors import UserError, named
from fogcatcher.model.model import Model

SHEET_SEEDS = 32


@dataclass(frozen=True)
class Format:
    """One of them."""

    ending: str
    """What is added to the name of the model."""
    help: str
    """What it is good for."""


FORMATS: Mapping[str, Format] = {
    "diffusers": Format(
        "-diffusers",
        "a folder that DiffusionPipeline.from_pretrained opens where fogcatcher is not installed",
    ),
    "onnx": Format(".onnx", "one file for programs without torch: games, browsers, telephones"),
    "torch": Format(".pt2", "one file of torch.export: the denoiser with its preconditioning"),
}


def export_files(model: Model, to: str, out: Path) -> None:
    """Write a model in one of the FORMATS: a folder for diffusers, else a file.

    Raises UserError for another form, and where a file is there already.
    """
    named("form", to, FORMATS, about="to")
    if to != "diffusers" and out.exists():
        raise UserError(f"{out} is there already: name another file.", about="out")
    out.parent.mkdir(parents=True, exist_ok=True)
    if to == "diffusers":
        from fogcatcher.exchange.to_diffusers import SHEET, to_diffusers

        drawing = model.sample(seeds=range(SHEET_SEEDS))
        to_diffusers(model, out, drawing.sheet())
        drawing.save_sheet(out / SHEET)  # the same with its recipe
    elif to == "onnx":
        from fogcatcher.exchange.to_onnx import to_onnx

        to_onnx(model, out)
    else:
        from fogcatcher.exchange.to_torch import to_torch

        to_torch(model, out)
