"""What the library knows of one thing it can draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .canvas import Canvas
from .dice import Dice
from .palettes import MAIN

Painter = Callable[[Dice, str], Canvas]


@dataclass(frozen=True)
class Item:
    """A painter and the main colours it is drawn in when nobody asks for one."""

    paint: Painter
    palettes: tuple[str, ...] = tuple(MAIN)
    grounded: bool = False
