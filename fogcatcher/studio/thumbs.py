"""The newest pictures of a model without labels or gaps: for cards, and beside its name."""

from __future__ import annotations

import torch

from fogcatcher.data.pictures.sheets import PREVIEW_COLUMNS, to_image
from fogcatcher.data.pictures.spec import Pictures, PictureSpec
from fogcatcher.model.config import read_config
from fogcatcher.model.model import load
from fogcatcher.studio.datasets import png_of
from fogcatcher.studio.models import Place, newest_strip
from fogcatcher.studio.workspace import NotThere

COLUMNS, ROWS = 4, 2
STEPS = 12
SHIPPED_THUMB = "thumb.png"
"""In the folder of a model that comes with the program; written by docs/shipped_thumbs.py."""


def thumb_of(place: Place) -> bytes:
    """Return eight pictures, four beside each other, as a PNG. Raises NotThere where none are drawn yet."""
    if not place.is_run:
        return (place.folder / SHIPPED_THUMB).read_bytes()
    kind, strip = read_config(place.folder)[0].kind.drawn, newest_strip(place.folder)
    if strip is None or not isinstance(kind, PictureSpec):
        raise NotThere("this model has drawn no pictures yet.")
    return _laid(kind.read(strip, PREVIEW_COLUMNS))


def drawn(name: str) -> bytes:
    """Draw those of a shipped model."""
    model = load(name)
    main = model.conditions.main
    classes = len(main.classes) if main else 1
    seeds = [8 * (number % classes) + number // classes for number in range(COLUMNS * ROWS)]
    return _laid(model.sample(seeds=seeds, steps=STEPS).pictures)


def _laid(pictures: Pictures) -> bytes:
    """The first of (N, C, H, W) pictures in two rows."""
    n, (channels, height, width) = COLUMNS * ROWS, pictures.shape[1:]
    missing = max(0, n - len(pictures))
    pictures = torch.cat([pictures[:n], pictures.new_zeros(missing, channels, height, width)])
    grid = pictures.reshape(ROWS, COLUMNS, channels, height, width).permute(2, 0, 3, 1, 4)
    return png_of(to_image(grid.reshape(1, channels, ROWS * height, COLUMNS * width)))
