"""Steering: functions from denoiser to denoiser, so that no sampler knows about them."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fogcatcher.diffusion.denoiser import DenoiserLike, picking
from fogcatcher.diffusion.posterior import LearnsVariance
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.tensors import Condition, Samples, Times, expand_to

Guide = Callable[[DenoiserLike], DenoiserLike]
"""Guidance without its denoiser: what makes a guided one of it."""


@dataclass(frozen=True)
class Wrapped(ABC):
    """A denoiser that asks another one, ``inner``."""

    inner: DenoiserLike

    @property
    def process(self) -> Process:
        return self.inner.process

    @abstractmethod
    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        """Return the steered answer, (B, ...)."""

    def x0_and_fraction(
        self, x_t: Samples, t: Times, cond: Condition | None = None
    ) -> tuple[Samples, Samples]:
        """Return the steered answer, and the variance of the last call inside, which is conditional."""
        fraction = _Fraction(self.inner)
        return replace(self, inner=fraction)(x_t, t, cond), fraction.last

    @property
    def latents(self) -> int:
        """How many numbers pick one answer of many. Raises ValueError where there is but one answer."""
        return picking(self.inner).latents

    def with_latent(self, latent: Tensor) -> DenoiserLike:
        """Return the steered answers for a latent, (B, latents)."""
        return replace(self, inner=picking(self.inner).with_latent(latent))


class _Fraction:
    """A denoiser that keeps the learned variance of its last call."""

    def __init__(self, inner: DenoiserLike) -> None:
        if not isinstance(inner, LearnsVariance):
            raise ValueError("this denoiser has not learned a variance: use ddpm or ddpm_large")
        self.inner, self.process = inner, inner.process

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        x0_hat, self.last = self.inner.x0_and_fraction(x_t, t, cond)
        return x0_hat


@dataclass(frozen=True)
class Conditioned(Wrapped):
    """``inner`` with its condition filled in, which is what a sampler calls."""

    cond: Condition | None

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        return self.inner(x_t, t, self.cond)


@dataclass(frozen=True)
class Told(Wrapped):
    """``inner`` told more in every call, whatever is wished: guidance leads neither to it nor away."""

    told: Condition

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        return self.inner(x_t, t, {**(cond or {}), **self.told})


@dataclass(frozen=True)
class ClassifierFree(Wrapped):
    """Classifier-free guidance of scale w: ``uncond + w (cond - uncond)``.

    w = 1 is off and w = 0 unconditional, both exactly; w > 1 follows the condition more than the
    data did. Ho & Salimans 2022, "Classifier-Free Diffusion Guidance", equation 6 (their w is w - 1).

    Every attribute may have its own w. With w_1 >= w_2 >= ... and D_k the answer to the first k attributes,

        D_0 + sum_k w_k (D_k - D_{k-1}),

    which is Brooks et al. 2023, "InstructPix2Pix", equation 3, for any number of attributes: equal weights
    give the formula above, all 1 the plain conditional answer. It takes one more call of the denoiser than
    there are different weights, less those that cancel.

    With a ``negative`` condition, the first k attributes say what is wished and the others what is not. So
    D_0 is the answer to the negative condition, from which guidance leads away:
    ``negative + w (cond - negative)``. w = 1 is off as before. Liu et al. 2022, "Compositional Visual
    Generation with Composable Diffusion Models", section 4.2, joins the same two answers with the plain one.
    """

    w: float | Mapping[str, float]
    """One scale for all, or attribute -> scale; an attribute not named has 1."""
    negative: Condition | None = None
    """What to lead away from, one row per sample; None leads away from saying nothing."""

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        if cond is None:
            return self.inner(x_t, t, cond)
        answers = [(factor, self.inner(x_t, t, part)) for factor, part in self._terms(cond)]
        factor, guided = answers[0]
        guided = guided if factor == 1 else factor * guided
        for factor, answer in answers[1:]:
            guided = guided + factor * answer
        return guided

    def _terms(self, cond: Condition) -> list[tuple[float, Condition]]:
        """The same sum, ordered by answers: sum_k (w_k - w_{k+1}) D_k with w_0 = 1, and 0 after the last."""
        own = {name: self.w.get(name, 1.0) if isinstance(self.w, Mapping) else self.w for name in cond}
        weights = sorted(set(own.values()), reverse=True)
        said = [set[str](), *({name for name in cond if own[name] >= weight} for weight in weights)]
        factors = [a - b for a, b in itertools.pairwise([1.0, *weights, 0.0])]
        others = self.negative or null_condition(cond)
        parts = [_only(cond, names, others) for names in said]
        return [(f, part) for f, part in zip(factors, parts, strict=True) if f != 0]


@dataclass(frozen=True)
class Autoguided(Wrapped):
    """Guidance by a ``weaker`` denoiser of the same kind: ``weak + w (strong - weak)``.

    Both are asked for the same condition. Whatever the weaker one does worse is overcome further, without
    the loss of variety that comes from leading away from everything else. w = 1 is off, exactly. Karras et
    al. 2024, "Guiding a Diffusion Model with a Bad Version of Itself", section 4.
    """

    weaker: DenoiserLike
    w: float

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        if self.w == 1:
            return self.inner(x_t, t, cond)
        weak = self.weaker(x_t, t, cond)
        return weak + self.w * (self.inner(x_t, t, cond) - weak)


@dataclass(frozen=True)
class Rescaled(Wrapped):
    """A guided answer brought back towards the standard deviation of the conditional one.

        x0_hat = guided (phi std(cond) / std(guided) + 1 - phi),   each std over one whole sample

    Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", equations 15 and 16,
    here for x0_hat, which is the same in every preconditioning. phi = 0 is off, exactly. Strong guidance
    then does not drive pictures to the ends of the range. No further call where guidance asked for the
    whole condition anyway.
    """

    guide: Guide
    phi: float
    """0 to 1."""

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        if self.phi == 0:
            return self.guide(self.inner)(x_t, t, cond)
        heard = _Heard(self.inner)
        guided = self.guide(heard)(x_t, t, cond)
        conditional, spread = _std(heard.answer_to(x_t, t, cond)), _std(guided)
        ratio = torch.where(spread > 0, conditional / spread, 1.0)
        return guided * expand_to(1 + self.phi * (ratio - 1), guided)


def _std(x: Samples) -> Tensor:
    """Of every sample, (B,)."""
    return x.flatten(1).std(dim=1, correction=0)


class _Heard:
    """A denoiser that remembers its answers at one x_t and t, by the condition asked for."""

    def __init__(self, inner: DenoiserLike) -> None:
        self.inner, self.process = inner, inner.process
        self.answers: list[tuple[Condition | None, Samples]] = []

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        self.answers.append((cond, self.inner(x_t, t, cond)))
        return self.answers[-1][1]

    def answer_to(self, x_t: Samples, t: Times, cond: Condition | None) -> Samples:
        """Return the answer to this very condition, asked for only if it has not been."""
        known = (answer for asked, answer in self.answers if asked is cond)
        answer = next(known, None)
        return self(x_t, t, cond) if answer is None else answer


@dataclass(frozen=True)
class Within(Wrapped):
    """Guidance only where ``low`` < sigma / alpha <= ``high``; elsewhere the plain conditional answer.

    Kynkäänniemi et al. 2024, "Applying Guidance in a Limited Interval Improves Sample and Distribution
    Quality in Diffusion Models", section 3. sigma / alpha is their sigma, in every schedule: how much
    noise there is for each part of signal. Outside, the denoiser is asked once.
    """

    guide: Guide
    low: float
    high: float

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        schedule = self.process.schedule
        level = schedule.sigma(t) / schedule.alpha(t)
        inside = (self.low < level) & (level <= self.high)
        if not inside.any():
            return self.inner(x_t, t, cond)
        guided = self.guide(self.inner)(x_t, t, cond)
        if inside.all():
            return guided
        chosen = expand_to(inside.double(), x_t) > 0
        return torch.where(chosen, guided, self.inner(x_t, t, cond))


@dataclass(frozen=True)
class Clipped(Wrapped):
    """Answers kept inside the range of the data, which stops errors at high noise from growing."""

    low: float = -1.0
    high: float = 1.0

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        return self.inner(x_t, t, cond).clamp(self.low, self.high)


@dataclass(frozen=True)
class Thresholded(Wrapped):
    """Dynamic thresholding: clip at the ``quantile`` q of |x0_hat|, then divide by it where it is above 1.

    Saharia et al. 2022, "Photorealistic Text-to-Image Diffusion Models", section 2.3. Strong guidance then
    does not drive whole areas to the ends of the range. For pixels; a latent has no such range.
    """

    quantile: float = 0.995

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        x0_hat = self.inner(x_t, t, cond)
        # The k-th smallest; torch.quantile interpolates, and refuses more than 16 million numbers.
        size = x0_hat[0].numel()
        k = max(1, math.ceil(self.quantile * size))
        q = x0_hat.abs().flatten(1).kthvalue(k, dim=1).values.clamp(min=1)
        limit = expand_to(q, x0_hat)
        return x0_hat.clamp(-limit, limit) / limit


def null_condition(cond: Condition) -> Condition:
    """Return the condition that says nothing: zeros for every attribute."""
    return {name: torch.zeros_like(weights) for name, weights in cond.items()}


def _only(cond: Condition, names: Collection[str], others: Condition) -> Condition:
    """The attributes of these names; the others say what they do in ``others``."""
    if len(names) == len(cond):
        return cond  # the very object, by which ``_Heard`` knows it
    return {name: rows if name in names else others[name] for name, rows in cond.items()}
