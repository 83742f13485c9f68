"""The steps of ``diffusion/sampling/samplers.py`` and ``solvers.py`` in numpy; more is said there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.floating]
"""Samples, (B, ...), float32."""
NO_SIGNAL = 1000.0
"""With sigma / alpha above this, the slope in sigma / alpha says nothing any more."""


@dataclass(frozen=True)
class Place:
    """A time of the grid with its rates: plain numbers, so that float32 samples stay float32."""

    t: float
    alpha: float
    sigma: float

    @property
    def half_log_snr(self) -> float:
        """lambda; only where there is noise."""
        return math.log(self.alpha / self.sigma) if self.alpha > 0 else -math.inf


Ask = Callable[[Samples, Place], Samples]
"""x_t, (B, ...), and where it is -> x0_hat."""
Solver = Callable[[Ask, Samples, Sequence[Place]], Samples]
"""Takes pure noise, (B, ...), along falling places; the last is t = 0."""


def move(x: Samples, x0: Samples, t: Place, s: Place) -> Samples:
    """x_s = sigma_s / sigma_t x + (alpha_s - alpha_t sigma_s / sigma_t) x0."""
    shrink = s.sigma / t.sigma
    return shrink * x + (s.alpha - t.alpha * shrink) * x0


def ddim(ask: Ask, x: Samples, places: Sequence[Place]) -> Samples:
    """Song et al. 2020, "Denoising Diffusion Implicit Models", equation 12 with eta = 0."""
    for t, s in itertools.pairwise(places):
        x = move(x, ask(x, t), t, s)
    return x


def dpmpp_2m(ask: Ask, x: Samples, places: Sequence[Place]) -> Samples:
    """D = x0_hat + (h / previous h) / 2 (x0_hat - previous x0_hat). Lu et al. 2022, algorithm 2."""
    earlier: tuple[Place, Samples] | None = None
    for t, s in itertools.pairwise(places):
        x0 = d = ask(x, t)
        if earlier and s.sigma > 0:
            previous, previous_x0 = earlier
            h, h_previous = s.half_log_snr - t.half_log_snr, t.half_log_snr - previous.half_log_snr
            d = x0 + h / h_previous / 2 * (x0 - previous_x0)
        x, earlier = move(x, d, t, s), (t, x0)
    return x


def heun(ask: Ask, x: Samples, places: Sequence[Place]) -> Samples:
    """The mean of the slopes at both ends of Euler's step. Karras et al. 2022, algorithm 1."""
    for t, s in itertools.pairwise(places):
        x0 = ask(x, t)
        x_s = move(x, x0, t, s)
        if s.sigma > 0 and t.sigma <= NO_SIGNAL * t.alpha:
            slope = ((x - t.alpha * x0) / t.sigma + (x_s - s.alpha * ask(x_s, s)) / s.sigma) / 2
            ratio = s.alpha / t.alpha
            x_s = ratio * x + (s.sigma - ratio * t.sigma) * slope
        x = x_s
    return x
