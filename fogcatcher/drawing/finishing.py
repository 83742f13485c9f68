"""What is done to drawn pictures before they are kept: hard alpha, no strays, few colours, larger pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import UserError
from fogcatcher.base.numbers import check_fields
from fogcatcher.data.pictures.palettes import (
    MOST_COLOURS,
    Palette,
    all_colours,
    as_rgba,
    count_colours,
    extract_palette,
    most_used,
    read_palette,
    snap_pictures,
)
from fogcatcher.data.pictures.sheets import as_indexed
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.pictures.store import PictureTensor, has_alpha
from fogcatcher.drawing.settings import ColoursEach, Strays, Zoom

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
    zoom: Zoom = 1
    """Each pixel of a single picture becomes so many squared."""
    strays: Strays = 0
    """Islands of at most so many pixels, with nothing but transparency around, go; the largest one stays."""
    colours_each: ColoursEach = 0
    """Each picture gets at most so many colours, of its own ones; 0 leaves them as they are."""
    indexed: bool = False
    """Files of single pictures hold a palette and numbers of colours, where they can have one."""

    def __post_init__(self) -> None:
        check_fields(self)
        fit = all(re.fullmatch("[0-9a-f]{6}", colour) for colour in self.palette)
        if not fit or len(set(self.palette)) < len(self.palette) or len(self.palette) > MOST_COLOURS:
            raise UserError(f"a palette has 1 to {MOST_COLOURS} different colours of the form 1d2b53.")

    def __call__(self, pictures: Pictures) -> Pictures:
        """Return (N, C, H, W) uint8 with this alpha and these colours; with few colours grey becomes RGB."""
        if self.hard_alpha or self.palette or self.colours_each or self.indexed:
            pictures = with_hard_alpha(pictures)
        if self.strays:
            pictures = without_strays(pictures, self.strays)
        if self.palette:
            pictures = snap_pictures(pictures, _palette(self.palette))
        most = self._most_each(pictures.shape[1])
        return torch.cat([with_few_colours(one[None], most) for one in pictures]) if most else pictures

    def _most_each(self, channels: int) -> int:
        """How many colours one picture may have; 0 for any. An indexed file with alpha has one less."""
        if not self.indexed:
            return self.colours_each
        return min(self.colours_each or MOST_COLOURS, MOST_COLOURS - has_alpha(channels))

    def to_recipe(self) -> dict[str, object]:
        """Return the fields as recipes have them: what came later only where it was asked for."""
        later = {"strays": self.strays, "colours_each": self.colours_each, "indexed": self.indexed}
        return {name: value for name, value in asdict(self).items() if later.get(name, True)}

    def as_file(self, image: Image.Image) -> Image.Image:
        """Return a picture as its file holds it: indexed, if that was asked for and can be."""
        return as_indexed(image, self.palette) if self.indexed else image

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


def without_strays(pictures: Pictures, most: int) -> Pictures:
    """Return (N, C, H, W) uint8 without islands of at most ``most`` pixels, in pictures that have alpha.

    Pixels that touch, at a side or a corner, are one island if they are visible at all. The largest island
    of a picture stays whatever its size.
    """
    if not has_alpha(pictures.shape[1]):
        return pictures
    _, _, height, width = pictures.shape
    there = pictures[:, -1:] > 0
    # Every pixel takes the largest number around it until all of an island have one; exact up to 2^24.
    numbers = torch.arange(1, height * width + 1, dtype=torch.float32).reshape(1, 1, height, width)
    islands = numbers * there
    while not islands.equal(grown := F.max_pool2d(islands, 3, 1, 1) * there):
        islands = grown
    kept = torch.zeros_like(there)
    for row, island in enumerate(islands.long()):
        sizes = island.flatten().bincount(minlength=height * width + 1)
        sizes[0] = 0
        stays = sizes > most
        stays[sizes.argmax()] = True
        kept[row] = stays[island] & there[row]
    return pictures * kept


def with_few_colours(picture: Pictures, most: int) -> Pictures:
    """Return one picture, (1, C, H, W) uint8, with at most ``most`` colours, all of them its own."""
    rgba = as_rgba(picture)
    if not rgba[..., 3].any():
        return snap_pictures(picture, Palette("none", ((0, 0, 0),)))
    return snap_pictures(picture, extract_palette(rgba, most))


def _palette(colours: Sequence[str]) -> Palette:
    parts = (bytes.fromhex(colour) for colour in colours)
    return Palette("palette", tuple((r, g, b) for r, g, b in parts))


# --- which palette ------------------------------------------------------------------------------


def asked_palette(text: str, trained: Palette | None) -> Palette | int | None:
    """Return what a person asked for: "none", "train" for that of the training set, a number, a file or name.

    Raises UserError where there is no such palette.
    """
    if text.lower() == "none":
        return None
    if text.lower() == "train":
        if trained is None:
            raise UserError(
                "this model keeps no palette of its pictures, for it is older or they are empty: "
                "give a palette file, or a number of colours."
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
    """Return the colours of all visible pixels of a data set, (N, C, H, W); None without any.

    Of more than 256 those that are the most frequent in some 4,096 pictures, evenly chosen.
    """
    batches = (as_rgba(pictures[start : start + AT_ONCE]) for start in range(0, len(pictures), AT_ONCE))
    found = all_colours(batches, "train")
    return found or most_used(count_colours(as_rgba(pictures[:: -(-len(pictures) // AT_ONCE)])), "train")


def write_training_palette(palette: Palette, folder: Path) -> None:
    text = "".join(f"{code}\n" for code in palette.hex)
    write_text(folder / PALETTE_FILE, text)


def training_palette(folder: Path) -> Palette | None:
    """Return the palette that a run directory keeps, None without one. Raises UserError for a damaged one."""
    return read_palette(folder / PALETTE_FILE) if (folder / PALETTE_FILE).is_file() else None
