"""Sheets for game engines: pictures side by side without gaps, and where each lies, as JSON."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from fogcatcher.base.version import __version__
from fogcatcher.data.pictures.sprite_sheets import Layout, check_pixels, join_sheet, new_layout

MILLISECONDS = 100
"""How long a frame lasts where somebody plays the sheet."""


@dataclass(frozen=True)
class Atlas:
    """Equally large pictures row by row, without labels or gaps."""

    columns: int = 8
    """At most; fewer pictures than that make a narrower sheet."""
    power_of_two: bool = False
    """Width and height grow to the next power of two; what is added is transparent."""

    def layout(self, count: int, size: tuple[int, int]) -> Layout:
        """Return where ``count`` pictures of this (width, height) lie. Raises UserError for too many."""
        width, height = size
        layout = new_layout(count, (height, width), min(self.columns, count))
        if not self.power_of_two:
            return layout
        width, height = _power_of_two(layout.width), _power_of_two(layout.height)
        check_pixels(width, height)
        return replace(layout, width=width, height=height)

    def image(self, images: Sequence[Image.Image]) -> Image.Image:
        """Return the sheet, RGBA."""
        layout = self.layout(len(images), images[0].size)
        places = itertools.product(range(layout.rows), range(layout.columns))
        cells = {
            place: np.asarray(image.convert("RGBA")) for place, image in zip(places, images, strict=False)
        }
        return Image.fromarray(join_sheet(cells, layout))

    def to_json(
        self, names: Sequence[str], size: tuple[int, int], tags: Sequence[str], file: str
    ) -> dict[str, object]:
        """Return what engines read beside ``file``: one frame per name, of this (width, height).

        A frame has the keys of TexturePacker's JSON hash and of Aseprite's export, and x, y, w, h for simple
        readers. Neighbours of the same tag, where it says anything, are one entry of ``frameTags``.
        """
        layout = self.layout(len(names), size)
        corners = [layout.corner(divmod(i, layout.columns)) for i in range(len(names))]
        return {
            "frames": {name: _frame(x, y, *size) for name, (y, x) in zip(names, corners, strict=True)},
            "meta": {
                "app": "fogcatcher",
                "version": __version__,
                "image": file,
                "format": "RGBA8888",
                "size": {"w": layout.width, "h": layout.height},
                "scale": "1",
                "frameTags": _frame_tags(tags),
            },
        }


def _frame(x: int, y: int, w: int, h: int) -> dict[str, object]:
    return {
        "x": x,
        "y": y,
        "w": w,
        "h": h,
        "frame": {"x": x, "y": y, "w": w, "h": h},
        "rotated": False,
        "trimmed": False,
        "spriteSourceSize": {"x": 0, "y": 0, "w": w, "h": h},
        "sourceSize": {"w": w, "h": h},
        "duration": MILLISECONDS,
    }


def _frame_tags(tags: Sequence[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for tag, group in itertools.groupby(enumerate(tags), key=lambda numbered: numbered[1]):
        numbers = [number for number, _ in group]
        if tag:
            found.append({"name": tag, "from": numbers[0], "to": numbers[-1], "direction": "forward"})
    return found


def _power_of_two(length: int) -> int:
    return 1 << (length - 1).bit_length()
