"""Pixel art drawn by rule: unlimited, seeded 16x16 RGBA sprites of five kinds.

``draw`` makes one sprite and ``draw_many`` a balanced set. The same arguments
give the same pixels on every machine. Nothing is read from disk: every picture
is put together from small hand-drawn parts, shapes and colour ramps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fogcatcher.data.sprites.creatures import CREATURES
from fogcatcher.data.sprites.dice import Dice, seed_of_place
from fogcatcher.data.sprites.foods import FOODS
from fogcatcher.data.sprites.heroes import HEROES
from fogcatcher.data.sprites.item import Item
from fogcatcher.data.sprites.palettes import MAIN
from fogcatcher.data.sprites.sides import SIDES
from fogcatcher.data.sprites.spells import SPELLS

__all__ = ["ITEMS", "KINDS", "PALETTES", "Sprite", "draw", "draw_many", "palettes_of"]

_CATALOGUE: dict[str, dict[str, Item]] = {
    "hero": HEROES,
    "creature": CREATURES,
    "food": FOODS,
    "spell": SPELLS,
    "side": SIDES,
}
KINDS: tuple[str, ...] = tuple(_CATALOGUE)
ITEMS: dict[str, tuple[str, ...]] = {kind: tuple(items) for kind, items in _CATALOGUE.items()}
PALETTES: tuple[str, ...] = tuple(MAIN)


@dataclass(frozen=True, eq=False)
class Sprite:
    """One picture and the names that describe it.

    ``pixels`` is (16, 16, 4) uint8 RGBA; alpha is 0 or 255 and clear pixels are
    all zero. ``draw`` with the other four fields gives the same picture again.
    """

    pixels: NDArray[np.uint8]
    kind: str
    item: str
    palette: str
    seed: int


def draw(seed: int, kind: str | None = None, item: str | None = None, palette: str | None = None) -> Sprite:
    """The sprite of a seed (0 or more); the seed also chooses what is left as None."""
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    dice = Dice(seed)
    # Both are drawn even if unused, so naming a choice leaves later ones alone.
    kind_roll, item_roll, palette_roll = (dice.below(1 << 32) for _ in range(3))
    if kind is None and item is not None:
        kind = _kind_of(item)
    if kind is None:
        kind = KINDS[kind_roll % len(KINDS)]
    _check("kind", kind, KINDS)
    if item is None:
        item = ITEMS[kind][item_roll % len(ITEMS[kind])]
    _check(f"{kind} item", item, ITEMS[kind])
    entry = _CATALOGUE[kind][item]
    if palette is None:
        palette = entry.palettes[palette_roll % len(entry.palettes)]
    _check("palette", palette, PALETTES)
    canvas = entry.paint(dice, palette)
    canvas.settle(entry.grounded)
    return Sprite(canvas.render(), kind, item, palette, seed)


def palettes_of(kind: str, item: str) -> tuple[str, ...]:
    """The main colours that an item is drawn in when nobody asks for one."""
    return _CATALOGUE[kind][item].palettes


def draw_many(n: int, seed: int = 0) -> list[Sprite]:
    """``n`` sprites, the kinds in turn; sprite i depends on ``seed`` and i alone."""
    if n < 0 or seed < 0:
        raise ValueError(f"n and seed must be 0 or more, not {n} and {seed}")
    return [draw(seed_of_place(seed, i), KINDS[i % len(KINDS)]) for i in range(n)]


def _kind_of(item: str) -> str:
    """The kind that holds an item; the first one where two share the name."""
    for kind, names in ITEMS.items():
        if item in names:
            return kind
    every = [name for names in ITEMS.values() for name in names]
    raise ValueError(f"unknown item {item!r}; the items are {', '.join(every)}")


def _check(what: str, name: str, valid: Iterable[str]) -> None:
    """Raise a ValueError that lists the valid names unless ``name`` is one."""
    if name not in valid:
        raise ValueError(f"unknown {what} {name!r}; choose one of {', '.join(valid)}")
