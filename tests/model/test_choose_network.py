"""Every network by its name: sizes of pictures, the dial, precision, and a run on disk."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import typed_fields
from fogcatcher.model.choose_network import (
    IMPORTED,
    NETWORKS,
    SIZES,
    Wanted,
    build_network,
    choose_network,
    learning_rate_of,
    parameters_of,
)
from fogcatcher.model.config import NetworkConfig
from fogcatcher.model.model import load
from fogcatcher.networks.embeddings import Vector
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup

NAMES = [name for name in NETWORKS if name != IMPORTED]
SQUARE = [(side, side) for side in (8, 12, 16, 20, 24, 28, 31, 32, 40, 48, 56, 64)]
MATRIX = [*SQUARE, (16, 24), (24, 32), (40, 16)]


def wanted(size: tuple[int, int] = (16, 16), channels: int = 3) -> Wanted:
    return Wanted(NetworkConfig(), channels, size, {"kind": Vector(3)})


def smallest(name: str, size: tuple[int, int], channels: int = 3) -> nn.Module:
    """The narrowest network of a name, with weights that are not zero, so that everything shows."""
    config = choose_network(name, None, wanted(size, channels), NETWORKS[name].multiple)
    torch.manual_seed(0)
    network = build_network(replace(wanted(size, channels), config=config))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network.eval()


def label_of(name: str) -> float:
    return 300.0 if NETWORKS[name].counts_steps else 0.3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_every_size_comes_back_or_the_nearest_legal_one_is_named(name):
    for size in MATRIX:
        try:
            network = smallest(name, size)
        except UserError as error:
            found = re.findall(r"(\d+) ?x ?(\d+)", str(error))
            assert found, f"{name} at {size}: {error}"
            legal = (int(found[-1][0]), int(found[-1][1]))
            assert legal != size and all(abs(a - b) <= 8 for a, b in zip(legal, size, strict=True))
            choose_network(name, None, wanted(legal), NETWORKS[name].multiple)
            continue
        x = torch.randn(1, 3, *size)
        with torch.no_grad():
            out = network(x, torch.tensor([label_of(name)]), {"kind": torch.eye(3)[:1]})
        assert out.shape == x.shape and bool(out.isfinite().all()), f"{name} at {size}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_the_same_twice_and_nearly_the_same_in_other_precisions(name):
    """Bit for bit in float32; channels-last, float32 and bfloat16 within their rounding of float64."""
    network, x = (
        smallest(name, (16, 16)),
        torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)),
    )
    label, cond = torch.full((2,), label_of(name)), {"kind": torch.eye(3)[:2]}
    with torch.no_grad():
        first, again = network(x, label, cond), network(x, label, cond)
        last = network(x.contiguous(memory_format=torch.channels_last), label, cond)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(x, label, cond).double()
        exact = network.double()(x.double(), label.double(), {"kind": cond["kind"].double()})
    assert first.equal(again)
    scale = exact.abs().max()
    assert (first.double() - exact).abs().max() < 1e-4 * scale
    assert (last.double() - exact).abs().max() < 1e-4 * scale
    assert (half - exact).abs().max() < 0.1 * scale


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_a_run_of_every_network_goes_on_and_is_loaded(tmp_path, name):
    """Three steps, and one step with a stop after it: the same weights; then pictures from the disk."""
    pictures = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    np.save(tmp_path / "data.npy", pictures)

    def setup(folder: str) -> Setup:
        return Setup(
            str(tmp_path / "data.npy"),
            tmp_path / folder,
            steps=3,
            network=name,
            width=NETWORKS[name].multiple,
            batch_size=2,
            augment="none",
        )

    whole = prepare(setup("whole"))
    list(follow(whole))
    steps = follow(prepare(setup("parts")))
    next(steps)
    steps.close()
    parts = resume(tmp_path / "parts", str(tmp_path / "data.npy"))
    list(follow(parts))
    a, b = load(tmp_path / "whole"), load(tmp_path / "parts")
    assert a.hash == b.hash and a.config.network.name == name
    assert load(tmp_path / "whole").sample(2, steps=2).pictures.shape == (2, 3, 8, 8)


@pytest.mark.parametrize("name", ["small", "course", "annotated", "thesis", "transformer"])
@pytest.mark.parametrize("said", [*SIZES, "3M", "900k", "5000000"])
@pytest.mark.slow
def test_the_dial_gives_about_so_many_parameters(name, said):
    """No neighbouring width is nearer."""
    target = SIZES.get(said) or {"3M": 3e6, "900k": 9e5, "5000000": 5e6}[said]
    config = choose_network(name, said, wanted())
    step = NETWORKS[name].multiple

    def off(width: int) -> float:
        count = parameters_of(replace(wanted(), config=replace(config, width=width)))
        return abs(math.log(count / target))

    assert off(config.width) <= off(config.width + step)
    if config.width > step:
        assert off(config.width) <= off(config.width - step)


def test_the_dial_of_the_default_network_is_its_measured_configuration():
    """Small is the network of docs/experiments.md: width 32, learning rate 2.5e-3; wider: slower."""
    small = choose_network("small", "small", wanted())
    assert (small.width, small.levels, small.patch, learning_rate_of(small)) == (32, 3, 1, 2.5e-3)
    assert choose_network("small", None, wanted()) == small
    large = choose_network("small", "large", wanted((32, 32)))
    assert (large.width, large.levels, large.patch) == (64, 4, 1)  # (64, 128, 256, 512)
    assert learning_rate_of(large) == pytest.approx(2.5e-3 / math.sqrt(2))
    narrow = choose_network("small", None, wanted((32, 32)))
    assert (narrow.width, narrow.levels, narrow.patch, learning_rate_of(narrow)) == (16, 4, 1, 2.5e-3)
    for other in (
        choose_network("small", None, wanted((28, 28), 1)),
        choose_network("small", None, wanted((48, 48))),
    ):
        assert (other.width, other.patch) == (32, 2)
    assert choose_network("small", "tiny", wanted((32, 32))).patch == 2
    assert choose_network("small", None, wanted((256, 192))).levels == 5  # 128, 64, 32, 16, 8


@pytest.mark.parametrize("said", ["huge", "0", "-3M", "3G", ""])
def test_impossible_sizes_are_refused_in_a_sentence(said):
    with pytest.raises(UserError, match=r"is not a size: use tiny, small, medium, large"):
        choose_network("small", said, wanted())


def test_unknown_networks_are_named_with_the_known_ones():
    with pytest.raises(UserError, match=r"ddpm.*transformer"):
        choose_network("resnet", None, wanted())
    with pytest.raises(UserError, match="multiple of 16, not 20"):
        choose_network("small", None, wanted(), 20)


@pytest.mark.slow
def test_dropout_is_part_of_the_seed(tmp_path):
    """Two runs of one seed with dropout get the same losses, whatever was drawn from torch in between."""
    np.save(tmp_path / "data.npy", np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8))
    losses = []
    for number in range(2):
        torch.manual_seed(number)
        setup = Setup(
            str(tmp_path / "data.npy"),
            tmp_path / str(number),
            steps=3,
            network="iddpm",
            width=32,
            batch_size=2,
            augment="none",
        )
        before = torch.random.get_rng_state()
        losses.append([step.loss for step in follow(prepare(setup))])
        assert torch.random.get_rng_state().equal(before)
    assert losses[0] == losses[1]


def test_old_runs_name_no_network(tmp_path):
    tree = {"width": 16, "levels": 3, "blocks": 1, "patch": 1}
    assert typed_fields(NetworkConfig, tree) == NetworkConfig("small", 16, 3, 1, 1)
