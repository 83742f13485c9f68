"""A run that learns from a rival: how it draws, goes on, and what it refuses."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fogcatcher.base.errors import UserError
from fogcatcher.data.options import DataOptions
from fogcatcher.diffusion.denoiser import picking
from fogcatcher.exchange.to_onnx import to_onnx
from fogcatcher.model.model import load
from fogcatcher.model.reproduction import reproduce
from fogcatcher.runs.distill import DistillSetup, prepare_distillation
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from fogcatcher.training.fit import fit
from tests.small_trainings import save_pictures


def setup_of(data: Path, out: Path, **choices) -> Setup:
    usual = {"preset": "ddgan", "steps": 6, "size_of_model": "tiny", "method_options": {"calls": 3}}
    return Setup(str(data), out, **(usual | choices))


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Path, Path]:
    """Folders of pictures, and of a run that draws in three steps."""
    folder = tmp_path_factory.mktemp("adversarial")
    save_pictures(folder / "data", 40)
    for _ in follow(prepare(setup_of(folder / "data", folder / "run"))):
        pass
    return folder / "data", folder / "run"


def test_it_draws_in_its_own_steps_and_its_pictures_say_how(places, tmp_path):
    model = load(places[1])
    calls: list[int] = []
    hook = model.denoiser.network.register_forward_hook(lambda _, given, __: calls.append(len(given[0])))
    drawing = model.sample(3)
    hook.remove()
    assert calls == [3, 3, 3]
    made = drawing.made[0].settings
    assert (made.sampler, made.steps, made.grid) == ("ddgan", 3, "uniform")
    drawing.save(tmp_path / "drawn")
    assert reproduce(tmp_path / "drawn" / "00002.png", str(places[1])).different == 0


def test_the_latent_changes_what_is_drawn_from_the_same_noise(places):
    """The noise of a seed is drawn before its latents; no latent is a latent of zeros."""
    denoiser = picking(load(places[1]).denoiser)
    x, t = torch.randn(2, *load(places[1]).config.kind.shape), torch.ones(2, dtype=torch.float64)
    zeros, other = torch.zeros(2, 64), torch.randn(2, 64)
    with torch.no_grad():
        plain, same = denoiser(x, t), denoiser.with_latent(zeros)(x, t)
        assert plain.equal(same) and not denoiser.with_latent(other)(x, t).equal(plain)


def test_a_new_rival_holds_both_equally_likely(places, tmp_path):
    """D = 0 at first, and hardly more after its first step: the loss of both is log 2."""
    run = prepare(setup_of(places[0], tmp_path / "new"))
    first = next(fit(run.state, run.batches, run.objective, run.config.training))
    assert first.loss == pytest.approx(math.log(2), abs=0.01)


@pytest.mark.slow
def test_stopped_in_the_middle_it_goes_on_to_the_same_weights_and_the_same_rival(places, tmp_path):
    data, whole = places
    steps = follow(prepare(setup_of(data, tmp_path / "stopped")))
    for progress in steps:
        if progress.step == 3:
            steps.close()
            break
    for _ in follow(resume(tmp_path / "stopped", str(data))):
        pass
    for name in ("model.safetensors", "state/step-000000006.safetensors"):
        one, other = (load_file(place / name) for place in (whole, tmp_path / "stopped"))
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    assert any("critic" in key for key in one) and any("adam" in key for key in one)


def test_what_it_cannot_is_refused_in_words(places, tmp_path):
    data, run = places
    model, signals = load(run), tmp_path / "signals.npy"
    np.save(signals, np.random.default_rng(0).random((40, 1, 32)).astype(np.float32))
    with pytest.raises(UserError, match="trained to draw in 3 steps of ddgan: leave out sampler"):
        model.sample(1, sampler="heun")
    with pytest.raises(UserError, match="ddgan: this needs a model with a latent"):
        load("sprites").sample(1, sampler="ddgan")
    with pytest.raises(UserError, match="in its own 3 steps alone, each by chance: export it as torch"):
        to_onnx(model, tmp_path / "model.onnx")
    with pytest.raises(UserError, match="draws in its own 3 steps, each by chance"):
        prepare_distillation(DistillSetup(str(run), out=tmp_path / "student", updates=1))
    for wrong in ({"weighting": "snr"}, {"times": "lognormal"}):
        with pytest.raises(UserError, match="learns at its own few steps, all alike"):
            prepare(setup_of(data, tmp_path / "wrong", **wrong))
    with pytest.raises(UserError, match="is for pictures yet; these are"):
        prepare(setup_of(signals, tmp_path / "wrong", options=DataOptions(kind="signals")))
