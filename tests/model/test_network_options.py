"""Parts of every network by name: how they are read, refused, kept and built."""

import json
from dataclasses import fields, replace
from typing import get_args

import numpy as np
import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.base.field_docs import field_docs
from fogcatcher.base.typed_json import Length, Range, typed_fields
from fogcatcher.cli.arguments import parse_values
from fogcatcher.data.options import DataOptions
from fogcatcher.model.choose_network import (
    IMPORTED,
    NETWORKS,
    Wanted,
    build_network,
    choose_network,
    network_choices,
    parameters_of,
)
from fogcatcher.model.config import NetworkConfig, RunConfig
from fogcatcher.model.model import load
from fogcatcher.model.network_options import in_words, options_of
from fogcatcher.networks.ddpm_unet import DDPMUNet
from fogcatcher.networks.embeddings import Vector
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from lab_notebooks import DOCS
from tests.commands import fogcatcher, refused
from tests.random_models import config

RECORDS = dict.fromkeys(row.choices for row in NETWORKS.values() if row.choices)


def wanted(size: tuple[int, ...] = (16, 16)) -> Wanted:
    return Wanted(NetworkConfig(), 3, size, {"kind": Vector(3)})


def parameters(name: str, size: tuple[int, ...] = (16, 16), **options) -> int:
    chosen = choose_network(name, None, wanted(size), NETWORKS[name].multiple, options)
    return parameters_of(replace(wanted(size), config=chosen))


def limits(hint) -> list[Range | Length]:
    """Those beside a type and the types inside it."""
    found = [part for part in getattr(hint, "__metadata__", ()) if isinstance(part, Range | Length)]
    return found + [limit for part in get_args(hint) for limit in limits(part)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_choice_has_a_range_a_help_and_a_place_in_the_docs(record: type):
    page = (DOCS / "networks.md").read_text(encoding="utf-8")
    names = [name for name, row in NETWORKS.items() if row.choices is record]
    for field in fields(record):
        hint, said = options_of(record)[field.name], field_docs(record)[field.name]
        kinds = str(hint)
        assert "bool" in kinds or any(isinstance(limit, Range) for limit in limits(hint)), field.name
        assert f"| `{field.name}` | {', '.join(f'`{name}`' for name in names)} | {said} |" in page


def test_every_size_of_every_number_is_refused_beyond_its_range():
    for name, row in NETWORKS.items():
        for option, hint in (options_of(row.choices) if row.choices else {}).items():
            (limit,) = [limit for limit in limits(hint) if isinstance(limit, Range)] or [None]
            if limit is None:
                continue
            for wrong in (limit.least - 1, 2 * limit.most, float("nan"), float("inf"), "x", True):
                with pytest.raises(UserError, match=option) as caught:
                    network_choices(name, {option: wrong})
                assert caught.value.options == ("network_options",) and len(str(caught.value)) < 300


def test_values_are_read_in_every_form_that_says_them():
    read = network_choices("adm", {"attention": 16, "resample": 0, "multipliers": [1, 2], "blocks": 3})
    assert read == {"attention": (16,), "resample": False, "multipliers": (1, 2), "blocks": 3}
    assert in_words(read | {"dropout": 0.25, "attention": ()}) == (
        "attention=none, resample=no, multipliers=1,2, blocks=3, dropout=0.25"
    )


@pytest.mark.parametrize(
    ("network", "option", "said"),
    [
        ("adm", "blokcs", "unknown option of the network adm 'blokcs'. .*Did you mean blocks"),
        ("adm", "depth", "depth is an option of the network transformer; those of adm: multipliers, blocks"),
        ("course", "levels", "levels is an option of the network small; those of course: none"),
        ("resnet", "levels", "unknown network 'resnet'"),
    ],
)
def test_unknown_names_are_one_sentence(network: str, option: str, said: str, tmp_path):
    """Also before anything is read: the folder does not exist."""
    with pytest.raises(UserError, match=said):
        network_choices(network, {option: 2})
    with pytest.raises(UserError, match=said):
        prepare(Setup(str(tmp_path / "nowhere"), network=network, network_options={option: 2}))


def test_each_kind_of_network_is_built_as_chosen():
    """Differences that are known: a convolution of 3 by 3 has 9 a b + b numbers, a norm 2 a."""
    # Of a level of the small one, 16 wide: told 64 numbers, (2 + 1) blocks; twice as many of each.
    one, two, three = (parameters("small", levels=1, blocks=blocks) for blocks in (1, 2, 3))
    assert two - one == three - two
    down = 2 * (2 * 16 + 9 * 16**2 + 16) + 2 * 16 * (64 + 1)
    up = (2 * 32 + 9 * 32 * 16 + 16) + (2 * 16 + 9 * 16**2 + 16) + 2 * 16 * (64 + 1) + (32 * 16 + 16)
    assert two - one == down + up
    # A block of the transformer, 64 wide: 4 + 8 of w^2, 6 w^2 to adapt, and their biases.
    blocks = [parameters("transformer", depth=depth, heads=2) for depth in (1, 2)]
    w = 64
    assert blocks[1] - blocks[0] == 4 * (w**2 + w) + (8 * w**2 + 5 * w) + 6 * (w**2 + w)
    assert parameters("transformer", depth=1, patch=4) > parameters("transformer", depth=1, patch=2)
    # One block less on the way down and on the way up of each of three levels.
    assert parameters("ddpmpp", blocks=1) < parameters("ddpmpp", blocks=2) < parameters("ddpmpp")
    assert parameters("edm2", attention=(), multipliers=(1,), blocks=1) < parameters("edm2")
    assert parameters("annotated", multipliers=(1,)) < parameters("annotated")
    for name in ("ddpmpp", "edm2"):
        with pytest.raises(UserError, match="no level has a side of 5: attention can stand at 16"):
            parameters(name, attention=(5,))
    assert parameters("thesis_vanilla") < parameters("thesis_attentive") == parameters("thesis")


def test_signals_have_the_same_choices_but_no_pixels():
    assert parameters("small", (32,), levels=2) < parameters("small", (32,))
    assert parameters("transformer", (32,), patch=4, depth=1) > 0
    with pytest.raises(UserError, match="patch is for pictures"):
        parameters("small", (32,), patch=2)


def test_the_size_of_a_model_heeds_the_choices():
    deep = choose_network("ddpm", "medium", wanted(), None, {"blocks": 4, "attention": ()})
    flat = choose_network("ddpm", "medium", wanted(), None, {"blocks": 1, "attention": ()})
    assert deep.width < flat.width


def test_a_config_keeps_them_and_refuses_others():
    chosen = NetworkConfig("adm", 64, options={"blocks": 1, "attention": (8,), "rescaled": True})
    tree = json.loads(json.dumps(replace(config(), network=chosen).to_json()))
    assert RunConfig.from_json(tree).network == chosen
    for wrong in ({"blocks": "two"}, {"blocks": None}, {"blocks": {}}, {str(i): 1 for i in range(41)}):
        tree["network"]["options"] = wrong
        with pytest.raises(UserError, match=r"network\.options"):
            RunConfig.from_json(tree)
    for strange in ({"nosuch": 1}, {"blocks": True}, {"blocks": 1e6}):
        with pytest.raises(UserError):
            build_network(replace(wanted(), config=replace(chosen, options=strange)))
    with pytest.raises(UserError, match="those of imported: none"):
        build_network(replace(wanted(), config=NetworkConfig(IMPORTED, options={"blocks": 1})))
    assert typed_fields(NetworkConfig, {"width": 16}).options == {}


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    np.save("data.npy", np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8))
    return "data.npy"


def test_a_run_is_trained_resumed_and_loaded_with_them(pictures: str, tmp_path, capsys):
    words = [
        "--network",
        "adm",
        "--size-of-model",
        "tiny",
        "--network-option",
        "blocks=1",
        "--augment",
        "none",
    ]
    words += ["--network-option", "attention=8", "--network-option", "resample=no", "--batch-size", "2"]
    code, said, _ = fogcatcher("train", pictures, *words, "--steps", "2", "--out", "run", capsys=capsys)
    assert code == 0 and "network adm: blocks=1, attention=8, resample=no" in said
    model = load("run")
    assert model.config.network.options == {"blocks": 1, "attention": (8,), "resample": False}
    assert model.sample(1, steps=1).pictures.shape == (1, 3, 8, 8)
    again = ["--resume", "--steps", "1", "--out", "run", "--network-option", "blocks=2"]
    code, said, _ = fogcatcher("train", pictures, *again, capsys=capsys)
    assert code == 0
    assert "ignored: --network-option blocks=2 (the run has blocks=1, attention=8, resample=no)" in said
    run = resume(tmp_path / "run", pictures, steps=1)
    assert len(list(follow(run))) == 1


def test_what_is_typed_is_read_by_its_form():
    typed = ("a=none", "b=yes", "c=No", "d=16,8", "e=3", "f=0.5", "g=1,0.5")
    values = parse_values(typed, "--network-option", "blocks=3")
    assert values == {"a": (), "b": True, "c": False, "d": (16, 8), "e": 3, "f": 0.5, "g": (1, 0.5)}
    assert [type(values[name]) for name in "bef"] == [bool, int, float]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("blocks", "--network-option 'blocks' needs the form NAME=VALUE, for example blocks=3"),
        ("blocks=x", "needs a number, some joined by commas, none, yes or no: for example blocks=3"),
        ("blocks=nan", "needs a number"),
        ("blokcs=3", "Did you mean blocks"),
        ("blocks=3,4", "blocks must be a whole number from 1 to 16, not a list of 2"),
        ("resample=2", "resample must be true or false, not 2"),
    ],
)
def test_the_command_refuses_in_one_sentence(typed: str, said: str, pictures: str, capsys):
    words = ("train", pictures, "--network", "adm", "--network-option", typed)
    assert said in refused(*words, capsys=capsys)


def test_the_base_is_not_taken_for_another_network(pictures: str, tmp_path):
    run = prepare(Setup(pictures, tmp_path / "run", steps=1, network_options={"levels": 2}))
    assert run.config.start is None and run.config.network.levels == 2


def test_imagens_networks_come_with_its_preset(pictures: str, tmp_path):
    """Saharia et al. 2022: the base's widths and blocks; the efficient U-Net, deepest where it is small."""
    setup = Setup(
        pictures, tmp_path / "run", steps=1, options=DataOptions(size=(16, 16)), preset="imagen", width=32
    )
    (base,) = {part.shape for part in prepare(setup).state.denoiser.modules() if isinstance(part, DDPMUNet)}
    assert base.widths == (32, 64, 96, 128) and base.blocks == 3 and not base.resample_first
    larger = prepare(replace(setup, upscale=2)).state.denoiser
    (shape,) = {part.shape for part in larger.modules() if isinstance(part, DDPMUNet)}
    assert shape.widths == (32, 64, 128, 256) and shape.depths == (2, 4, 8, 8) and shape.resample_first
    own = replace(setup, width=None, network="small", network_options={"levels": 2})
    assert prepare(own).config.network.options == {"levels": 2}
