"""Ancestral sampling with less noise than its own: what is left of the spread is known in closed form."""

import pytest
import torch

from fogcatcher.diffusion.exact import MixtureDenoiser, gaussian_denoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDPM, sample
from fogcatcher.diffusion.sampling.stochastic import EulerMaruyama
from fogcatcher.diffusion.schedules import BetaSchedule, VPSchedule, linear_betas

LINEAR = Process(BetaSchedule(linear_betas(100, 1e-3, 0.1)))


def drawn(denoiser, step, steps: int = 100, count: int = 4000) -> torch.Tensor:
    times, generator = UniformGrid()(denoiser.process.schedule, steps), torch.Generator().manual_seed(0)
    x = torch.randn(count, 1, generator=generator, dtype=torch.float64)
    *_, last = sample(denoiser, x, times, step, generator)
    return last.x


@pytest.mark.parametrize("variance", ["small", "large"])
def test_without_noise_all_pictures_collapse(variance):
    """On N(0, 1) the mean of each step is sqrt(1 - beta) x_t, so x_0 = sqrt(alpha_bar_T) x_T; with noise the
    spread stays about 1."""
    unit = gaussian_denoiser(LINEAR, torch.zeros(1, dtype=torch.float64), 1.0)
    left = LINEAR.schedule.signal_left
    assert drawn(unit, DDPM(variance, noise=0.0)).std() == pytest.approx(left, rel=0.05) and left < 0.1
    assert drawn(unit, DDPM(variance)).std() == pytest.approx(1, abs=0.06)


def test_the_noise_is_scaled_as_said():
    """One step from t to s with the noise of 2 less that of 1 is the noise of 1 less none."""
    pair = MixtureDenoiser(LINEAR, torch.tensor([[-1.0], [1.0]]).double(), torch.tensor([0.2, 0.2]).double())
    none, one, two = (drawn(pair, DDPM(noise=n), steps=2) for n in (0.0, 1.0, 2.0))
    assert not torch.equal(none, one) and not torch.equal(one, two)
    vp = gaussian_denoiser(Process(VPSchedule()), torch.zeros(1, dtype=torch.float64), 1.0)
    # Its reverse SDE has the drift -x beta / 2 where the score is -x: without noise everything goes to 0.
    assert drawn(vp, EulerMaruyama(noise=0.0), 500).std() < 0.02
    assert drawn(vp, EulerMaruyama(), 500).std() == pytest.approx(1, abs=0.05)


def test_pictures_without_noise_are_more_alike_on_two_kinds():
    """Two kinds at -1 and 1: with noise both come, each as wide as the data; without, narrower ones."""
    pair = MixtureDenoiser(LINEAR, torch.tensor([[-1.0], [1.0]]).double(), torch.tensor([0.2, 0.2]).double())
    without, with_noise = drawn(pair, DDPM(noise=0.0)), drawn(pair, DDPM())
    exact = (1 + 0.2**2) ** 0.5
    assert with_noise.std() == pytest.approx(exact, rel=0.06)
    assert (without.abs() - 1).std() < 0.5 * (with_noise.abs() - 1).std()
