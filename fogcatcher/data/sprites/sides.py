"""People and animals in profile, drawn facing right and turned by the seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from fogcatcher.data.sprites import side_parts as parts
from fogcatcher.data.sprites.canvas import Art, Canvas
from fogcatcher.data.sprites.dice import Dice
from fogcatcher.data.sprites.item import Item, maybe_flip
from fogcatcher.data.sprites.palettes import HAIR as HAIR_RAMPS
from fogcatcher.data.sprites.palettes import HAIR_BESIDE_SKIN, MAIN, PARTNERS, SKIN

Names = tuple[str, ...]


@dataclass(frozen=True)
class Outfit:
    """What a walking person may wear and carry."""

    hats: Names
    tools: Names
    robed: int = 0


OUTFITS: dict[str, Outfit] = {
    "soldier": Outfit(("helm", "plume", "helm"), ("sword", "spear", "shield")),
    "mage": Outfit(("pointed", "hood", "pointed"), ("staff", "staff", "lantern", "none"), 100),
    "archer": Outfit(("feather", "hood", "cap"), ("bow",)),
    "villager": Outfit(("none", "straw", "cap", "none"), ("none", "basket", "fork", "lantern"), 25),
    "noble": Outfit(("crown", "feather", "none"), ("sword", "none", "staff"), 50),
}


def _canvas(dice: Dice, palette: str) -> Canvas:
    """An empty canvas with the main colour, its partner, a skin and hair."""
    skin = dice.below(len(SKIN))
    return Canvas(
        c=MAIN[palette],
        d=MAIN[dice.pick(PARTNERS[palette])],
        s=SKIN[skin],
        h=HAIR_RAMPS[dice.pick(HAIR_BESIDE_SKIN[skin])],
    )


def _marks(canvas: Canvas, dice: Dice, letter: str, count: int, columns: tuple[int, int]) -> None:
    """Cells of a letter on the main colour between two columns, off the rim."""
    for _ in range(count):
        x, y = dice.between(*columns), dice.between(3, 12)
        inside = all(canvas.has(x + dx, y + dy) for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)))
        if inside and canvas.material[y, x] == 1:
            canvas.dot(x, y, letter)


def _person(outfit: Outfit, dice: Dice, palette: str) -> Canvas:
    canvas = _canvas(dice, palette)
    if dice.chance(outfit.robed):
        body = dice.pick(parts.ROBE)
    else:
        body = dice.pick(parts.TORSOS) + dice.pick(parts.STEPS)
    shoulder = 15 - len(body)
    hat = dice.pick(outfit.hats)
    top = max(shoulder - 6 + dice.below(2), 3 if hat in ("pointed", "crown") else 2)
    canvas.stamp(dice.pick(parts.CAPES), 2, shoulder)
    canvas.stamp(body, 4, shoulder)
    canvas.stamp(dice.pick(parts.HEADS), 4, top)
    canvas.stamp(parts.HATS[hat], 3, top - (2 if hat in ("pointed", "crown", "feather") else 1))
    tool = parts.TOOLS[dice.pick(outfit.tools)]
    canvas.stamp(tool, 10 + dice.below(2), max(shoulder + 3 - len(tool) // 2, 1))
    return maybe_flip(canvas, dice)


def _four_legged(bodies: tuple[Art, ...], dice: Dice, palette: str) -> Canvas:
    """Dog, horse, cow or pig: a body on stepping legs, with a tail and markings."""
    canvas = _canvas(dice, palette)
    body, legs = dice.pick(bodies), dice.pick(parts.LEGS)
    top = 15 - len(body) - len(legs)
    canvas.stamp(legs, 1 + dice.below(2), 15 - len(legs))
    canvas.stamp(body, 2, top)
    tail = dice.pick(parts.TAILS)
    canvas.stamp(tail, 3 - len(tail[0]), 15 - len(legs) - 4 - len(tail) // 2 + dice.below(2))
    mark = dice.pick("WW1C")
    for _ in range(dice.below(4)):
        x, y = dice.between(3, 8), dice.between(top + 4, 12)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            if canvas.has(x + dx, y + dy) and canvas.has(x + dx, y + dy + 1):
                canvas.dot(x + dx, y + dy, mark)
    if dice.chance(30) and len(body) > 8:
        canvas.stamp(("ddd", "dDd", "22."), 5, 15 - len(legs) - 4)
    return maybe_flip(canvas, dice)


def _whole(bodies: tuple[Art, ...], marks: str, dice: Dice, palette: str) -> Canvas:
    """An animal in one piece, varied by its build, markings and hat."""
    canvas = _canvas(dice, palette)
    body = dice.pick(bodies)
    canvas.stamp(body, 1, 15 - len(body))
    letter = dice.pick(marks)
    _marks(canvas, dice, letter, dice.between(0, 10), (2, 10))
    _marks(canvas, dice, dice.pick(marks), dice.between(0, 3), (2, 8))
    if dice.chance(30):
        _crest(canvas, dice)
    return maybe_flip(canvas, dice)


def _crest(canvas: Canvas, dice: Dice) -> None:
    """A tuft, flower or little crown on the highest cells of the animal."""
    ys, xs = canvas.material.nonzero()
    top = int(ys.min())
    middle = int(xs[ys == top].mean())
    crest = dice.pick((("d.d", "ddd"), ("g.g", "ggg"), (".d", "dd"), ("v.", "ee")))
    canvas.stamp(crest, middle - 1, max(top - 2, 1))


def _snail(dice: Dice, palette: str) -> Canvas:
    canvas = _canvas(dice, palette)
    body, shell = dice.pick(parts.SNAIL_BODIES), dice.pick(parts.SNAIL_SHELLS)
    if dice.chance(50):
        canvas.ramps["w"] = dice.pick(SKIN[:3])
    top = 15 - len(body)
    canvas.stamp(body, 1, top)
    canvas.stamp(shell, dice.between(1, 3), 13 - len(shell) + dice.below(2))
    _marks(canvas, dice, dice.pick("Cd1"), dice.between(0, 6), (3, 9))
    return maybe_flip(canvas, dice)


def _mouse(dice: Dice, palette: str) -> Canvas:
    canvas = _canvas(dice, palette)
    canvas.ramps["d"] = MAIN["pink"]
    body = dice.pick(parts.MICE)
    canvas.stamp(body, 1, 15 - len(body))
    tail = dice.pick((("d..", ".d.", "..d"), (".d", "d.", ".d"), ("dd.", "..d"), ("d", "d", "d")))
    canvas.stamp(tail, 0, 13 - len(tail) - dice.below(2))
    _marks(canvas, dice, dice.pick("1CW"), dice.between(0, 8), (2, 9))
    if dice.chance(40):
        canvas.stamp(dice.pick((("CCc", "ggg"), ("GGg", "ggg"), ("vv", "vv"))), 12, 12)
    return maybe_flip(canvas, dice)


SIDES: dict[str, Item] = {
    name: Item(partial(_person, outfit), grounded=True) for name, outfit in OUTFITS.items()
} | {
    "dog": Item(partial(_four_legged, parts.DOGS), ("brown", "gold", "grey", "orange"), True),
    "horse": Item(partial(_four_legged, parts.HORSES), ("brown", "grey", "orange", "gold"), True),
    "cow": Item(partial(_four_legged, parts.COWS), ("brown", "grey"), True),
    "pig": Item(partial(_four_legged, parts.PIGS), ("pink", "pink", "brown", "grey"), True),
    "snail": Item(_snail, grounded=True),
    "bird": Item(partial(_whole, parts.BIRDS, "C1d"), grounded=True),
    "snake": Item(partial(_whole, parts.SNAKES, "C1d"), grounded=True),
    "turtle": Item(partial(_whole, parts.TURTLES, "C1d"), grounded=True),
    "mouse": Item(_mouse, ("grey", "brown", "gold", "grey"), grounded=True),
    "dinosaur": Item(partial(_whole, parts.DINOS, "C1d"), grounded=True),
    "frog": Item(partial(_whole, parts.FROGS, "C1d"), ("green", "teal", "red", "blue"), True),
}
