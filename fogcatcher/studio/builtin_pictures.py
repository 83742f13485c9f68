"""Pictures of the built-in sprites."""

from __future__ import annotations

from functools import cache

from PIL import Image

from fogcatcher.data import sprites
from fogcatcher.studio.datasets import png_of


@cache
def built_in_picture(number: int) -> bytes:
    """Return one of the built-in sprites as a PNG."""
    return png_of(Image.fromarray(_drawn()[number].pixels))


@cache
def _drawn() -> list[sprites.Sprite]:
    return sprites.draw_many(64, 0)
