"""The pictures that the built-in features learn from, and those by which they are judged.

Sprites drawn by rule, the tiles of ``dcss.zip`` and ``cc0-tiles.zip``, and scikit-learn's digits. Of the
tiles of dcss two in five are kept for judging, and the source ``kenney`` wholly. One origin is on one side.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor

from fogcatcher.data.sprites import ITEMS, KINDS, PALETTES, Sprite, draw_many

CLASSES = {
    "kind": list(KINDS),
    "item": [f"{kind}/{item}" for kind in KINDS for item in ITEMS[kind]],
    "palette": list(PALETTES),
}
SOURCES = ("crawl", "superpowers", "kenney")
LEFT_OUT = "kenney"
KEPT_FOR_JUDGING = 2
"""Of five dcss tiles."""


@dataclass(frozen=True)
class Picture:
    """One row of a zip file."""

    pixels: np.ndarray
    """(H, W, 4) uint8"""
    category: str
    source: str
    origin: str


def sprite_pictures(sprites: list[Sprite]) -> Tensor:
    return torch.from_numpy(np.stack([s.pixels for s in sprites])).permute(0, 3, 1, 2)


def sprite_labels(sprites: list[Sprite]) -> dict[str, Tensor]:
    said = {
        "kind": [s.kind for s in sprites],
        "item": [f"{s.kind}/{s.item}" for s in sprites],
        "palette": [s.palette for s in sprites],
    }
    return {name: torch.tensor([CLASSES[name].index(x) for x in said[name]]) for name in said}


def digits() -> tuple[Tensor, Tensor]:
    """(1797, 1, 8, 8) uint8 and their classes."""
    values, classes = load_digits(return_X_y=True)
    grey = (np.asarray(values).reshape(-1, 1, 8, 8) * 255 / 16).round().astype(np.uint8)
    return torch.from_numpy(grey), torch.from_numpy(np.asarray(classes))


def rows_of(file: Path) -> Iterator[Picture]:
    """Yield the pictures of a zip file that show something by themselves: no overlay, no texture."""
    with zipfile.ZipFile(file) as archive:
        for line in archive.read("train/metadata.jsonl").decode().splitlines():
            row = json.loads(line)
            if row.get("overlay") or row.get("category") in ("texture", "ui"):
                continue
            name = row["file_name"]
            with Image.open(io.BytesIO(archive.read(f"train/{name}"))) as image:
                pixels = np.asarray(image.convert("RGBA"))
            if min(pixels.shape[:2]) >= 8 and len(np.unique(pixels.reshape(-1, 4), axis=0)) > 2:
                folder = name.partition("/")[0]
                ours = folder in SOURCES
                yield Picture(
                    pixels, row.get("category", folder), folder if ours else "dcss", row.get("origin", name)
                )


def for_judging(picture: Picture) -> bool:
    if picture.source == LEFT_OUT:
        return True
    return picture.source == "dcss" and zlib.crc32(picture.origin.encode()) % 5 < KEPT_FOR_JUDGING


def squares(pictures: list[Picture]) -> dict[int, tuple[Tensor, list[Picture]]]:
    """Side 16 or 32 -> pictures (n, 4, side, side) in the middle of the smallest that holds them."""
    found: dict[int, tuple[Tensor, list[Picture]]] = {}
    for side, least in ((16, 0), (32, 17)):
        fit = [p for p in pictures if least <= max(p.pixels.shape[:2]) <= side]
        canvas = np.zeros((len(fit), side, side, 4), np.uint8)
        for place, picture in zip(canvas, fit, strict=True):
            height, width = picture.pixels.shape[:2]
            top, left = (side - height) // 2, (side - width) // 2
            place[top : top + height, left : left + width] = picture.pixels
        found[side] = torch.from_numpy(canvas).permute(0, 3, 1, 2), fit
    return found


def judged_sets(files: list[Path]) -> dict[str, Tensor]:
    """Return name -> pictures that the features have not seen, uint8."""
    rows = [p for file in files for p in rows_of(file) if for_judging(p)]
    dcss = squares([p for p in rows if p.source == "dcss"])[32][0]
    left_out = squares([p for p in rows if p.source == LEFT_OUT])[16][0]
    return {"dcss": dcss, LEFT_OUT: left_out, "sprites": sprite_pictures(draw_many(1600, seed=123))}
