"""Schedules: how much signal, alpha(t), and noise, sigma(t), a noisy sample holds at time t.

Every schedule answers four questions about t in [0, 1], in float64: ``alpha``, ``sigma``,
``log_snr = log(alpha^2 / sigma^2)`` and its inverse ``t_from_log_snr``; its SDE follows (``drift``).
Below the schedules stand the tables of betas. The distribution of training times is in
``objectives.py``, the grid of sampling times in ``grids.py``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.diffusion.tensors import Times


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

    def t_from_noise_ratio(self, ratio: Times) -> Times:
        """Return the times at which sigma / alpha has these values."""
        return self.t_from_log_snr(-2 * ratio.log())

    def log_snr(self, t: Times) -> Times:
        """log(alpha^2 / sigma^2): +inf at t = 0, falling; -inf where no signal is left."""
        return 2 * (self.log_alpha(t) - self.sigma(t).log())

    def log_alpha(self, t: Times) -> Times:
        """log(alpha); schedules whose alpha may be too small for a float64 know it better."""
        return self.alpha(t).log()

    def drift(self, t: Times) -> tuple[Times, Times]:
        """Return f and g^2 of the SDE ``dx = f x dt + g dw`` that has these rates; not defined at the ends.

            f = d log alpha / dt,   g^2 = d sigma^2 / dt - 2 f sigma^2 = -sigma^2 d log_snr / dt

        Song et al. 2021, "Score-Based Generative Modeling through SDEs", equation 5; Kingma et al. 2021,
        "Variational Diffusion Models". Between two steps of a table it is that of the later one.
        """
        with torch.enable_grad():
            t = t.detach().double().requires_grad_()
            f = _slope(self.log_alpha(t), t)
            log_snr_slope = _slope(self.log_snr(t), t)
        return f, -(self.sigma(t.detach()) ** 2) * log_snr_slope

    @property
    def signal_left(self) -> float:
        """alpha(1) / sqrt(alpha(1)^2 + sigma(1)^2): the share of a unit-variance mix that is still signal.

        Sampling starts without any. Above 0.05 the mismatch can be seen (0.219 for 300 linear betas).
        """
        one = torch.ones((), dtype=torch.float64)
        alpha, sigma = self.alpha(one), self.sigma(one)
        return (alpha / torch.hypot(alpha, sigma)).item()


def _slope(y: Times, t: Times) -> Times:
    """Return dy/dt where every y depends on its own t."""
    return torch.autograd.grad(y.sum(), t)[0]


@dataclass(frozen=True)
class EDMSchedule(Schedule):
    """Variance exploding: alpha = 1, sigma = sigma_max t.

    Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
    Table 1, row EDM (there t runs to sigma_max, here to 1).
    """

    sigma_max: float = 80.0

    def alpha(self, t: Times) -> Times:
        return 1 + 0 * t.double()  # still a function of t, so that ``drift`` can derive it

    def sigma(self, t: Times) -> Times:
        return self.sigma_max * t.double()

    def t_from_log_snr(self, log_snr: Times) -> Times:
        return ((-log_snr.double() / 2).exp() / self.sigma_max).clamp(max=1)


@dataclass(frozen=True)
class VESchedule(Schedule):
    """Variance exploding, geometric: alpha = 1, sigma^2 = s(t)^2 - sigma_min^2, s = sigma_min r^t.

    r = sigma_max / sigma_min > 1. Song et al. 2021, appendix C. This is the exact variance of their SDE,
    so that t = 0 is data; paper and code drop the sigma_min^2 and start from data with that much noise.
    """

    sigma_min: float = 0.01
    sigma_max: float = 50.0

    @property
    def _rate(self) -> float:
        """d log s^2 / dt."""
        return 2 * math.log(self.sigma_max / self.sigma_min)

    def alpha(self, t: Times) -> Times:
        return 1 + 0 * t.double()

    def sigma(self, t: Times) -> Times:
        return self.sigma_min * torch.expm1(self._rate * t.double()).sqrt()

    def t_from_log_snr(self, log_snr: Times) -> Times:
        variance = (-log_snr.double()).exp()
        return (torch.log1p(variance / self.sigma_min**2) / self._rate).clamp(max=1)


@dataclass(frozen=True)
class FlowSchedule(Schedule):
    """The straight line of flow matching: alpha = 1 - t', sigma = t', t' = shift t / (1 + (shift - 1) t).

    Lipman et al. 2022, "Flow Matching for Generative Modeling", section 4.1 with sigma_min = 0;
    Liu et al. 2022, "Flow Straight and Fast", equation 1. Both let time run the other way. A shift above
    1 spends more of the time on noise, as larger pictures need (Esser et al. 2024, "Scaling Rectified
    Flow Transformers", section 5.3.2).
    """

    shift: float = 1.0

    def alpha(self, t: Times) -> Times:
        return (1 - t.double()) / (1 + (self.shift - 1) * t.double())

    def sigma(self, t: Times) -> Times:
        return self.shift * t.double() / (1 + (self.shift - 1) * t.double())

    def t_from_log_snr(self, log_snr: Times) -> Times:
        # sigma / alpha = shift t / (1 - t)
        return torch.sigmoid(-log_snr.double() / 2 - math.log(self.shift))


@dataclass(frozen=True)
class CosineSchedule(Schedule):
    """Continuous cosine: alpha = cos(pi t / 2), sigma = sin(pi t / 2); no signal left at t = 1.

    Salimans & Ho 2022, "Progressive Distillation for Fast Sampling of Diffusion Models", section 3.
    """

    def alpha(self, t: Times) -> Times:
        return torch.sin((1 - t.double()) * (math.pi / 2))  # the cosine, and exactly 0 at t = 1

    def sigma(self, t: Times) -> Times:
        return torch.sin(t.double() * (math.pi / 2))

    def t_from_log_snr(self, log_snr: Times) -> Times:
        return torch.atan((-log_snr.double() / 2).exp()) * (2 / math.pi)


@dataclass(frozen=True)
class VPSchedule(Schedule):
    """Variance preserving SDE: alpha = exp(-B / 2), sigma^2 = 1 - alpha^2 = 1 - exp(-B).

    B(t) is the integral of beta(t), which rises in a line from beta_min > 0 to beta_max. Song et al. 2021,
    equation 11 and appendix C: the limit of DDPM's linear betas for T = infinity.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def alpha(self, t: Times) -> Times:
        return (-self._integral(t) / 2).exp()

    def sigma(self, t: Times) -> Times:
        return (0 - torch.expm1(-self._integral(t))).sqrt()

    def t_from_log_snr(self, log_snr: Times) -> Times:
        # exp(-B) = alpha^2 = sigmoid(log_snr)
        return self._t_from_integral(-torch.nn.functional.logsigmoid(log_snr.double()))

    def _integral(self, t: Times) -> Times:
        return t.double() * (self.beta_min + (self.beta_max - self.beta_min) * t.double() / 2)

    def _t_from_integral(self, integral: Times) -> Times:
        b = integral.clamp(max=(self.beta_min + self.beta_max) / 2)
        # The root of the quadratic in the form that does not cancel for small b.
        root = (self.beta_min**2 + 2 * (self.beta_max - self.beta_min) * b).sqrt()
        return (2 * b / (self.beta_min + root)).clamp(max=1)


@dataclass(frozen=True)
class SubVPSchedule(VPSchedule):
    """Sub-variance preserving SDE: the signal of VP with less noise, sigma = 1 - alpha^2 = 1 - exp(-B).

    Song et al. 2021, equation 12 and appendix C.
    """

    def sigma(self, t: Times) -> Times:
        return 0 - torch.expm1(-self._integral(t))

    def t_from_log_snr(self, log_snr: Times) -> Times:
        # sigma / alpha = exp(B / 2) - exp(-B / 2) = 2 sinh(B / 2)
        return self._t_from_integral(2 * torch.asinh((-log_snr.double() / 2).exp() / 2))


NO_SIGNAL = -2000.0
"""log alpha_bar where no signal is left: finite, so that tables can be interpolated, yet exp gives 0."""


class BetaSchedule(Schedule):
    """Variance preserving, from a table of T betas: alpha_bar_i = prod (1 - beta), sigma^2 = 1 - alpha_bar.

    Ho et al. 2020, "Denoising Diffusion Probabilistic Models", equation 4. Step i of T stands at
    t = i / T, with alpha_bar_0 = 1. Between two steps log alpha_bar is linear in t, which is a
    constant noise rate; so the schedule is defined for every t and any sampler may use it. A last beta of
    1 leaves no signal at t = 1 (see ``zero_terminal_snr``).

    Raises ValueError when a beta lies outside (0, 1].
    """

    def __init__(self, betas: Tensor) -> None:
        betas = betas.double()
        if betas.ndim != 1 or not bool(((betas > 0) & (betas <= 1)).all()):
            raise ValueError("betas must be one row of numbers between 0 and 1")
        self.betas = betas
        start = torch.zeros(1, dtype=torch.float64)
        self._log_alpha_bar = torch.cat([start, torch.log1p(-betas).cumsum(0).clamp(min=NO_SIGNAL)])

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

    def log_alpha(self, t: Times) -> Times:
        log_alpha_bar = self.log_alpha_bar(t)
        return (log_alpha_bar / 2).masked_fill(log_alpha_bar <= NO_SIGNAL, -math.inf)

    def sigma(self, t: Times) -> Times:
        return (0 - torch.expm1(self.log_alpha_bar(t))).sqrt()

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
    (alpha_bar_T = 0.048 at 300 steps). Nichol & Dhariwal 2021 scale them by 1000 / steps, which keeps
    alpha_bar_T: ``linear_betas(steps, 0.1 / steps, 20 / steps)``.
    """
    return torch.linspace(first, last, steps, dtype=torch.float64)


def quadratic_betas(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """Betas whose square roots rise in a line, (steps,): the "quad" of DDPM's and DDIM's code."""
    return linear_betas(steps, math.sqrt(first), math.sqrt(last)) ** 2


def scaled_linear_betas(steps: int = 1000) -> Tensor:
    """The quadratic betas of Stable Diffusion, (steps,): 8.5e-4 to 0.012 (Rombach et al. 2022, code)."""
    return quadratic_betas(steps, 8.5e-4, 0.012)


def sigmoid_betas(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """Betas rising from ``first`` to ``last`` in an S, (steps,): DDIM's code and diffusers' "sigmoid"."""
    return torch.linspace(-6, 6, steps, dtype=torch.float64).sigmoid() * (last - first) + first


def cosine_betas(steps: int = 1000, s: float = 0.008, max_beta: float = 0.999, min_beta: float = 0) -> Tensor:
    """Betas whose alpha_bar is a squared cosine, (steps,).

    Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", equation 17:
    alpha_bar(t) = f(t) / f(0), f(t) = cos^2((t + s) / (1 + s) pi / 2). "The Annotated Diffusion Model"
    keeps the betas within 1e-4 and 0.9999.
    """
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    f = torch.cos((t + s) / (1 + s) * (math.pi / 2)) ** 2
    return (1 - f[1:] / f[:-1]).clamp(min_beta, max_beta)


def sigmoid_alpha_bar_betas(
    steps: int = 1000, start: float = -3.0, end: float = 3.0, tau: float = 1.0, max_beta: float = 0.999
) -> Tensor:
    """Betas whose alpha_bar falls in an S from 1 to 0, (steps,).

    Chen 2023, "On the Importance of Noise Scheduling for Diffusion Models":
    alpha_bar(t) = f(t) / f(0), f(t) = sigmoid(end / tau) - sigmoid((start + t (end - start)) / tau).
    """
    u = torch.linspace(start, end, steps + 1, dtype=torch.float64) / tau
    f = u[-1].sigmoid() - u.sigmoid()
    return (1 - f[1:] / f[:-1]).clamp(max=max_beta)


def zero_terminal_snr(betas: Tensor) -> Tensor:
    """Return ``betas``, (T,), changed so that no signal is left: alpha_bar_T = 0, beta_T = 1.

    Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps Are Flawed", algorithm 1:
    sqrt(alpha_bar) is shifted to 0 at T and scaled back to its value at step 1. Predict x0, v or the
    velocity with such a table; eps says nothing at T. Raises ValueError when there is only one beta.
    """
    if len(betas) < 2:
        raise ValueError("a table of one step has no end to rescale: give at least two betas")
    root = (1 - betas.double()).cumprod(0).sqrt()
    root = root - root[-1]  # beta_1 as it was, and the ratios of the rest, are the scaling back
    return torch.cat([betas[:1].double(), 1 - (root[1:] / root[:-1]) ** 2])
