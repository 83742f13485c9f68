"""What happens when a model draws, as arrays: for a page, a lesson or a notebook.

    x_t = alpha x0 + sigma eps                       forward: a picture fades into noise
    x_t = alpha x0_hat + sigma eps_hat               backward: what the model believes x_t is made of

``page.py`` shows these; ``two_pixels.py`` has the same mathematics where it can be drawn in a plane.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.edits.edit import Edit, Host
from fogcatcher.diffusion.predictions import EPS
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.sampling.probability_flow import contrast, time_of
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Condition, Samples, Times, expand_to
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.settings import Settings
from fogcatcher.model.choices import SCHEDULES
from fogcatcher.model.model import Model
from fogcatcher.networks.network_calls import counted

OnePicture = Float[Tensor, "1 C H W"]
OTHERS = ("ddpm", "cosine", "flow", "edm")
"""Schedules to compare with, by their names in ``model/choices.py``."""


# --- forward: from a picture to noise -----------------------------------------------------------


@dataclass(frozen=True)
class Forward:
    """One picture at rising times, always with the same noise."""

    t: Times
    alpha: Times
    sigma: Times
    snr: Times
    """alpha^2 / sigma^2; infinite at t = 0."""
    x_t: Samples
    """(T, C, H, W), a row for each time."""
    seen: Samples
    """x_t / sqrt(alpha^2 + sigma^2): at the contrast of a picture."""


def forward(process: Process, x0: Samples, t: Times, seed: int = 0) -> Forward:
    """Return x_t = alpha(t) x0 + sigma(t) noise of one picture ``x0``, (1, C, H, W), at times ``t``, (T,).

    The noise is that of ``seed``. Ho et al. 2020, equation 4. Raises UserError for times outside 0 to 1.
    """
    if not bool(((t >= 0) & (t <= 1)).all()):
        raise UserError("times lie between 0 (the picture) and 1 (noise).")
    noise = SampleGenerator([seed]).randn_like(x0).expand(len(t), *x0.shape[1:])
    x_t = process.corrupt(x0.expand(len(t), *x0.shape[1:]), t, noise)
    alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
    return Forward(t, alpha, sigma, (alpha / sigma) ** 2, x_t, at_usual_contrast(process, x_t, t))


def even_times(schedule: Schedule, count: int = 9) -> Times:
    """Return times from 0 to 1 that look evenly spaced in every schedule, (count,).

    Even in the angle atan(sigma / alpha): the middle one has as much noise as signal.
    """
    phi = torch.linspace(0, math.pi / 2, count, dtype=torch.float64)[1:-1]
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    return torch.cat([ends[:1], time_of(schedule, phi), ends[1:]])


def at_usual_contrast(process: Process, x: Samples, t: Times) -> Samples:
    """Return samples at times ``t``, () or (B,), divided by sqrt(alpha^2 + sigma^2)."""
    return x / expand_to(contrast(process.schedule, t), x)


# --- backward: every step of a sampler ----------------------------------------------------------


@dataclass(frozen=True)
class Steps:
    """What a sampler saw before each of its N steps, and where it came to."""

    t: Times
    """(N,): the time from which the step set out."""
    alpha: Times
    sigma: Times
    x_t: Samples
    """(N, C, H, W)."""
    x0_hat: Samples
    """What the model took the clean picture to be, with guidance and limit."""
    eps_hat: Samples
    """What it took for noise: x_t = alpha x0_hat + sigma eps_hat."""
    seen: Samples
    """x_t at the contrast of a picture."""
    answer: OnePicture
    """(1, C, H, W): the finished picture."""

    def of_pixel(self, channel: int, y: int, x: int) -> tuple[Tensor, Tensor]:
        """Return the path of one pixel, (N + 1,), and what the model took its end to be, (N,)."""
        path = torch.cat([self.seen, self.answer])[:, channel, y, x]
        return path, self.x0_hat[:, channel, y, x]

    def longest_way(self) -> tuple[int, int, int]:
        """Return channel, y and x of the pixel that moves furthest; of its colour, not of its alpha.

        Where anything in the finished picture can be seen it is one that can.
        """
        has = self.answer.shape[1]
        channels = {2: 1, 4: 3}.get(has, has)
        way = (self.answer - self.seen[:1])[0, :channels].abs()
        opaque = self.answer[0, -1] > 0
        if channels < has and bool(opaque.any()):
            way = way * opaque
        channel, rest = divmod(int(way.argmax()), way[0].numel())
        return channel, *divmod(rest, way.shape[-1])


@dataclass(frozen=True)
class _Asked:
    t: Times
    x_t: Samples
    x0_hat: Samples


class _Listening:
    """A denoiser that keeps what it was asked and what it answered."""

    def __init__(self, inner: DenoiserLike) -> None:
        self.inner, self.process, self.asked = inner, inner.process, list[_Asked]()

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        x0_hat = self.inner(x_t, t, cond)
        self.asked.append(_Asked(t, x_t, x0_hat))
        return x0_hat


class _Listener(Edit):
    """The edit that changes nothing, and listens."""

    def denoiser(self, host: Host, denoiser: DenoiserLike) -> DenoiserLike:
        self.heard = _Listening(denoiser)
        return self.heard


def steps(model: Model, seed: int, wish: Mapping[str, Wish], settings: Settings) -> Steps:
    """Draw the picture of one seed and return every step. Raises UserError as ``Model.sample``.

    A sampler that asks twice in a step (heun) is shown with its first question.
    """
    listener, firsts, samples, heard = _Listener(), list[_Asked](), list[Samples](), 0
    for state in model.states([seed], [wish], settings, listener):
        firsts.append(listener.heard.asked[heard])
        samples.append(state.x)
        heard = len(listener.heard.asked)
    process = model.denoiser.process
    t, x_t = torch.cat([a.t for a in firsts]), torch.cat([a.x_t for a in firsts])
    x0_hat = torch.cat([a.x0_hat for a in firsts])
    eps_hat = EPS.from_x0(x_t, x0_hat, *process.rates(t, x_t))
    alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
    return Steps(t, alpha, sigma, x_t, x0_hat, eps_hat, at_usual_contrast(process, x_t, t), samples[-1])


# --- the same seeds in other ways ---------------------------------------------------------------


@dataclass(frozen=True)
class Variant:
    """The same seeds drawn with one choice of settings."""

    settings: Settings
    drawing: Drawing
    calls: float
    """How often the network was asked for each picture."""


def variants(
    model: Model, seeds: Sequence[int], wish: Mapping[str, Wish], choices: Sequence[Settings]
) -> list[Variant]:
    """Draw the same seeds with each of ``choices``. Raises UserError as ``Model.sample``."""
    return [variant(model, seeds, wish, settings) for settings in choices]


def variant(model: Model, seeds: Sequence[int], wish: Mapping[str, Wish], settings: Settings) -> Variant:
    """Draw ``seeds`` once, counting the calls of the network. Raises UserError as ``Model.sample``."""
    with counted(model.denoiser.network) as calls:
        drawing = model.sample(condition=wish, seeds=seeds, settings=settings)
    return Variant(settings, drawing, calls.each(len(seeds)))


# --- schedules ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rates:
    """One schedule over time, (T,) each."""

    name: str
    t: Times
    alpha: Times
    sigma: Times
    log_snr: Times


def rates(model: Model, t: Times, others: Sequence[str] = OTHERS) -> list[Rates]:
    """Return the schedule of a model and others, named as in ``model/choices.py``, at times ``t``, (T,)."""
    own = model.config.method.schedule
    named = {f"this model ({own})": model.denoiser.process.schedule}
    named |= {name: SCHEDULES[name]() for name in others if name != own}
    return [Rates(name, t, s.alpha(t), s.sigma(t), s.log_snr(t)) for name, s in named.items()]


# --- with other settings ------------------------------------------------------------------------


def by(sampler: str, usual: Settings) -> Settings:
    """Return the settings with another sampler, which may lack the options of the usual one."""
    return replace(usual, sampler=sampler, eta=None, sampler_options={})
