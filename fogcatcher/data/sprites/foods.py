"""Things to eat: shaded balls for what is round, hand-drawn rows for the rest."""

from __future__ import annotations

import numpy as np

from fogcatcher.data.sprites.canvas import Canvas
from fogcatcher.data.sprites.dice import Dice
from fogcatcher.data.sprites.food_parts import (
    BANANAS,
    BREADS,
    BURGER_TOPS,
    CAKES,
    CARROTS,
    CHEESES,
    CONES,
    FISHES,
    LEAVES,
    MEATS,
    SOUPS,
)
from fogcatcher.data.sprites.item import Item, maybe_flip, two_colour_canvas
from fogcatcher.data.sprites.palettes import MAIN, PARTNERS


def _bite(canvas: Canvas, dice: Dice, flesh: str) -> None:
    """Take a bite out of the right side and show the flesh along it."""
    y, rim = dice.between(6, 9), int(np.nonzero(canvas.material)[1].max())
    for x in range(9, 16):
        for row in range(16):
            near = (x - rim - 1) ** 2 + (row - y) ** 2
            if near <= 6:
                canvas.dot(x, row, "_")
            elif near <= 12 and x < rim:
                canvas.over(x, row, flesh)


def _marks(canvas: Canvas, dice: Dice, letter: str, count: int, low: int = 4) -> None:
    """Single cells of a letter inside the food, away from its rim."""
    for _ in range(count):
        x, y = dice.between(3, 12), dice.between(low, 12)
        if all(canvas.has(x + dx, y + dy) for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1))):
            canvas.dot(x, y, letter)


def _apple(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    spread, height = dice.between(4, 6) / 2, dice.between(9, 11) / 2
    canvas.ball(8, 9, 4.5 + spread / 2, height, "c", shine=True)
    canvas.blob(8, 9 - height, 1.4, 1, "1")
    canvas.dot(7 + dice.below(2), 14, "_")
    lean = dice.between(-1, 1)
    canvas.line(8, 5, 8 + lean, 2 + dice.below(2), "l")
    canvas.stamp(dice.pick(LEAVES), 9, 2, dice.chance(30))
    _marks(canvas, dice, dice.pick("C1C"), dice.below(4))
    if dice.chance(30):
        _bite(canvas, dice, "W")
    return maybe_flip(canvas, dice)


def _pear(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    lean, belly = dice.between(-1, 1), dice.between(8, 11) / 2
    canvas.ball(8 + lean, 6, 2.5 + dice.below(2) / 2, 3.6, "c")
    canvas.ball(8, 10, belly, 4.2, "c", shine=True)
    canvas.line(8 + lean, 3, 8 + lean + dice.between(-1, 1), 1, "l")
    if dice.chance(70):
        canvas.stamp(dice.pick(LEAVES), 9 + lean, 1)
    _marks(canvas, dice, dice.pick("1C"), dice.below(5), 8)
    if dice.chance(25):
        _bite(canvas, dice, "W")
    return maybe_flip(canvas, dice)


def _cherry(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    x, top = dice.between(7, 10), dice.between(1, 2)
    left, right = dice.between(10, 11), dice.between(10, 12)
    stalk = dice.pick("el")
    canvas.line(x, top, 4, left - 2, stalk)
    canvas.line(x, top, 11, right - 2, stalk)
    canvas.stamp(dice.pick(LEAVES), x, top, dice.chance(50))
    canvas.ball(4.5, left, 3 + dice.below(2) / 2, 3.1, "c", shine=True)
    canvas.ball(11.5, right, 3 + dice.below(2) / 2, 3.1, "c", shine=True)
    return maybe_flip(canvas, dice)


def _grapes(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.line(8, 4, 8 + dice.between(-1, 1), 1, "l")
    canvas.stamp(dice.pick(LEAVES), 8, 1, dice.chance(50))
    rows = dice.pick(((3, 4, 3, 2, 1), (3, 4, 3, 2), (4, 3, 3, 2, 1), (4, 3, 2, 1), (2, 3, 3, 2, 1)))
    for n, count in enumerate(rows):
        y = 4 + n * 2 + (1 if len(rows) == 4 else 0)
        start = 8 - (3 * count) // 2 + dice.between(0, 1)
        for k in range(count):
            canvas.stamp(("Cc.", "cc1", ".1."), start + 3 * k, y)
    return maybe_flip(canvas, dice)


def _bread(dice: Dice, palette: str) -> Canvas:
    canvas = Canvas(c=MAIN[palette], t=MAIN[palette])
    canvas.stamp(dice.pick(BREADS), 1, 3)
    slash = dice.pick((("W", "W"), (".W", "W."), ("W.", ".W"), ("WW",)))
    first, step = dice.between(3, 5), dice.between(3, 4)
    for k in range(dice.between(0, 3)):
        x = first + k * step
        if canvas.has(x + 1, 8):
            canvas.stamp(slash, x, dice.between(6, 7))
    _marks(canvas, dice, dice.pick("1C"), dice.below(5))
    return maybe_flip(canvas, dice)


def _cheese(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.stamp(dice.pick(CHEESES), 1, 3)
    hole = dice.pick((("11", "1C"), ("1",), ("1.", "11")))
    for _ in range(dice.between(2, 4)):
        x, y = dice.between(3, 11), dice.between(8, 11)
        if canvas.has(x, y) and canvas.has(x + 1, y + 1):
            canvas.stamp(hole, x, y)
    return maybe_flip(canvas, dice)


def _meat(dice: Dice, palette: str) -> Canvas:
    canvas = Canvas(c=MAIN[palette])
    cx, cy = dice.between(12, 13) / 2, dice.between(12, 14) / 2
    canvas.stamp(dice.pick(MEATS), 8, 8)
    canvas.ball(8.5, 8.5, 3.2, 3.2, "c")
    canvas.ball(cx + 0.5, cy, dice.between(9, 11) / 2, dice.between(9, 11) / 2, "c", shine=True)
    if dice.chance(50):
        canvas.line(4, 7 + dice.below(2), 6 + dice.below(2), 9, "1")
    if dice.chance(50):
        canvas.line(6, 5, 8 + dice.below(2), 7, "1")
    _marks(canvas, dice, "1", dice.below(3))
    return maybe_flip(canvas, dice)


def _fish(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.stamp(dice.pick(FISHES), 1, 3)
    pattern = dice.pick((("2", ".", "2"), ("1", "1"), ("C", ".", "C"), (".",), ("d", "d", "d")))
    for k in range(dice.between(1, 3)):
        x = 6 + 2 * k
        for n, row in enumerate(pattern):
            canvas.over(x - (k % 2), 6 + n, row)
    canvas.dot(12, 6, "k")
    return maybe_flip(canvas, dice)


def _egg(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    if palette in ("gold", "orange") and dice.chance(70):
        canvas.blob(7 + dice.below(2), 9, 6.4, dice.between(9, 10) / 2, "w")
        canvas.blob(dice.between(5, 10), dice.between(6, 11), 3.4, 3, "w")
        canvas.blob(dice.between(5, 10), dice.between(6, 11), 3.4, 3, "w")
        yolk_x, yolk_y = dice.between(6, 9), dice.between(7, 10)
        canvas.ball(yolk_x, yolk_y, 2.6, 2.6, "c", shine=True)
        return maybe_flip(canvas, dice)
    canvas.ball(8, 8.5, dice.between(9, 11) / 2, 6.2, "c", shine=True)
    band = dice.pick(("d", "C", "1", "W"))
    style = dice.below(4)
    for x in range(16):
        if style == 1:
            canvas.over(x, 8 + x % 2, band)
            canvas.over(x, 10 + x % 2, band)
        elif style == 2:
            canvas.over(x, 7, band)
            canvas.over(x, 10, band)
    if style in (0, 3):
        _marks(canvas, dice, band, dice.between(3, 8))
    return canvas


def _cake(dice: Dice, palette: str) -> Canvas:
    canvas = Canvas(c=MAIN[palette], d=MAIN[dice.pick(("pink", "brown", "gold", "red"))])
    canvas.stamp(dice.pick(CAKES), 1, 4)
    x = dice.between(5, 9)
    top = dice.pick((("vv", "vv"), (".y", ".z", ".z"), ("e.", "vv", "vv"), ("ww", "ww"), (".",)))
    canvas.stamp(top, x, 5 - len(top))
    _marks(canvas, dice, dice.pick("Cvz"), dice.between(0, 4), 5)
    return maybe_flip(canvas, dice)


def _carrot(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.stamp(dice.pick(CARROTS), 1, 4)
    for _ in range(dice.between(1, 4)):
        x, y = dice.between(3, 9), dice.between(6, 13)
        if canvas.has(x, y) and canvas.has(x + 1, y):
            canvas.stamp((dice.pick(("11", "1", "CC")),), x, y)
    tops = dice.pick(
        (
            ("..e.", "e.e.", ".eee", ".eee"),
            (".ee.", "eeee", "9ee9"),
            ("e..e", "ee.e", ".eee", ".9e."),
            ("...ee", ".eeee", "eee9.", "9e..."),
        )
    )
    canvas.stamp(tops, 10, 1)
    return maybe_flip(canvas, dice)


def _mushroom(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    width, rim, stem = dice.between(10, 13) / 2, dice.between(8, 10), dice.pick((2, 2, 3))
    canvas.ball(8, rim, width, rim - 1.5, "c")
    # Only the upper half of the ball is cap.
    canvas.material[rim + 1 :] = 0
    canvas.box(8 - stem, rim, 2 * stem, 15 - rim, "w")
    if dice.chance(50):
        canvas.box(7 - stem, 12, 2 * stem + 2, 2, "w")
    canvas.box(8 - stem, rim, 2 * stem, 1, "8")
    spot = dice.pick((("W",), ("WW", "WW"), ("WW",), (".W", "W.")))
    for _ in range(dice.between(1, 5)):
        x, y = dice.between(4, 10), dice.between(3, max(rim - 2, 3))
        if canvas.has(x - 1, y - 1) and canvas.has(x + 2, y - 1):
            canvas.stamp(spot, x, y)
    return maybe_flip(canvas, dice)


def _soup(dice: Dice, palette: str) -> Canvas:
    canvas = Canvas(c=MAIN[palette], d=MAIN[dice.pick(PARTNERS[palette])])
    canvas.stamp(dice.pick(SOUPS), 1, 6)
    for _ in range(dice.between(1, 5)):
        canvas.dot(dice.between(4, 11), 7, dice.pick("eFvW"))
    spoon = dice.pick((("...m", "..m.", ".m.."), ("..l", ".l.", ".l."), (".",), ("e..", ".e.", "eee")))
    canvas.stamp(spoon, dice.between(8, 10), 4 + (len(spoon) < 3))
    if dice.chance(60):
        canvas.stamp(dice.pick((("2..2", ".dd."), ("dddd",), ("D.D.D.D",), ("d.d.d",))), 4, 10)
    return maybe_flip(canvas, dice)


def _burger(dice: Dice, palette: str) -> Canvas:
    canvas = Canvas(c=MAIN[palette], t=MAIN[palette])
    layers = [
        "eeeeeeeeeeeeee",
        ".nnqqqqqqqqnn.",
        "GGgGGGgGGGGgGG",
        ".vvvvvvvvvvvv.",
        "9e9ee9eee9ee9e",
    ]
    order = [layers.pop(dice.below(len(layers))) for _ in range(dice.between(2, 3))]
    if not any("q" in row for row in order):
        order[1] = ".qqqqqqqqqqqq."
    top = dice.pick(BURGER_TOPS)
    rows = (*top, *order, ".cccccccccccc.", "..cccccccccc..")
    canvas.stamp(rows, 1, 14 - len(rows))
    for _ in range(dice.between(0, 5)):
        x, y = dice.between(4, 11), 15 - len(rows) + dice.below(2)
        if canvas.has(x, y - 1):
            canvas.dot(x, y, "W")
    return maybe_flip(canvas, dice)


def _ice_cream(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.stamp(dice.pick(CONES), 3, 8)
    if dice.chance(50):
        canvas.ball(8 + dice.between(-1, 1), 4.5, 3.2, 3.4, dice.pick("ddw"))
    canvas.ball(8, 7, dice.between(9, 10) / 2, 3.6, "c")
    drips = [dice.between(9, 11) for _ in range(8)]
    for n, low in enumerate(drips):
        if n % 2 == dice.below(2):
            canvas.line(4 + n, 8, 4 + n, low - 1, "c")
    _marks(canvas, dice, dice.pick("zvC"), dice.between(1, 6), 3)
    top = dice.pick((("vv", "vv"), ("l.", "ll", "ll"), (".",), ("W",)))
    canvas.stamp(top, dice.between(6, 9), 1)
    return maybe_flip(canvas, dice)


def _banana(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.stamp(dice.pick(BANANAS), 1, 1)
    _marks(canvas, dice, dice.pick("1l"), dice.between(0, 6))
    _marks(canvas, dice, "C", dice.between(0, 3))
    return maybe_flip(canvas, dice)


_FRUIT = ("red", "green", "gold", "orange", "pink")
_BAKED = ("brown", "gold", "orange")

FOODS: dict[str, Item] = {
    "apple": Item(_apple, ("red", "green", "gold", "red")),
    "pear": Item(_pear, ("green", "gold", "green", "orange")),
    "cherry": Item(_cherry, ("red", "pink", "purple", "red")),
    "grapes": Item(_grapes, ("purple", "green", "red", "blue")),
    "bread": Item(_bread, _BAKED),
    "cheese": Item(_cheese, ("gold", "orange", "gold")),
    "meat": Item(_meat, ("brown", "red", "orange")),
    "fish": Item(_fish, ("blue", "teal", "orange", "grey", "pink", "red")),
    "egg": Item(_egg, (*MAIN, "gold", "gold", "orange")),
    "cake": Item(_cake, ("pink", "brown", "gold", "red", "teal")),
    "carrot": Item(_carrot, ("orange", "orange", "red", "purple")),
    "mushroom": Item(_mushroom, ("red", "brown", "orange", "purple", "grey", "blue")),
    "soup": Item(_soup),
    "burger": Item(_burger, _BAKED),
    "ice_cream": Item(_ice_cream, ("pink", "brown", "gold", "teal", "green", "purple")),
    "banana": Item(_banana, ("gold", "gold", "green")),
}
