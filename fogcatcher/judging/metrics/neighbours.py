"""Fidelity and variety apart: does each picture lie among those of the other set?

A set's region is the union of balls around its points, each reaching as far as the k-th nearest other point
of the same set. Precision and density ask whether generated pictures lie among the real ones (fidelity),
recall and coverage whether the generated ones reach all of the real ones (variety).

All of them depend on N and k, so compare at the same N and k. Two sets of one distribution do not score 1:
precision = recall = 0.93 with 300 points in 8 dimensions at k = 5.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from fogcatcher.judging.metrics.rows import Features, require_rows

K = 5
TILE = 2**22
"""Distances held at a time: 32 MB."""
ROUNDING = 1e-12
"""Squared distances below this part of the squared lengths are rounding errors of equal points."""

Radii = Float64[Tensor, " _"]


class PrecisionRecall(NamedTuple):
    """Shares, 0 to 1: of generated pictures among the real ones, and of real ones among the generated."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """Density, about 1 for equal distributions and above it for crowding; coverage, 0 to 1."""

    density: float
    coverage: float


def precision_recall(real: Features, fake: Features, k: int = K) -> PrecisionRecall:
    """Return the shares of rows that lie in the other set's region.

        precision = 1/M sum_j [some i: |y_j - x_i| <= r_k(x_i)]
        recall    = 1/N sum_i [some j: |x_i - y_j| <= r_k(y_j)]

    Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric", eq. (1) and (2), with their <=: so a
    point is inside its own ball also when k copies of it make the radius 0. They use k = 3 with 50,000
    pictures; 5 is steadier with few. Raises UserError unless both sets have more than k rows.
    """
    real, fake = _centred(real, fake, k, "precision and recall")
    real_radii, fake_radii = squared_radii(real, k), squared_radii(fake, k)
    precise, recalled = torch.zeros(len(fake), dtype=torch.bool), 0
    start = 0
    for squares in _tiles(real, fake):
        rows = real_radii[start : (start := start + len(squares)), None]
        precise |= (squares <= rows).any(0)
        recalled += (squares <= fake_radii).any(1).sum().item()
    return PrecisionRecall(precise.double().mean().item(), recalled / len(real))


def density_coverage(real: Features, fake: Features, k: int = K) -> DensityCoverage:
    """Return how many real balls hold a generated row, over k, and the share of real balls that hold one.

        density  = 1/(kM) sum_j sum_i [|y_j - x_i| < r_k(x_i)]
        coverage = 1/N sum_i [some j: |y_j - x_i| < r_k(x_i)]

    Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics", section 3, with their <. Only real
    balls count, so strange generated pictures cannot buy coverage with huge balls of their own.
    Raises UserError unless both sets have more than k rows.
    """
    real, fake = _centred(real, fake, k, "density and coverage")
    radii = squared_radii(real, k)
    held, covered, start = 0, 0, 0
    for squares in _tiles(real, fake):
        inside = squares < radii[start : (start := start + len(squares)), None]
        held += inside.sum().item()
        covered += inside.any(1).sum().item()
    return DensityCoverage(held / (k * len(fake)), covered / len(real))


class Outliers(NamedTuple):
    """How far out rows lie, as squared distance over squared radius; up to 1 is inside."""

    strange: Radii
    """Of each generated row, (M,), from the real ball that reaches furthest towards it."""
    missed: Radii
    """Of the nearest generated row from each real row, (N,), in that row's own radii."""


def outliers(real: Features, fake: Features, k: int = K) -> Outliers:
    """Return which rows make precision and coverage fall: they are the shares of figures up to and below 1.

    A radius of 0 counts as the smallest number. Raises UserError unless both sets have more than k rows.
    """
    real, fake = _centred(real, fake, k, "outliers")
    radii = squared_radii(real, k).clamp_min(torch.finfo(real.dtype).tiny)
    strange, missed, start = torch.full((len(fake),), torch.inf, dtype=real.dtype), [], 0
    for squares in _tiles(real, fake):
        ratios = squares / radii[start : (start := start + len(squares)), None]
        strange = torch.minimum(strange, ratios.amin(0))
        missed.append(ratios.amin(1))
    return Outliers(strange, torch.cat(missed))


def expected_coverage(real: int, fake: int, k: int = K) -> float:
    """Return the expected coverage of two sets of N ``real`` and M ``fake`` rows of one distribution.

        E = 1 - prod_{j=1..k} (N - j) / (M + N - j)

    Naeem et al., lemma 2: a ball stays empty when the k nearest others of both sets together are all real.
    """
    return 1 - math.prod((real - j) / (fake + real - j) for j in range(1, k + 1))


def squared_radii(x: Features, k: int) -> Radii:
    """Return the squared distance of each row to the k-th nearest other row, (N,)."""
    # Every row is its own nearest, at distance 0, which makes the k-th other one the (k + 1)-th of all.
    return torch.cat([squares.topk(k + 1, largest=False).values[:, -1] for squares in _tiles(x, x)])


def _tiles(x: Features, y: Features) -> Iterator[Float64[Tensor, "_ _"]]:
    """Yield the squared distances of some rows of (M, D) after the others to all of (N, D): (m, N) each."""
    y_lengths = y.square().sum(1)
    for rows in x.split(max(TILE // len(y), 1)):
        lengths = rows.square().sum(1)[:, None] + y_lengths
        squares = lengths - 2 * rows @ y.T
        yield torch.where(squares > ROUNDING * lengths, squares, 0.0)


def _centred(real: Features, fake: Features, k: int, figure: str) -> tuple[Features, Features]:
    """Return both sets around the mean of the real one: a common offset would cost digits."""
    if k < 1:
        raise ValueError("the nearest neighbour is number 1")
    require_rows(real, fake, k + 1, f"{figure} with {k} neighbours")
    return real - real.mean(0), fake - real.mean(0)
