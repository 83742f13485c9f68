"""What training minimises: which times are drawn, and how errors at each time are weighted.

    L = E_{t, eps} w(t) || x0 - x0_hat(alpha x0 + sigma eps, t) ||^2     (mean over dimensions)

The default weight 1 / c_out^2 counts every error of the raw network's own target equally. That is
L_simple of DDPM for eps, the paper's own weight for EDM, SNR + 1 for v, and plain regression of the
velocity for flow matching.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.denoiser import Denoiser
from fogcatcher.schedules import Schedule
from fogcatcher.tensors import Condition, Samples, Times

Weighting = Callable[[Times, Times], Times]
"""(alpha, sigma) -> weight of the squared x0 error."""


@dataclass(frozen=True)
class TimeDistribution(ABC):
    """Training times. One batch is a stratified draw: n equal slices of probability, one time from each.

    That lowers the variance of the loss and changes nothing else (Kingma et al. 2021, "Variational
    Diffusion Models", appendix I.1).
    """

    def sample(self, n: int, schedule: Schedule, generator: torch.Generator) -> Times:
        """Return n times in (0, 1], float64, on the generator's device."""
        slices = torch.arange(n, dtype=torch.float64, device=generator.device)
        jitter = torch.rand(n, dtype=torch.float64, generator=generator, device=generator.device)
        return self.quantile((slices + jitter) / n, schedule)

    @abstractmethod
    def quantile(self, u: Times, schedule: Schedule) -> Times:
        """Return the time below which the share ``u`` of all times lies (or above; only the law counts)."""


@dataclass(frozen=True)
class UniformTimes(TimeDistribution):
    """Uniform on (0, 1], or on 1/T ... T/T where ``steps`` gives a T (Ho et al. 2020, algorithm 1)."""

    steps: int | None = None
    smallest: float = 1e-4

    def quantile(self, u: Times, schedule: Schedule) -> Times:
        if self.steps is None:
            return self.smallest + (1 - self.smallest) * u
        return ((u * self.steps).floor() + 1).clamp(max=self.steps) / self.steps


@dataclass(frozen=True)
class LogNormalTimes(TimeDistribution):
    """ln(sigma / alpha) is normal (Karras et al. 2022, Table 1: mean -1.2, std 1.2)."""

    mean: float = -1.2
    std: float = 1.2

    def quantile(self, u: Times, schedule: Schedule) -> Times:
        return schedule.t_from_log_snr(-2 * (self.mean + self.std * _normal_quantile(u)))


@dataclass(frozen=True)
class LogitNormalTimes(TimeDistribution):
    """t = sigmoid(normal) (Esser et al. 2024, "Scaling Rectified Flow Transformers", equation 19)."""

    mean: float = 0.0
    std: float = 1.0

    def quantile(self, u: Times, schedule: Schedule) -> Times:
        return torch.sigmoid(self.mean + self.std * _normal_quantile(u))


def _normal_quantile(u: Times) -> Times:
    # Beyond eight standard deviations float64 has no u left; the clamp keeps 0 and 1 finite.
    return torch.special.ndtri(u.clamp(1e-15, 1 - 1e-15))


@dataclass(frozen=True)
class Objective:
    """The training loss; deterministic given the generator.

    ``weighting`` None is 1 / c_out^2 of the denoiser's own preconditioning.
    """

    times: TimeDistribution
    weighting: Weighting | None = None

    def __call__(
        self, denoiser: Denoiser, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """Return the mean loss of one batch, a scalar."""
        schedule = denoiser.process.schedule
        t = self.times.sample(len(x0), schedule, generator).to(x0.device)
        noise = torch.randn(x0.shape, generator=generator, device=generator.device).to(x0)
        return self.at(denoiser, x0, t, noise, cond).mean()

    def at(
        self, denoiser: Denoiser, x0: Samples, t: Times, noise: Samples, cond: Condition | None = None
    ) -> Times:
        """Return the weighted loss of each sample, (B,), for the given times and noise."""
        x0_hat = denoiser(denoiser.process.corrupt(x0, t, noise), t, cond)
        alpha, sigma = denoiser.process.schedule.alpha(t), denoiser.process.schedule.sigma(t)
        if self.weighting is None:
            weight = denoiser.preconditioning.c_out(alpha, sigma) ** -2
        else:
            weight = self.weighting(alpha, sigma)
        error = (x0 - x0_hat).flatten(1).square().mean(1)
        return weight.to(error) * error


def min_snr(gamma: float = 5.0) -> Weighting:
    """min(SNR, gamma) on the x0 error, whatever the network predicts (Hang et al. 2023, equation 7)."""
    if not math.isfinite(gamma) or gamma <= 0:
        raise ValueError(f"gamma must be a positive number, not {gamma}")
    return lambda alpha, sigma: ((alpha / sigma) ** 2).clamp(max=gamma)
