"""inpaint, outpaint, vary, interpolate, recolor, tile: what they write, and every mistake in one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fogcatcher.data.pictures.palettes import PICO8
from fogcatcher.data.pictures.sheets import RECIPE_KEY, read_recipe
from fogcatcher.drawing.recipe import read_file_recipe
from fogcatcher.model.build import SAMPLERS
from fogcatcher.model.reproduction import reproduce
from tests.commands import fogcatcher, refused
from tests.edit_models import small_model
from tests.pictures import picture, save

QUICK = ("--steps", "2", "-n", "2", "--out", "out")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    small_model(4, (16, 16)).save(folder / "rgba")
    small_model(3, (16, 16)).save(folder / "rgb")
    small_model(1, (16, 16)).save(folder / "grey")
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch, runs) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(runs)
    save(Path("a.png"), picture(1))
    save(Path("b.png"), picture(2))
    save(Path("opaque.png"), picture(3, alpha=False), "RGB")
    mask = np.zeros((16, 16), np.uint8)
    mask[8:] = 255
    Image.fromarray(mask).save("lower.png")
    Image.fromarray(mask[:8]).save("small.png")
    return tmp_path


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))


def test_inpaint_keeps_what_is_black(here, capsys):
    code, out, _ = fogcatcher("inpaint", "runs/rgba", "a.png", "--mask", "lower.png", *QUICK, capsys=capsys)
    assert code == 0 and "drawn anew: 128 of 256 pixels" in out
    drawn, known = pixels("out/00001.png"), pixels("a.png")
    assert (drawn[:8] == known[:8]).all() and (drawn[8:] != known[8:]).any()
    arguments = ("inpaint", "runs/rgba", "a.png", "--mask", "lower.png", "--invert-mask", *QUICK)
    assert fogcatcher(*arguments, capsys=capsys)[0] == 0
    drawn = pixels("out/00001.png")
    assert (drawn[8:] == known[8:]).all() and (drawn[:8] != known[:8]).any()


def test_outpaint_keeps_the_picture_where_it_was_put(here, capsys):
    arguments = ("outpaint", "runs/rgba", "a.png", "--left", "3", "--top", "5", *QUICK)
    code, out, _ = fogcatcher(*arguments, capsys=capsys)
    drawn = pixels("out/00000.png")
    assert code == 0 and drawn.shape == (21, 19, 4) and "learned pictures of 16x16" in out
    assert (drawn[5:, 3:] == pixels("a.png")).all() and drawn[:5].any()
    assert fogcatcher("outpaint", "runs/rgba", "a.png", "--to", "24x16", *QUICK, capsys=capsys)[0] == 0
    assert (pixels("out/00000.png")[:, 4:20] == pixels("a.png")).all()


def test_rgb_pictures_suit_an_rgba_model_and_opaque_rgba_an_rgb_one(here, capsys):
    save(Path("opaque-rgba.png"), picture(3, alpha=False))
    for run, name in (("rgba", "opaque.png"), ("rgb", "opaque-rgba.png")):
        arguments = ("vary", f"runs/{run}", name, "--strength", "0", *QUICK)
        assert fogcatcher(*arguments, capsys=capsys)[0] == 0
        assert (pixels("out/00001.png") == pixels(name)).all()


def test_interpolate_writes_frames_strip_and_gif(here, capsys):
    for a, b in (("3", "8"), ("a.png", "b.png"), ("3", "b.png")):
        arguments = ("interpolate", "runs/rgba", a, b, "--frames", "3", "--steps", "2", "--out", "way")
        assert fogcatcher(*arguments, capsys=capsys)[0] == 0
        names = {path.name for path in Path("way").iterdir()}
        assert names == {"frame-000.png", "frame-001.png", "frame-002.png", "strip.png", "between.gif"}
        with Image.open("way/between.gif") as gif:
            assert getattr(gif, "n_frames", 1) == 3
    recipe = read_recipe(Path("way/frame-001.png"))
    assert recipe is not None and recipe["edit"]["weights"] == [0.5]  # type: ignore[index]


def test_the_condition_of_a_drawing_is_taken_from_its_recipe(here, capsys):
    draw = ("sample", "runs/rgba", "--seeds", "1", "--condition", "kind=spell", "--steps", "2")
    assert fogcatcher(*draw, "--out", "drawn", capsys=capsys)[0] == 0
    for command in ("vary", "recolor"):
        assert fogcatcher(command, "runs/rgba", "drawn/00001.png", *QUICK, capsys=capsys)[0] == 0
        recipe = read_recipe(Path("out/00000.png"))
        assert recipe is not None and recipe["condition"] == {"kind": "spell"}


UNUSABLE = ["", "{", "[" * 100_000, "9" * 5000, "null", '{"condition": {"kind": "spell"}}']
QUICKEST = ("--steps", "1", "--out", "out")


@pytest.mark.parametrize("command", ["vary", "recolor", "inpaint", "interpolate"])
@pytest.mark.slow
def test_a_recipe_that_cannot_be_used_is_none(command, here, capsys):
    more = {"inpaint": ("--mask", "lower.png", "--method", "replace"), "interpolate": ("3", "--frames", "2")}
    count = ("-n", "1") if command != "interpolate" else ()
    for text in UNUSABLE:
        info = PngInfo()
        info.add_text(RECIPE_KEY, text)
        Image.open("a.png").save("odd.png", pnginfo=info)
        asked = (command, "runs/rgba", "odd.png", *more.get(command, ()), *count, *QUICKEST)
        assert fogcatcher(*asked, capsys=capsys)[0] == 0
        made = read_file_recipe(sorted(Path("out").glob("[0f]*.png"))[0]).pictures[0]
        assert made.condition.get("kind") is None


def test_tiles_are_laid(here, capsys):
    code, out, _ = fogcatcher("tile", "runs/rgba", *QUICK, capsys=capsys)
    assert code == 0 and "laid.png" in out and Path("out/laid.png").exists()


MISTAKES = [
    ("inpaint runs/rgba a.png --mask small.png", "the mask small.png is 16x8 and the picture 16x16"),
    ("inpaint runs/rgba a.png --mask none.png", "none.png cannot be read"),
    ("inpaint runs/rgba none.png --mask lower.png", "none.png cannot be read"),
    ("inpaint runs/rgba a.png --mask lower.png --jump 0", "--jump must be a whole number from 1"),
    ("inpaint runs/rgba a.png --mask lower.png --sampler eluer", f"Valid: {', '.join(SAMPLERS)}"),
    ("inpaint runs/rgba a.png --mask lower.png --condition kind=fod", "Did you mean food?"),
    ("inpaint runs/rgba a.png --mask lower.png --condition colur=red", "unknown condition 'colur'"),
    ("inpaint runs/rgb a.png --mask lower.png", "has transparent pixels, and this model draws none"),
    ("inpaint runs/grey opaque.png --mask lower.png", "is in colour, and this model draws grey"),
    ("outpaint runs/rgba a.png", "nothing to draw around a picture of 16x16"),
    ("outpaint runs/rgba a.png --left -3", "--left must be a whole number from 0"),
    ("outpaint runs/rgba a.png --to 8x8", "nothing to draw around"),
    ("outpaint runs/rgba a.png --to wide", "is not a size"),
    ("outpaint runs/rgba a.png --to 20x20 --left 2", "not both"),
    ("outpaint runs/rgba a.png --right 100", "116x16 is too large for a model that learned 16x16"),
    ("vary runs/rgba a.png --strength 1.5", "--strength must be a number from 0 to 1"),
    ("vary runs/rgba a.png --strength -0.1", "--strength must be a number from 0 to 1"),
    ("vary runs/rgba a.png --seeds x", "is not a list of seeds"),
    ("interpolate runs/rgba 3 8 --frames 1", "--frames must be a whole number from 2"),
    ("interpolate runs/rgba 3 x8", "'x8' is neither a seed"),
    ("interpolate runs/rgba a.png small.png", "are of different sizes"),
    ("recolor runs/grey grey.png", "has no colours to give"),
    ("tile runs/none", "there is no run directory"),
]


@pytest.mark.parametrize(("line", "says"), MISTAKES, ids=[line for line, _ in MISTAKES])
@pytest.mark.slow
def test_mistakes_are_one_sentence_and_exit_code_2(line, says, here, capsys):
    Image.new("L", (16, 16), 90).save("grey.png")
    assert says in refused(*line.split(), "--steps", "2", capsys=capsys)


FINISHED = (
    "--palette",
    "pico8",
    "--hard-alpha",
    "--strays",
    "1",
    "--colours-each",
    "5",
    "--indexed",
    "--zoom",
    "3",
)
EVERY_EDIT = {
    "inpaint": ("a.png", "--mask", "lower.png", "-n", "2"),
    "outpaint": ("a.png", "--right", "4", "-n", "2"),
    "vary": ("a.png", "-n", "2"),
    "recolor": ("a.png", "-n", "2"),
    "tile": ("-n", "2"),
    "interpolate": ("3", "8", "--frames", "2"),
}


@pytest.mark.parametrize("command", EVERY_EDIT)
@pytest.mark.slow
def test_every_edit_is_finished_as_drawings_are(command, here, capsys):
    asked = (command, "runs/rgba", *EVERY_EDIT[command], "--steps", "1", "--out", "out", "--atlas", *FINISHED)
    code, out, _ = fogcatcher(*asked, capsys=capsys)
    sheet = Path("out/strip.png" if command == "interpolate" else "out/sheet.png")
    assert code == 0 and f"where each picture lies in it: {sheet.with_suffix('.json')}" in out
    singles = sorted(Path("out").glob("[0f]*.png"))
    atlas, places = pixels(str(sheet)), json.loads(sheet.with_suffix(".json").read_text())["frames"]
    assert len(singles) == len(places) == 2
    for single, place in zip(singles, places.values(), strict=True):
        with Image.open(single) as file:
            assert file.mode == "P"
        shown = pixels(str(single))
        assert shown.shape[0] == 48 and set(np.unique(shown[..., 3])) <= {0, 255}
        colours = {tuple(c) for c in shown[shown[..., 3] > 0][:, :3].tolist()}
        assert colours <= set(PICO8.colours) and len(colours) <= 5
        y, x, h, w = (place[key] for key in "yxhw")
        there = shown[..., 3:] > 0
        np.testing.assert_array_equal(atlas[y : y + h, x : x + w] * there, shown * there)
    assert reproduce(singles[0], "runs/rgba").different == 0
