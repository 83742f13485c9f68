"""The variational bound on -log p(x0): what L_T, every L_t and L_0 cost, in nats or bits per dimension.

    L = KL(q(x_T|x0) || p(x_T)) + sum_t KL(q(x_s|x_t,x0) || p(x_s|x_t)) - log p(x0|x_1)

Ho et al. 2020, equation 5. It holds for any falling grid of times that ends at 0, one term per step: then it
is the bound of the ancestral sampler on that grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.posterior import Variance, reverse
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import Generator, randn_like
from fogcatcher.diffusion.tensors import Condition, PerSample, Samples, Times, expand_to

Decoder = Literal["bytes", "continuous"]
HALF_STEP = 1 / 255
"""Half the distance of two neighbours among 256 values in [-1, 1]."""
LEAST = 1e-12


@dataclass(frozen=True)
class Bound:
    """The bound of each sample in nats per dimension; ``bits`` adds everything up."""

    prior: PerSample
    """L_T: what noise at the start knows of the data, (B,)."""
    steps: Tensor
    """One row per step from noise to data, (steps, B): L_t, and L_0 last."""

    @property
    def bits(self) -> PerSample:
        """Bits per dimension, (B,)."""
        return (self.prior + self.steps.sum(0)) / math.log(2)


def bound(
    denoiser: DenoiserLike,
    x0: Samples,
    times: Times,
    generator: Generator,
    variance: Variance = "small",
    decoder: Decoder = "bytes",
    cond: Condition | None = None,
) -> Bound:
    """Return the bound of each sample on the grid ``times``, which falls to 0; one call of the denoiser each.

    ``x0``, (B, ...), lies on the 256 values of 8-bit pictures in [-1, 1] where the decoder is "bytes".
    """
    process, rows = denoiser.process, []
    with torch.no_grad():
        for above, t, s in zip([times[0], *times], times, times[1:], strict=False):
            x_t = process.corrupt(x0, t, randn_like(x0, generator))
            _, mean, log_variance = reverse(denoiser, x_t, t, s, variance, cond, above)
            rows.append(step_nats(process, x0, x_t, mean, log_variance, t, s, decoder))
    return Bound(prior_nats(process, x0, times[0]), torch.stack(rows))


def prior_nats(process: Process, x0: Samples, t: Times) -> PerSample:
    """Return L_T = KL(N(alpha x0, sigma^2) || N(0, sigma^2)) = (alpha x0 / sigma)^2 / 2, (B,).

    Sampling starts from N(0, sigma^2). DDPM's prior is N(0, 1), which differs by alpha_bar_T^2.
    """
    alpha, sigma = process.rates(t, x0)
    return _per_dimension((alpha * x0 / sigma).square() / 2)


def step_nats(
    process: Process,
    x0: Samples,
    x_t: Samples,
    mean: Samples,
    log_variance: Tensor,
    t: Times,
    s: Times,
    decoder: Decoder = "bytes",
) -> PerSample:
    """Return what the step from t to s costs, (B,) per dimension: L_t, or L_0 where s = 0.

    ``mean`` and ``log_variance`` are those of p(x_s | x_t). s is 0 for some samples or for all.
    """
    # Where s = 0 the true posterior is a point; the decoder counts there, and any finite figure does.
    true_mean, _ = process.bridge(x_t, x0, t, s)
    true_variance = torch.where(s > 0, process.bridge_variance(t, s), torch.ones_like(s))
    divergence = kl(true_mean, expand_to(true_variance.log(), x_t), mean, log_variance)
    decode = bytes_nll if decoder == "bytes" else continuous_nll
    last = decode(x0, mean, log_variance.expand_as(x0))
    return torch.where(s > 0, _per_dimension(divergence), _per_dimension(last))


def bound_2015(bound: Bound, process: Process, times: Times) -> PerSample:
    """Return K of Sohl-Dickstein et al. 2015, equation 14: log p(x0) is at least that, nats per dimension.

        K = -sum KL + H_q(X_T|X_0) - H_q(X_1|X_0) - H_p(X_T)

    There the first step is fixed, x_0 to x_1 and back, and noise at the end is N(0, 1).
    """
    first, last = process.schedule.sigma(times[-2]), process.schedule.sigma(times[0])
    return -bound.steps[:-1].sum(0) + _entropy(last) - _entropy(first) - _entropy(torch.ones_like(last))


def _entropy(std: Tensor) -> Tensor:
    """Of a Gaussian, in nats."""
    return std.log() + 0.5 * math.log(2 * math.pi * math.e)


def kl(mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """KL(N_1 || N_2) in nats, element by element."""
    apart = (mean1 - mean2).square() * (-log_variance2).exp()
    return (log_variance2 - log_variance1 - 1 + (log_variance1 - log_variance2).exp() + apart) / 2


def continuous_nll(x0: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """-log N(x0; mean, variance), element by element."""
    return ((x0 - mean).square() * (-log_variance).exp() + log_variance + math.log(2 * math.pi)) / 2


def bytes_nll(x0: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """-log of the probability that a Gaussian gives to the 8-bit value x0, element by element.

    Ho et al. 2020, equation 13: its mass within 1/255 of the value; the lowest and the highest value also
    take all that lies beyond. Less than 1e-12 counts as that, as in their code.
    """
    inverse, apart = (-log_variance.double() / 2).exp(), x0.double() - mean.double()
    below = torch.where(x0 < -0.999, -math.inf, (apart - HALF_STEP) * inverse)
    above = torch.where(x0 > 0.999, math.inf, (apart + HALF_STEP) * inverse)
    # The same mass in the lower tail, where differences of the distribution function keep their digits.
    low, high = torch.where(apart > 0, -above, below), torch.where(apart > 0, -below, above)
    mass = torch.special.ndtr(high) - torch.special.ndtr(low)
    return -mass.clamp(min=LEAST).log().to(x0)


def _per_dimension(values: Tensor) -> PerSample:
    return values.flatten(1).mean(1)
