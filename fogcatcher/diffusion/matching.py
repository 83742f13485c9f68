"""A student of a few steps learns to draw as the data are, whatever its teacher's path was.

What it draws from noise in its own steps of DDIM is set beside data told the same, in the eyes of a network
that has learnt to see such data: its teacher. Their distance is

    L = mean over k of  2 E |f_k - f_k'| - E |f_k' - f_k''| - E |f_k - f_k*|

for features f_k and f_k* of two samples of data, f_k' and f_k'' of two drawn ones: the energy distance, 0
where both laws are one and positive elsewhere (Székely & Rizzo 2013, "Energy Statistics", proposition 1). Its
gradient has no bias from the size of a batch (Bellemare et al. 2017, "The Cramer Distance as a Solution to
Biased Wasserstein Gradients", section 4), and no second network learns along. Learnt features in its place of
pixels: dos Santos et al. 2019, "Learning Implicit Generative Models by Matching Perceptual Features".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.distillation import GridTimes, ddim
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.diffusion.tensors import Condition, Samples, TimeGrid, Times

Features = Float[Tensor, "B D"]
Told = Int64[Tensor, "B"]
"""A number for each sample, the same for those that were told the same."""
Pairs = Float[Tensor, "B B"]

NOISE = (0.1, 0.5, 2.0)
"""sigma / alpha at which samples are looked at, one of them in a step: from details to the outline."""
TOLD_APART = 2.0
"""How far apart samples are for having been told different things, beside features of variance 1."""


@runtime_checkable
class Eyes(Protocol):
    """What is seen in noisy samples, (B, ...), at times (B,): features, (B, D_k) each."""

    def __call__(self, x_t: Samples, t: Times) -> Sequence[Features]: ...


@dataclass(frozen=True, kw_only=True)
class Matching(Objective):
    """The energy distance between data and what the denoiser draws in the steps of ``grid``, told the same.

    ``grid`` is (N + 1,), falling to 0. Every call draws anew: N calls of the denoiser, with the gradient of
    all of them. What the condition says counts as one more feature, so that the laws are those of samples
    and conditions together.
    """

    by_batch: ClassVar[bool] = True

    grid: TimeGrid
    eyes: Eyes
    limit: float | None = 1.0
    """Answers are kept within -limit ... limit, as when it draws; None where there is no range."""

    @classmethod
    def of(cls, grid: TimeGrid, eyes: Eyes, limit: float | None = 1.0) -> Matching:
        return cls(times=GridTimes(grid), grid=grid, eyes=eyes, limit=limit)

    def __call__(
        self, denoiser: DenoiserLike, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """Return the distance, a scalar, between a batch of two samples or more and as many drawn ones."""
        drawn = self.draw(denoiser, _noise(x0, generator), cond)
        level = NOISE[int(torch.randint(len(NOISE), (), generator=generator, device=generator.device))]
        log_snr = torch.full((len(x0),), -2 * math.log(level), dtype=torch.float64, device=x0.device)
        process, told = denoiser.process, told_alike(cond, x0)
        t = process.schedule.t_from_log_snr(log_snr)
        with torch.no_grad():
            real = self.eyes(process.corrupt(x0, t, _noise(x0, generator)), t)
        seen = self.eyes(process.corrupt(drawn, t, _noise(x0, generator)), t)
        distances = [energy_distance(*standardised(f, of), told) for f, of in zip(seen, real, strict=True)]
        return torch.stack(distances).mean()

    def draw(self, denoiser: DenoiserLike, noise: Samples, cond: Condition | None) -> Samples:
        """Return what the denoiser draws from standard normal noise, (B, ...), in its own steps."""
        grid = self.grid.to(noise.device)
        x_t = denoiser.process.prior(grid[0], noise).to(noise)
        for t, s in pairwise(grid):
            many = t.expand(len(noise))
            x0_hat = denoiser(x_t, many, cond)
            if self.limit is not None:
                x0_hat = x0_hat.clamp(-self.limit, self.limit)
            x_t = ddim(denoiser.process, x_t, x0_hat, many, s.expand(len(noise)))
        return x_t

    def at(
        self, denoiser: DenoiserLike, x0: Samples, t: Times, noise: Samples, cond: Condition | None = None
    ) -> Times:
        """Raises ValueError always: a distance is between batches as a whole."""
        raise ValueError("a distance between laws takes each batch whole")


def told_alike(cond: Condition | None, x0: Samples) -> Told:
    if not cond:
        return torch.zeros(len(x0), dtype=torch.int64, device=x0.device)
    return torch.cat([rows.flatten(1).double() for rows in cond.values()], 1).unique(
        dim=0, return_inverse=True
    )[1]


def standardised(drawn: Features, real: Features) -> tuple[Features, Features]:
    """Return both with the mean and deviations of the real ones taken out, and |difference|^2 about 2."""
    mean, unit = real.mean(0), real.std(0, correction=0).clamp(min=1e-3) * math.sqrt(real.shape[1])
    return (drawn - mean) / unit, (real - mean) / unit


def energy_distance(drawn: Features, real: Features, told: Told) -> Tensor:
    """Return the energy distance, a scalar without bias, between laws of (B, D) features told ``told``, (B,).

    Row i of both was told the same; pairs of rows of one number count in no mean, for among drawn ones they
    are no pair. A single row tells nothing: 0.
    """
    n, apart = len(drawn), told[:, None] != told
    if n < 2:
        return drawn.sum() * 0
    pair = ~torch.eye(n, dtype=torch.bool, device=drawn.device)
    with torch.autocast(drawn.device.type, enabled=False):  # squares of half precision are no distances
        between, among, of_data = (
            _apart(a, b, apart)[pair].mean() for a, b in ((drawn, real), (drawn, drawn), (real, real))
        )
    return 2 * between - among - of_data


def _apart(a: Features, b: Features, told_apart: Bool[Tensor, "B B"]) -> Pairs:
    """|a_i - b_j|, where what they were told is one more coordinate."""
    squares = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
    # The gradient of a root is infinite at 0, and rounding may fall below it.
    return (squares.clamp(min=1e-6) + TOLD_APART**2 * told_apart.to(a)).sqrt()


def _noise(x0: Samples, generator: torch.Generator) -> Samples:
    return torch.randn(x0.shape, generator=generator, device=generator.device).to(x0)
