"""Denoisers known in closed form: what a perfectly trained network would answer.

Same contract as ``Denoiser``, no network. They prove samplers and show what "perfect" looks like.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.tensors import Condition, PerSample, Samples, Times, expand_to


class MixtureDenoiser:
    """The exact denoiser of data drawn from ``sum_k weight_k N(mean_k, std_k^2 I)``.

    x_t of component k has mean alpha mean_k and variance c_k = alpha^2 std_k^2 + sigma^2, so

        r_k     proportional to weight_k N(x_t; alpha mean_k, c_k I)
        x0_hat = sum_k r_k [mean_k + alpha std_k^2 / c_k (x_t - alpha mean_k)]

    Means are (K, ...), standard deviations and weights (K,). Instead of standard deviations there may be
    whole ``covariances``, (K, D, D) over flattened samples: the same, along the axes of each. Raises
    ValueError when they disagree, and for what is no covariance.
    """

    def __init__(
        self,
        process: Process,
        means: Tensor,
        stds: Tensor | None = None,
        weights: Tensor | None = None,
        covariances: Tensor | None = None,
    ) -> None:
        if weights is None:
            weights = torch.full((len(means),), 1 / len(means), dtype=torch.float64)
        self._process, self.means, self.weights, self._axes = process, means, weights, None
        if (stds is None) == (covariances is None):
            raise ValueError("a mixture needs standard deviations or covariances, one of the two")
        if covariances is not None:
            self._variances, self._axes = _along_axes(covariances)  # (K, D), (K, D, D)
        elif stds is not None:
            self._variances = stds.double()[:, None] ** 2  # (K, 1): the same along every axis
        if not len(means) == len(self._variances) == len(weights):
            raise ValueError("a mixture needs one mean, one std and one weight per component")

    @property
    def process(self) -> Process:
        return self._process

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        """Return E[x0 | x_t], (B, ...). The condition is ignored."""
        log_joint, x0_hat = self._components(x_t, t)
        return (torch.softmax(log_joint, dim=1)[..., None] * x0_hat).sum(1).reshape(x_t.shape)

    def log_density(self, x_t: Samples, t: Times) -> PerSample:
        """Return log p(x_t) at times t, () or (B,), in nats, (B,); at t = 0 that of the data."""
        return torch.logsumexp(self._components(x_t, t)[0], dim=1)

    def _components(self, x_t: Samples, t: Times) -> tuple[Tensor, Tensor]:
        """Return log(weight_k p(x_t | k)), (B, K), and E[x0 | x_t, k], (B, K, D)."""
        x = x_t.flatten(1)[:, None]  # (B, 1, D)
        means, variances = self.means.to(x).flatten(1), self._variances.to(x)
        axes = None if self._axes is None else self._axes.to(x)
        alpha, sigma = self.process.rates(t, x)  # () or (B, 1, 1)
        c = alpha**2 * variances + sigma**2  # (K, 1 or D) or (B, K, 1 or D)
        error = x - alpha * means  # (B, K, D)
        if axes is not None:
            error = torch.einsum("bkd,kde->bke", error, axes)
        log_p = -(error**2 / c + c.log() + math.log(2 * math.pi)).sum(-1) / 2
        pull = alpha * variances / c * error
        if axes is not None:
            pull = torch.einsum("bke,kde->bkd", pull, axes)
        return self.weights.to(x).log() + log_p, means + pull


def _along_axes(covariances: Tensor) -> tuple[Tensor, Tensor]:
    """Return the variances along the axes of each, (K, D), and these axes as columns, (K, D, D)."""
    covariances = covariances.double()
    if covariances.ndim != 3 or not torch.allclose(covariances, covariances.mT):
        raise ValueError("covariances must be symmetric, one (D, D) for each component")
    variances, axes = torch.linalg.eigh(covariances)
    if bool((variances < -1e-9 * variances.amax(1, keepdim=True)).any()):
        raise ValueError("a covariance cannot have a negative variance along any axis")
    return variances.clamp(min=0), axes


def gaussian_denoiser(process: Process, mean: Tensor, std: float) -> MixtureDenoiser:
    """The exact denoiser of ``N(mean, std^2 I)``; ``mean`` has the shape of one sample."""
    return MixtureDenoiser(process, mean[None], torch.tensor([std], dtype=torch.float64))


def dataset_denoiser(process: Process, points: Samples) -> MixtureDenoiser:
    """The exact denoiser of a data set: it can only return weighted means of ``points``, (N, ...).

    A network that equals it has memorised its training set.
    """
    return MixtureDenoiser(process, points, torch.zeros(len(points), dtype=points.dtype))


def gaussian_path(x: Samples, t: Times, s: Times, process: Process, mean: Tensor, std: float) -> Samples:
    """Return where the probability-flow ODE carries ``x`` from ``t`` to ``s`` on N(mean, std^2 I) data.

    x_s = alpha_s mean + (x_t - alpha_t mean) sqrt(c_s / c_t),  c = alpha^2 std^2 + sigma^2
    """
    schedule = process.schedule
    c_t = (schedule.alpha(t) * std) ** 2 + schedule.sigma(t) ** 2
    c_s = (schedule.alpha(s) * std) ** 2 + schedule.sigma(s) ** 2
    centred = x - expand_to(schedule.alpha(t), x) * mean
    return expand_to(schedule.alpha(s), x) * mean + centred * expand_to((c_s / c_t).sqrt(), x)
