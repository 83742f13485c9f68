"""From noise to data: the steps, and ``sample()``, the only loop.

A sampler is a grid of times and a step. A step sees one ``Moment`` of the loop and returns the sample
at the next time with what the denoiser answered. A moment holds the earlier answers too, so a
multistep method is a step like any other.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch

from fogcatcher.denoiser import DenoiserLike
from fogcatcher.randomness import Generator, randn_like
from fogcatcher.schedules import Schedule
from fogcatcher.tensors import Samples, Times


class State(NamedTuple):
    """The sample after step ``i``: ``x`` at time ``t``, and the last answer of the denoiser."""

    i: int
    t: float
    x: Samples
    x0_hat: Samples


class Answer(NamedTuple):
    """What the denoiser said at one time."""

    t: Times
    x0_hat: Samples


@dataclass(frozen=True)
class Moment:
    """All that a step may use: the sample ``x`` at time ``t`` on its way to the next time ``s < t``.

    ``history`` holds the answers at earlier times, the newest last; t and s are single float64 times.
    """

    denoiser: DenoiserLike
    x: Samples
    t: Times
    s: Times
    history: Sequence[Answer]
    generator: Generator

    @property
    def schedule(self) -> Schedule:
        return self.denoiser.process.schedule

    def x0_hat(self, x: Samples, t: Times) -> Samples:
        """Ask the denoiser for the clean sample of ``x`` at time ``t``."""
        return self.denoiser(x, t.expand(len(x)))

    def eps_hat(self, x: Samples, x0_hat: Samples, t: Times) -> Samples:
        """Return the noise in ``x`` at time ``t`` that goes with this answer."""
        return (x - self.schedule.alpha(t) * x0_hat) / self.schedule.sigma(t)

    def noise(self) -> Samples:
        """Draw fresh standard normal noise."""
        return randn_like(self.x, self.generator)


class Step(ABC):
    """One move from t to s."""

    calls: ClassVar[int] = 1
    """How often it asks the denoiser."""

    @abstractmethod
    def __call__(self, now: Moment) -> tuple[Samples, Samples]:
        """Return the sample at the next time, x_s, and what the denoiser answered at t."""


def sample(
    denoiser: DenoiserLike, x: Samples, grid: Times, step: Step, generator: Generator
) -> Iterator[State]:
    """Yield the state after every step from ``x``, (B, ...), at time grid[0] down the grid.

    The last state is the answer. To cancel, stop iterating. Where the grid climbs, the process adds
    noise instead (Lugmayr et al. 2022, "RePaint", algorithm 1, line 9).
    """
    history: list[Answer] = []
    x0_hat = x
    for i, (t, s) in enumerate(itertools.pairwise(grid), start=1):
        now = Moment(denoiser, x, t, s, history, generator)
        with torch.no_grad():
            if s > t:
                x = denoiser.process.renoise(x, t, s, now.noise())
                history.clear()
            else:
                x, x0_hat = step(now)
                history.append(Answer(t, x0_hat))
        yield State(i, s.item(), x, x0_hat)


@dataclass(frozen=True)
class DDPM(Step):
    """Ancestral sampling: draw x_s from q(x_s | x_t, x0_hat). Ho et al. 2020, algorithm 2.

    ``variance`` "small" is beta-tilde, the true one if x0_hat were exact; "large" is beta. The last
    step adds no noise.
    """

    variance: Literal["small", "large"] = "small"

    def __call__(self, now: Moment) -> tuple[Samples, Samples]:
        process, t, s = now.denoiser.process, now.t, now.s
        x0_hat = now.x0_hat(now.x, t)
        mean, std = process.bridge(now.x, x0_hat, t, s)
        if self.variance == "large":
            std = process.step_variance(t, s).sqrt() * (s > 0)
        return mean + std * now.noise(), x0_hat


@dataclass(frozen=True)
class DDIM(Step):
    """x_s = alpha_s x0_hat + sqrt(sigma_s^2 - std^2) eps_hat + std z,  std = eta std(q(x_s | x_t, x0)).

    Song et al. 2020, "Denoising Diffusion Implicit Models", equations 12 and 16. eta = 0 is
    deterministic, eta = 1 is DDPM with the small variance.
    """

    eta: float = 0.0

    def __call__(self, now: Moment) -> tuple[Samples, Samples]:
        t, s = now.t, now.s
        x0_hat = now.x0_hat(now.x, t)
        eps_hat = now.eps_hat(now.x, x0_hat, t)
        std = self.eta * now.denoiser.process.bridge(now.x, x0_hat, t, s)[1]
        kept = (now.schedule.sigma(s) ** 2 - std**2).clamp(min=0).sqrt()
        x_s = now.schedule.alpha(s) * x0_hat + kept * eps_hat
        return (x_s + std * now.noise() if self.eta > 0 else x_s), x0_hat


@dataclass(frozen=True)
class Euler(Step):
    """First order on the probability-flow ODE, x_s = alpha_s x0_hat + sigma_s eps_hat.

    In the variables x / alpha and sigma / alpha the ODE of every schedule is
    d(x / alpha) / d(sigma / alpha) = eps_hat (Karras et al. 2022, equation 1). A straight move along
    that slope is the line above: the path of DDIM with eta = 0.
    """

    def __call__(self, now: Moment) -> tuple[Samples, Samples]:
        x0_hat = now.x0_hat(now.x, now.t)
        eps_hat = now.eps_hat(now.x, x0_hat, now.t)
        return now.schedule.alpha(now.s) * x0_hat + now.schedule.sigma(now.s) * eps_hat, x0_hat


@dataclass(frozen=True)
class Heun(Step):
    """Second order: the mean of the slopes at both ends of Euler's step. Karras et al. 2022, algorithm 1.

    Euler's step stands alone at the last step, to sigma = 0, where there is no slope, and where
    practically no signal is left (sigma > 1000 alpha), where one end of the mean would be infinite.
    """

    calls: ClassVar[int] = 2

    def __call__(self, now: Moment) -> tuple[Samples, Samples]:
        schedule, t, s = now.schedule, now.t, now.s
        x_s, x0_hat = Euler()(now)
        if schedule.sigma(s) == 0 or schedule.sigma(t) > 1000 * schedule.alpha(t):
            return x_s, x0_hat
        start = now.eps_hat(now.x, x0_hat, t)
        end = now.eps_hat(x_s, now.x0_hat(x_s, s), s)
        ratio = schedule.alpha(s) / schedule.alpha(t)
        return ratio * now.x + (schedule.sigma(s) - ratio * schedule.sigma(t)) * (start + end) / 2, x0_hat


@dataclass(frozen=True)
class DPMpp2M(Step):
    """DPM-Solver++(2M): second order at one call a step. Lu et al. 2022, "DPM-Solver++", algorithm 2.

        x_s = sigma_s / sigma_t x_t - alpha_s (e^-h - 1) D,   h = lambda_s - lambda_t, lambda = log_snr / 2
        D = x0_hat + (x0_hat - previous x0_hat) / 2r,         r = (previous h) / h

    The first step has no history and the last goes to sigma = 0 (h infinite); both take D = x0_hat.
    """

    def __call__(self, now: Moment) -> tuple[Samples, Samples]:
        schedule, t, s = now.schedule, now.t, now.s
        x0_hat = d = now.x0_hat(now.x, t)
        if now.history and schedule.sigma(s) > 0:
            previous = now.history[-1]
            h = schedule.log_snr(s) - schedule.log_snr(t)
            h_previous = schedule.log_snr(t) - schedule.log_snr(previous.t)
            d = x0_hat + (x0_hat - previous.x0_hat) * (h / h_previous / 2)
        shrink = schedule.sigma(s) / schedule.sigma(t)
        return shrink * now.x + (schedule.alpha(s) - schedule.alpha(t) * shrink) * d, x0_hat
