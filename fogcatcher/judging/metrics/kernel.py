"""The kernel distance (KID): an unbiased squared distance between two distributions, also for small sets.

Gretton et al. 2012, "A Kernel Two-Sample Test", and Binkowski et al. 2018, "Demystifying MMD GANs".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from fogcatcher.judging.metrics.rows import Features, require_rows

TILE = 2048
"""Rows of either set whose kernel is held at a time: 32 MB."""


class KernelDistance(NamedTuple):
    """Mean and standard deviation over subsets of the unbiased MMD^2."""

    mean: float
    std: float


def mmd2(real: Features, fake: Features) -> float:
    """Return the unbiased MMD^2 of all rows, (M, D) and (N, D); below 0 by chance when the sets are alike.

        1/(M(M-1)) sum_{i != j} k(x_i, x_j) + 1/(N(N-1)) sum_{i != j} k(y_i, y_j) - 2/(MN) sum_ij k(x_i, y_j)

    Gretton et al., eq. (3). The sums leave out the diagonal, or it would be biased upward.
    Raises UserError for fewer than two rows.
    """
    require_rows(real, fake, 2, "the kernel distance")
    M, N = len(real), len(fake)
    within = _sum_of_pairs(real) / (M * (M - 1)) + _sum_of_pairs(fake) / (N * (N - 1))
    return within - 2 * _sum(real, fake) / (M * N)


def kernel_distance(
    real: Features, fake: Features, generator: torch.Generator, subsets: int = 100, size: int = 1000
) -> KernelDistance:
    """Return mean and std of ``mmd2`` over random subsets of ``size`` rows of each set, without repeats.

    Where a set has fewer than 2 ``size`` rows, the subsets shrink to half of it; the mean is unbiased at any
    size. Halves deviate from the whole as it does from the truth: s^2 (1/m - 1/n) = s^2 / n at m = n/2. So
    there the std is about the error of ``mmd2``, while whole sets would give the same value each time, and a
    std of 0. Raises UserError for fewer than four rows.
    """
    require_rows(real, fake, 4, "the kernel distance of subsets")
    size = min(size, len(real) // 2, len(fake) // 2)
    values = [mmd2(_subset(real, size, generator), _subset(fake, size, generator)) for _ in range(subsets)]
    scores = torch.tensor(values, dtype=torch.float64)
    return KernelDistance(scores.mean().item(), scores.std(correction=0).item())


def kernel(x: Features, y: Features) -> Float64[Tensor, "_ _"]:
    """Return k(x, y) = (x.y/d + 1)^3 for all pairs of (M, d) and (N, d): (M, N). Binkowski et al., sec. 4."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def _sum(x: Features, y: Features) -> float:
    return sum(kernel(a, b).sum().item() for a in x.split(TILE) for b in y.split(TILE))


def _sum_of_pairs(x: Features) -> float:
    """Return the sum over all pairs of different rows."""
    diagonal = (x.square().sum(1) / x.shape[1] + 1) ** 3
    return _sum(x, x) - diagonal.sum().item()


def _subset(x: Features, size: int, generator: torch.Generator) -> Features:
    return x[torch.randperm(len(x), generator=generator)[:size]]
