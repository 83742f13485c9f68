"""q(x_s | x_t) of a mixture, exactly: one bump for a small step down, several for a large one.

    q(x_s | x_t) = sum_k r_k N(m_k, v I)
    v = 1 / (1 / c_s + a^2 / b^2),   m_k = v (alpha_s mean_k / c_s + a x_t / b^2)

with c_s = alpha_s^2 std^2 + sigma_s^2, and a and b^2 scale and variance of q(x_t | x_s). A step that is one
Gaussian, as every step of a sampler, is right only while there is one bump: Sohl-Dickstein et al. 2015,
section 2.2; Xiao et al. 2022, "Tackling the Generative Learning Trilemma with Denoising Diffusion GANs".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.diffusion.tensors import Samples
from fogcatcher.explain.two_pixels import TwoPixels

MEAN_SHIFTS = 2000
STILL, NEAR = 1e-7, 1e-3
"""How little tops still move when they are found, and how near two of them are one."""


@dataclass(frozen=True)
class Reverse:
    """q(x_s | x_t) of pictures of two pixels: Gaussians of one variance around K centres."""

    t: float
    s: float
    weights: Tensor
    """(K,)."""
    centres: Tensor
    """(K, 2)."""
    variance: float

    def draw(self, count: int, generator: torch.Generator) -> Samples:
        """Return x_s, (count, 2)."""
        kinds = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, 2, generator=generator, dtype=torch.float64)
        return self.centres[kinds] + math.sqrt(self.variance) * noise

    def log_density(self, x: Samples) -> Tensor:
        """Return log q(x_s | x_t) at ``x``, (B, 2), in nats, (B,)."""
        square = ((x[:, None] - self.centres) ** 2).sum(-1)
        log = self.weights.log() - square / (2 * self.variance)
        return torch.logsumexp(log, 1) - math.log(2 * math.pi * self.variance)

    def modes(self, least: float = 0.01) -> Tensor:
        """Return the tops of the density, (modes, 2), by mean shift from every centre.

        ``least`` is how high one must be, as a share of the highest, to count.
        """
        x = self.centres
        for _ in range(MEAN_SHIFTS):
            square = ((x[:, None] - self.centres) ** 2).sum(-1)
            pull = torch.softmax(self.weights.log() - square / (2 * self.variance), 1)
            x, before = pull @ self.centres, x
            if (x - before).abs().max() < STILL:
                break
        height = self.log_density(x)
        x = x[height > height.max() + math.log(least)]
        found: list[Tensor] = []
        for top in x:
            if all((top - other).norm() > NEAR for other in found):
                found.append(top)
        return torch.stack(found)


def reverse_of(toy: TwoPixels, x_t: Tensor, t: float, s: float) -> Reverse:
    """Return q(x_s | x_t) of a set of pictures for x_t, (2,), and s < t."""
    schedule = toy.process.schedule
    at = torch.tensor([t, s], dtype=torch.float64)
    (alpha_t, alpha_s), (sigma_t, sigma_s) = schedule.alpha(at), schedule.sigma(at)
    a, b2 = alpha_t / alpha_s, toy.process.step_variance(at[0], at[1])
    c_t, c_s = (alpha_t * toy.std) ** 2 + sigma_t**2, (alpha_s * toy.std) ** 2 + sigma_s**2
    weights = torch.softmax(-((x_t - alpha_t * toy.means) ** 2).sum(-1) / (2 * c_t), 0)
    variance = 1 / (1 / c_s + a**2 / b2)
    centres = variance * (alpha_s * toy.means / c_s + a * x_t / b2)
    return Reverse(t, s, weights, centres, variance.item())
