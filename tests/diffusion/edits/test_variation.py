"""Variations: how much of the guide is left is a closed form."""

import math

import pytest
import torch

from fogcatcher.data.pictures.spec import to_model
from fogcatcher.diffusion.edits.edit import Host
from fogcatcher.diffusion.edits.variation import PROBE, Vary, noise_left, time_of_strength
from fogcatcher.diffusion.exact import dataset_denoiser, gaussian_denoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.samplers import DDPM, sample
from fogcatcher.diffusion.schedules import BetaSchedule, linear_betas
from fogcatcher.model.choices import SCHEDULES
from tests.edit_models import random_picture, small_model


def strength_at(t: float) -> float:
    """The strength whose start is t on the linear schedule of 1,000 steps."""
    schedule = BetaSchedule(linear_betas(1000))
    at = torch.tensor(t, dtype=torch.float64)
    return 2 / math.pi * math.atan2(schedule.sigma(at).item(), schedule.alpha(at).item())


@pytest.mark.parametrize(("step", "alpha_bar"), [(200, 0.659), (500, 0.079)])
def test_the_correlation_with_the_guide_is_alpha_bar(step, alpha_bar):
    """For data and guide of independent N(0, 1) pixels; the figures are of the linear schedule."""
    process = Process(BetaSchedule(linear_betas(1000)))
    generator = torch.Generator().manual_seed(0)
    # Pixels are independent, so bytes serve as a guide: 20,000 of them, of unit variance after scaling.
    guide = torch.randint(0, 256, (1, 1, 100, 200), generator=generator, dtype=torch.uint8)
    edit, grid = Vary(guide, strength_at(step / 1000)), torch.arange(250, -1, -1).double() / 250
    times = edit.grid(grid, process.schedule)
    assert times[0].item() == pytest.approx(step / 1000, abs=1e-3) and times[-1] == 0

    noise = torch.randn(1, 1, 100, 200, generator=generator, dtype=torch.float64)
    denoiser = gaussian_denoiser(process, torch.zeros(1, dtype=torch.float64), 1.0)
    x = edit.start(Host(process, to_model, lambda wishes, guidance: denoiser), noise, times)
    alpha_t = process.schedule.alpha(times[0])
    # Of unit variance, as the closed form has it: bytes in [-1, 1] have about a third.
    x0 = guide.double() / 127.5 - 1
    x = x + alpha_t * (x0 / x0.std() - x0)
    x = x.reshape(-1, 1)
    for state in sample(denoiser, x, times, DDPM(), generator):
        x = state.x
    correlation = torch.corrcoef(torch.stack([x.flatten(), x0.flatten()]))[0, 1].item()
    assert correlation == pytest.approx(alpha_bar, abs=0.03)


@pytest.mark.parametrize("name", ["edm", "flow", "cosine", "vp", "ddpm", "ve"])
def test_a_strength_is_the_same_noise_in_every_schedule(name):
    schedule = SCHEDULES[name]()
    for strength in (0.1, 0.5, 0.8):
        t = time_of_strength(schedule, strength)
        ratio = (schedule.sigma(t) / schedule.alpha(t)).item()
        assert ratio == pytest.approx(math.tan(strength * math.pi / 2), rel=1e-6)


def test_both_ends_to_the_byte():
    model, guide = small_model(), random_picture()
    draw = {"condition": {"kind": "food"}, "seeds": [3, 8], "steps": 4}
    assert model.sample(**draw, edit=Vary(guide, 0.0)).pictures.equal(guide.expand(2, -1, -1, -1))
    assert model.sample(**draw, edit=Vary(guide, 1.0)).pictures.equal(model.sample(**draw).pictures)


@pytest.mark.parametrize("strength", [1e-9, 0.02, 0.999999])
def test_strengths_next_to_the_ends(strength):
    model, guide = small_model(), random_picture()
    drawn = model.sample(1, {}, steps=4, edit=Vary(guide, strength))
    assert drawn.raw.isfinite().all() and drawn.pictures.shape == guide.shape


@pytest.mark.parametrize("strength", [-0.1, 1.01, math.nan])
def test_no_such_strength(strength):
    with pytest.raises(ValueError, match="from 0 to 1"):
        Vary(random_picture(), strength)


@pytest.mark.parametrize("name", ["edm", "flow", "ddpm"])
def test_the_noise_that_is_left_has_a_closed_form(name):
    """For data of N(0, s^2) the denoiser keeps s^2 / (s^2 + r^2) of x_t / alpha, with r = sigma / alpha."""
    process, generator = Process(SCHEDULES[name]()), torch.Generator().manual_seed(0)
    guide = torch.randint(0, 256, (1, 1, 100, 100), generator=generator, dtype=torch.uint8)
    noise = torch.randn(2, 1, 100, 100, generator=generator, dtype=torch.float64)
    x0, r = guide.double() / 127.5 - 1, math.tan(PROBE * math.pi / 2)
    for s in (0.1, 0.6, 1e6):  # the last knows nothing, and leaves all of it
        denoiser = gaussian_denoiser(process, torch.zeros(1, 100, 100, dtype=torch.float64), s)
        found = noise_left(Host(process, to_model, lambda wishes, w, d=denoiser: d), guide, noise, {})
        share = s**2 / (s**2 + r**2)
        error = (share * (x0 + r * noise) - x0).norm() / (r * noise).norm()
        assert found == pytest.approx(error.item(), rel=1e-6)
    assert found == pytest.approx(1, abs=1e-6)
    known = dataset_denoiser(process, x0)
    by_heart = noise_left(Host(process, to_model, lambda wishes, w: known), guide, noise, {})
    assert by_heart == pytest.approx(0, abs=1e-6)
