"""Denoisers that draw x0: their scores and steps against laws known in closed form."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from fogcatcher.diffusion.adversarial import Adversarial, EnergyScore, Rival
from fogcatcher.diffusion.denoiser import LATENT, LatentDenoiser, PredictX0
from fogcatcher.diffusion.exact import MixtureDenoiser
from fogcatcher.diffusion.guidance import Clipped, Conditioned
from fogcatcher.diffusion.objectives import UniformTimes
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDGAN, DDPM, sample
from fogcatcher.diffusion.schedules import CosineSchedule, VPSchedule

MEAN, STD = 0.7, 0.4
MODES = torch.cartesian_prod(torch.arange(-2.0, 3), torch.arange(-2.0, 3)).double() * 2 / 2.83
WIDTH = 0.05 / 2.83


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Bell(nn.Module):
    """Answers N(mean, std^2), whatever it sees."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor(mean, dtype=torch.float64))
        self.std = nn.Parameter(torch.tensor(std, dtype=torch.float64))

    def forward(self, x, noise_label, cond):
        return self.mean + self.std * cond[LATENT]


def bell(mean: float, std: float) -> LatentDenoiser:
    return LatentDenoiser(Bell(mean, std), Process(CosineSchedule()), PredictX0(), 1)


def distance_of(mean: float, std: float) -> float:
    """E |N(mean, std^2)|: the mean of a folded normal."""
    z = mean / std
    return std * math.sqrt(2 / math.pi) * math.exp(-(z**2) / 2) + mean * math.erf(z / math.sqrt(2))


@pytest.mark.parametrize(("mean", "std"), [(MEAN, STD), (0.2, STD), (MEAN, 0.8), (MEAN, 0.1)])
def test_the_energy_score_of_a_bell_is_known_and_least_at_the_data(mean, std):
    x0 = MEAN + STD * torch.randn(400_000, 1, dtype=torch.float64, generator=generator(1))
    denoiser = bell(mean, std)
    score = EnergyScore(UniformTimes(1), steps=1)(denoiser, x0, None, generator())
    expected = distance_of(MEAN - mean, math.hypot(STD, std)) - std / math.sqrt(math.pi)
    assert score.item() == pytest.approx(expected, abs=2e-3)
    score.backward()
    slopes = [p.grad.abs().item() for p in denoiser.network.parameters() if p.grad is not None]
    assert (max(slopes) < 5e-3) == ((mean, std) == (MEAN, STD))


class Exact(LatentDenoiser):
    """Draws from p(x0 | x_t) of data N(MEAN, STD^2): normal, with mean and variance by Bayes."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), Process(VPSchedule()), PredictX0(), 1)

    def forward(self, x_t, t, cond=None):
        alpha, sigma = self.process.rates(t, x_t)
        variance = 1 / (1 / STD**2 + (alpha / sigma) ** 2)
        mean = variance * (MEAN / STD**2 + alpha * x_t / sigma**2)
        return mean + variance.sqrt() * (cond or {}).get(LATENT, torch.zeros_like(x_t))


def adversarial(critic: nn.Module, r1: float = 0.02, r1_every: int = 15) -> Adversarial:
    return Adversarial(UniformTimes(4), steps=4, rival=Rival(critic, 1e-3), r1=r1, r1_every=r1_every)


def test_pairs_of_an_exact_denoiser_have_the_law_of_the_data():
    """Both x_s: mean alpha_s MEAN, variance alpha_s^2 STD^2 + sigma_s^2, covariance with x_t a times it."""
    n, denoiser = 400_000, Exact()
    x0 = MEAN + STD * torch.randn(n, 1, dtype=torch.float64, generator=generator(1))
    t, x_t, real, drawn = adversarial(Line())._pair(denoiser, x0, None, generator())
    schedule = denoiser.process.schedule
    for at in (0.25, 0.5, 0.75, 1.0):
        here, s = t == at, torch.tensor(at - 0.25, dtype=torch.float64)
        alpha, sigma = schedule.alpha(s).item(), schedule.sigma(s).item()
        a = schedule.alpha(torch.tensor(at, dtype=torch.float64)).item() / alpha
        variance = (alpha * STD) ** 2 + sigma**2
        for x_s in (real, drawn):
            pair = torch.cat([x_s[here], x_t[here]], 1)
            assert pair[:, 0].mean().item() == pytest.approx(alpha * MEAN, abs=0.012)
            covariance = pair.T.cov()
            assert covariance[0, 0].item() == pytest.approx(variance, rel=0.02)
            assert covariance[0, 1].item() == pytest.approx(a * variance, abs=0.012)


class Line(nn.Module):
    """D = w . x_s + c."""

    def __init__(self, w: float = 3.0, c: float = 0.5) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w, dtype=torch.float64))
        self.c = nn.Parameter(torch.tensor(c, dtype=torch.float64))

    def forward(self, x_s, x_t, t, cond=None):
        return self.w * x_s.sum(1) + self.c


def test_the_losses_of_a_critic_that_is_a_line_are_known():
    objective = adversarial(Line(), r1=0.2, r1_every=2)
    real, drawn = torch.full((8, 3), 0.1).double(), torch.full((8, 3), -0.2).double()
    t = torch.full((8,), 0.5).double()
    of_real, of_drawn = torch.tensor(3 * 0.3 + 0.5), torch.tensor(3 * -0.6 + 0.5)
    plain = (softplus(-of_real) + softplus(of_drawn)).item()
    first = objective._loss_of_rival(real.clone(), drawn, drawn, t, None)
    # |grad|^2 = 3 components of w^2 = 27, by 0.2 / 2.
    assert first.item() == pytest.approx(plain + 0.1 * 27, rel=1e-6)
    assert objective.rival is not None
    objective.rival.learn(first)
    assert objective.rival.steps == 1
    w = next(objective.rival.critic.parameters()).item()
    assert w == pytest.approx(3 - 1e-3, abs=2e-5)  # Adam's first step: the rate, downhill
    second = objective._loss_of_rival(real.clone(), drawn, drawn, t, None)
    assert second.item() < first.item() - 2.6  # no look at the slope


def test_the_losses_of_pairs_are_known_and_those_of_equals_are_log_2():
    objective = replace(adversarial(Line(), r1=0.2, r1_every=1), paired=True)
    real, drawn = torch.full((8, 3), 0.1).double(), torch.full((8, 3), -0.2).double()
    t = torch.full((8,), 0.5).double()
    loss = objective._loss_of_rival(real.clone(), drawn.clone(), drawn, t, None)
    # D(real) - D(drawn) = 3 * 0.9, and |grad|^2 = 27 at both.
    assert loss.item() == pytest.approx(softplus(torch.tensor(-2.7)).item() + 2 * 0.1 * 27, rel=1e-6)
    alike = objective._loss_of_rival(real.clone(), real.clone(), drawn, t, None)
    assert alike.item() == pytest.approx(math.log(2) + 2 * 0.1 * 27, rel=1e-6)
    x0 = torch.full((8, 1), MEAN).double()
    certain = bell(MEAN, 1e-9)  # every answer is the data's, so every pair is one of equals but for noise
    with torch.no_grad():
        losses = [objective(certain, x0, None, generator(seed)).item() for seed in range(200)]
    assert sum(losses) / 200 > math.log(2)  # softplus is convex: noise can but add
    assert objective.rival is not None and objective.rival.steps == 0


def test_a_rival_learns_only_while_gradients_are_asked_for_and_never_from_what_is_no_number():
    x0 = torch.randn(16, 1, dtype=torch.float64, generator=generator())
    objective, denoiser = adversarial(Line()), bell(0.0, 1.0)
    assert objective.rival is not None
    with torch.no_grad():
        objective(denoiser, x0, None, generator())
    assert objective.rival.steps == 0
    objective(denoiser, x0, None, generator()).backward()
    assert objective.rival.steps == 1
    assert all(p.grad is not None and p.grad.abs() > 0 for p in denoiser.parameters())
    before = {name: value.clone() for name, value in objective.memory.items()}
    loss = objective(denoiser, x0 * math.nan, None, generator())
    assert not loss.isfinite()
    assert all(value.equal(before[name]) for name, value in objective.memory.items())


def test_a_memory_filled_again_goes_on_bit_for_bit():
    x0 = torch.randn(16, 1, dtype=torch.float64, generator=generator())

    def steps(objective: Adversarial, numbers: range) -> None:
        for number in numbers:
            objective(bell(0.1, 1.0), x0, None, generator(number))

    whole, first, second = (adversarial(Line()) for _ in range(3))
    steps(whole, range(6))
    steps(first, range(3))
    for name, value in second.memory.items():
        value.copy_(first.memory[name])
    steps(second, range(3, 6))
    assert whole.memory.keys() == second.memory.keys()
    assert all(value.equal(second.memory[name]) for name, value in whole.memory.items())


def test_what_is_measured_is_the_energy_score():
    objective = adversarial(Line())
    assert isinstance(objective.measured, EnergyScore) and objective.measured.memory == {}


class Grid(LatentDenoiser):
    """Draws from p(x0 | x_t) of 25 narrow bells: one number picks the bell, two the place in it."""

    def __init__(self) -> None:
        process = Process(VPSchedule())
        super().__init__(nn.Identity(), process, PredictX0(), 3)
        self.mean = MixtureDenoiser(process, MODES, torch.full((25,), WIDTH, dtype=torch.float64))

    def forward(self, x_t, t, cond=None):
        alpha, sigma = self.process.rates(t, x_t)
        spread = (alpha * WIDTH) ** 2 + sigma**2
        logits = -(x_t[:, None] - alpha[..., None] * MODES).square().sum(-1) / (2 * spread)
        edges = logits.softmax(1).cumsum(1)
        z = (cond or {})[LATENT].double()
        which = torch.searchsorted(edges, torch.special.ndtr(z[:, :1]))[:, 0].clamp(max=24)
        variance = 1 / (1 / WIDTH**2 + (alpha / sigma) ** 2)
        return variance * (MODES[which] / WIDTH**2 + alpha * x_t / sigma**2) + variance.sqrt() * z[:, 1:]


def found(x: torch.Tensor) -> tuple[float, int]:
    """Return the share within four standard deviations of a bell, and how many bells have one in 1,000."""
    distance, which = torch.cdist(x.double(), MODES).min(1)
    near = distance < 4 * WIDTH
    counts = torch.bincount(which[near], minlength=25)
    return near.double().mean().item(), int((counts >= len(x) / 1000).sum())


def test_in_four_steps_a_mean_misses_the_25_bells_and_a_latent_finds_them():
    """2.6 % and 9 of 25 by Gaussian steps around the exact mean; all by the exact law."""
    denoiser, n = Grid(), 20_000
    grid = UniformGrid()(denoiser.process.schedule, 4)
    x = denoiser.process.prior(grid[0], torch.randn(n, 2, dtype=torch.float64, generator=generator()))
    *_, by_mean = sample(denoiser.mean, x, grid, DDPM(), generator(1))
    share, modes = found(by_mean.x)
    assert share == pytest.approx(0.026, abs=0.006) and modes == 9
    *_, drawn = sample(Conditioned(denoiser, None), x, grid, DDGAN(), generator(1))
    share, modes = found(drawn.x)
    assert share > 0.99 and modes == 25
    counts = torch.bincount(torch.cdist(drawn.x, MODES).argmin(1), minlength=25)
    # Binomial: n / 25 each, give or take five standard deviations.
    assert (counts - n / 25).abs().max() < 5 * math.sqrt(n * 0.04 * 0.96)


def test_a_denoiser_without_a_latent_is_refused_in_words():
    mean = Grid().mean
    x, grid = torch.randn(4, 2, dtype=torch.float64), UniformGrid()(mean.process.schedule, 4)
    for denoiser in (mean, Clipped(mean)):
        with pytest.raises(ValueError, match="needs a model with a latent"):
            list(sample(denoiser, x, grid, DDGAN(), generator()))
