"""Somebody's pictures as a trained model takes them: of its size, with its channels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.picture_files import SUFFIXES
from fogcatcher.data.pictures.spec import Pictures, PictureSpec
from fogcatcher.data.pictures.store import has_alpha
from fogcatcher.data.reading import Dataset, Reading, read_dataset, read_picture_file

LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue in grey (Rec. ITU-R BT.601), as in Pillow."""


def read_for_model(
    path: str | Path, spec: PictureSpec, options: DataOptions, progress: Reading | None = None
) -> Dataset:
    """Read one picture file, or whatever ``read_dataset`` reads, as pictures like ``spec``.

    ``options`` are those of the training; what they choose among the training pictures is left out, and
    labels are read where there are some. Raises UserError as ``read_dataset``.
    """
    options = replace(
        options,
        size=(spec.height, spec.width),
        labels="auto",
        unmatched="use",
        where=None,
        classes=(),
        limit=None,
        max_bad=1.0,
    )
    alone = Path(path).is_file() and Path(path).suffix.lower() in SUFFIXES
    dataset = read_picture_file(Path(path), options) if alone else read_dataset(path, options, progress)
    return replace(dataset, rows=with_channels(dataset.rows[:], spec.channels))


def with_channels(pictures: Pictures, channels: int) -> UInt8[Tensor, "B {channels} H W"]:
    """Return uint8 pictures, (N, C, H, W), with so many channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.

    Grey becomes equal red, green and blue; colours become grey by their lightness. What has no alpha is
    opaque, and alpha that is not wanted is left out, so what was transparent is black.
    """
    has = pictures.shape[1]
    if has == channels:
        return pictures
    colours = pictures[:, : has - has_alpha(has)]
    if channels >= 3:
        colours = colours.expand(-1, 3, -1, -1)
    elif colours.shape[1] == 3:
        luma = torch.tensor(LUMA, dtype=torch.float64)[:, None, None]
        colours = (colours * luma).sum(1, keepdim=True).round().to(torch.uint8)
    if channels in (1, 3):
        return colours
    alpha = pictures[:, -1:] if has_alpha(has) else torch.full_like(pictures[:, :1], 255)
    return torch.cat([colours, alpha], 1)
