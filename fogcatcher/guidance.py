"""Steering: functions from denoiser to denoiser, so that no sampler knows about them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fogcatcher.denoiser import DenoiserLike
from fogcatcher.process import Process
from fogcatcher.tensors import Condition, Samples, Times


@dataclass(frozen=True)
class _Wrapped:
    inner: DenoiserLike

    @property
    def process(self) -> Process:
        return self.inner.process


@dataclass(frozen=True)
class Conditioned(_Wrapped):
    """``inner`` with its condition filled in, which is what a sampler calls."""

    cond: Condition | None

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        return self.inner(x_t, t, self.cond)


@dataclass(frozen=True)
class ClassifierFree(_Wrapped):
    """Classifier-free guidance of scale w: ``uncond + w (cond - uncond)``.

    w = 1 is off and w = 0 unconditional, both exactly; w > 1 follows the condition more than the
    data did. Ho & Salimans 2022, "Classifier-Free Diffusion Guidance", equation 6 (their w is w - 1).
    """

    w: float

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        if cond is None or self.w == 1:
            return self.inner(x_t, t, cond)
        unconditional = self.inner(x_t, t, null_condition(cond))
        if self.w == 0:
            return unconditional
        return unconditional + self.w * (self.inner(x_t, t, cond) - unconditional)


@dataclass(frozen=True)
class Clipped(_Wrapped):
    """Answers kept inside the range of the data, which stops errors at high noise from growing."""

    low: float = -1.0
    high: float = 1.0

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        return self.inner(x_t, t, cond).clamp(self.low, self.high)


def null_condition(cond: Condition) -> Condition:
    """Return the condition that says nothing: zeros for every attribute."""
    return {name: torch.zeros_like(weights) for name, weights in cond.items()}


def drop_conditions(cond: Condition, share: float, generator: torch.Generator) -> Condition:
    """Return ``cond`` with each attribute of each sample silenced with probability ``share``.

    Training on this teaches the unconditional denoiser that guidance needs (Ho & Salimans 2022,
    algorithm 1), with one coin per sample and attribute.
    """
    kept = {}
    for name, weights in cond.items():
        coin = torch.rand(len(weights), 1, generator=generator, device=generator.device)
        kept[name] = weights * (coin >= share).to(weights)
    return kept
