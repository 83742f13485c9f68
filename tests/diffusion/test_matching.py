"""Matching laws: distances and gradients known in closed form, and what a pair of batches can tell."""

import math

import pytest
import torch

from fogcatcher.diffusion.matching import Matching, _apart, energy_distance, standardised, told_alike
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import StraightGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, sample
from fogcatcher.diffusion.schedules import EDMSchedule
from tests.diffusion.test_distillation import MEAN, STD, Exact, generator, mixture

ALIKE = torch.zeros(1, dtype=torch.int64)


def bells(n: int, mean: float, std: float, seed: int) -> torch.Tensor:
    return mean + std * torch.randn(n, 1, dtype=torch.float64, generator=generator().manual_seed(seed))


def apart(mean: float, std: float) -> float:
    """E |N(mean, std^2)|: the mean of a folded normal."""
    z = mean / std
    return std * math.sqrt(2 / math.pi) * math.exp(-(z**2) / 2) + mean * math.erf(z / math.sqrt(2))


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.8, 1.0), (0.0, 0.3), (-0.5, 2.0)])
def test_the_distance_of_two_bells_is_known(mean, std):
    """2 E|x - y| - E|x - x'| - E|y - y'|, where every difference is normal."""
    quantiles = torch.special.ndtri((torch.arange(1000, dtype=torch.float64) + 0.5) / 1000)[:, None]
    drawn, real = mean + std * quantiles[torch.randperm(1000, generator=generator())], quantiles
    expected = 2 * apart(mean, math.hypot(std, 1)) - (2 * std + 2) / math.sqrt(math.pi)
    found = energy_distance(drawn, real, ALIKE.expand(1000)).item()
    assert found == pytest.approx(expected, abs=0.01)


def test_a_few_samples_of_one_law_are_at_no_distance_on_average():
    """Batches of four: with pairs of a row and itself the mean would be 0.28 instead of 0."""
    found = [
        energy_distance(bells(4, 0, 1, 2 * i), bells(4, 0, 1, 2 * i + 1), ALIKE.expand(4)).item()
        for i in range(4000)
    ]
    error = torch.tensor(found).std().item() / math.sqrt(len(found))
    assert abs(sum(found) / len(found)) < 3.5 * error < 0.05


def test_laws_that_differ_only_by_what_was_told_are_apart():
    """The same samples in all, each told the other's condition."""
    told = torch.arange(800) % 2
    centre = (2.0 * told - 1)[:, None]
    real = centre + 0.1 * bells(800, 0, 1, 3)
    right, wrong = centre + 0.1 * bells(800, 0, 1, 4), -centre + 0.1 * bells(800, 0, 1, 5)
    assert abs(energy_distance(wrong, real, 0 * told).item()) < 0.01
    assert abs(energy_distance(right, real, told).item()) < 0.01
    # Between 2 and hypot(2, 2), as far as they move and are told apart: (2 + 0 - 2 sqrt 2 + 2) / 2 more.
    expected = (2 * (2 + 2) - 2 * (0 + math.hypot(2, 2))) / 2
    assert energy_distance(wrong, real, told).item() == pytest.approx(expected, abs=0.15)


class Shown:
    """Sees the samples as they are."""

    def __call__(self, x_t, t):
        return [x_t]


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_gradient_is_nothing_at_the_data_and_leads_there_from_elsewhere(steps):
    """A student that draws a Gaussian exactly, but for a shift of its answers."""
    process = Process(EDMSchedule())
    grid = StraightGrid()(process.schedule, steps)
    objective = Matching.of(grid, Shown(), limit=None)

    def slopes(shift: float) -> torch.Tensor:
        student = Exact(process, grid)
        student.shift.data.fill_(shift)
        found = []
        for seed in range(60):
            told = generator().manual_seed(seed)
            x0 = MEAN + STD * torch.randn(64, 2, dtype=torch.float64, generator=told)
            found.append(torch.autograd.grad(objective(student, x0, None, told), student.shift)[0])
        return torch.stack(found)

    at_rest = slopes(0.0)
    assert at_rest.mean().abs() < 3.5 * at_rest.std() / math.sqrt(60)
    for shift in (-0.3, 0.3):
        away = slopes(shift)
        assert math.copysign(1, shift) * away.mean() > 5 * away.std() / math.sqrt(60)


def test_it_draws_as_the_sampler_of_its_run_does():
    process = Process(EDMSchedule())
    denoiser, grid = mixture(process), StraightGrid()(process.schedule, 4)
    noise = torch.randn(16, 2, dtype=torch.float64, generator=generator())
    *_, last = sample(denoiser, process.prior(grid[0], noise), grid, DDIM(), generator())
    drawn = Matching.of(grid, Shown(), limit=None).draw(denoiser, noise, None)
    assert torch.allclose(drawn, last.x, atol=1e-12)
    assert Matching.of(grid, Shown(), limit=0.5).draw(denoiser, noise, None).abs().max() == 0.5


def test_samples_are_told_alike_where_every_condition_is():
    cond = {
        "kind": torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]),
        "size": torch.tensor([[0.5], [0.5], [0.5], [0.7]]),
    }
    numbers = told_alike(cond, torch.zeros(4, 1)).tolist()
    assert numbers[0] == numbers[2] and len(set(numbers)) == 3
    for nothing in (None, {}):
        assert told_alike(nothing, torch.zeros(4, 1)).tolist() == 4 * [0]


def test_features_count_alike_whatever_their_unit_and_number():
    real = torch.randn(4000, 12, generator=generator()) * torch.logspace(-2, 2, 12) + 5
    drawn, of = standardised(real.flip(0), real)
    square = _apart(drawn, of, torch.zeros(4000, 4000, dtype=torch.bool)).square().mean().item()
    assert square == pytest.approx(2, abs=0.05)


def test_one_sample_alone_tells_nothing():
    one = torch.ones(1, 3)
    assert energy_distance(*standardised(one, 2 * one), ALIKE).item() == 0
