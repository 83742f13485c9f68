"""From noise to data: ``sample()``, the only loop, and the steps of DDPM and DDIM.

A sampler is a grid of times and a step. A step sees one ``Moment`` of the loop and returns the sample
at the next time with what the denoiser answered. A moment holds the earlier answers too, so a
multistep method is a step like any other. Faster steps are in ``solvers.py`` and
``probability_flow.py``, those that add noise of their own in ``stochastic.py``; ``table.py`` names them all.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch

from fogcatcher.diffusion.denoiser import DenoiserLike, picking
from fogcatcher.diffusion.posterior import Variance, reverse
from fogcatcher.diffusion.randomness import Generator, randn_like
from fogcatcher.diffusion.sampling.options import option
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Samples, Times

REMEMBERED = 4
"""Answers that the loop keeps; no multistep method here looks further back."""


class State(NamedTuple):
    """The sample after step ``i``: ``x`` at time ``t``, and the last answer of the denoiser."""

    i: int
    t: float
    x: Samples
    x0_hat: Samples


class Answer(NamedTuple):
    """What the denoiser said at time t, and the sample x_t from which the step then set out."""

    t: Times
    x: Samples
    x0_hat: Samples


@dataclass(frozen=True)
class Moment:
    """All that a step may use: the sample ``x`` at time ``t`` on its way to the next time ``s < t``.

    It is step ``i`` of ``steps``, from 1. ``history`` holds the latest answers, the newest last; t and s
    are single float64 times.
    """

    denoiser: DenoiserLike
    x: Samples
    t: Times
    s: Times
    i: int
    steps: int
    history: Sequence[Answer]
    generator: Generator

    @property
    def schedule(self) -> Schedule:
        return self.denoiser.process.schedule

    def ask(self, x: Samples | None = None, t: Times | None = None) -> Answer:
        """Ask the denoiser for the clean sample of ``x`` at time ``t``; of the moment's own by default."""
        x, t = self.x if x is None else x, self.t if t is None else t
        return Answer(t, x, self.denoiser(x, t.expand(len(x))))

    def eps_hat(self, answer: Answer) -> Samples:
        """Return the noise in the sample that goes with this answer."""
        alpha, sigma = self.schedule.alpha(answer.t), self.schedule.sigma(answer.t)
        return (answer.x - alpha * answer.x0_hat) / sigma

    def move(self, x: Samples, x0: Samples, t: Times, s: Times) -> Samples:
        """Return where ``x`` comes to at ``s`` if the clean sample is ``x0`` all the way from ``t``.

            x_s = sigma_s / sigma_t x + (alpha_s - alpha_t sigma_s / sigma_t) x0 = alpha_s x0 + sigma_s eps

        The exact solution of the probability-flow ODE for a constant x0, in every schedule.
        """
        shrink = self.schedule.sigma(s) / self.schedule.sigma(t)
        return shrink * x + (self.schedule.alpha(s) - self.schedule.alpha(t) * shrink) * x0

    def noise(self) -> Samples:
        """Draw fresh standard normal noise."""
        return randn_like(self.x, self.generator)


class Step(ABC):
    """One move from t to s."""

    calls: ClassVar[int] = 1
    """How often it asks the denoiser, where that is the same in every step."""
    climbs: ClassVar[bool] = False
    """Whether it also goes up, from t to s > t; else the loop adds noise there."""

    @abstractmethod
    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        """Return the sample at the next time, x_s, and what the denoiser answered at t."""

    def asks(self, steps: int) -> int:
        """Return how often ``steps`` of it ask the denoiser; the first and the last may ask less."""
        return self.calls * steps


def sample(
    denoiser: DenoiserLike, x: Samples, grid: Times, step: Step, generator: Generator
) -> Iterator[State]:
    """Yield the state after every step from ``x``, (B, ...), at time grid[0] down the grid.

    The last state is the answer. To cancel, stop iterating. Where the grid climbs, the process adds
    noise instead (Lugmayr et al. 2022, "RePaint", algorithm 1, line 9).
    """
    history: deque[Answer] = deque(maxlen=REMEMBERED)
    x0_hat = x
    for i, (t, s) in enumerate(itertools.pairwise(grid), start=1):
        now = Moment(denoiser, x, t, s, i, len(grid) - 1, history, generator)
        with torch.no_grad():
            if s > t and not step.climbs:
                x = denoiser.process.renoise(x, t, s, now.noise())
                history.clear()
            else:
                x, answer = step(now)
                x0_hat = answer.x0_hat
                history.append(answer)
        yield State(i, s.item(), x, x0_hat)


@dataclass(frozen=True)
class DDPM(Step):
    """Ancestral sampling: draw x_s from p(x_s | x_t). Ho et al. 2020, algorithm 2.

        x_s = (x_t - beta_t / sqrt(1 - alpha_bar_t) eps_hat) / sqrt(1 - beta_t) + std z

    Equation 11 there, for a table of betas; ``Process.bridge`` says the same of x0_hat in every schedule.
    On a coarse grid it is the strided sampling of Nichol & Dhariwal 2021, section 4. ``variance`` is
    beta-tilde ("small", the true one if x0_hat were exact), beta ("large"), or what the denoiser has
    "learned". The last step adds no noise. With "small" any process will do, Gaussian or not. Without
    ``noise`` a step goes to the mean alone, and so pictures end at averages of pictures, all much alike.
    """

    variance: Variance = "small"
    noise: float = option(1.0, 0, 2, "spread of the fresh noise: 0 none, 1 as the method has it")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        if self.variance == "small":
            answer = now.ask()
            return now.denoiser.process.draw(
                now.x, answer.x0_hat, now.t, now.s, self.noise * now.noise()
            ), answer
        x0_hat, mean, log_variance = reverse(now.denoiser, now.x, now.t, now.s, self.variance)
        std = (log_variance / 2).exp() * (now.s > 0)
        return mean + std.to(mean) * self.noise * now.noise(), Answer(now.t, now.x, x0_hat)


@dataclass(frozen=True)
class DDGAN(Step):
    """Draw x0 = x0_hat(x_t, t, z) for a fresh latent z, and x_s from q(x_s | x_t, x0).

    Xiao et al. 2022, "Denoising Diffusion GANs", equation 5: for denoisers that draw x0 instead of its mean.
    """

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        picks = picking(now.denoiser)
        latent = randn_like(now.x.new_empty(len(now.x), picks.latents), now.generator)
        answer = replace(now, denoiser=picks.with_latent(latent)).ask()
        return now.denoiser.process.draw(now.x, answer.x0_hat, now.t, now.s, now.noise()), answer


@dataclass(frozen=True)
class DDIM(Step):
    """x_s = alpha_s x0_hat + sqrt(sigma_s^2 - std^2) eps_hat + std z,  std = eta std(q(x_s | x_t, x0)).

    Song et al. 2020, "Denoising Diffusion Implicit Models", equations 12 and 16. eta = 1 is DDPM with the
    small variance. eta = 0 adds no noise: it is Euler's method for the probability-flow ODE in the
    variables of Karras et al. 2022, d(x / alpha) / d(sigma / alpha) = eps_hat, and the first-order
    DPM-Solver.
    """

    eta: float = option(0.0, 0, 1, "fresh noise in each step: 0 none, 1 as much as ddpm")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        answer = now.ask()
        return ddim_move(now, answer.x0_hat, self.eta), answer


def ddim_move(now: Moment, x0: Samples, eta: float) -> Samples:
    """Return x_s of DDIM for this clean sample."""
    if eta == 0:
        return now.move(now.x, x0, now.t, now.s)
    eps = now.eps_hat(Answer(now.t, now.x, x0))
    std = eta * now.denoiser.process.bridge(now.x, x0, now.t, now.s)[1]
    kept = (now.schedule.sigma(now.s) ** 2 - std**2).clamp(min=0).sqrt()
    return now.schedule.alpha(now.s) * x0 + kept * eps + std * now.noise()


@dataclass(frozen=True)
class Inversion(Step):
    """DDIM backwards, from data to the noise that DDIM turns into it: for grids that rise from 0.

    A step up from t to s must undo the step of DDIM from s to t, whose noise belongs to x_s, not x_t:

        x_s = alpha_s / alpha_t x_t + (sigma_s - alpha_s sigma_t / alpha_t) eps_hat(x_s, s).

    This is solved by ``rounds`` of substitution, from the noise found before. One round is the inversion of
    Song et al. 2020, section 4.3, taken at s (so that it may start at t = 0, where no noise is to be seen);
    each further one brings the way back closer to the same picture.
    """

    rounds: int = 1
    climbs: ClassVar[bool] = True

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule, t, s = now.schedule, now.t, now.s
        ratio = schedule.alpha(s) / schedule.alpha(t)
        gain = schedule.sigma(s) - ratio * schedule.sigma(t)
        x_s, answer = ratio * now.x, Answer(t, now.x, now.x)
        if now.history:
            x_s = x_s + gain * now.eps_hat(now.history[-1])
        for _ in range(self.rounds):
            answer = now.ask(x_s, s)
            x_s = ratio * now.x + gain * now.eps_hat(answer)
        return x_s, answer

    def asks(self, steps: int) -> int:
        return self.rounds * steps
