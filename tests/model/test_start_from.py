"""A run that starts from a model: what fits is the model's to the bit, and what does not begins anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.signals.spec import SignalSpec
from fogcatcher.model.config import read_config
from fogcatcher.model.model import load
from fogcatcher.model.start_from import channels_of_old, licence_of, usual_base
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.record import Run
from fogcatcher.runs.setup import Setup
from tests.drawn_sprites import sprites

CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def pictures(
    folder: Path, channels: int = 4, side: int = 12, classes: tuple[str, ...] = ("cold", "warm")
) -> str:
    random = np.random.default_rng(channels)
    for number in range(12):
        x = random.integers(0, 256, (side, side, channels), np.uint8)
        if channels in (2, 4):
            x[..., -1] = np.where(x[..., -1] > 99, 255, 0)
        target = folder / classes[number % len(classes)] / f"{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x.squeeze(), CHANNELS[channels]).save(target)
    return str(folder)


def run_of(data: str, out: Path, **choices: object) -> Run:
    return prepare(Setup(data, out, **{"steps": 3, "augment": "none"} | choices))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[int, Path]:
    """Small models of each number of channels, no weight of which is zero."""
    folder, found = tmp_path_factory.mktemp("sources"), {}
    for channels in CHANNELS:
        run = run_of(pictures(folder / f"data-{channels}", channels), folder / f"run-{channels}", width=16)
        with torch.no_grad():
            for weight in run.state.denoiser.parameters():
                weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
        list(follow(run))
        found[channels] = run.folder
    return found


def answer(denoiser: torch.nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        network: torch.nn.Module = denoiser.eval().get_submodule("network")
        return network(x, torch.full((len(x),), 0.3), None)


def noise(channels: int, side: int = 12) -> Tensor:
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(5))


def test_a_run_on_pictures_alike_starts_as_the_model(sources, tmp_path):
    run = run_of(pictures(tmp_path / "data"), tmp_path / "run", start_from=str(sources[4]))
    source = load(sources[4])
    assert all(
        run.state.denoiser.state_dict()[name].equal(w) for name, w in source.denoiser.state_dict().items()
    )
    start = run.config.start
    assert start is not None and (start.hash, start.new) == (source.hash, 0)
    assert start.taken == sum(w.numel() for w in source.denoiser.state_dict().values())
    assert any("starts from run-4: 100.0% of the network" in note for note in run.notes)


@pytest.mark.parametrize("side", [8, 16, 24])
def test_another_size_changes_no_answer(sources, tmp_path, side):
    data = pictures(tmp_path / "data", side=side)
    run = run_of(data, tmp_path / "run", start_from=str(sources[4]), options=DataOptions(size=(side, side)))
    assert run.config.start is not None and run.config.start.new == 0
    x = noise(4, side)
    assert answer(run.state.denoiser, x).equal(answer(load(sources[4]).denoiser, x))


def test_grey_from_colours_is_the_colour_model_of_grey_pictures(sources, tmp_path):
    run = run_of(pictures(tmp_path / "data", 1), tmp_path / "run", start_from=str(sources[3]))
    x = noise(1)
    wanted = answer(load(sources[3]).denoiser, x.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
    torch.testing.assert_close(answer(run.state.denoiser, x), wanted, rtol=1e-4, atol=1e-5)


def test_colours_from_grey_are_the_grey_of_their_mean(sources, tmp_path):
    run = run_of(pictures(tmp_path / "data", 3), tmp_path / "run", start_from=str(sources[1]))
    x = noise(3)
    wanted = answer(load(sources[1]).denoiser, x.mean(1, keepdim=True)).expand(-1, 3, -1, -1)
    torch.testing.assert_close(answer(run.state.denoiser, x), wanted, rtol=1e-4, atol=1e-5)


def test_without_alpha_the_model_sees_none(sources, tmp_path):
    run = run_of(pictures(tmp_path / "data", 3), tmp_path / "run", start_from=str(sources[4]))
    x = noise(3)
    wanted = answer(load(sources[4]).denoiser, torch.cat([x, torch.zeros_like(x[:, :1])], 1))[:, :3]
    torch.testing.assert_close(answer(run.state.denoiser, x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("old", CHANNELS)
@pytest.mark.parametrize("new", CHANNELS)
def test_channels_go_there_and_back(new, old):
    M = channels_of_old(new, old)
    back = torch.linalg.pinv(M) @ M
    # What the old model has no channel for is lost; grey of any kind and shared alpha come back.
    grey = torch.tensor([1.0] * (1 if new < 3 else 3) + [0.0] * (new in (2, 4)))
    torch.testing.assert_close(back @ grey, grey)
    if new in (2, 4) and old in (2, 4):
        alpha = torch.eye(new)[-1]
        torch.testing.assert_close(back @ alpha, alpha)


def test_classes_keep_their_columns_by_name(sources, tmp_path):
    data = pictures(tmp_path / "data", classes=("hot", "warm", "zero"))
    run = run_of(data, tmp_path / "run", start_from=str(sources[4]), conditions=("label",))
    name = "network.condition.tables.of_label.weight"
    old, new = load(sources[4]).denoiser.state_dict()[name], run.state.denoiser.state_dict()[name]
    assert new.shape[1] == 3 and new[:, 1].equal(old[:, 1])  # warm
    assert not new[:, 0].equal(old[:, 0])
    assert any("new: condition label" not in note for note in run.notes)


@pytest.mark.parametrize("network", ["course", "thesis"])
@pytest.mark.slow
def test_networks_without_tables_of_classes_start_as_they_were(tmp_path, network):
    data = pictures(tmp_path / "data", side=16)
    first = run_of(data, tmp_path / "first", steps=1, network=network, width=16)
    list(follow(first))
    again = run_of(data, tmp_path / "again", network=network, width=16, start_from=str(first.folder))
    source = load(first.folder).denoiser.state_dict()
    assert all(weight.equal(source[name]) for name, weight in again.state.denoiser.state_dict().items())


def test_another_prediction_has_a_last_layer_and_a_sense_of_noise_of_its_own(sources, tmp_path):
    run = run_of(pictures(tmp_path / "data"), tmp_path / "run", start_from=str(sources[4]), preset="v_cosine")
    assert answer(run.state.denoiser, noise(4)).abs().max() == 0
    assert any("new: " in note and "last layer" in note for note in run.notes)


def test_what_cannot_be_started_from_is_refused_in_words(sources, tmp_path):
    data = pictures(tmp_path / "data")
    with pytest.raises(UserError, match="has another network"):
        run_of(data, tmp_path / "run", start_from=str(sources[4]), network="ddpm", size_of_model="tiny")
    with pytest.raises(UserError, match="there is no run directory"):
        run_of(data, tmp_path / "run", start_from="nobody")
    waves = tmp_path / "waves.npy"
    np.save(waves, np.random.default_rng(0).normal(size=(20, 1, 32)).astype(np.float32))
    with pytest.raises(UserError, match="draws pictures, and these are signals"):
        run_of(str(waves), tmp_path / "run", start_from=str(sources[4]), options=DataOptions(kind="signals"))
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in sources[4].iterdir():
        if path.is_file():
            (damaged / path.name).write_bytes(path.read_bytes())
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        run_of(data, tmp_path / "run", start_from=str(damaged))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_that_started_from_a_model_goes_on_bit_for_bit_and_says_where_it_began(sources, tmp_path):
    data = pictures(tmp_path / "data")
    whole = run_of(data, tmp_path / "whole", steps=6, start_from=str(sources[4]))
    list(follow(whole))
    half = run_of(data, tmp_path / "half", steps=6, start_from=str(sources[4]))
    steps = follow(half)
    for _ in range(3):
        next(steps)
    steps.close()
    list(follow(resume(half.folder, data)))
    wanted, got = (load_file(run.folder / "model.safetensors") for run in (whole, half))
    assert all(got[name].equal(weight) for name, weight in wanted.items())
    assert read_config(half.folder)[0].start == whole.config.start
    assert "It started with 100% of its weights from `run-4`" in (half.folder / "README.md").read_text()


def test_the_licence_of_a_base_is_that_of_its_card(tmp_path):
    assert licence_of(None) == licence_of(tmp_path) == "unknown"
    (tmp_path / "README.md").write_text('---\nlicense: "CC0-1.0"\n---\n# base')
    assert licence_of(tmp_path) == "CC0-1.0"
    (tmp_path / "README.md").write_bytes(b"license: \xff\xfe")
    assert licence_of(tmp_path) == "unknown"


def test_the_usual_base_is_for_coloured_pixel_art_of_its_size(tmp_path):
    for name in ("sprites", "base-32"):
        (tmp_path / name).mkdir()
    spec = PictureSpec(16, 16, 4, hard_alpha=True, sigma_data=0.5)
    assert usual_base(spec, 1.0, tmp_path) == "sprites"
    assert usual_base(replace(spec, height=32, width=24), 0.6, tmp_path) == "base-32"
    for other in (replace(spec, channels=1), replace(spec, height=100, width=100)):
        assert usual_base(other, 1.0, tmp_path) is None
    assert usual_base(spec, 0.2, tmp_path) is usual_base(spec, None, tmp_path) is None
    assert usual_base(SignalSpec(32, (0.0,), (1.0,), (), 0.5), None, tmp_path) is None


def test_auto_starts_sprites_from_the_shipped_ones_and_a_chosen_network_anew(tmp_path):
    (tmp_path / "data").mkdir()
    for number, sprite in enumerate(sprites(20)):
        Image.fromarray(sprite.permute(1, 2, 0).numpy(), "RGBA").save(tmp_path / "data" / f"{number}.png")
    setup = Setup(str(tmp_path / "data"), tmp_path / "run", steps=1)
    start = prepare(setup).config.start
    assert start is not None and start.name == "sprites"
    assert prepare(replace(setup, width=16)).config.start is None
    assert prepare(replace(setup, start_from="none")).config.start is None
