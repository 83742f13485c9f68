"""Models of strangers: whatever their JSON says, they load, or are refused in one sentence.

No room is made for what the JSON asks for before it is known that the weights are as many.
"""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from fogcatcher.base.errors import UserError
from fogcatcher.base.memory import peak_memory_mb
from fogcatcher.data.conditions.conditions import Category, Colour, ConditionSpec, Number, Tags, Text
from fogcatcher.data.pictures.augmentation import Augmentation
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.choose_network import IMPORTED
from fogcatcher.model.config import NetworkConfig, read_config
from fogcatcher.model.model import Model, load
from fogcatcher.model.trained_classifier import load_classifier, new_classifier
from fogcatcher.networks.ddpm_unet import UNetShape
from fogcatcher.training.ema import PowerEMA
from fogcatcher.training.post_hoc import AVERAGES, save_snapshot
from tests.random_models import config
from tests.strange_json import changed

MOST_MB = 100
"""All that may be added to what this process has needed; a network 65,536 wide takes terabytes."""
SHAPE = UNetShape((8, 16), (False, True), (False, True), (False, False), (False, False), blocks=1, groups=4)
CONDITIONS = ConditionSpec(
    (
        Category("kind", ("hero", "food")),
        Tags("tags", ("dark", "flying")),
        Number("size", 0.0, 9.0),
        Colour("main"),
        Text("says", ("red", "ice")),
    )
)


def refused(act: Callable[[], object]) -> bool:
    """Do it; whether it was refused. Fails where that took much room, or more than a sentence."""
    said, before = "", peak_memory_mb()
    try:
        act()
    except UserError as error:
        said = str(error)
        assert "\n" not in said and "\x1b" not in said and len(said) < 1500, said
    assert not peak_memory_mb() - before > MOST_MB
    return bool(said)


def saved(folder: Path, network: NetworkConfig) -> Path:
    """A tiny model with a classifier and a snapshot of its averages."""
    chosen = replace(config(), network=network)
    model = Model(build_denoiser(chosen, CONDITIONS), chosen, CONDITIONS)
    model.save(folder)
    new_classifier(CONDITIONS, chosen.pictures, model.denoiser.process, 8).save(folder)
    ema = PowerEMA(model.denoiser, 6.94)
    ema.updates = 1000
    (folder / AVERAGES).mkdir()
    save_snapshot(ema, folder / AVERAGES / "step-000001000.safetensors", whole=True)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("run"), NetworkConfig("small", 16, 2))


def wildly_read(folder: Path, name: str, cases: int) -> int:
    """Load with ``name`` changed in so many ways; how many were refused."""
    text, chance = (folder / name).read_text(), random.Random(name)
    tree, count = json.loads(text), 0
    for _ in range(cases):
        (folder / name).write_text(json.dumps(changed(tree, chance)))
        count += refused(lambda: load(folder))
    (folder / name).write_text(text)
    assert not refused(lambda: load(folder))  # else nothing would have been shown
    return count


@pytest.mark.slow
def test_strange_configs_load_or_are_one_sentence(run, tmp_path):
    assert 40 < wildly_read(run, "config.json", 60) < 60
    imported = saved(tmp_path / "imported", NetworkConfig(IMPORTED, shape=SHAPE))
    assert 15 < wildly_read(imported, "config.json", 30) <= 30


def test_strange_conditions_load_or_are_one_sentence(run):
    assert 15 < wildly_read(run, "conditions.json", 30) < 30


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("width", "32", "network.width must be a whole number from 1 to 65,536, not '32'"),
        ("width", 1e6, "network.width must be a whole number"),
        ("blocks", 10**9, "network.blocks must be a whole number from 1 to 16, not 1000000000"),
        ("width", 65_536, "do not fit its config.json"),
        ("colour", 1, "network.colour is unknown to this version"),
    ],
)
def test_the_place_is_named(field, value, said, run):
    text = (run / "config.json").read_text()
    tree = json.loads(text)
    tree["network"] |= {"name": "small", "shape": None, field: value}
    try:
        (run / "config.json").write_text(json.dumps(tree))
        with pytest.raises(UserError, match=said):
            load(run)
    finally:
        (run / "config.json").write_text(text)


def test_strange_classifiers_and_averages(run):
    model, path = load(run), run / "classifier" / "classifier.json"
    text = path.read_text()
    chance, process = random.Random(0), model.denoiser.process
    read = lambda: load_classifier(run, model.conditions, model.config.pictures, process)  # noqa: E731
    for _ in range(20):
        path.write_text(json.dumps(changed(json.loads(text), chance)))
        refused(read)
    path.write_text(text)
    assert not refused(read)

    (path,) = (run / AVERAGES).iterdir()
    content = path.read_bytes()
    facts = {"updates": 1000, "gamma": 6.94, "short_gamma": 16.972}
    for _ in range(20):
        save_file({"ema/x": torch.zeros(1)}, path, {"averages": json.dumps(changed(facts, chance))})
        assert refused(lambda: load(run, ema=0.1))
    path.write_bytes(content)
    assert not refused(lambda: load(run, ema=0.1))


def test_a_run_in_format_2_draws_what_it_drew():
    """Written by the last version of that format, with both pictures; elsewhere a level may differ."""
    run = Path(__file__).parent / "runs" / "format-2"
    assert json.loads((run / "config.json").read_text())["format"] == 2
    model = load(run)
    assert model.config.kind == PictureSpec(8, 8, 3, False, model.config.pictures.sigma_data)
    drawn = model.sample(4, steps=5)
    for seed in (0, 3):
        with Image.open(run / f"{seed:05d}.png") as image:
            before = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        assert (drawn.rows[seed].int() - before.int()).abs().max() <= 1


def test_a_run_in_format_1_still_loads():
    shipped = Path(__file__).parents[2] / "fogcatcher" / "shipped" / "sprites"
    assert json.loads((shipped / "config.json").read_text())["format"] == 1
    found, conditions = read_config(shipped)
    assert found.network == NetworkConfig("small", 32, 3, 1, 1) and found.data.conditions == ()
    assert found.data.options.hold_out == 0.0 and found.augmentation == Augmentation()
    assert [a.name for a in conditions.attributes] == ["kind"]
