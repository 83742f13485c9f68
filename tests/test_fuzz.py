"""Models, recipes, tables and numbers of strangers: an answer or a sentence, in time, in room, no traceback.

Each kind of attack runs for some seconds from seed 0 on; the slow tests go on for ten minutes in all. Flipped
bits of training states are in training/test_damaged_states.py.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.pictures.sheets import RECIPE_KEY, read_recipe
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.exchange.onnx_runtime import OnnxModel
from fogcatcher.exchange.to_diffusers import write_pipeline
from fogcatcher.exchange.to_onnx import facts
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.choose_network import IMPORTED
from fogcatcher.model.config import NetworkConfig
from fogcatcher.model.model import Model, load
from fogcatcher.model.presets import PRESETS
from tests.attacks import LONG, SHORT, again_and_again, attacked, in_time, wild_bytes, wild_json, with_content
from tests.commands import fogcatcher, save_pictures
from tests.model.test_strange_configs import SHAPE, saved
from tests.random_models import config
from tests.strange_json import changed

Capsys = pytest.CaptureFixture[str]
LENGTHS = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.slow)]
FOREVER = pytest.mark.parametrize("seconds", LENGTHS)
DRAW = ("-n", "1", "--steps", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("run"), NetworkConfig("small", 16, 2))


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("imported"), NetworkConfig(IMPORTED, shape=SHAPE))


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def sampled(run: Path, *more: str, capsys: Capsys) -> int:
    return attacked("sample", str(run), *DRAW, "--out", "drawn", *more, capsys=capsys)


@FOREVER
@pytest.mark.parametrize("name", ["config.json", "conditions.json"])
def test_what_a_model_says_of_itself(name, run, imported, seconds, capsys):
    codes: list[int] = []

    def attack(chance: random.Random) -> None:
        folder = chance.choice([run, imported]) if name == "config.json" else run
        tree = json.loads((folder / name).read_bytes())
        act = lambda: codes.append(sampled(folder, capsys=capsys))  # noqa: E731
        with_content(folder / name, wild_json(tree, chance), act)

    assert again_and_again(attack, seconds) == len(codes)
    assert 2 in codes and sampled(run, capsys=capsys) == 0


@FOREVER
def test_what_lies_beside_a_model(run, seconds, capsys):
    """The classifier, the averages, the palette and the card; wild JSON, wild bytes, links, pipes."""
    (run / "palette.hex").write_text("ff0000\n00ff00\n")
    places = {
        "classifier/classifier.json": ("--classifier-guidance", "1"),
        "classifier/classifier.safetensors": ("--classifier-guidance", "1"),
        "averages/step-000001000.safetensors": ("--ema", "0.1"),
        "palette.hex": ("--palette", "train"),
        "model.safetensors": (),
    }

    def attack(chance: random.Random) -> None:
        name = chance.choice(list(places))
        content = (run / name).read_bytes()
        wild = wild_bytes(content, chance)
        if name.endswith("json") and chance.random() < 0.8:
            wild = wild_json(json.loads(content), chance)
        elif name.endswith("safetensors") and chance.random() < 0.7:
            wild = wild_header(content, chance)
        with_content(run / name, wild, lambda: sampled(run, *places[name], capsys=capsys))

    again_and_again(attack, seconds)
    assert sampled(run, "--classifier-guidance", "1", capsys=capsys) == 0


def wild_header(content: bytes, chance: random.Random) -> bytes:
    """A file of tensors whose header says something else."""
    length = int.from_bytes(content[:8], "little")
    header = wild_json(json.loads(content[8 : 8 + length]), chance)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "conditions.json", "palette.hex"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "dangling", "pointer", "sparse"])
def test_what_is_no_plain_file(name, kind, run, tmp_path, capsys):
    folder = tmp_path / "model"
    folder.mkdir()
    for path in run.iterdir():
        if path.is_file() and path.name != name:
            (folder / path.name).write_bytes(path.read_bytes())
    place = folder / name
    match kind:
        case "pipe":
            os.mkfifo(place)
        case "device":
            place.symlink_to("/dev/zero")
        case "folder":
            place.mkdir()
        case "dangling":
            place.symlink_to("nowhere")
        case "pointer":
            place.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        case "sparse":
            with open(place, "wb") as file:
                file.truncate(10**11)
    assert sampled(folder, capsys=capsys) == (
        2 if name != "palette.hex" or kind in ("pointer", "sparse") else 0
    )


@FOREVER
def test_recipes_inside_pictures(run, seconds, tmp_path, capsys):
    sampled(run, capsys=capsys)
    attacked("vary", str(run), "drawn/00000.png", *DRAW, "--out", "varied", capsys=capsys)
    paths = [Path("drawn/00000.png"), Path("drawn/sheet.png"), Path("varied/00000.png")]
    trees = [read_recipe(path) for path in paths]
    commands: list[Callable[[str], tuple[str, ...]]] = [
        lambda name: ("reproduce", name, "--model", str(run)),
        lambda name: ("vary", str(run), name, *DRAW, "--out", "out"),
        lambda name: ("inpaint", str(run), name, "--mask", "mask.png", *DRAW, "--out", "out"),
        lambda name: ("recolor", str(run), name, *DRAW, "--out", "out"),
        lambda name: ("interpolate", str(run), name, "0", "--frames", "2", "--steps", "1", "--out", "out"),
    ]

    def attack(chance: random.Random) -> None:
        which = chance.randrange(3)
        with Image.open(paths[which]) as image:
            image.load()
            pixels = image.copy()
        Image.new("L", pixels.size, 255).save("mask.png")
        info = PngInfo()
        text = wild_json(trees[which], chance).decode("latin-1")
        info.add_text(RECIPE_KEY, text, zip=chance.random() < 0.3)
        pixels.save("wild.png", pnginfo=info)
        if chance.random() < 0.1:
            Path("wild.png").write_bytes(wild_bytes(Path("wild.png").read_bytes(), chance))
        attacked(*chance.choice(commands)("wild.png"), capsys=capsys, codes=(0, 1, 2))

    again_and_again(attack, seconds)


@FOREVER
def test_what_an_onnx_file_says(run, seconds):
    model = load(run)
    said = facts(model)

    class Session:
        """As the one of onnxruntime, without its graph."""

        def __init__(self, facts: dict[str, str]) -> None:
            self.facts = facts

        def get_modelmeta(self) -> SimpleNamespace:
            return SimpleNamespace(custom_metadata_map=self.facts)

        def get_inputs(self) -> list[SimpleNamespace]:
            pictures = SimpleNamespace(name="x_t", shape=["batch", *model.config.kind.shape])
            told = [
                SimpleNamespace(name=f"cond.{a.name}", shape=["batch", a.features])
                for a in model.conditions.attributes
            ]
            return [pictures, SimpleNamespace(name="t", shape=["batch"]), *told]

        def run(self, names: object, given: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [0 * given["x_t"]]

    def attack(chance: random.Random) -> None:
        name = chance.choice(list(said))
        tree = json.loads(said[name]) if said[name][:1] in "[{" else said[name]
        wild = wild_json(tree if isinstance(tree, dict | list) else [tree], chance).decode("latin-1")
        try:
            with in_time():
                OnnxModel(Session({**said, name: wild})).sample(1, steps=2)
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 3000 and str(error).isprintable()

    again_and_again(attack, seconds)


@FOREVER
def test_models_of_diffusers(seconds, tmp_path, capsys):
    chosen = config(PRESETS["ddpm"])
    kind = PictureSpec(8, 8, 3, False, 0.5)
    chosen = replace(chosen, kind=kind, network=NetworkConfig(IMPORTED, shape=SHAPE))
    model = Model(build_denoiser(chosen, ConditionSpec()), chosen, ConditionSpec())
    write_pipeline(model.denoiser, tmp_path / "there", (8, 8))
    unet = tmp_path / "there" / "unet"
    whole, index = (
        unet / "diffusion_pytorch_model.safetensors",
        "diffusion_pytorch_model.safetensors.index.json",
    )
    (unet / "part.safetensors").write_bytes(whole.read_bytes())
    (unet / index).write_text(json.dumps({"weight_map": {"a": "part.safetensors"}}))
    names = ["unet/config.json", "scheduler/scheduler_config.json", f"unet/{index}"]

    def attack(chance: random.Random) -> None:
        name, out = tmp_path / "there" / chance.choice(names), tmp_path / f"out-{chance.random()}"
        if name.name == index:
            whole.rename(tmp_path / "aside")
        try:
            wild = wild_json(json.loads(name.read_bytes()), chance)
            act = lambda: attacked("import", str(tmp_path / "there"), "--out", str(out), capsys=capsys)  # noqa: E731
            with_content(name, wild, act)
        finally:
            if name.name == index:
                (tmp_path / "aside").rename(whole)

    again_and_again(attack, seconds)


ROWS = [
    {"file_name": f"a/{i}.png", "kind": "hero", "size": i, "tags": ["x", "y"], "says": "red"}
    for i in range(6)
]
CSV = "file_name,kind,size,tags\n" + "".join(f'a/{i}.png,hero,{i},"x,y"\n' for i in range(6))
NO_TABLES = [b"", b"\0", b"\xff\xfe", b'"' * 10_000, b"," * 100_000, b"\n" * 10_000, b"9" * 200_000]


@FOREVER
def test_tables(seconds, tmp_path, capsys):
    folder = save_pictures(tmp_path / "pictures")

    def attack(chance: random.Random) -> None:
        name = chance.choice(["metadata.jsonl", "metadata.csv", "labels.json", "a/1.txt"])
        if name.endswith("jsonl"):
            rows = [changed(row, chance) if chance.random() < 0.4 else row for row in ROWS]
            content = b"\n".join(json.dumps(row).encode() for row in rows)
        else:
            content = CSV.encode()
        if chance.random() < 0.5:
            content = wild_bytes(content, chance)
        if chance.random() < 0.1:
            content = chance.choice(
                [b"", b"\0", b"\xff\xfe", b'"' * 10_000, b"," * 100_000, b"\n" * 10_000, b"9" * 200_000]
            )
        (folder / name).write_bytes(content)
        attacked("inspect", str(folder), "--max-bad", "1", capsys=capsys)
        (folder / name).unlink()

    again_and_again(attack, seconds)


WILD_NUMBERS = [
    *("", "0", "-1", "1", "0.5", "-0.0", "1e308", "-1e308", "1e-320", "nan", "inf", "-inf", "1e5", "2,", ","),
    *("9" * 5000, "0x10", "1_000", "\u0663", "\u00bd", "1e9999", "--", "\x1b[2J", "0-", "3-1", "1,,2", "x"),
    "9223372036854775808",
]


@FOREVER
def test_numbers(run, seconds, capsys):
    options = (
        *("--guidance", "--eta", "--rescale", "--guidance-interval", "--seeds", "--ema", "--zoom", "--sheet"),
        *(
            "--sampler-option",
            "--condition",
            "--negative",
            "--classifier-guidance",
            "--palette",
            "--guide-with",
        ),
    )
    names = {"--sampler-option": "churn=", "--condition": "size=", "--negative": "size="}

    def attack(chance: random.Random) -> None:
        option = chance.choice(options)
        value = f"{names.get(option, '')}{chance.choice(WILD_NUMBERS)}"
        code, *_ = attempted("sample", str(run), *DRAW, f"{option}={value}", "--out", "drawn", capsys=capsys)
        assert code in (0, 2)

    again_and_again(attack, seconds)


def attempted(*arguments: str, capsys: Capsys) -> tuple[int, str, str]:
    """As ``attacked``, but for what the reader of options says in a frame of its own."""
    with in_time():
        code, out, said = fogcatcher(*arguments, capsys=capsys)
    assert "Traceback" not in said
    return code, out, said


@FOREVER
def test_logs_palettes_and_atlases(run, seconds, tmp_path, capsys):
    row = {"step": 10, "loss": 0.5, "gradient_norm": 1.0, "learning_rate": 0.1, "seconds_per_step": 0.1}
    check = {"step": 10, "kernel_distance": 0.1, "copied": 0.0, "chance": 0.1, "held_out_loss": 0.4}
    pictures = save_pictures(tmp_path / "pictures")
    attacked("data", "join-sheet", str(pictures / "a"), "--out", "sheet.png", capsys=capsys)
    attacked("data", "split-sheet", "sheet.png", "--cell", "8x8", "--out", "cells", capsys=capsys)
    atlas = json.loads(Path("cells/sheet.json").read_text())
    palette = b"GIMP Palette\nName: x\nColumns: 0\n#\n 29  43  83\t1d2b53\n255 0 0 red\n"

    def attack(chance: random.Random) -> None:
        match chance.randrange(4):
            case 0:
                name, tree = chance.choice([("metrics.jsonl", row), ("checks.jsonl", check)])
                (run / name).write_bytes(wild_json(tree, chance) + b"\n" + json.dumps(tree).encode() + b"\n")
                attacked("plot", str(run), "--out", "plot.png", capsys=capsys)
            case 1:
                Path("cells/sheet.json").write_bytes(wild_json(atlas, chance))
                attacked("data", "join-sheet", "cells", "--out", "again.png", capsys=capsys)
                Path("again.png").unlink(missing_ok=True)
                Path("again.json").unlink(missing_ok=True)
            case 2:
                Path("x.gpl").write_bytes(wild_bytes(palette, chance))
                sampled(run, "--palette", "x.gpl", capsys=capsys)
            case _:
                Path("x.hex").write_bytes(wild_bytes(b"1d2b53\nff0000\n", chance))
                sampled(run, "--palette", "x.hex", capsys=capsys)

    again_and_again(attack, seconds)
