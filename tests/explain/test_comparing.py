"""A table of settings: every cell is what Model.sample draws, and says what it cost."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.cli.grid import parse_axis
from fogcatcher.cli.main import main
from fogcatcher.data.pictures.sheets import read_recipe
from fogcatcher.data.pictures.spec import spec_of
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.settings import Settings, Steering
from fogcatcher.explain import comparing
from fogcatcher.explain.comparing import Axis, Cell, Request, compare
from fogcatcher.explain.comparison_picture import columns_for, comparison_picture
from fogcatcher.model.model import load
from tests.commands import refused

COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (250, 0, 250), (0, 250, 250), (250, 125, 0), (125, 250, 0)]  # fmt: skip  # noqa: E501


def test_cells_are_what_the_model_draws():
    axes = [Axis("guidance", (1.0, 3.0)), Axis("steps", (1, 2)), Axis("sampler", ("ddim", "heun"))]
    heard: list[tuple[int, int]] = []
    cells = compare(
        Request("sprites", condition={"kind": "food"}, seeds=(3, 5)), axes, lambda *done: heard.append(done)
    )
    model, numbers = load("sprites"), iter(range(8))
    for w in (1.0, 3.0):
        for n in (1, 2):
            for sampler in ("ddim", "heun"):
                cell = cells[next(numbers)]
                drawn = model.sample(
                    condition={"kind": "food"}, seeds=[3, 5], guidance=w, steps=n, sampler=sampler
                )
                assert torch.equal(cell.drawing.raw, drawn.raw)
                assert cell.calls == (2 * n - 1 if sampler == "heun" else n) * (1 if w == 1 else 2)
                assert cell.labels == (f"guidance: {w:g}", f"steps: {n}", f"sampler: {sampler}")
    assert heard[-1] == (24, 24) and heard == sorted(heard)


def test_all_about_guidance_is_an_axis():
    axes = [parse_axis("--y", "interval=none;0.2,2"), parse_axis("--x", "rescale=0,0.7")]
    cells = compare(Request("sprites", settings=Settings(steps=8, guidance=4.0)), axes)
    model = load("sprites")
    assert [c.labels for c in cells][3] == ("interval: 0.2 to 2", "rescale: 0.7")
    for cell, (interval, phi) in zip(
        cells, [(i, p) for i in (None, (0.2, 2.0)) for p in (0, 0.7)], strict=True
    ):
        drawn = model.sample(seeds=[0], steps=8, guidance=4.0, steering=Steering(None, interval, phi))
        assert torch.equal(cell.drawing.raw, drawn.raw)
    assert cells[0].calls == 16 and 8 < cells[2].calls < 16
    with pytest.raises(UserError, match="rescale must be"):
        compare(Request("sprites"), [Axis("rescale", (2.0,))])


def test_seeds_conditions_and_runs_are_axes_too():
    cells = compare(
        Request("sprites", settings=Settings(steps=1)), [Axis("kind", ("hero", "food")), Axis("seed", [2, 9])]
    )
    model = load("sprites")
    for cell, (kind, seed) in zip(cells, [("hero", 2), ("hero", 9), ("food", 2), ("food", 9)], strict=True):
        assert torch.equal(
            cell.drawing.raw, model.sample(condition={"kind": kind}, seeds=[seed], steps=1).raw
        )
        assert cell.facts()["condition"] == {"kind": kind} and cell.facts()["model"] == model.hash
    (run,) = compare(Request("nothing", settings=Settings(steps=1)), [Axis("run", ["sprites"])])
    assert torch.equal(run.drawing.raw, model.sample(seeds=[0], steps=1).raw)


def test_axes_as_they_are_typed():
    assert parse_axis("--x", "steps=5, 10,20") == Axis("steps", [5, 10, 20])
    assert parse_axis("--x", "seed=0-2,7") == Axis("seed", [0, 1, 2, 7])
    assert parse_axis("--x", "kind=hero:1,food:0.6;food") == Axis("kind", ["hero:1,food:0.6", "food"])
    assert parse_axis("--x", "guidance=1,kind=3") == Axis("guidance", [1.0, {"kind": 3.0}])
    assert parse_axis("--x", "ema=0.05,0.1") == Axis("ema", [0.05, 0.1])


def test_mistakes_are_one_sentence_before_anything_is_drawn(tmp_path, capsys, monkeypatch):
    def drawn(*given: object) -> None:
        raise AssertionError("something was drawn")

    monkeypatch.setattr(comparing, "_cell", drawn)
    axes = "run, checkpoint, ema, sampler, steps, guidance, grid, eta, limit, sampler_options, "
    axes += "negative, interval, rescale, guide_with, classifier, seed, kind"
    cases = [
        (("--x", "stepz=1"), f"unknown axis 'stepz'. Valid: {axes}. Did you mean steps?"),
        (("--x", "steps"), "needs the form NAME=VALUE,VALUE"),
        (("--x", "steps="), "needs the form NAME=VALUE,VALUE"),
        (("--x", "steps=5,a"), "steps=a: 'a' is not a whole number"),
        (("--x", "steps=5,0"), "--steps must be a whole number from 1 to 10,000, not 0"),
        (("--x", "steps=1", "--y", "sampler=ddim,magic"), "unknown sampler 'magic'. Valid: dpmpp_2m,"),
        (
            ("--x", "sampler=ddim,heun", "--eta", "0.5"),
            "dpmpp_2s_ancestral samplers; heun has none",
        ),
        (("--x", "sampler=ddpm_learned"), "has not learned a variance"),
        (("--x", "kind=hero,orc"), "unknown kind 'orc'. Valid: creature"),
        (("--x", "grid=karras,foo"), "unknown grid 'foo'. Valid: karras"),
        (("--x", "limit=clip,hard"), "unknown limit 'hard'. Valid: clip, dynamic, none"),
        (("--x", "guidance=1,mood=2"), "unknown condition to guide by 'mood'. Valid: kind"),
        (("--x", "checkpoint=old"), "unknown checkpoint 'old'. Valid: newest, best"),
        (("--x", "checkpoint=newest,best"), "has no best.safetensors"),
        (("--x", "checkpoint=best", "--y", "ema=0.1"), "checkpoint best has no averages"),
        (("--x", "run=sprites,missing"), "there is no run directory missing"),
        (("--x", "steps=1", "--y", "steps=2"), "two axes are called steps"),
        (("--x", "seed=0-1000"), "the table would have 1,001 cells"),
    ]
    for arguments, sentence in cases:
        command = ("grid", "sprites", "--seeds", "0", "--out", str(tmp_path / "out"))
        assert sentence in refused(*command, *arguments, capsys=capsys)
    assert not (tmp_path / "out").exists()


def test_the_files_carry_all_settings(tmp_path):
    main(["grid", "sprites", "--x", "steps=1,2", "--y", "eta=0,1", "--sampler", "ddim", "--seeds", "4-5",
          "--condition", "kind=hero", "--out", str(tmp_path)])  # fmt: skip
    table = json.loads((tmp_path / "grid.json").read_text())
    assert table == read_recipe(tmp_path / "grid.png")
    assert [(c["eta"], c["steps"], c["calls"]) for c in table["cells"]] == [
        (0, 1, 2),
        (0, 2, 4),
        (1, 1, 2),
        (1, 2, 4),
    ]
    for cell in table["cells"]:
        assert cell["seeds"] == [4, 5] and cell["condition"] == {"kind": "hero"} and cell["grid"] == "karras"
        assert cell["model"] == load("sprites").hash and cell["seconds"] >= 0
    with open(tmp_path / "grid.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["steps"], row["eta"], json.loads(row["seeds"])) for row in rows] == [
        ("1", "0.0", [4, 5]), ("2", "0.0", [4, 5]), ("1", "1.0", [4, 5]), ("2", "1.0", [4, 5]),
    ]  # fmt: skip


def test_a_stop_leaves_nothing_half_written(tmp_path, capsys, monkeypatch):
    draw, drawn = comparing._cell, list[Cell]()

    def stopped(*given: object) -> Cell:
        if drawn:
            raise KeyboardInterrupt
        drawn.append(draw(*given))  # type: ignore[arg-type]
        return drawn[0]

    monkeypatch.setattr(comparing, "_cell", stopped)
    with pytest.raises(SystemExit) as stop:
        main(["grid", "sprites", "--x", "steps=1,2", "--seeds", "0", "--out", str(tmp_path / "out")])
    assert stop.value.code == 130 and not (tmp_path / "out").exists()


# --- the picture --------------------------------------------------------------------------------


def coloured(labels: tuple[str, ...], colour: tuple[int, int, int]) -> Cell:
    pictures = torch.tensor(colour, dtype=torch.uint8)[None, :, None, None].expand(1, 3, 16, 16)
    return Cell(labels, Request("a"), Drawing(spec_of(pictures), pictures, pictures / 255, [], []), 5, 1.0)


def box_of(image: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    mask = torch.from_numpy((np.array(image) == np.array(colour)).all(-1))
    ys, xs = mask.nonzero().unbind(1)
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


def test_cells_stand_in_columns_rows_and_blocks():
    places = [(z, y, x) for z in "ab" for y in "cd" for x in "ef"]
    cells = [
        coloured((f"z: {z}", f"y: {y}", f"x: {x}"), c) for (z, y, x), c in zip(places, COLOURS, strict=True)
    ]
    image = comparison_picture(cells, columns=2, rows=2)
    boxes = [box_of(image, colour) for colour in COLOURS]
    assert all((right - left, bottom - top) == (47, 47) for left, top, right, bottom in boxes)
    lefts, tops = [b[0] for b in boxes], [b[1] for b in boxes]
    assert len(set(lefts)) == 2 and lefts == [lefts[0], lefts[1]] * 4 and lefts[0] + 47 < lefts[1]
    assert tops[::2] == tops[1::2] == sorted(set(tops)) and len(set(tops)) == 4
    assert tops[2] - tops[1] > tops[1] - tops[0]  # a new block begins with its title


def test_seeds_of_a_cell_fill_rows():
    assert [columns_for(n) for n in (1, 2, 4, 6, 8, 9, 11, 12)] == [1, 2, 2, 3, 4, 3, 4, 4]


def test_unknown_axis_in_the_library():
    with pytest.raises(UserError, match="unknown axis 'colour'"):
        compare(Request("sprites"), [Axis("colour", ["red"])])
