"""Recipes as typed records: what they write they read again, and they read what earlier versions wrote."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.sheets import RECIPE_KEY, read_recipe
from fogcatcher.diffusion.edits.inpainting import Inpaint
from fogcatcher.diffusion.edits.recoloring import Recolor
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.drawing.edit_recipe import edit_from_json
from fogcatcher.drawing.finishing import Finish
from fogcatcher.drawing.recipe import FileRecipe, PictureRecipe
from fogcatcher.drawing.settings import Settings, Steering
from fogcatcher.drawing.sheet_forms import Columns, Laid, PreviewRow

EARLIER: dict[str, Any] = json.loads(
    Path(__file__).with_name("recipes_of_form_1.json").read_text(encoding="utf-8")
)
"""What PNGs of the version before said, word for word; previews with the first two of their ten pictures."""
CREATURE = PictureRecipe(
    seed=1,
    condition={"kind": "creature"},
    settings=Settings("dpmpp_2m", 2, 2.0, "karras", None, "clip"),
    model="71717cc65c8c",
    version="0.1.0",
    computed_by="torch 2.13.0+cpu, AVX2, threads: 2",
    batch=(1, 2),
    name="sprites",
)
STEERED = PictureRecipe(
    seed=0,
    condition={"label": "a"},
    settings=Settings(
        "ddim", 2, 2.0, "karras", 0.5, "dynamic", Steering(None, (0.2, 2.0), 0.7, guide_with="0.06")
    ),
    model="f3a91ba1a18c",
    version="0.1.0",
    computed_by="torch 2.13.0+cpu, AVX2, threads: 2",
    name="tiny",
    ema=0.1,
    weaker="b29e36f87167",
)
FULL = replace(
    STEERED,
    condition={"kind": {"hero": 1.0, "food": 0.6}, "size": 3.0, "colour": None},
    classifier="0123456789ab",
    edit={"kind": "tile"},
    step=300,
)
FINISH = Finish(("1d2b53", "ff004d"), True, 2)


def in_a_file(recipe: FileRecipe) -> Any:
    return json.loads(json.dumps(recipe.to_json()))


@pytest.mark.parametrize("picture", [CREATURE, STEERED, FULL])
@pytest.mark.parametrize("finish", [Finish(), FINISH])
@pytest.mark.parametrize(
    "form",
    [None, Columns(3), Columns(0), Laid(4, 3), Atlas(), Atlas(4, power_of_two=True), PreviewRow((0, 3), 1)],
    ids=str,
)
def test_what_is_written_is_read(picture, finish, form):
    recipe = FileRecipe([picture] if form is None else [picture, FULL], finish, form)
    assert FileRecipe.from_json(in_a_file(recipe)) == recipe


def test_the_records_of_the_version_before_are_the_same():
    def read(name: str) -> FileRecipe:
        return FileRecipe.from_json(EARLIER[name])

    first = replace(CREATURE, seed=0, batch=(0, 2))
    assert read("picture") == FileRecipe([CREATURE])
    assert read("sheet") == FileRecipe([first, CREATURE], sheet=Columns(8))
    assert read("atlas") == FileRecipe([first, CREATURE], sheet=Atlas(4, power_of_two=True))
    assert read("finished picture") == FileRecipe([first], FINISH)
    assert read("finished sheet") == FileRecipe([first, CREATURE], FINISH, Columns(1))
    assert read("steered picture") == FileRecipe([STEERED])
    assert read("laid tiles").sheet == Laid(4, 3)
    row = read("preview row")
    assert row.sheet == PreviewRow((0, 3), 1) and [made.step for made in row.pictures] == [3, 3]
    assert read("preview strip") == replace(row, sheet=Atlas(10))


@pytest.mark.parametrize("name", EARLIER)
def test_nothing_that_the_version_before_wrote_is_lost_or_moved(name):
    """The text is the same, but for the number of the form."""

    def without_form(tree: Any) -> Any:
        if isinstance(tree, list):
            return [without_form(row) for row in tree]
        if not isinstance(tree, dict):
            return tree
        return {key: without_form(value) for key, value in tree.items() if (key, value) != ("recipe", 2)}

    now, before = in_a_file(FileRecipe.from_json(EARLIER[name])), EARLIER[name]
    assert now["recipe"] == 2 and "recipe" not in before
    if name == "preview strip":  # it now says of its atlas all there is to say
        before = {**before, "sheet": {**before["sheet"], "power_of_two": False}}
    assert json.dumps(without_form(now)) == json.dumps(before)


def test_edits_of_the_version_before_are_read():
    """One kind had another name."""
    inpainted, recoloured = (
        edit_from_json(EARLIER[name]["edit"]) for name in ("inpainted picture", "recoloured picture")
    )
    assert isinstance(inpainted, Inpaint) and isinstance(recoloured, Recolor)
    assert inpainted.known.equal(recoloured.picture) and inpainted.method == "repaint"


@pytest.mark.parametrize(("clip", "limit"), [(True, "clip"), (False, "none")])
def test_the_first_version_said_clip(clip, limit):
    """It knew neither steering, nor batches, nor what a model is called."""
    first = {
        "fogcatcher": "0.1.0", "model": "71717cc65c8c", "sampler": "ddim", "steps": 2, "guidance": 1.5,
        "grid": "karras", "eta": 0.5, "clip": clip, "seed": 3, "condition": {"kind": None},
    }  # fmt: skip
    settings = Settings("ddim", 2, 1.5, "karras", 0.5, limit)
    expected = PictureRecipe(3, {"kind": None}, settings, "71717cc65c8c", "0.1.0")
    assert FileRecipe.from_json(first) == FileRecipe([expected])
    sheet = FileRecipe.from_json({"pictures": [first]})
    assert sheet == FileRecipe([expected], sheet=Columns(0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": 3}, "it has form 3, which a later version of this program wrote"),
        ({"recipe": 0}, "recipe must be a whole number from 1"),
        ({"recipe": "2"}, "recipe must be a whole number from 1"),
        ({"grid": None}, "grid must be a text, not null"),
        ({"batch": [2, 2]}, "'batch' is no place in a batch"),
        ({"weaker": "../../x"}, "'weaker' is no hash of weights"),
        ({"classifier": 1}, "'classifier' is no hash of weights"),
        ({"step": -1}, "step must be a whole number from 0"),
        ({"finish": []}, "finish must be an object, not a list of 0"),
    ],
)
def test_what_no_version_wrote_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        FileRecipe.from_json({**CREATURE.to_json(), **change})


@pytest.mark.parametrize("missing", ["model", "sampler", "steps", "seed", "condition"])
def test_what_is_missing_is_named(missing):
    tree = {key: value for key, value in CREATURE.to_json().items() if key != missing}
    with pytest.raises(ValueError, match=f"it has no '{missing}'"):
        PictureRecipe.from_json(tree)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 5000])
def test_texts_that_are_no_json_are_one_error(text, tmp_path):
    info = PngInfo()
    info.add_text(RECIPE_KEY, text)
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(UserError, match="is damaged, or its recipe is"):
        read_recipe(tmp_path / "a.png")


def test_files_that_are_no_pictures_are_the_same_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG half")
    for name in ("a.png", "missing.png"):
        with pytest.raises(UserError, match="is damaged, or its recipe is"):
            read_recipe(tmp_path / name)
