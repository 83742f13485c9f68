"""What training minimises: which times are drawn, how errors are measured, and what they weigh.

    L = E_{t, eps} w(t) || x0 - x0_hat(alpha x0 + sigma eps, t) ||^2     (mean over dimensions)

The default weight 1 / c_out^2 counts every error of the raw network's own target equally. That is
L_simple of DDPM for eps, the paper's own weight for EDM, SNR + 1 for v, and plain regression of the
velocity for flow matching. Each of these is a function of (alpha, sigma) below, for any network:
``snr`` is DDPM's, ``snr_plus_one`` that of v, ``edm`` EDM's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from fogcatcher.diffusion.bound import step_nats
from fogcatcher.diffusion.denoiser import DenoiserLike, preconditioning_of
from fogcatcher.diffusion.posterior import LearnsVariance, learned_log_variance
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Condition, Samples, Times, expand_to

Weighting = Callable[[Times, Times], Times]
"""(alpha, sigma) -> weight of the squared x0 error."""


@dataclass(frozen=True)
class TimeDistribution(ABC):
    """Training times, and how those of one batch go together.

    "stratified": n equal slices of probability, one time from each, which lowers the variance of the loss
    and changes nothing else (Kingma et al. 2021, "Variational Diffusion Models", appendix I.1).
    "antithetic": half of them, and their mirror images (the code of Song et al. 2020, DDIM).
    "independent": as the papers write it.
    """

    draw: Literal["stratified", "antithetic", "independent"] = field(default="stratified", kw_only=True)

    def sample(self, n: int, schedule: Schedule, generator: torch.Generator) -> Times:
        """Return n times in (0, 1], float64, on the generator's device."""
        u = torch.rand(n, dtype=torch.float64, generator=generator, device=generator.device)
        if self.draw == "stratified":
            u = (torch.arange(n, dtype=torch.float64, device=generator.device) + u) / n
        elif self.draw == "antithetic":
            half = (n + 1) // 2
            u = torch.cat([u[:half], 1 - u[: n - half]])
        return self.quantile(u, schedule)

    def weigh(self, t: Times, losses: Times) -> Times:
        """Return the losses, (B,), such that their mean is that of uniformly drawn times."""
        return losses

    @property
    def memory(self) -> dict[str, Tensor]:
        """What it has learnt of the losses, to be saved and filled again in place; most learn nothing."""
        return {}

    @property
    def unlearning(self) -> TimeDistribution:
        """Times of the same mean loss that learn nothing: for measuring."""
        return self

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


class ImportanceTimes(TimeDistribution):
    """Steps 1/T ... T/T, the more often the larger their loss was: p_t proportional to sqrt(E[L_t^2]).

    Nichol & Dhariwal 2021, equation 18: over the last ten losses of each step, uniform until every step has
    ten, and always one time in a thousand. ``weigh`` divides by T p_t, so the mean loss stays what it is, and
    remembers. The memory is part of the state of a training run that uses it.
    """

    @property
    def memory(self) -> dict[str, Tensor]:
        return {"losses": self.losses, "seen": self.seen}

    @property
    def unlearning(self) -> TimeDistribution:
        return UniformTimes(self.steps)

    def __init__(self, steps: int, remember: int = 10, uniform: float = 0.001) -> None:
        self.steps, self.remember, self.uniform = steps, remember, uniform
        self.losses = torch.zeros(steps, remember, dtype=torch.float64)
        self.seen = torch.zeros(steps, dtype=torch.int64)

    @property
    def probability(self) -> Times:
        """p_t of step 1, ..., T, (T,)."""
        even = torch.full((self.steps,), 1 / self.steps, dtype=torch.float64)
        if bool((self.seen < self.remember).any()):
            return even
        size = self.losses.square().mean(1).sqrt()
        return (1 - self.uniform) * size / size.sum() + self.uniform * even

    def quantile(self, u: Times, schedule: Schedule) -> Times:
        edges = self.probability.cumsum(0).to(u.device)
        step = torch.searchsorted(edges, u.contiguous(), right=True).clamp(max=self.steps - 1)
        return (step + 1).double() / self.steps

    def weigh(self, t: Times, losses: Times) -> Times:
        step = (t.double() * self.steps).round().long().cpu() - 1
        weight = 1 / (self.steps * self.probability[step])
        for i, loss in zip(step.tolist(), losses.detach().double().cpu().tolist(), strict=True):
            if not math.isfinite(loss):
                continue  # of a step that training skips
            self.losses[i, self.seen[i] % self.remember] = loss
            self.seen[i] += 1
        return losses * weight.to(losses)


def _normal_quantile(u: Times) -> Times:
    # Beyond eight standard deviations float64 has no u left; the clamp keeps 0 and 1 finite.
    return torch.special.ndtri(u.clamp(1e-15, 1 - 1e-15))


@dataclass(frozen=True)
class Objective:
    """The training loss; deterministic given the generator.

    Errors are those of the network's own target, (x0 - x0_hat) / c_out, and ``loss`` measures them: their
    squares ("l2"), sizes ("l1"), or squares up to ``delta`` and sizes beyond ("huber", as in the annotated
    tutorial).
    ``weighting`` weighs the squared x0 error instead; None leaves 1 / c_out^2.
    """

    times: TimeDistribution
    weighting: Weighting | None = None
    loss: Literal["l2", "l1", "huber"] = "l2"
    delta: float = field(default=1.0, kw_only=True)
    """Where huber goes over from squares to sizes."""

    by_batch: ClassVar[bool] = False
    """Whether the loss is of batches as wholes, and not a mean of each sample's."""

    @property
    def memory(self) -> dict[str, Tensor]:
        """What it has learnt on the way, to be saved and filled again in place; most learn nothing."""
        return self.times.memory

    @property
    def measured(self) -> Objective:
        """What a check measures in its place: it learns nothing, and falls as answers get better."""
        return replace(self, times=self.times.unlearning)

    def __call__(
        self, denoiser: DenoiserLike, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """Return the mean loss of one batch, a scalar."""
        schedule = denoiser.process.schedule
        t = self.times.sample(len(x0), schedule, generator).to(x0.device)
        noise = torch.randn(x0.shape, generator=generator, device=generator.device).to(x0)
        return self.times.weigh(t, self.at(denoiser, x0, t, noise, cond)).mean()

    def at(
        self, denoiser: DenoiserLike, x0: Samples, t: Times, noise: Samples, cond: Condition | None = None
    ) -> Times:
        """Return the weighted loss of each sample, (B,), for the given times and noise."""
        x_t = denoiser.process.corrupt(x0, t, noise)
        return self.of_answer(denoiser, x0, denoiser(x_t, t, cond), t)

    def of_answer(self, denoiser: DenoiserLike, x0: Samples, x0_hat: Samples, t: Times) -> Times:
        """Return the weighted loss, (B,), of answers x0_hat, (B, ...).

        Raises ValueError where the network's own target is not defined: eps without signal, and that of a
        denoiser without a network.
        """
        alpha, sigma = denoiser.process.schedule.alpha(t), denoiser.process.schedule.sigma(t)
        c_out = preconditioning_of(denoiser).c_out(alpha, sigma).abs()
        if not bool(c_out.isfinite().all()):
            raise ValueError(
                "this prediction says nothing where no signal is left, and the schedule ends without any: "
                "predict v, x0 or the velocity"
            )
        error = (x0 - x0_hat) / expand_to(c_out, x0)
        if self.loss == "l2":
            size = error.square()
        else:
            size = error.abs()
            if self.loss == "huber":
                size = torch.where(size < self.delta, size.square() / 2, self.delta * (size - self.delta / 2))
        weight = c_out * 0 + 1 if self.weighting is None else c_out**2 * self.weighting(alpha, sigma)
        return weight.to(size) * size.flatten(1).mean(1)


@dataclass(frozen=True)
class Variational(Objective):
    """L_hybrid = ``simple`` L_simple + ``bound`` L_vlb, for a denoiser that learns its variance.

    Nichol & Dhariwal 2021, equation 16, over the T steps of ``times``. L_vlb is T times one term, in bits per
    dimension as in their code; it teaches the variance alone (the mean is detached) unless ``simple`` is 0.
    Their L_vlb is simple = 0, bound = 1.
    """

    times: UniformTimes | ImportanceTimes
    simple: float = 1.0
    bound: float = 0.001

    def at(
        self, denoiser: DenoiserLike, x0: Samples, t: Times, noise: Samples, cond: Condition | None = None
    ) -> Times:
        """Raises ValueError when the denoiser learns no variance or the times are not T steps."""
        steps, process = self.times.steps, denoiser.process
        if steps is None or not isinstance(denoiser, LearnsVariance):
            raise ValueError("this loss needs discrete times and a denoiser that learns its variance")
        x_t, s = process.corrupt(x0, t, noise), (t - 1 / steps).clamp(min=0)
        s = torch.where(s < 0.5 / steps, torch.zeros_like(s), s)
        x0_hat, fraction = denoiser.x0_and_fraction(x_t, t, cond)
        mean = process.bridge(x_t, x0_hat.detach() if self.simple else x0_hat, t, s)[0]
        log_variance = learned_log_variance(process, fraction, t, s, (t + 1 / steps).clamp(max=1))
        nats = step_nats(process, x0, x_t, mean, log_variance, t, s)
        loss = steps * self.bound / math.log(2) * nats
        return loss + self.simple * self.of_answer(denoiser, x0, x0_hat, t) if self.simple else loss


def snr(alpha: Times, sigma: Times) -> Times:
    """alpha^2 / sigma^2: errors of eps count equally (L_simple of Ho et al. 2020)."""
    return (alpha / sigma) ** 2


def snr_plus_one(alpha: Times, sigma: Times) -> Times:
    """SNR + 1: errors of v count equally (Salimans & Ho 2022, section 4)."""
    return snr(alpha, sigma) + 1


def uniform(alpha: Times, sigma: Times) -> Times:
    """1: errors of x0 count equally."""
    return torch.ones_like(sigma)


def edm(sigma_data: float = 0.5) -> Weighting:
    """(alpha^2 sigma_data^2 + sigma^2) / (sigma sigma_data)^2: lambda of Karras et al. 2022, Table 1."""
    return lambda alpha, sigma: ((alpha * sigma_data) ** 2 + sigma**2) / (sigma * sigma_data) ** 2


def min_snr(gamma: float = 5.0) -> Weighting:
    """min(SNR, gamma) on the x0 error, whatever the network predicts (Hang et al. 2023, equation 7)."""
    if not math.isfinite(gamma) or gamma <= 0:
        raise ValueError(f"gamma must be a positive number, not {gamma}")
    return lambda alpha, sigma: snr(alpha, sigma).clamp(max=gamma)
