"""Every PNG that the program writes can be drawn again from what is inside it, to the byte."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.data.pictures.palettes import GAMEBOY, PICO8
from fogcatcher.data.pictures.sheets import RECIPE_KEY, read_recipe, save_png
from fogcatcher.diffusion.edits.inpainting import Inpaint
from fogcatcher.diffusion.edits.interpolation import Between
from fogcatcher.diffusion.edits.variation import Vary
from fogcatcher.drawing import settings as settings_module
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.drawing.finishing import Finish
from fogcatcher.drawing.recipe import read_file_recipe
from fogcatcher.drawing.settings import Steering
from fogcatcher.model import reproduction
from fogcatcher.model.build import SAMPLERS
from fogcatcher.model.model import Model, load
from fogcatcher.model.reproduction import reproduce
from fogcatcher.runs.train import train
from tests.commands import fogcatcher, refused, save_pictures
from tests.random_models import random_model, save

MIX = {"kind": {"hero": 1.0, "food": 0.6}}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Where nothing is but what a test puts there: runs/ is looked for where one is."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(tmp_path) -> Model:
    return load(save(random_model(), tmp_path / "runs" / "first"))


def rewrite(path: Path, recipe: object) -> Path:
    """The picture with another recipe, JSON or any text."""
    info = PngInfo()
    info.add_text(RECIPE_KEY, recipe if isinstance(recipe, str) else json.dumps(recipe))
    with Image.open(path) as image:
        image.load()
    image.save(path, pnginfo=info)
    return path


def parameters(path: Path) -> str:
    with Image.open(path) as image:
        return image.info["parameters"]


def old(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """As the version before wrote it."""
    if "pictures" in recipe:
        return {"pictures": [old(picture) for picture in recipe["pictures"]]}
    return {key: value for key, value in recipe.items() if key not in ("name", "computed_by", "batch")}


SLOW = ("annealed_langevin", "rk45")
"""Samplers of hundreds of calls."""
QUICK = [s for s in SAMPLERS if s not in (*SLOW, "ddpm_learned", "ddgan")]


@pytest.mark.parametrize("sampler", [*QUICK, *(pytest.param(s, marks=pytest.mark.slow) for s in SLOW)])
@pytest.mark.slow
def test_every_sampler_gives_the_same_picture_alone_as_in_its_batch(sampler, model, tmp_path):
    steps = 1 if sampler == "annealed_langevin" else 4
    wishes = [{"kind": "hero"}, MIX, {"kind": None}, {"kind": "spell"}, {}]
    draw = model.sample(
        condition=wishes, seeds=[3, 999, 4, 2**40, 3], sampler=sampler, steps=steps, guidance={"kind": 2.5}
    )
    paths = draw.save(tmp_path / "o")
    for path, which in ((paths[1], slice(1, 2)), (paths[4], slice(4, 5)), (paths[-1], slice(5))):
        found = reproduce(path)
        assert (found.different, found.reasons) == (0, []), (path, found.in_words)
        assert found.drawing.raw.equal(draw.raw[which])  # to the last bit, before rounding to 8
    assert found.pixels == np.prod(found.image.size)


@pytest.mark.slow
def test_finished_pictures_sheets_and_atlases(model, tmp_path):
    for number, finish in enumerate((Finish(zoom=3), Finish(PICO8.hex), Finish(GAMEBOY.hex, True, 2))):
        draw = model.sample(11, MIX, steps=2, sampler="ddim", eta=0.5, limit="dynamic").finished(finish)
        folder = tmp_path / str(number)
        paths = draw.save(folder, columns=3)
        draw.save_atlas(folder / "atlas.png", Atlas(4, power_of_two=True))
        for path in (paths[7], paths[-1], folder / "atlas.png"):
            found = reproduce(path)
            assert found.in_words == f"the same {found.pixels:,} pixels"
        assert reproduce(paths[7]).pixels == 120 * finish.zoom**2


def test_more_than_one_batch(model, tmp_path):
    draw = model.sample(70, steps=1)
    assert [draw.recipes[i]["batch"] for i in (0, 63, 64, 69)] == [[0, 64], [63, 64], [0, 6], [5, 6]]
    draw.save_sheet(tmp_path / "sheet.png")
    assert reproduce(tmp_path / "sheet.png").different == 0


def test_the_command_says_it_and_writes_a_picture_that_says_it_too(tmp_path, capsys):
    draw = ("sample", "sprites", "-n", "3", "--steps", "2", "--palette", "4", "--zoom", "2", "--hard-alpha")
    assert fogcatcher(*draw, "--out", "o", capsys=capsys)[0] == 0
    code, said, _ = fogcatcher("reproduce", "o/00002.png", "--out", "again.png", capsys=capsys)
    assert code == 0 and "the same 1,024 pixels" in said
    assert Image.open("again.png").tobytes() == Image.open("o/00002.png").tobytes()
    assert read_recipe(Path("again.png")) == read_recipe(Path("o/00002.png"))
    # Four colours for the whole set, not for each picture.
    seen = np.concatenate([np.asarray(Image.open(f"o/0000{i}.png")).reshape(-1, 4) for i in range(3)])
    assert len({tuple(pixel) for pixel in seen[seen[:, 3] > 0].tolist()}) <= 4
    assert parameters(Path("o/00002.png")).startswith("kind=creature\nSteps: 2, Sampler: dpmpp_2m")
    assert "Seed: 0, Size: 16x16" in parameters(Path("o/sheet.png"))


def test_no_metadata_leaves_no_text_at_all(tmp_path, capsys):
    draw = ("sample", "sprites", "-n", "2", "--steps", "1", "--no-metadata", "--out", "o")
    assert fogcatcher(*draw, capsys=capsys)[0] == 0
    assert fogcatcher(*draw[:-1], "p", "--atlas", capsys=capsys)[0] == 0
    for path in (Path("o/00000.png"), Path("o/sheet.png"), Path("p/00001.png"), Path("p/sheet.png")):
        content, kinds, at = path.read_bytes(), [], 8
        while at < len(content):
            kinds.append(content[at + 4 : at + 8])
            at += 12 + int.from_bytes(content[at : at + 4], "big")
        assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
    code, _, said = fogcatcher("reproduce", "o/00000.png", capsys=capsys)
    assert code == 2 and "carries no recipe" in said


def test_recipes_of_older_versions_work(model, tmp_path):
    draw = model.sample(6, {"kind": "food"}, steps=2)
    paths = draw.save(tmp_path / "o", columns=4)
    for path in (paths[-1], model.sample(seeds=[5], steps=2).save(tmp_path / "p")[0]):
        found = reproduce(rewrite(path, old(read_recipe(path) or {})))
        assert found.different == 0


def test_fields_of_settings_that_come_later_are_taken_from_the_recipe(model, tmp_path, monkeypatch):
    @dataclass(frozen=True)
    class Later(settings_module.Settings):
        interval: tuple[float, float] | None = None
        negative: Mapping[str, str | Mapping[str, float]] | None = None

    monkeypatch.setattr("fogcatcher.drawing.recipe.Settings", Later)
    drawing = model.sample(1, steps=2)
    path, plain = drawing.save(tmp_path)[0], drawing.made[0].settings
    recipe = {**(read_recipe(path) or {}), "interval": [0.2, 3], "negative": {"kind": {"food": 1}}}
    settings = read_file_recipe(rewrite(path, recipe)).pictures[0].settings
    assert settings == Later(**vars(plain), interval=(0.2, 3), negative={"kind": {"food": 1}})
    with pytest.raises(UserError, match="interval must be a list of 2 or null, not a list of 1"):
        read_file_recipe(rewrite(path, {**recipe, "interval": [0.2]}))


# --- where the weights are ----------------------------------------------------------------------


@pytest.mark.slow
def test_previews_of_training_repeat_the_row_whose_weights_are_kept(tmp_path):
    run = train(save_pictures(tmp_path / "data"), "runs/r", steps=3, size_of_model="tiny")
    last = reproduce(run / "samples" / "step-000000003.png")
    assert last.in_words == f"the same {8 * 8 * 10} pixels"
    sheet = reproduce(run / "samples" / "preview.png")
    # Ten pictures, each shown 64 x 64.
    said = "compared was the row of step 3; the weights of earlier rows are not kept"
    assert (sheet.pixels, sheet.different, sheet.reasons) == (10 * 64 * 64, 0, [said])
    said = parameters(run / "samples" / "preview.png")
    assert f"Model hash: {load(run).hash}, Model: r, Training step: 3" in said
    with pytest.raises(UserError, match=r"no model with weights [0-9a-f]{12} \(its folder was called r\)"):
        reproduce(run / "samples" / "step-000000000.png")


@pytest.mark.slow
def test_averages_of_another_length_and_the_best_weights_are_found(tmp_path):
    run = train(save_pictures(tmp_path / "data"), "runs/r", steps=24, size_of_model="tiny")
    random = load(run)
    for parameter in random.denoiser.parameters():
        parameter.data.add_(0.01)
    random.save_weights(run, "best.safetensors")
    hashes = set()
    for name, model in (("ema", load(run, ema=0.06)), ("best", load(run, best=True)), ("new", load(run))):
        path = model.sample(2, steps=2).save(tmp_path / name)[1]
        assert reproduce(path).different == 0
        hashes.add(model.hash)
    assert len(hashes) == 3


def test_what_differs_is_said_with_the_reason(model, tmp_path, capsys):
    path = model.sample(2, steps=2).save(tmp_path / "o")[1]
    recipe = read_recipe(path) or {}
    pixels = np.array(Image.open(path))
    pixels[5, 5] = (1, 2, 3, 255)
    save_png(Image.fromarray(pixels), path, recipe)
    found = reproduce(path)
    assert (found.pixels, found.different) == (120, 1) and "changed after it was drawn" in found.in_words
    code, said, _ = fogcatcher("reproduce", str(path), capsys=capsys)
    assert code == 1 and "1 of 120 pixels differ" in said
    other = random_model()
    for parameter in other.denoiser.parameters():
        parameter.data.mul_(1.5)
    hash = load(save(other, tmp_path / "other")).hash
    said = reproduce(path, str(tmp_path / "other")).in_words
    assert f"the picture was drawn by weights {model.hash}, and these are {hash}" in said
    said = reproduce(rewrite(path, {**recipe, "fogcatcher": "0.0.9", "computed_by": "an abacus"})).in_words
    assert "by fogcatcher 0.0.9, and this is" in said and "computed by an abacus" in said
    cropped = Image.open(path).crop((0, 0, 10, 12)).resize((20, 24))
    cropped.save(path)
    assert "the file is 20x24, and its recipe gives 10x12" in reproduce(rewrite(path, recipe)).in_words


def test_a_model_that_is_not_there_is_told_by_its_hash(tmp_path, model):
    path = model.sample(1, steps=2).save(tmp_path / "o")[0]
    (tmp_path / "runs").rename(tmp_path / "moved")
    with pytest.raises(UserError, match=f"no model with weights {model.hash} .*say where it is with model"):
        reproduce(path)
    assert reproduce(path, "moved/first").different == 0
    unsaved = random_model().sample(1, steps=2).save(tmp_path / "p")[0]
    with pytest.raises(UserError, match="by a model that was not saved"):
        reproduce(unsaved)


# --- files of strangers -------------------------------------------------------------------------

WILD: list[Any] = [
    None, True, -1, 2**63, 10**400, 1e308, "", "x" * 20_000, "\x1b[31mred", "/etc/passwd", [], [[]], {},
    {"a": []}, [1, 2, 3], {"columns": 10**9},
    {"due": [], "row": 0, "columns": 1}, {"zoom": 0}, {"zoom": 10**9},
    {"palette": ["../x"]}, {"palette": [1]}, {"__class__": 1}, {"kind": {"hero": "x"}}, {"kind": [{}]},
]  # fmt: skip


@pytest.fixture
def loaded_once(monkeypatch):
    """The weights are the same every time, and reading them is most of the work."""
    monkeypatch.setattr(reproduction, "load", cache(reproduction.load))


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.slow
def test_a_recipe_of_a_stranger_is_refused_or_harmless(model, tmp_path):
    path = model.sample(1, steps=1).save(tmp_path)[0]
    recipe = read_recipe(path) or {}
    refused = 0
    for name in [*recipe, "finish", "pictures", "sheet", "edit", "ema"]:
        for wild in WILD:
            try:
                reproduce(rewrite(path, {**recipe, name: wild}))
            except UserError as error:
                refused += 1
                assert str(error).count("\n") == 0 and "\x1b" not in str(error)
    assert refused > 200


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize("edit", ["inpaint", "vary", "between"])
@pytest.mark.slow
def test_an_edit_of_a_stranger_is_refused_or_harmless(edit, model, tmp_path):
    picture, mask = model.sample(1, steps=1).pictures, torch.zeros(1, 1, 12, 10, dtype=torch.uint8)
    edits: Mapping[str, Any] = {
        "inpaint": lambda: Inpaint(picture, mask, "replace"),
        "vary": lambda: Vary(picture, 0.5),
        "between": lambda: Between(picture, 3, (0.5,), {}, {}),
    }
    path = model.sample(1, steps=1, edit=edits[edit]()).save(tmp_path)[0]
    recipe = read_recipe(path) or {}
    assert reproduce(path).different == 0
    refused, written = 0, recipe["edit"]
    assert isinstance(written, dict)
    png = [{"png": "AAAA"}, {"png": "x" * 20_000}, {"png": 7}, {"png": "A" * 5_000_000}]
    for name in [*written, "__class__", "unknown"]:
        for wild in [*WILD, *png]:
            try:
                reproduce(rewrite(path, {**recipe, "edit": {**written, name: wild}}))
            except UserError as error:
                refused += 1
                assert str(error).count("\n") == 0 and "\x1b" not in str(error)
    assert refused > 80


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("{", "is damaged, or its recipe is"),
        ("[" * 100_000, "is damaged, or its recipe is"),
        ("9" * 5000, "is damaged, or its recipe is"),
        ('"seed"', "carries no recipe"),
        ({"palette": "pico8", "colours": []}, "is not that of a drawn picture"),
        ({"pictures": []}, "'pictures' is no list of 1 to 10,000"),
        ({"pictures": [{}] * 10_001}, "'pictures' is no list of 1 to 10,000"),
        ({"seed": 1}, "it has no 'model'"),
        ({"seed": 1, "model": "../../x"}, "'model' is no hash"),
        ('{"seed": 1e999}', "a number in it is too large, or none"),
        ('{"seed": NaN}', "a number in it is too large, or none"),
    ],
)
def test_bad_recipes_are_one_sentence_and_exit_code_2(recipe, said, tmp_path, capsys):
    Image.new("RGB", (9, 9)).save("a.png")
    rewrite(Path("a.png"), recipe)
    assert said in refused("reproduce", "a.png", capsys=capsys)


def test_bad_files_and_options_are_one_sentence_and_exit_code_2(tmp_path, model, capsys):
    Image.new("RGB", (9, 9)).save("plain.png")
    Image.new("RGB", (9, 9)).save("a.gif")
    whole = model.sample(1, steps=1).save(tmp_path)[0]
    recipe = read_recipe(whole) or {}
    Path("short.png").write_bytes(whole.read_bytes()[:-60])
    Path("edited.png").write_bytes(whole.read_bytes())
    rewrite(Path("edited.png"), {**recipe, "edit": {"kind": "inpaint"}})
    Path("many.png").write_bytes(whole.read_bytes())
    rewrite(Path("many.png"), {"pictures": [recipe] * 200})
    Path("magic.png").write_bytes(whole.read_bytes())
    rewrite(Path("magic.png"), {**recipe, "sampler": "magic"})
    cases = [
        (("reproduce", "missing.png"), "there is no file missing.png"),
        (("reproduce", "a.gif"), "is no PNG"),
        (("reproduce", "plain.png"), "carries no recipe"),
        (("reproduce", "short.png"), "short.png is broken"),
        (("reproduce", "edited.png"), "the edit in this recipe cannot be read"),
        (("reproduce", "many.png"), "too small for the pictures of its recipe"),
        (("reproduce", "magic.png"), "unknown sampler 'magic'"),
        (("reproduce", str(whole), "--model", "nowhere"), "no run directory nowhere"),
        (("reproduce", str(whole), "--out", "plain.png"), "is there already"),
        (("reproduce", str(whole), "--out", "x.gif"), "end it in .png"),
        (("sample", "runs/first", "--zoom", "0"), "--zoom must be a whole number from 1 to 100, not 0"),
        (("sample", "runs/first", "--palette", "sunset"), "there is no palette 'sunset'"),
        (("sample", "runs/first", "--palette", "0"), "ask for 1 to 256"),
        (("sample", "runs/first", "--palette", "train"), "keeps no palette"),
    ]
    for arguments, sentence in cases:
        assert sentence in refused(*arguments, capsys=capsys)
    assert not Path("samples-first").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("inpaint", "sprites", "drawn/00002.png", "--mask", "mask.png", "--resamples", "2"),
        ("inpaint", "sprites", "drawn/00002.png", "--mask", "mask.png", "--method", "gradient"),
        ("outpaint", "sprites", "drawn/00002.png", "--right", "4", "--method", "replace"),
        ("vary", "sprites", "drawn/00002.png", "--rescale", "0.5"),
        ("recolor", "sprites", "drawn/00002.png", "--negative", "kind=hero"),
        ("tile", "sprites", "--guidance-interval", "0.2,2"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.slow
def test_changed_pictures_are_drawn_again_too(command, tmp_path, capsys):
    Image.fromarray(np.pad(np.full((8, 16), 255, np.uint8), ((8, 0), (0, 0)))).save("mask.png")
    main(["sample", "sprites", "--seeds", "2", "--steps", "4", "--out", "drawn"])
    main([*command, "-n", "3", "--steps", "4", "--out", "out"])
    files = sorted(Path("out").glob("*.png"))
    assert len(files) >= 4
    for file in files:
        assert reproduce(file).different == 0, file


@pytest.mark.slow
def test_the_way_between_two_pictures_is_drawn_again_too(tmp_path, capsys):
    main(["sample", "sprites", "--seeds", "2,9", "--steps", "4", "--out", "drawn"])
    for ends in (("2", "9"), ("drawn/00002.png", "9")):
        main(["interpolate", "sprites", *ends, "--frames", "3", "--steps", "4", "--out", "out"])
        for file in sorted(Path("out").glob("*.png")):
            assert reproduce(file).different == 0, file


def test_guidance_by_another_run_is_not_looked_for(model, tmp_path, capsys):
    save(random_model(), tmp_path / "elsewhere" / "weak")
    steering = Steering(guide_with=str(tmp_path / "elsewhere" / "weak"))
    path = model.sample(1, steps=1, steering=steering).save(tmp_path / "out")[0]
    assert "elsewhere" not in json.dumps(read_recipe(path))
    assert "guided by another run, 'weak'" in refused("reproduce", str(path), capsys=capsys)


def test_export_takes_an_average_of_another_length(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        "fogcatcher.model.model.load", lambda *arguments: asked.append(arguments) or random_model()
    )
    monkeypatch.setattr("fogcatcher.exchange.to_torch.to_torch", lambda *arguments: None)
    monkeypatch.chdir(tmp_path)
    Path("runs/first").mkdir(parents=True)
    main(["export", "runs/first", "--to", "torch", "--ema", "0.05"])
    assert asked == [("runs/first", False, 0.05)]
