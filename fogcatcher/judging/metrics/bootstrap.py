"""How far a figure would move with other pictures from the same two sources: intervals for any score.

Two ways, for two kinds of score:

- ``bootstrap_interval`` draws rows *with* replacement (Efron 1979). Right for a mean of one number per row
  and for smooth functions of such means. Wrong for what compares pictures with each other, since a picture
  that is drawn twice is its own twin: it adds k(x, x) to a kernel distance, which leaves the diagonal out on
  purpose, and shrinks neighbours' radii to 0; a Frechet distance is biased upward once more, as if by the
  same number of pictures again. These intervals lie beside the truth.
- ``jackknife_interval`` leaves out a random quarter of the rows each time. Right for these too.

An interval shows chance only. A figure that is biased at its N (Frechet, precision, ...) gets an interval
around what it gives on average at this N, not around its value at infinite N; a jackknife's end may lie
beyond 0 or 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from fogcatcher.judging.metrics.rows import Rows, require_rows

Score = Callable[[Rows, Rows], float]
"""A figure of real and generated rows (features or pictures)."""
Scores = Callable[[Rows, Rows], Sequence[float]]
"""Several figures that one pass over the rows gives."""


class Interval(NamedTuple):
    """The two ends, in the units of the score."""

    low: float
    high: float


def bootstrap_interval(
    score: Score, real: Rows, fake: Rows, generator: torch.Generator, level: float = 0.95, repeats: int = 1000
) -> Interval:
    """Return the percentile interval of a score that is a mean over rows; see above for which are not.

    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13. Raises UserError for fewer than
    two rows.
    """
    _require(real, fake, 2, level)
    draws = [score(_resampled(real, generator), _resampled(fake, generator)) for _ in range(repeats)]
    return _quantiles(draws, level)


def jackknife_interval(
    score: Score, real: Rows, fake: Rows, generator: torch.Generator, level: float = 0.95, repeats: int = 1000
) -> Interval:
    """Return an interval from the scores without a random quarter of both sets.

    Shao and Wu 1989, "A General Theory for Jackknife Variance Estimation"; Wu 1990, "On the Asymptotic
    Properties of the Jackknife Histogram". m of n rows deviate from all n with the variance s^2 (1/m - 1/n),
    and n rows from the truth with s^2 / n, so with m = 3n/4

        theta_n + sqrt(m / (n - m)) q = theta_n + sqrt(3) q,   q the quantiles of theta_m - mean theta_m

    The mean takes the place of theta_n, since a biased score has another mean at m. Measured at N = 60 and
    200, 90% intervals hold a kernel or Frechet distance in 86 to 91 of 100 cases, but a precision that a few
    far real points decide only in 79 to 85. Kernel and Frechet distances of sets that are hardly different
    deviate as 1/n, not 1/sqrt(n); there the interval is 1.5 times too wide.
    The score must be defined for three quarters of the rows. Raises UserError for fewer than four rows.
    """
    [interval] = jackknife_intervals(lambda a, b: (score(a, b),), real, fake, generator, level, repeats)
    return interval


def jackknife_intervals(
    scores: Scores,
    real: Rows,
    fake: Rows,
    generator: torch.Generator,
    level: float = 0.95,
    repeats: int = 1000,
) -> list[Interval]:
    """Return the interval of each of several scores that one call gives, as ``jackknife_interval`` does."""
    _require(real, fake, 4, level)
    draws = [scores(_most(real, generator), _most(fake, generator)) for _ in range(repeats)]
    thetas, columns = scores(real, fake), zip(*draws, strict=True)
    return [_around(theta, list(column), level) for theta, column in zip(thetas, columns, strict=True)]


def _around(theta: float, draws: list[float], level: float) -> Interval:
    (low, high), mean = _quantiles(draws, level), sum(draws) / len(draws)
    return Interval(theta + math.sqrt(3) * (low - mean), theta + math.sqrt(3) * (high - mean))


def _require(real: Rows, fake: Rows, least: int, level: float) -> None:
    if not 0 < level < 1:
        raise ValueError("the level of an interval lies between 0 and 1")
    require_rows(real, fake, least, "an interval")


def _resampled(rows: Rows, generator: torch.Generator) -> Rows:
    return rows[torch.randint(len(rows), (len(rows),), generator=generator)]


def _most(rows: Rows, generator: torch.Generator) -> Rows:
    # A quarter of few rows is rounded down to what stays, so that sqrt(3) is never too little.
    return rows[torch.randperm(len(rows), generator=generator)[: 3 * len(rows) // 4]]


def _quantiles(draws: list[float], level: float) -> Interval:
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = torch.tensor(draws, dtype=torch.float64).quantile(ends).tolist()
    return Interval(low, high)
