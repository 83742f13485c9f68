"""What is done to drawn pictures before they are kept: hard alpha, few colours, larger pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.palettes import (
    MOST_COLOURS,
    Palette,
    all_colours,
    as_rgba,
    extract_palette,
    read_palette,
    snap_pictures,
)
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.pictures.store import PictureTensor, has_alpha

MOST_ZOOM = 100
PALETTE_FILE = "palette.hex"
"""The colours of the training set, in its run directory: one rrggbb a line."""
AT_ONCE = 4096


@dataclass(frozen=True)
class Finish:
    """Part of every recipe. Raises UserError for a zoom or a palette that cannot be."""

    palette: tuple[str, ...] = ()
    """The colours, rrggbb, that opaque pixels may have; none leaves them as they are. Alpha gets hard too."""
    hard_alpha: bool = False
    """Pixels are there or not: alpha 128 and above becomes 255, below 0."""
    zoom: int = 1
    """Each pixel of a single picture becomes so many squared."""

    def __post_init__(self) -> None:
        if not 1 <= self.zoom <= MOST_ZOOM:
            raise UserError(
                f"a zoom of {self.zoom} is not possible: give a whole number from 1 to {MOST_ZOOM}."
            )
        fit = all(re.fullmatch("[0-9a-f]{6}", colour) for colour in self.palette)
        if not fit or len(set(self.palette)) < len(self.palette) or len(self.palette) > MOST_COLOURS:
            raise UserError(f"a palette has 1 to {MOST_COLOURS} different colours of the form 1d2b53.")

    def __call__(self, pictures: Pictures) -> Pictures:
        """Return (N, C, H, W) uint8 with this alpha and these colours; with a palette grey becomes RGB."""
        if self.hard_alpha or self.palette:
            pictures = with_hard_alpha(pictures)
        if not self.palette:
            return pictures
        colours = np.array([list(bytes.fromhex(colour)) for colour in self.palette]).tolist()
        return snap_pictures(pictures, Palette("palette", tuple((r, g, b) for r, g, b in colours)))

    def enlarged(self, pictures: Tensor) -> Tensor:
        """Return (N, C, H, W) with pixels of ``zoom`` x ``zoom``."""
        if self.zoom == 1:
            return pictures
        return pictures.repeat_interleave(self.zoom, -2).repeat_interleave(self.zoom, -1)


def with_hard_alpha(pictures: Pictures) -> Pictures:
    """Return (N, C, H, W) uint8 with alpha 0 or 255, and colour 0 under alpha 0."""
    if not has_alpha(pictures.shape[1]):
        return pictures
    there = pictures[:, -1:] >= 128
    alpha = there.to(torch.uint8) * 255
    return torch.cat([pictures[:, :-1] * there, alpha], dim=1)


# --- which palette ------------------------------------------------------------------------------


def asked_palette(text: str, trained: Palette | None) -> Palette | int | None:
    """Return what a person asked for: "none", "train" for that of the training set, a number, a file or name.

    Raises UserError where there is no such palette.
    """
    if text == "none":
        return None
    if text == "train":
        if trained is None:
            raise UserError(
                f"this model keeps no palette of its pictures (they have over {MOST_COLOURS} colours, or it "
                "is older): give a palette file, or a number of colours."
            )
        return trained
    if text.isascii() and text.isdigit():
        if not 1 <= int(text[:9]) <= MOST_COLOURS:
            raise UserError(f"a palette of {text[:9]} colours is not possible: ask for 1 to {MOST_COLOURS}.")
        return int(text)
    return read_palette(text)


def colours_for(pictures: Pictures, asked: Palette | int | None) -> tuple[str, ...]:
    """Return the colours, rrggbb, for ``Finish``; a number is so many for all the pictures together."""
    if isinstance(asked, int):
        opaque = as_rgba(with_hard_alpha(pictures))
        return extract_palette([opaque], asked).hex if opaque[..., 3].any() else ()
    return asked.hex if asked else ()


# --- the palette of the training set ------------------------------------------------------------


def palette_of(pictures: PictureTensor) -> Palette | None:
    """Return the colours of all visible pixels of a data set, (N, C, H, W); None if they are over 256."""
    batches = (as_rgba(pictures[start : start + AT_ONCE]) for start in range(0, len(pictures), AT_ONCE))
    return all_colours(batches, "train")


def write_training_palette(palette: Palette, folder: Path) -> None:
    text = "".join(f"{code}\n" for code in palette.hex)
    write_text(folder / PALETTE_FILE, text)


def training_palette(folder: Path) -> Palette | None:
    """Return the palette that a run directory keeps, None without one. Raises UserError for a damaged one."""
    return read_palette(folder / PALETTE_FILE) if (folder / PALETTE_FILE).is_file() else None
