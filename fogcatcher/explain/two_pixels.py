"""Pictures of two pixels are points in a plane, so that all of diffusion can be drawn.

A small set of them, each blurred a little, is a mixture of Gaussians. Its denoiser is known exactly
(``exact.py``), and so are the density and the score of its noisy versions; no network is trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.diffusion.exact import MixtureDenoiser
from fogcatcher.diffusion.predictions import SCORE
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.sampling.samplers import Step, sample
from fogcatcher.diffusion.schedules import CosineSchedule, EDMSchedule
from fogcatcher.diffusion.tensors import PerSample, Samples, Times

PICTURES = ((-0.95, -0.95), (0.95, 0.95), (0.95, -0.9), (-0.9, 0.5))
"""Left and right pixel, -1 black to 1 white: dark, bright, left bright, right brighter."""
BLUR = 0.08
ROLL = 64
"""Pictures along the curved set."""
EXPLODING = Process(EDMSchedule(sigma_max=2.0))
"""Pure added noise: alpha = 1, sigma = 2 t."""
PRESERVING = Process(CosineSchedule())
"""A mix: alpha^2 + sigma^2 = 1."""


@dataclass(frozen=True)
class TwoPixels:
    """All pictures of two pixels: K kinds, (K, 2), blurred by ``std``, under one noising process."""

    process: Process
    means: Tensor
    std: float = BLUR

    @property
    def denoiser(self) -> MixtureDenoiser:
        return MixtureDenoiser(self.process, self.means, torch.full((len(self.means),), self.std).double())

    def pictures(self, count: int, generator: torch.Generator) -> Samples:
        """Return clean pictures, (count, 2), float64."""
        kinds = torch.randint(len(self.means), (count,), generator=generator)
        blur = torch.randn(count, 2, generator=generator, dtype=torch.float64)
        return self.means[kinds] + self.std * blur

    def noisy(self, x0: Samples, t: float, generator: torch.Generator) -> Samples:
        """Return x_t of the pictures ``x0``, (B, 2)."""
        noise = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
        return self.process.corrupt(x0, torch.tensor(t, dtype=torch.float64), noise)

    def score(self, x: Samples, t: float) -> Samples:
        """Return the gradient of log p(x_t), (B, 2): -eps_hat / sigma of the exact denoiser; not at t = 0."""
        at = torch.full((len(x),), t, dtype=torch.float64)
        return SCORE.from_x0(x, self.denoiser(x, at), *self.process.rates(at, x))

    def log_density(self, x: Samples, t: float) -> PerSample:
        """Return log p(x_t), (B,): x_t of kind k is N(alpha mean_k, c I), c = alpha^2 std^2 + sigma^2."""
        at = torch.tensor(t, dtype=torch.float64)
        alpha, sigma = self.process.schedule.alpha(at), self.process.schedule.sigma(at)
        c = (alpha * self.std) ** 2 + sigma**2
        square = ((x[:, None] - alpha * self.means) ** 2).sum(-1)
        return torch.logsumexp(-square / (2 * c), 1) - (2 * math.pi * c).log() - math.log(len(self.means))

    def told_apart(self, t: float, generator: torch.Generator, count: int = 20_000) -> float:
        """Return how often the likeliest kind of a noisy picture is the right one, 0 to 1."""
        kinds = torch.randint(len(self.means), (count,), generator=generator)
        blur = torch.randn(count, 2, generator=generator, dtype=torch.float64)
        x_t = self.noisy(self.means[kinds] + self.std * blur, t, generator)
        alpha = self.process.schedule.alpha(torch.tensor(t, dtype=torch.float64))
        return (torch.cdist(x_t, alpha * self.means).argmin(1) == kinds).double().mean().item()

    def paths(self, step: Step, times: Times, seeds: list[int]) -> Tensor:
        """Return where a sampler takes each seed, (T, B, 2), along falling ``times``, (T,)."""
        generator = SampleGenerator(seeds)
        noise = generator.randn_like(torch.empty(len(seeds), 2, dtype=torch.float64))
        x = self.process.prior(times[0], noise)
        return torch.stack([x, *(s.x for s in sample(self.denoiser, x, times, step, generator))])


def swiss_roll(process: Process) -> TwoPixels:
    """Return a curved set: pictures along a spiral of a turn and a half, from its inner end to its outer one.

    The two-dimensional example of Sohl-Dickstein et al. 2015, figure 1, as a mixture.
    """
    angle = torch.linspace(1.5, 4.5, ROLL, dtype=torch.float64) * math.pi
    radius = 1.05 * angle / angle[-1]
    means = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
    return TwoPixels(process, means, BLUR / 2)


def lecture(process: Process) -> TwoPixels:
    """Return the set of the explanations under a noising process."""
    return TwoPixels(process, torch.tensor(PICTURES, dtype=torch.float64))
