"""Schedules: how much signal, alpha(t), and noise, sigma(t), a noisy sample holds at time t.

Every schedule answers four questions about t in [0, 1], in float64: ``alpha``, ``sigma``,
``log_snr = log(alpha^2 / sigma^2)`` and its inverse ``t_from_log_snr``. The distribution of training
times is in ``objectives.py``, the grid of sampling times in ``grids.py``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.tensors import Times


class Schedule(ABC):
    """The rates of ``x_t = alpha(t) x0 + sigma(t) eps``, from t = 0 (data) to t = 1 (noise)."""

    @abstractmethod
    def alpha(self, t: Times) -> Times:
        """Signal rate, falling from 1."""

    @abstractmethod
    def sigma(self, t: Times) -> Times:
        """Noise rate, rising from 0."""

    @abstractmethod
    def t_from_log_snr(self, log_snr: Times) -> Times:
        """The time with this log-SNR; what lies outside the schedule gives its nearest end."""

    def log_snr(self, t: Times) -> Times:
        """log(alpha^2 / sigma^2): +inf at t = 0, falling; -inf where no signal is left."""
        return 2 * (self.alpha(t).log() - self.sigma(t).log())


@dataclass(frozen=True)
class EDMSchedule(Schedule):
    """Variance exploding: alpha = 1, sigma = sigma_max t.

    Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
    Table 1, row EDM (there t runs to sigma_max, here to 1).
    """

    sigma_max: float = 80.0

    def alpha(self, t: Times) -> Times:
        return torch.ones_like(t, dtype=torch.float64)

    def sigma(self, t: Times) -> Times:
        return self.sigma_max * t.double()

    def t_from_log_snr(self, log_snr: Times) -> Times:
        return ((-log_snr.double() / 2).exp() / self.sigma_max).clamp(max=1)


@dataclass(frozen=True)
class FlowSchedule(Schedule):
    """The straight line of flow matching: alpha = 1 - t, sigma = t.

    Lipman et al. 2022, "Flow Matching for Generative Modeling", section 4.1 with sigma_min = 0;
    Liu et al. 2022, "Flow Straight and Fast", equation 1. Both let time run the other way.
    """

    def alpha(self, t: Times) -> Times:
        return 1 - t.double()

    def sigma(self, t: Times) -> Times:
        return t.double()

    def t_from_log_snr(self, log_snr: Times) -> Times:
        return torch.sigmoid(-log_snr.double() / 2)


@dataclass(frozen=True)
class CosineSchedule(Schedule):
    """Continuous cosine: alpha = cos(pi t / 2), sigma = sin(pi t / 2); no signal left at t = 1.

    Salimans & Ho 2022, "Progressive Distillation for Fast Sampling of Diffusion Models", section 3.
    """

    def alpha(self, t: Times) -> Times:
        return torch.cos(t.double() * (math.pi / 2))

    def sigma(self, t: Times) -> Times:
        return torch.sin(t.double() * (math.pi / 2))

    def t_from_log_snr(self, log_snr: Times) -> Times:
        return torch.atan((-log_snr.double() / 2).exp()) * (2 / math.pi)


class BetaSchedule(Schedule):
    """Variance preserving, from a table of T betas: alpha_bar_i = prod (1 - beta), sigma^2 = 1 - alpha_bar.

    Ho et al. 2020, "Denoising Diffusion Probabilistic Models", equation 4. Step i of T stands at
    t = i / T, with alpha_bar_0 = 1. Between two steps log alpha_bar is linear in t, which is a
    constant noise rate; so the schedule is defined for every t and any sampler may use it.

    Raises ValueError when a beta lies outside (0, 1).
    """

    def __init__(self, betas: Tensor) -> None:
        betas = betas.double()
        if betas.ndim != 1 or not bool(((betas > 0) & (betas < 1)).all()):
            raise ValueError("betas must be one row of numbers between 0 and 1")
        self.betas = betas
        start = torch.zeros(1, dtype=torch.float64)
        self._log_alpha_bar = torch.cat([start, torch.log1p(-betas).cumsum(0)])

    @property
    def steps(self) -> int:
        """T, the number of steps."""
        return len(self.betas)

    def log_alpha_bar(self, t: Times) -> Times:
        """log(alpha^2), exact at t = i / T."""
        position = t.double() * self.steps
        i = position.floor().long().clamp(0, self.steps - 1)
        table = self._log_alpha_bar.to(t.device)
        return torch.lerp(table[i], table[i + 1], position - i)

    def alpha(self, t: Times) -> Times:
        return (self.log_alpha_bar(t) / 2).exp()

    def sigma(self, t: Times) -> Times:
        return (-torch.expm1(self.log_alpha_bar(t))).sqrt()

    def t_from_log_snr(self, log_snr: Times) -> Times:
        # alpha_bar = sigmoid(log_snr) in a variance-preserving schedule; the table falls, so -table rises.
        target = -torch.nn.functional.logsigmoid(log_snr.double())
        table = -self._log_alpha_bar.to(log_snr.device)
        i = (torch.searchsorted(table, target.contiguous()) - 1).clamp(0, self.steps - 1)
        fraction = (target - table[i]) / (table[i + 1] - table[i])
        return ((i + fraction) / self.steps).clamp(0, 1)


def linear_betas(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """Betas rising in a line (Ho et al. 2020, section 4), (steps,).

    The end points belong to 1,000 steps; with fewer, too much signal is left at the end
    (alpha_bar_T = 0.048 at 300 steps).
    """
    return torch.linspace(first, last, steps, dtype=torch.float64)


def cosine_betas(steps: int = 1000, s: float = 0.008, max_beta: float = 0.999) -> Tensor:
    """Betas whose alpha_bar is a squared cosine, (steps,).

    Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", equation 17:
    alpha_bar(t) = f(t) / f(0), f(t) = cos^2((t + s) / (1 + s) pi / 2).
    """
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    f = torch.cos((t + s) / (1 + s) * (math.pi / 2)) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=max_beta)
