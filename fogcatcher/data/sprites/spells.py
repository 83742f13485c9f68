"""Weapons, potions, trinkets and magic; long things lie along the diagonal."""

from __future__ import annotations

from fogcatcher.data.sprites.canvas import Art, Canvas
from fogcatcher.data.sprites.dice import Dice
from fogcatcher.data.sprites.item import Item, maybe_flip, two_colour_canvas
from fogcatcher.data.sprites.spell_parts import (
    AMULETS,
    AXE_HEADS,
    BOLTS,
    BOTTLES,
    BOWS,
    EMBLEMS,
    FLAMES,
    KEY_BOWS,
    RINGS,
    SCROLLS,
    SHARDS,
    SHIELDS,
    STAFF_HEADS,
    WAND_TIPS,
)


def _diagonal(canvas: Canvas, start: int, length: int, letters: str) -> None:
    """A stroke from bottom left to top right, ``start`` cells in from the corner.

    ``letters`` are its upper edge, middle and lower edge; ``.`` leaves one out.
    """
    for n in range(start, start + length):
        x, y = 1 + n, 14 - n
        canvas.dot(x, y, letters[1])
        if n < start + length - 1:
            canvas.dot(x, y - 1, letters[0])
            canvas.dot(x + 1, y, letters[2])


def _blade(canvas: Canvas, dice: Dice, start: int, length: int, metal: str) -> None:
    """A blade with a lit and a shaded edge, ending in a point or a square tip."""
    light, shade = metal.upper(), {"m": "5", "c": "1", "b": "b", "g": "7"}[metal]
    wide = dice.chance(40)
    _diagonal(canvas, start, length, light + (metal if wide else light) + shade)
    if wide:
        for n in range(start, start + length - 2):
            canvas.dot(1 + n, 12 - n, light)
            canvas.dot(3 + n, 14 - n, shade)


def _sword(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    metal = dice.pick("mmmbc")
    hilt = dice.between(3, 4)
    _blade(canvas, dice, hilt, 14 - hilt, metal)
    if dice.chance(30):
        for n in range(hilt + 1, 11, 2):
            canvas.dot(1 + n, 14 - n, "c" if metal != "c" else "d")
    _diagonal(canvas, 0, hilt, dice.pick((".c1", "Cc.", ".ll", ".c.")))
    span, guard = dice.between(2, 3), dice.pick("gcgm")
    x, y = 2 + hilt, 14 - hilt
    canvas.line(x - span, y - span, x + span - 1, y + span - 1, guard)
    canvas.line(x - span, y - span + 1, x + span - 2, y + span - 1, guard)
    if dice.chance(50):
        canvas.dot(1 + hilt, 14 - hilt, dice.pick("vCy"))
    canvas.stamp(dice.pick((("g",), ("c.", "cc"), ("Gg", "g7"), ("g.", "gg"))), 1, 13)
    return maybe_flip(canvas, dice)


def _dagger(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    hilt, length = dice.between(4, 5), dice.between(6, 8)
    _blade(canvas, dice, hilt, length, dice.pick("mmbcg"))
    _diagonal(canvas, 0, hilt, dice.pick((".c1", "Cc1", "Cc.")))
    for n in range(dice.below(3), hilt, 2):
        canvas.dot(1 + n, 14 - n, dice.pick("d1"))
    guard = dice.pick("gcdm")
    canvas.line(hilt - 1, 12 - hilt, hilt + 3, 16 - hilt, guard)
    if dice.chance(50):
        canvas.line(hilt - 1, 13 - hilt, hilt + 2, 16 - hilt, guard)
    canvas.stamp(dice.pick((("g",), ("Gg", "gg"), ("cc", "cc"), ("d.", "dd"))), 1, 13)
    return maybe_flip(canvas, dice)


def _axe(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    _diagonal(canvas, 0, dice.between(12, 13), "ll.")
    for n in range(dice.below(3), dice.between(3, 7), dice.between(1, 2)):
        canvas.dot(1 + n, 14 - n, "c")
        canvas.dot(1 + n, 13 - n, "c")
    head = dice.pick(AXE_HEADS)
    metal = dice.pick("mmcc")
    if metal == "c":
        head = _swap(head, "mM5", "cC1")
    canvas.stamp(head, dice.between(5, 6), 1)
    canvas.dot(11, 4, dice.pick("gcd"))
    canvas.dot(10, 5, dice.pick("gcl"))
    return maybe_flip(canvas, dice)


def _swap(rows: Art, old: str, new: str) -> Art:
    """The rows with every letter of ``old`` replaced by the one in its place."""
    table = str.maketrans(old, new)
    return tuple(row.translate(table) for row in rows)


def _staff(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    _diagonal(canvas, 0, 11, dice.pick(("ll.", "Ll.", ".ll")))
    for n in range(dice.below(3), 9, dice.between(2, 4)):
        canvas.dot(1 + n, 14 - n, dice.pick("6dg"))
    canvas.stamp(dice.pick(STAFF_HEADS), 9, 1)
    if dice.chance(50):
        canvas.line(4, 9, 7, 12, dice.pick("dg"))
    return maybe_flip(canvas, dice)


def _wand(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    length = dice.between(7, 9)
    _diagonal(canvas, 1, length, dice.pick(("Cc.", "Cc1", "cc.")))
    for n in range(dice.between(3, 5), length, dice.between(2, 4)):
        canvas.dot(1 + n, 14 - n, dice.pick("gdW"))
    canvas.stamp(dice.pick((("gg", "gg"), ("d.", "dd"), ("ww", "ww"))), 2, 12)
    tip = dice.pick(WAND_TIPS)
    middle = 2 + length
    canvas.stamp(tip, middle - len(tip[0]) // 2, 14 - length - len(tip) // 2)
    return maybe_flip(canvas, dice)


def _bow(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    bow = dice.pick(BOWS)
    upright = bow[3][2] == "b" and bow[10][2] == "b"
    canvas.stamp(bow, 1, 1)
    if upright and dice.chance(60):
        y = dice.between(6, 7)
        canvas.line(3, y + 1, 12, y + 1, dice.pick("lw"))
        canvas.stamp(("m..", "mmM", "5.."), 11, y)
        canvas.stamp(("d.", "dd", "d."), 2, y)
    wrap = dice.pick("dgC")
    for _ in range(dice.between(0, 6)):
        x, y = dice.between(4, 13), dice.between(1, 14)
        if canvas.has(x, y) and canvas.material[y, x] == 1:
            canvas.dot(x, y, wrap)
    return maybe_flip(canvas, dice)


def _potion(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    bottle = dice.pick(BOTTLES)
    top = 15 - len(bottle)
    canvas.stamp(bottle, 1, top)
    level = dice.between(top + len(bottle) // 2 - 1, top + len(bottle) // 2 + 2)
    for y in range(16):
        for x in range(16):
            if canvas.material[y, x] == 1 and y < level:
                canvas.dot(x, y, "b")
    for x in range(16):
        if canvas.has(x, level) and canvas.material[level, x] == 1:
            canvas.dot(x, level, "C")
    canvas.over(5, top + len(bottle) // 2 + 1, "z")
    canvas.over(5, top + len(bottle) // 2 + 2, "z")
    bubble = dice.pick("CCz1")
    for _ in range(dice.between(1, 5)):
        x, y = dice.between(4, 11), dice.between(level, 13)
        if canvas.has(x, y) and canvas.material[y, x] == 1:
            canvas.dot(x, y, bubble)
    if dice.chance(35):
        label = dice.pick((("WWW", "WvW"), ("WWWW", "WkkW"), ("W.W", ".W.", "W.W")))
        canvas.stamp(label, 6, 10)
    return canvas


def _fireball(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.stamp(dice.pick(FLAMES), 1, 1)
    cx, cy = dice.between(5, 6), dice.between(9, 10)
    radius = dice.between(6, 8) / 2
    canvas.ball(cx, cy, radius + 1, radius + 1, "c")
    canvas.blob(cx, cy, radius - 0.2, radius - 0.2, "C")
    canvas.blob(cx - 0.5, cy + 0.5, radius - 1.6, radius - 1.6, dice.pick("zWy"))
    for _ in range(dice.between(1, 4)):
        x, y = dice.between(7, 13), dice.between(1, 8)
        canvas.over(x, y, dice.pick("Cz"))
    return maybe_flip(canvas, dice)


def _ice(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.stamp(dice.pick(SHARDS), 1, 1)
    for _ in range(dice.between(2, 6)):
        x, y = dice.between(3, 12), dice.between(3, 12)
        if canvas.has(x, y) and canvas.has(x + 1, y) and canvas.has(x, y - 1):
            canvas.dot(x, y, dice.pick("zCC1"))
    return canvas


def _lightning(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.stamp(dice.pick(BOLTS), 1, 1)
    for _ in range(dice.between(0, 4)):
        x, y = dice.between(3, 12), dice.between(2, 13)
        canvas.over(x, y, dice.pick("zC"))
    for _ in range(dice.between(0, 2)):
        y = dice.between(3, 12)
        filled = [x for x in range(2, 13) if canvas.has(x, y)]
        if filled:
            canvas.dot(filled[-1] + 1, y, "c")
    return maybe_flip(canvas, dice)


def _scroll(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.stamp(dice.pick(SCROLLS), 1, 1)
    ink = dice.pick("8k1")
    for y in range(dice.between(5, 6), 11, dice.pick((2, 2, 3))):
        for x in range(4, dice.between(8, 12)):
            if canvas.has(x, y) and canvas.material[y, x] == 8 and dice.chance(80):
                canvas.dot(x, y, ink)
    if dice.chance(60):
        seal = dice.pick((("cC", "c1"), ("cc", "c1", "c."), ("dd", "2d")))
        canvas.stamp(seal, dice.between(8, 10), 9)
    return maybe_flip(canvas, dice)


def _book(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    width, height = dice.between(10, 12), dice.between(11, 13)
    x, y = 8 - width // 2, 15 - height
    canvas.box(x, y, width, height, "c")
    canvas.box(x, y, 2, height, "1")
    canvas.box(x + 2, y + height - 3, width - 3, 2, "W")
    canvas.box(x + 2, y + height - 2, width - 3, 1, "8")
    if dice.chance(60):
        corner = dice.pick("gmd")
        for cx, cy in ((x + width - 1, y), (x + width - 1, y + height - 4), (x + 2, y)):
            canvas.dot(cx, cy, corner)
            canvas.dot(cx - (cx > 8), cy, corner)
    canvas.stamp(dice.pick(EMBLEMS), x + 3 + dice.below(2), y + 2 + dice.below(2))
    for n in range(dice.between(0, 2)):
        canvas.line(x, y + 2 + 4 * n, x + 1, y + 2 + 4 * n, "g")
    ribbon = dice.between(0, 2)
    canvas.stamp(("d",) * ribbon, x + width - 3, y + height - 3)
    if dice.chance(35):
        canvas.stamp(("gg", "g7"), x + width - 1, y + height // 2 - 2)
    return maybe_flip(canvas, dice)


def _ring(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    ring = dice.pick(RINGS)
    metal = dice.pick("gmw")
    if metal != "g":
        ring = _swap(ring, "gG7", {"m": "mM5", "w": "wW8"}[metal])
    canvas.stamp(ring, 1, 6)
    gems = (
        ("..CCcc..", ".CCccc1.", "Czcccc11", "ccccc111", ".ccc111.", "..c111.."),
        (".CCcc.", "Czccc1", "CCccc1", "cccc11", ".c111."),
        ("..CC..", ".Czcc.", "CCccc1", ".ccc1.", "..c1.."),
        ("CC.cc.CC", "Czccc1c1", "cccccc11", ".cccc11.", "...c1..."),
    )
    gem = dice.pick(gems)
    canvas.stamp(gem, 8 - len(gem[0]) // 2, dice.between(1, 2))
    prongs = dice.pick((".", "d", "z"))
    canvas.dot(8 - len(gem[0]) // 2, 5, prongs)
    canvas.dot(7 + len(gem[0]) // 2, 5, prongs)
    for _ in range(dice.below(3)):
        canvas.over(dice.between(3, 12), dice.between(8, 13), "z" if metal == "m" else "y")
    return canvas


def _amulet(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    chain = dice.pick(("gG7", "mM5", "lL6"))
    spread = dice.between(4, 6)
    for side in (-1, 1):
        x = 7 if side < 0 else 8
        canvas.line(x + side * (spread - 2), 1, x + side * spread, 3, chain[0])
        canvas.line(x + side * spread, 3, x + side, 9, chain[0])
    canvas.line(8 - spread + 1, 1, 7 + spread - 1, 1, chain[1])
    pendant = dice.pick(AMULETS)
    canvas.mirror(_swap(pendant, "gG7", chain), 15 - len(pendant))
    canvas.over(6 + dice.below(2), 10 + dice.below(2), "z")
    return canvas


def _shield(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    shield = dice.pick(SHIELDS)
    rim = dice.pick(("mM5", "gG7", "dD2", "lL6"))
    canvas.mirror(_swap(shield, "mM5", rim), 1)
    style, mark = dice.below(6), dice.pick("dgW")
    for y in range(16):
        for x in range(16):
            if canvas.material[y, x] != 1:
                continue
            stripe = (style == 0 and x in (7, 8)) or (style == 1 and x + y in (14, 15, 16))
            if stripe or (style == 2 and y in (6, 7)) or (style == 3 and x < 8):
                canvas.dot(x, y, mark)
    if style > 3 or dice.chance(30):
        emblem = dice.pick(EMBLEMS)
        canvas.stamp(emblem, 8 - len(emblem[0]) // 2, dice.between(4, 6))
    return canvas


def _bomb(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    radius = dice.between(9, 11) / 2
    canvas.line(9, 5, 11, 3 + dice.below(2), dice.pick("wlt"))
    canvas.line(11, 3, 12, 2, dice.pick("wlt"))
    canvas.ball(7.5, 14.5 - radius, radius, radius, "c", shine=True)
    canvas.stamp(dice.pick((("mM", "55"), ("ccc", ".cc"), ("gG", "g7"))), 8, 4)
    faces = ((".",), ("kkk.kkk", "kzk.kzk", ".k...k."), ("k..k", "....", ".kk."), ("dddddddddd",))
    face = dice.pick(faces)
    for dy, row in enumerate(face):
        for dx, letter in enumerate(row):
            if letter != ".":
                canvas.over(4 + dx, 9 + dy, letter)
    spark = dice.pick(((".F.", "FfF", ".F."), ("F.F", ".f.", "F.F"), ("FF", "fF"), ("f", "f")))
    canvas.stamp(spark, 12, 1)
    return maybe_flip(canvas, dice)


def _key(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    bow = dice.pick(KEY_BOWS)
    x = 8 - len(bow[0]) // 2
    length = 14 - len(bow)
    canvas.box(7, 1 + len(bow), 1, length, "c")
    canvas.box(8, 1 + len(bow), 1, length, "1")
    canvas.stamp(bow, x, 1)
    if dice.chance(60):
        canvas.box(6, 1 + len(bow), 4, 1, dice.pick("dcC"))
    bits = (("cc1", "...", "cc1"), ("c1", "cc", "c1"), ("ccc", "cc1", "c.c"), ("cc", ".", "c1"))
    bit = dice.pick(bits)
    canvas.stamp(bit, 9, 14 - len(bit) + dice.below(2))
    if dice.chance(25):
        canvas.stamp(bit, 9, 10 - len(bit))
    return maybe_flip(canvas, dice)


SPELLS: dict[str, Item] = {
    "sword": Item(_sword),
    "dagger": Item(_dagger),
    "axe": Item(_axe),
    "staff": Item(_staff),
    "wand": Item(_wand),
    "bow": Item(_bow),
    "potion": Item(_potion),
    "fireball": Item(_fireball, ("orange", "red", "orange", "blue", "green", "purple")),
    "ice": Item(_ice, ("blue", "teal", "blue", "purple")),
    "lightning": Item(_lightning, ("gold", "blue", "purple", "gold")),
    "scroll": Item(_scroll),
    "book": Item(_book),
    "ring": Item(_ring),
    "amulet": Item(_amulet),
    "shield": Item(_shield),
    "bomb": Item(_bomb, ("grey", "grey", "red", "blue", "brown", "purple", "green")),
    "key": Item(_key, ("gold", "gold", "grey", "orange", "teal", "blue", "red")),
}
