"""Front-facing people, put together from heads, hair, hats, bodies and things held."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from fogcatcher.data.sprites.canvas import Canvas
from fogcatcher.data.sprites.dice import Dice
from fogcatcher.data.sprites.hero_parts import BEARDS, BODIES, CAPES, FACES, HAIR, HATS, RIGHT_HAND, SHIELDS
from fogcatcher.data.sprites.item import Item
from fogcatcher.data.sprites.palettes import HAIR as HAIR_RAMPS
from fogcatcher.data.sprites.palettes import HAIR_BESIDE_SKIN, MAIN, PARTNERS, SKIN

Names = tuple[str, ...]


@dataclass(frozen=True)
class Costume:
    """The parts an item may wear; the seed picks one of each, all as likely."""

    hats: Names
    bodies: Names
    hands: Names = ("none",)
    shields: Names = ("none",)
    hair: Names = ("short", "fringe", "spiky", "bob")
    beards: Names = ("none",)
    capes: Names = ("none",)


COSTUMES: dict[str, Costume] = {
    "knight": Costume(
        hats=("great_helm", "open_helm", "plume_helm"),
        bodies=("mail", "plate"),
        hands=("sword", "spear", "mace", "axe"),
        shields=("round", "kite", "none"),
        beards=("none", "none", "moustache"),
        capes=("none", "none", "long"),
    ),
    "wizard": Costume(
        hats=("wizard_hat",),
        bodies=("robe", "sash_robe"),
        hands=("staff", "orb_staff", "none", "book"),
        hair=("long", "short", "bob"),
        beards=("long", "full", "long", "none"),
    ),
    "ranger": Costume(
        hats=("ranger_hat", "hood", "cap"),
        bodies=("tunic", "leather"),
        hands=("bow", "spear", "dagger"),
        beards=("none", "none", "full"),
        capes=("none", "short"),
    ),
    "rogue": Costume(
        hats=("hood", "mask", "bandana"),
        bodies=("leather", "vest", "tunic"),
        hands=("dagger", "dagger", "lantern", "sword"),
        capes=("none", "short"),
    ),
    "monk": Costume(
        hats=("none", "headband"),
        bodies=("monk_robe",),
        hands=("none", "spear", "book"),
        hair=("bald", "tonsure", "tonsure", "short"),
        beards=("none", "long", "full", "moustache"),
    ),
    "princess": Costume(
        hats=("tiara", "tiara", "none"),
        bodies=("gown",),
        hands=("none", "sceptre"),
        hair=("long", "bob", "buns", "fringe"),
        capes=("none", "long"),
    ),
    "king": Costume(
        hats=("crown",),
        bodies=("robe", "coat", "mail"),
        hands=("sceptre", "sword", "none"),
        hair=("short", "bob", "long"),
        beards=("full", "long", "moustache"),
        capes=("fur", "long", "none"),
    ),
    "barbarian": Costume(
        hats=("none", "horned_helm", "headband"),
        bodies=("bare",),
        hands=("axe", "hammer", "sword"),
        shields=("none", "wood", "round"),
        hair=("long", "spiky", "bob"),
        beards=("none", "full", "moustache"),
    ),
    "pirate": Costume(
        hats=("tricorn", "bandana"),
        bodies=("coat", "stripes", "vest"),
        hands=("cutlass", "dagger", "lantern"),
        hair=("short", "long", "bob"),
        beards=("none", "full", "moustache"),
    ),
    "witch": Costume(
        hats=("witch_hat",),
        bodies=("robe", "sash_robe", "gown"),
        hands=("broom", "orb_staff", "none", "lantern"),
        hair=("long", "bob"),
    ),
    "viking": Costume(
        hats=("horned_helm", "open_helm"),
        bodies=("leather", "mail", "tunic"),
        hands=("axe", "hammer", "spear"),
        shields=("wood", "round", "none"),
        hair=("bob", "long", "short"),
        beards=("long", "full"),
        capes=("none", "fur"),
    ),
    "cleric": Costume(
        hats=("mitre", "veil", "none"),
        bodies=("stole", "robe"),
        hands=("mace", "staff", "book"),
        shields=("none", "kite"),
        beards=("none", "none", "full"),
    ),
    "farmer": Costume(
        hats=("straw_hat", "cap", "straw_hat"),
        bodies=("vest", "tunic", "stripes"),
        hands=("hammer", "broom", "lantern", "none"),
        beards=("none", "full", "moustache"),
    ),
}


def _paint(costume: Costume, dice: Dice, palette: str) -> Canvas:
    """One person in the given main colour."""
    skin = dice.below(len(SKIN))
    canvas = Canvas(
        c=MAIN[palette],
        d=MAIN[dice.pick(PARTNERS[palette])],
        s=SKIN[skin],
        h=HAIR_RAMPS[dice.pick(HAIR_BESIDE_SKIN[skin])],
    )
    body = BODIES[dice.pick(costume.bodies)]
    shoulder = 15 - len(body)
    hat = dice.pick(costume.hats)
    # A tall hat pushes the head down, so that its tip stays on the canvas.
    top = max(shoulder - 6 + dice.below(2), 1 + HATS[hat][1], 2)
    canvas.mirror(CAPES[dice.pick(costume.capes)], shoulder)
    canvas.mirror(body, shoulder)
    _paint_head(canvas, costume, dice, hat, top)
    _paint_hands(canvas, costume, dice, shoulder)
    if dice.chance(50):
        canvas.flip()
    return canvas


def _paint_head(canvas: Canvas, costume: Costume, dice: Dice, hat: str, top: int) -> None:
    """Face, hair, beard and hat, with the top of the skull at row ``top``."""
    rows, lift = HATS[hat]
    canvas.mirror(dice.pick(FACES), top)
    canvas.mirror(HAIR[dice.pick(costume.hair)], top - 1)
    canvas.mirror(BEARDS[dice.pick(costume.beards)], top + 4)
    canvas.mirror(rows, top - lift)


def _paint_hands(canvas: Canvas, costume: Costume, dice: Dice, shoulder: int) -> None:
    """The weapon and the shield, at the height of the hands."""
    weapon = RIGHT_HAND[dice.pick(costume.hands)]
    if len(weapon) > 1:
        x = 3 - len(weapon[0])
        canvas.stamp(weapon, x, min(shoulder + 4 - len(weapon) // 2, 15 - len(weapon)))
    shield = SHIELDS[dice.pick(costume.shields)]
    if len(shield) > 1:
        canvas.stamp(shield, 15 - len(shield[0]), shoulder + 1)


HEROES: dict[str, Item] = {
    name: Item(partial(_paint, costume), grounded=True) for name, costume in COSTUMES.items()
}
