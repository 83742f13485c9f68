"""What a denoiser gets that knows little: nothing at all, or only the mean and the covariance of the data.

The best denoiser of Gaussian data of mean m and covariance sum_i lambda_i u_i u_i^T shrinks each direction
on its own (the Wiener filter). With sigma the noise over the signal,

    x0_hat = m + sum_i lambda_i / (lambda_i + sigma^2) u_i u_i^T (x - m)
    E |x0 - x0_hat|^2 = sum_i lambda_i sigma^2 / (lambda_i + sigma^2)

The error holds for data of any kind and for any orthonormal u_i, if lambda_i = E (u_i^T (x0 - m))^2, because
white noise is the same along all of them; the principal directions make it least. So a network below it has
learnt more than second moments, or was told more than the noisy picture, such as a class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fogcatcher.diffusion.tensors import Samples

MOST_DIMENSIONS = 1024
"""Of data of so many dimensions, 16 x 16 RGBA, all principal directions are found."""
MANY, FEW = 4096, 512
"""Samples that are looked at for directions: of such data, and of larger ones. About a second at most."""


@dataclass(frozen=True)
class Spectrum:
    """The data's variance along orthonormal directions; all others share one variance."""

    variances: Float[Tensor, " K"]
    """lambda_i, float64."""
    rest: float
    """The variance along each of the other directions."""
    others: int
    """How many others there are."""

    def error(self, sigma: float) -> float:
        """Return sum_i lambda_i sigma^2 / (lambda_i + sigma^2) / D, the mean over all D dimensions."""
        error = (self.variances * sigma**2 / (self.variances + sigma**2)).sum().item()
        return (error + self.others * self.rest * sigma**2 / (self.rest + sigma**2)) / self.dimensions

    @property
    def dimensions(self) -> int:
        return len(self.variances) + self.others


@dataclass(frozen=True)
class Baselines:
    """The mean squared errors of x0_hat that a network must get below, in the units of the data."""

    zero: float
    """Of an answer of zero, at any noise level."""
    principal: Spectrum
    """Along the principal directions of the data, as far as the pictures tell them."""
    frequencies: Spectrum
    """Along spatial frequencies, the same everywhere in a picture: surer where pictures are few and large."""

    def gaussian(self, sigma: float) -> float:
        """Return the lesser error of the two Gaussians at ``sigma``, noise over signal, above 0."""
        return min(self.principal.error(sigma), self.frequencies.error(sigma))


def baselines(known: Float[Tensor, "N ..."], judged: Float[Tensor, "M ..."]) -> Baselines:
    """Return the errors on ``judged``, (M, C, ...), of the mean and directions of ``known``, (N, C, ...).

    The variances along those directions are those of ``judged``: the error is exactly that of a denoiser
    that knows them, so no picture counts as known by heart and none is noised. With fewer pictures than
    dimensions the directions that none points to share one variance. Raises ValueError where there are
    no pictures, or of two shapes.
    """
    if not len(known) or not len(judged) or known.shape[1:] != judged.shape[1:]:
        raise ValueError("baselines need pictures to know and to judge, of one shape")
    known = known[: MANY if known[0].numel() <= MOST_DIMENSIONS else FEW]
    mean = known.mean(0)
    centred, errors = known - mean, judged - mean
    directions: Tensor = torch.linalg.svd(centred.flatten(1), full_matrices=False).Vh  # (K, D)
    channels = torch.linalg.eigh(_covariance_of_channels(centred)).eigenvectors  # (C, C)
    return Baselines(
        judged.double().square().mean().item(),
        _spectrum(errors.flatten(1) @ directions.T, errors.flatten(1)),
        _spectrum(_frequencies(torch.einsum("bc...,cd->bd...", errors, channels)), errors.flatten(1)),
    )


def _spectrum(coordinates: Float[Tensor, "M ..."], errors: Float[Tensor, "M D"]) -> Spectrum:
    """The mean squares of coordinates along directions, (M, K), and of what they leave of (M, D)."""
    variances = coordinates.double().square().mean(0).flatten()
    others = errors.shape[1] - len(variances)
    left = errors.double().square().sum(1).mean() - variances.sum()
    return Spectrum(variances, max(left.item(), 0.0) / max(others, 1), others)


def _covariance_of_channels(x: Samples) -> Tensor:
    rows = x.transpose(0, 1).flatten(1)
    return rows @ rows.T / rows.shape[1]


def _frequencies(x: Samples) -> Samples:
    """The orthonormal cosine transform (DCT-II) along every axis but the first two."""
    for axis in range(2, x.ndim):
        x = (x.movedim(axis, -1) @ _cosines(x.shape[axis]).to(x).T).movedim(-1, axis)
    return x


def _cosines(n: int) -> Tensor:
    """Row k is sqrt(2 / n) cos(pi k (j + 1/2) / n), and row 0 constant: (n, n), orthonormal."""
    k, j = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64)
    rows = math.sqrt(2 / n) * torch.cos(math.pi * k * (j + 0.5) / n)
    rows[0] /= math.sqrt(2)
    return rows
