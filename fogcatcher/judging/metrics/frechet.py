"""The Frechet distance between two sets of features, each summed up as one Gaussian (FID and its kin).

The estimate is biased upward, the more the fewer the pictures, so two figures compare only at the same N.
``bias`` says by how much; ``frechet_at_infinity`` takes the bias out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.judging.metrics.rows import Features, require_rows

CHUNK = 4096
"""Rows summed up at a time."""


@dataclass(frozen=True)
class Gaussian:
    """The mean (D,) and the covariance (D, D), divided by N - 1, of ``count`` rows."""

    count: int
    mean: Float64[Tensor, " D"]
    covariance: Float64[Tensor, "D D"]


def gaussian(features: Features | Iterable[Features]) -> Gaussian:
    """Return the statistics of (N, D) features, in one piece or in pieces that need not fit at once.

    Two pieces a and b with sums of squares S = sum (x - m)(x - m)^T join without loss of digits by Chan,
    Golub and LeVeque 1983, "Algorithms for Computing the Sample Variance", here in D dimensions:

        d = m_b - m_a,   m = m_a + n_b/n d,   S = S_a + S_b + n_a n_b/n d d^T

    Raises UserError for fewer than two rows, or a feature that is not finite.
    """
    n, m, S = 0, torch.zeros(()), torch.zeros(())
    for rows in features.split(CHUNK) if isinstance(features, Tensor) else features:
        n_b, m_b = len(rows), rows.mean(0)
        if not n_b:
            continue
        centred = rows - m_b
        d = m_b - m
        n += n_b
        m = m + n_b / n * d
        S = S + centred.T @ centred + (n - n_b) * n_b / n * torch.outer(d, d)
    if n < 2:
        raise UserError(f"a covariance needs 2 or more pictures, but there are {n}: give more.")
    if not S.isfinite().all():
        raise UserError("some features are not finite, so they have no covariance: check what made them.")
    return Gaussian(n, m, S / (n - 1))


def frechet(a: Gaussian, b: Gaussian) -> float:
    """Return the squared 2-Wasserstein distance of two Gaussians, at least 0.

        |m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)

    Dowson and Landau 1982, "The Frechet distance between multivariate normal distributions". Heusel et al.
    2017, "GANs Trained by a Two Time-Scale Update Rule", eq. (6), write the same trace as that of (A B)^1/2.
    That product is not symmetric, and a general square root of it breaks down where it is singular; hence the
    1e-6 I that others add. This form has real eigenvalues >= 0 also with fewer pictures than features, so
    nothing is added.
    """
    A, B = a.covariance, b.covariance
    values, vectors = torch.linalg.eigh(A)
    root = vectors * _roots(values) @ vectors.T
    cross = _roots(torch.linalg.eigvalsh(root @ B @ root)).sum()
    squared = (a.mean - b.mean).square().sum() + A.trace() + B.trace() - 2 * cross
    return max(squared.item(), 0.0)  # equal sets come to a rounding error of either sign


def bias(d: int, n: int) -> float:
    """Return about how far above the truth ``frechet`` lies for two sets of N rows from N(0, I_d).

        E = 2d/N + d(d+1)/(2N)

    The first term is the means' noise, exact; the second the covariances', to the first order in 1/N. It
    holds while N is several times d. So a bias below e needs N = d(d+5)/(2e) pictures, times the features'
    variance: at d = 64 and e = 0.1 about 22,000.
    """
    return 2 * d / n + d * (d + 1) / (2 * n)


def frechet_at_infinity(real: Features, fake: Features, generator: torch.Generator, points: int = 5) -> float:
    """Return the Frechet distance extrapolated to endlessly many pictures; it may be a little below 0.

    The bias is linear in 1/N (Chong and Forsyth 2020, "Effectively Unbiased FID and Inception Score"), so

        F_N = F_inf + c/N

    is fitted to several N by least squares. Here both sets shrink together, since both are small: the k-th of
    the ``points`` cuts each, shuffled, into k equal parts and takes the mean over the parts, so that every
    point has seen every picture and scatters about equally. Parts should have several times as many rows
    as there are features. Raises UserError when a part would have fewer than two rows.
    """
    if points < 2:
        raise ValueError("a line needs at least two points")
    require_rows(real, fake, 2 * points, "the Frechet distance at infinity")
    real = real[torch.randperm(len(real), generator=generator)]
    fake = fake[torch.randperm(len(fake), generator=generator)]
    k = torch.arange(1, points + 1, dtype=torch.float64)  # 1/N in units of one over all pictures
    F = torch.tensor([_mean_over_parts(real, fake, parts) for parts in range(1, points + 1)], dtype=k.dtype)
    c = ((k - k.mean()) * F).sum() / (k - k.mean()).square().sum()
    return (F.mean() - c * k.mean()).item()


def _mean_over_parts(real: Features, fake: Features, parts: int) -> float:
    pairs = zip(real.tensor_split(parts), fake.tensor_split(parts), strict=True)
    return sum(frechet(gaussian(r), gaussian(f)) for r, f in pairs) / parts


def _roots(eigenvalues: Float64[Tensor, " D"]) -> Float64[Tensor, " D"]:
    """Return the square roots of eigenvalues that are >= 0 but for rounding."""
    return eigenvalues.clamp_min(0).sqrt()
