"""Front-facing creatures: a body in one of several builds, then a face."""

from __future__ import annotations

from fogcatcher.data.sprites.canvas import Art, Canvas
from fogcatcher.data.sprites.creature_parts import (
    BAT_WINGS,
    CAPS,
    CAT_BODIES,
    CAT_HEADS,
    CRABS,
    DEMON_BODIES,
    DRAGON_BODIES,
    DRAGON_HEADS,
    EYES,
    GHOSTS,
    GOBLIN_BODIES,
    GOBLIN_HEADS,
    GOLEMS,
    HORNS,
    MOUTHS,
    OWLS,
    RIBS,
    SKULLS,
    SLIMES,
    SPIDER_LEGS,
    STALKS,
    WINGS,
)
from fogcatcher.data.sprites.dice import Dice
from fogcatcher.data.sprites.item import Item, two_colour_canvas

ANY_EYES = ("round", "small", "tall", "glow", "angry", "wide", "sleepy")
ANY_MOUTH = ("none", "smile", "line", "fangs", "open", "dot", "teeth", "tongue", "grin")
SKELETON_HATS: tuple[tuple[Art, int], ...] = (
    ((".",), 0),
    (("..G..G", "..ggGg", "..7g7g"), 1),
    (("...ccc", "..cccc", ".cccccc", ".111111"), 1),
    (("...mmm", "..mmmm", "..gGgg"), 1),
    (("..ccc", ".cccc", ".c111", ".c...", ".c...", ".c..."), 1),
    ((".w....", ".w.mmm", "..mmmm", "..7g7g"), 1),
)
GRIM_MOUTH = ("fangs", "teeth", "line", "open", "grin")


def _face(
    canvas: Canvas,
    dice: Dice,
    y: int,
    eyes: tuple[str, ...] = ANY_EYES,
    mouths: tuple[str, ...] = ANY_MOUTH,
) -> None:
    """Eyes whose first row is y, and a mouth two or three rows further down."""
    pair = EYES[dice.pick(eyes)]
    canvas.mirror(pair, y)
    if dice.chance(50) and pair[0].startswith("z"):
        _look_aside(canvas, y)
    canvas.mirror(MOUTHS[dice.pick(mouths)], y + 2 + dice.below(2))


def _look_aside(canvas: Canvas, y: int) -> None:
    """Make the right eye a copy of the left, so that both look the same way."""
    for row in (y, y + 1):
        for x in (5, 6):
            canvas.material[row, x + 4] = canvas.material[row, x]
            canvas.tone[row, x + 4] = canvas.tone[row, x]


def _spots(canvas: Canvas, dice: Dice, letter: str, top: int, bottom: int, count: int) -> None:
    """Single cells of another tone, only where the creature already is."""
    for _ in range(count):
        x, y = dice.between(3, 12), dice.between(top, bottom)
        # A spot at the rim would break the outline's even tone.
        if all(canvas.has(x + dx, y + dy) for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1))):
            canvas.dot(x, y, letter)


def _feet(body: Art) -> int:
    """The row to draw a body from so that it stands on the ground."""
    return 15 - len(body)


def _slime(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    body = dice.pick(SLIMES)
    top = _feet(body)
    canvas.mirror(HORNS[dice.pick(("none", "none", "leaf", "ears", "crown", "antenna"))], top - 3)
    canvas.mirror(body, top)
    shine = dice.between(4, 5)
    canvas.over(shine, top + 2, "z")
    canvas.over(shine, top + 3, "C")
    _spots(canvas, dice, dice.pick("C1C"), top + 1, 13, dice.below(5))
    _face(canvas, dice, top + len(body) // 2 - 1)
    return canvas


def _bat(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    lift = dice.between(0, 2)
    canvas.mirror(tuple(row + "." for row in dice.pick(BAT_WINGS)), 3 + lift)
    canvas.ball(8, 9, 3 + dice.below(2), 3.5 + dice.below(2) / 2, "c")
    ears = dice.pick((("c..", "cc.", "cc."), (".c.", ".cc", "cccc"), ("c...", "cc..", "ccc.")))
    canvas.mirror(ears, 3)
    _face(canvas, dice, 7, mouths=("fangs", "none", "dot", "grin", "line"))
    if dice.chance(50):
        canvas.mirror(("d.",), 12)
    return canvas


def _ghost(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    body = dice.pick(GHOSTS)
    top = 14 - len(body)
    canvas.mirror(HORNS[dice.pick(("none", "none", "none", "crown", "stub", "tuft"))], top - 3)
    canvas.mirror(body, top)
    if dice.chance(40):
        canvas.mirror(("cc.....", ".c....."), top + 5 + dice.below(2))
    _face(canvas, dice, top + 3, ("round", "tall", "wide", "small", "sleepy", "angry"))
    _spots(canvas, dice, dice.pick("C1"), top + 8, 13, dice.below(3))
    if dice.chance(50):
        canvas.flip()
    return canvas


def _skeleton(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    ribs, skull = dice.pick(RIBS), dice.pick(SKULLS)
    shoulder = _feet(ribs)
    canvas.mirror(ribs, shoulder)
    canvas.mirror(skull, max(shoulder - len(skull) + dice.below(2), 1))
    hat, lift = dice.pick(SKELETON_HATS)
    canvas.mirror(hat, max(shoulder - len(skull) - lift, 1))
    weapon = dice.pick((("M.", "M.", "m.", "gg", "l."), (".",), ("ww", ".w", "ww"), ("Mm", "ml")))
    canvas.stamp(weapon, 1, shoulder - len(weapon) + 5)
    if dice.chance(40):
        canvas.stamp((".cc", "cCc", "ccc", ".c."), 12, shoulder + 1)
    if dice.chance(50):
        canvas.flip()
    return canvas


def _spider(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    canvas.mirror(dice.pick(SPIDER_LEGS), dice.between(4, 5))
    canvas.ball(8, 7, 4 + dice.below(2) / 2, 3.5 + dice.below(2) / 2, "c")
    marks = (("...d", "..dd", "...d"), ("..dd", "...d"), (".d..", ".d.."), ("....",), ("...d",) * 4)
    canvas.mirror(dice.pick(marks), 4 + dice.below(2))
    canvas.ball(8, 11, 3, 2.5 + dice.below(2) / 2, "c")
    eyes = (("k.", "kk"), ("v.", "vv"), ("zk",), ("y.", ".y"), ("k.k", "..k"), ("zz", "zk"))
    canvas.mirror(dice.pick(eyes), 10)
    canvas.mirror(dice.pick((("w.",), ("w.", "w."), ("ww",), (".w",))), 13)
    return canvas


def _eyeball(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    tail = dice.pick((("v.v", "v.v", "5.v"), ("c.cc", "c..c"), ("ccc", ".cc"), (".",)))
    wings = dice.pick(("none", "raised", "folded"))
    canvas.mirror(tuple(row + "." for row in WINGS[wings]), 4)
    canvas.mirror(tail, 12)
    radius = dice.between(9, 10) / 2 + (wings == "none")
    canvas.ball(8, 8, radius, radius, "w")
    dx, dy = dice.between(-1, 1), dice.between(-1, 1)
    canvas.ball(8 + dx, 8 + dy, 3.2, 3.2, "c")
    pupil = dice.pick(((1, 2), (1, 1), (0, 2)))
    canvas.box(8 + dx - 1, 8 + dy - pupil[1] // 2 - 1, 1 + pupil[0], 2 + pupil[1], "k")
    canvas.dot(7 + dx, 7 + dy, "z")
    if dice.chance(50):
        for x in range(2, 14):
            for y in range(2, 5 + dice.below(2)):
                canvas.over(x, y, "c")
    _spots(canvas, dice, "v", 3, 12, dice.below(3))
    return canvas


def _goblin(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    body, head = dice.pick(GOBLIN_BODIES), dice.pick(GOBLIN_HEADS)
    shoulder = _feet(body)
    canvas.mirror(body, shoulder)
    top = shoulder - 6 + dice.below(2)
    canvas.mirror(tuple(row.replace("S", "1") for row in head), top)
    hat = dice.pick(("none", "tuft", "spike", "stub", "none", "leaf"))
    canvas.mirror(HORNS[hat], top - 2)
    _face(
        canvas,
        dice,
        top + 1,
        ("round", "glow", "angry", "small"),
        ("fangs", "grin", "line", "teeth"),
    )
    weapon = dice.pick(((".",), ("ll", "ll", ".l", ".l"), ("M", "M", "g", "l"), ("M", "l", "l", "l")))
    canvas.stamp(weapon, 1, shoulder - len(weapon) + 5)
    if dice.chance(50):
        canvas.flip()
    return canvas


def _demon(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    body = dice.pick(DEMON_BODIES)
    shoulder = _feet(body)
    wings = dice.pick(("raised", "folded", "none"))
    canvas.mirror(tuple(row + "." for row in WINGS[wings]), shoulder - dice.between(2, 3))
    canvas.mirror(body, shoulder)
    top = shoulder - 5 + dice.below(2)
    horns = dice.pick(("up", "stub", "curl"))
    canvas.mirror(HORNS[horns], max(top - 2, 1))
    canvas.mirror((".ccc", "cccc", "cccc", "cccc", ".ccc", "..cc"), top)
    _face(canvas, dice, top + 1, ("glow", "angry", "red", "wide"), GRIM_MOUTH)
    if dice.chance(50):
        canvas.stamp(("M.M", "MMM", ".l.", ".l.", ".l.", ".l."), 12, shoulder - 1)
    if dice.chance(50):
        canvas.flip()
    return canvas


def _golem(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    body = dice.pick(GOLEMS)
    top = _feet(body)
    canvas.mirror(body, top)
    crest = dice.pick(((".",), ("..e", ".ee"), ("c..", "c.."), ("..d",), ("e...", "ee.e")))
    canvas.mirror(crest, max(top - len(crest), 1))
    eyes = dice.pick((("y..",), ("yy.",), ("zk.",), ("b..", "b.."), ("v..",), ("kkk",)))
    canvas.mirror(eyes, top + 1)
    core = dice.pick((("....",), ("...d", "...d"), ("...y", "..yy"), ("..bb", "...b"), ("..dd",)))
    canvas.mirror(core, top + 6)
    _spots(canvas, dice, "1", top + 4, 13, dice.between(1, 4))
    _spots(canvas, dice, dice.pick("eC1"), top + 4, 13, dice.between(0, 3))
    return canvas


def _mushroom_man(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    cap, stalk = dice.pick(CAPS), dice.pick(STALKS)
    shoulder = _feet(stalk)
    top = shoulder - len(cap) + 1
    canvas.mirror(stalk, shoulder)
    canvas.mirror(cap, top)
    spots = dice.pick(
        (
            ("....W", "W..WW", "W...."),
            ("..WW.", "..WW."),
            ("W..W.",),
            ("...W", "W...."),
            (".WW..", ".WW.W"),
        )
    )
    canvas.mirror(spots, top + 1 + dice.below(2))
    _face(canvas, dice, shoulder + 2, ("round", "small", "tall", "sleepy"), ("dot", "line", "none"))
    if dice.chance(50):
        canvas.mirror((".w....",), shoulder + 2 + dice.below(2))
    return canvas


def _cat(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    head, body = dice.pick(CAT_HEADS), dice.pick(CAT_BODIES)
    shoulder = _feet(body)
    canvas.mirror(body, shoulder)
    tail = dice.pick((("..c", "..c", "cc."), (".cc", "..c", "..c", "cc."), ("c.", ".c", "cc"), ("cc",)))
    canvas.stamp(tail, 12, 14 - len(tail))
    top = shoulder - len(head) + 1
    canvas.mirror(head, top)
    canvas.mirror(dice.pick((("...1", "...1"), ("....",), ("..1.",), ("...C", "...C"))), top + 2)
    canvas.mirror(dice.pick((("k..", "k.."), ("yk.", "yk."), ("zk.", "zk."), ("k..",))), top + 3)
    muzzle = dice.pick(((".vv",), (".Wv", ".WW"), ("W.v", ".WW"), ("..v", ".1.")))
    canvas.mirror(muzzle, top + 5)
    if dice.chance(50):
        canvas.mirror(dice.pick((("..dd", "...g"), (".ddd",), ("..vv", "...g"))), shoulder + 1)
    if dice.chance(50):
        canvas.flip()
    return canvas


def _dragon(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    head, body = dice.pick(DRAGON_HEADS), dice.pick(DRAGON_BODIES)
    shoulder = _feet(body)
    wings = dice.pick(("raised", "folded", "raised"))
    canvas.mirror(tuple(row + "." for row in WINGS[wings]), shoulder - dice.between(1, 3))
    canvas.mirror(body, shoulder)
    tail = dice.pick((("..c", ".cc", "cc."), ("d..", "cc.", "cc."), (".d", ".c", "cc")))
    canvas.stamp(tail, 11, 14 - len(tail))
    top = shoulder - len(head) + 1
    canvas.mirror(HORNS[dice.pick(("up", "stub", "curl", "tuft", "spike"))], max(top - 2, 1))
    canvas.mirror(head, top)
    _face(canvas, dice, top + 2, ("round", "glow", "angry", "small", "tall"), ("none",))
    if dice.chance(50):
        canvas.mirror(("..ww",), top + 6)
    if dice.chance(50):
        canvas.flip()
    return canvas


def _owl(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    body = dice.pick(OWLS)
    top = _feet(body)
    canvas.mirror(body, top)
    eyes = dice.pick(
        (("www.", "wkk.", "wkk."), (".zz.", "zkz.", ".zz."), ("ggg.", "gkg.", "ggg."), (".kk.",))
    )
    canvas.mirror(eyes, top + 2)
    canvas.mirror(dice.pick((("...g", "...7"), ("...g",), ("...f", "...f"))), top + 4)
    _spots(canvas, dice, dice.pick("1C2"), top + 6, 13, dice.between(0, 6))
    if dice.chance(40):
        canvas.mirror(dice.pick((("...d", "..dd"), ("....1", "..111"))), top + 1)
    return canvas


def _crab(dice: Dice, palette: str) -> Canvas:
    canvas = two_colour_canvas(dice, palette)
    body = dice.pick(CRABS)
    top = _feet(body)
    canvas.mirror(body, top)
    stalk = dice.between(1, 2)
    eyes = dice.pick((("zk.", "zz."), ("k..",), ("z..", "k.."), ("zz.", "zk.")))
    canvas.mirror(("c..",) * (stalk + 1), top + 5 - stalk)
    canvas.mirror(eyes, top + 5 - stalk - len(eyes) + dice.below(2))
    canvas.mirror(MOUTHS[dice.pick(("smile", "line", "none", "dot", "grin"))], top + 7)
    _spots(canvas, dice, dice.pick("C1d"), top + 5, 13, dice.between(0, 6))
    return canvas


CREATURES: dict[str, Item] = {
    "slime": Item(_slime, grounded=True),
    "bat": Item(_bat),
    "ghost": Item(_ghost),
    "skeleton": Item(_skeleton, grounded=True),
    "spider": Item(_spider),
    "eyeball": Item(_eyeball),
    "goblin": Item(_goblin, grounded=True),
    "demon": Item(_demon, grounded=True),
    "golem": Item(_golem, grounded=True),
    "mushroom_man": Item(_mushroom_man, grounded=True),
    "cat": Item(_cat, grounded=True),
    "dragon": Item(_dragon, grounded=True),
    "owl": Item(_owl, grounded=True),
    "crab": Item(_crab, grounded=True),
}
