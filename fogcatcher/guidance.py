"""Steering: functions from denoiser to denoiser, so that no sampler knows about them."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fogcatcher.denoiser import DenoiserLike
from fogcatcher.posterior import LearnsVariance
from fogcatcher.process import Process
from fogcatcher.tensors import Condition, Samples, Times, expand_to


@dataclass(frozen=True)
class Wrapped(ABC):
    """A denoiser that asks another one; what it has learned of the variance passes through."""

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


class _Fraction:
    """A denoiser that keeps the learned variance of its last call."""

    def __init__(self, inner: DenoiserLike) -> None:
        if not isinstance(inner, LearnsVariance):
            raise ValueError("this denoiser has not learned a variance: use small or large")
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
class ClassifierFree(Wrapped):
    """Classifier-free guidance of scale w: ``uncond + w (cond - uncond)``.

    w = 1 is off and w = 0 unconditional, both exactly; w > 1 follows the condition more than the
    data did. Ho & Salimans 2022, "Classifier-Free Diffusion Guidance", equation 6 (their w is w - 1).

    Every attribute may have its own w. With w_1 >= w_2 >= ... and D_k the answer to the first k attributes,

        D_0 + sum_k w_k (D_k - D_{k-1}),

    which is Brooks et al. 2023, "InstructPix2Pix", equation 3, for any number of attributes: equal weights
    give the formula above, all 1 the plain conditional answer. It takes one more call of the denoiser than
    there are different weights, less those that cancel.
    """

    w: float | Mapping[str, float]
    """One scale for all, or attribute -> scale; an attribute not named has 1."""

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
        return [(f, _only(cond, names)) for f, names in zip(factors, said, strict=True) if f != 0]


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


def _only(cond: Condition, names: Collection[str]) -> Condition:
    return {name: rows if name in names else torch.zeros_like(rows) for name, rows in cond.items()}


@dataclass(frozen=True)
class ConditionDropout:
    """Which attributes of which samples are silenced in training.

    All at once for a ``share`` of the samples, which teaches the unconditional denoiser that guidance needs
    (Ho & Salimans 2022, algorithm 1); each on its own for its ``own`` share, so that a model can be asked
    for one attribute without another; and, of those named in ``singly``, every number of the row with a
    chance of its own, so that it can be asked for some tags without saying anything about the rest.

    The own shares all fall into one half of the samples. So attributes are often left unsaid together, and
    the other half says everything: with independent coins, few samples would do either.
    """

    share: float
    own: Mapping[str, float] = field(default_factory=dict)
    """Attribute -> 0 to 0.5."""
    singly: Collection[str] = ()

    def __call__(self, cond: Condition, generator: torch.Generator) -> Condition:
        def coins(rows: Tensor, width: int = 1) -> Tensor:
            return torch.rand(len(rows), width, generator=generator, device=generator.device)

        if not cond:
            return cond
        first = next(iter(cond.values()))
        says_anything, says_everything = coins(first) >= self.share, coins(first) >= 0.5
        kept = {}
        for name, rows in cond.items():
            keep = says_anything & (says_everything | (coins(rows) >= 2 * self.own.get(name, 0.0)))
            if name in self.singly:
                # A chance of its own for every sample, so that few and many tags are left unsaid.
                keep = keep & (coins(rows, rows.shape[1]) >= coins(rows))
            kept[name] = rows * keep.to(rows)
        return kept
