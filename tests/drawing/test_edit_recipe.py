"""The recipe of an edited PNG is enough to make it again, to the byte."""

import json
from typing import Any

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.sheets import read_recipe
from fogcatcher.diffusion.edits.edit import Edit
from fogcatcher.diffusion.edits.enlarging import Enlarge
from fogcatcher.diffusion.edits.inpainting import Inpaint
from fogcatcher.diffusion.edits.interpolation import Between
from fogcatcher.diffusion.edits.inversion import Invert
from fogcatcher.diffusion.edits.kinds import EDITS
from fogcatcher.diffusion.edits.recoloring import Recolor
from fogcatcher.diffusion.edits.tiling import Tile
from fogcatcher.diffusion.edits.variation import Vary
from fogcatcher.drawing.edit_recipe import edit_from_json, edit_to_json
from tests.edit_models import random_picture, small_model

PICTURE = random_picture(4, (16, 8))
MASK = 255 * (random_picture(1, (16, 8), seed=1) // 128)
HERO, FOOD = {"kind": "hero"}, {"kind": "food"}
CASES: list[Edit] = [
    Inpaint(PICTURE, MASK, "gradient", 2, 3, 1.5),
    Vary(PICTURE, 0.7),
    Invert(PICTURE, HERO, 1),
    Between(3, PICTURE, (0.0, 0.25, 1.0), HERO, FOOD),
    Recolor(PICTURE),
    Tile(),
    Enlarge(torch.cat([random_picture(4, (8, 4), seed) for seed in range(3)]), 2, 0.25, False),
]


def test_every_kind_is_tried():
    assert {edit_to_json(edit)["kind"] for edit in CASES} == set(EDITS)


@pytest.mark.parametrize("edit", CASES, ids=lambda e: type(e).__name__)
def test_a_png_says_how_to_make_it_again(edit, tmp_path):
    model = small_model(size=(16, 8), upscale=2 if isinstance(edit, Enlarge) else None)
    wishes = [{"kind": "food"}] * 3
    made = model.sample(condition=wishes, seeds=[4, 5, 6], steps=3, guidance=1.0, edit=edit)
    made.save(tmp_path)
    recipe: dict[str, Any] | None = read_recipe(tmp_path / "00005.png")
    assert recipe is not None
    settings: Any = {n: recipe[n] for n in ("guidance", "sampler", "steps", "eta", "grid", "limit")}
    again = model.sample(
        seeds=[recipe["seed"]],
        condition=recipe["condition"],
        edit=edit_from_json(recipe["edit"]),
        **settings,
    )
    assert (again.pictures[0].int() - made.pictures[1].int()).abs().max() <= 1
    assert again.recipes[0] == {**recipe, "batch": [0, 1]}


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_come_back_to_the_byte(channels):
    picture = random_picture(channels, (7, 5))
    back = edit_from_json(json.loads(json.dumps(edit_to_json(Vary(picture, 0.25)))))
    assert isinstance(back, Vary) and back.guide.equal(picture) and back.strength == 0.25


def test_plain_drawings_say_nothing_of_edits():
    assert "edit" not in small_model().sample(1, steps=2).recipes[0]


@pytest.mark.parametrize(
    "row",
    [
        {"kind": "melt"},
        {},
        {"kind": "vary"},
        {"kind": "vary", "guide": {"png": "!"}, "strength": 0.5},
        {"kind": "vary", "guide": {"png": "aGVsbG8="}, "strength": 0.5},
        {**edit_to_json(Vary(PICTURE)), "strength": 2.0},
        {**edit_to_json(Vary(PICTURE)), "strength": "much"},
        {**edit_to_json(Vary(PICTURE)), "colour": 1},
        {**edit_to_json(CASES[0]), "method": "paint"},
    ],
)
def test_damaged_recipes_are_one_sentence(row):
    with pytest.raises(UserError, match=r"unknown kind of edit|the edit in this recipe cannot be read"):
        edit_from_json(row)
