"""What the library knows of one thing it can draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fogcatcher.data.sprites.canvas import Canvas
from fogcatcher.data.sprites.dice import Dice
from fogcatcher.data.sprites.palettes import MAIN, PARTNERS

Painter = Callable[[Dice, str], Canvas]


@dataclass(frozen=True)
class Item:
    """A painter and the main colours it is drawn in when nobody asks for one."""

    paint: Painter
    palettes: tuple[str, ...] = tuple(MAIN)
    grounded: bool = False


def two_colour_canvas(dice: Dice, palette: str) -> Canvas:
    """An empty canvas with the main colour and one that goes with it."""
    return Canvas(c=MAIN[palette], d=MAIN[dice.pick(PARTNERS[palette])])


def maybe_flip(canvas: Canvas, dice: Dice) -> Canvas:
    """The canvas, mirrored half of the time."""
    if dice.chance(50):
        canvas.flip()
    return canvas
