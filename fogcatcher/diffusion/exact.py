"""Denoisers known in closed form: what a perfectly trained network would answer.

Same contract as ``Denoiser``, no network. They prove samplers and show what "perfect" looks like.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.tensors import Condition, Samples, Times, expand_to


class MixtureDenoiser:
    """The exact denoiser of data drawn from ``sum_k weight_k N(mean_k, std_k^2 I)``.

    x_t of component k has mean alpha mean_k and variance c_k = alpha^2 std_k^2 + sigma^2, so

        r_k     proportional to weight_k N(x_t; alpha mean_k, c_k I)
        x0_hat = sum_k r_k [mean_k + alpha std_k^2 / c_k (x_t - alpha mean_k)]

    Means are (K, ...), standard deviations and weights (K,). Raises ValueError when they disagree.
    """

    def __init__(self, process: Process, means: Tensor, stds: Tensor, weights: Tensor | None = None) -> None:
        if weights is None:
            weights = torch.full((len(means),), 1 / len(means), dtype=torch.float64)
        if not len(means) == len(stds) == len(weights):
            raise ValueError("a mixture needs one mean, one std and one weight per component")
        self._process = process
        self.means, self.stds, self.weights = means, stds, weights

    @property
    def process(self) -> Process:
        return self._process

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        """Return E[x0 | x_t], (B, ...). The condition is ignored."""
        x = x_t.flatten(1)[:, None]  # (B, 1, D)
        means, stds, weights = self.means.to(x).flatten(1), self.stds.to(x), self.weights.to(x)
        alpha, sigma = self.process.rates(t, x)  # () or (B, 1, 1)
        c = (alpha * stds[:, None]) ** 2 + sigma**2  # (K, 1) or (B, K, 1)
        error = x - alpha * means  # (B, K, D)
        log_r = weights.log()[:, None] - (error**2 / c + c.log()).sum(-1, keepdim=True) / 2
        r = torch.softmax(log_r, dim=1)  # (B, K, 1)
        x0_hat = means + alpha * stds[:, None] ** 2 / c * error
        return (r * x0_hat).sum(1).reshape(x_t.shape)


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
