"""What an autoencoder learns: to give pictures back, with latents that are fit to be diffused.

    L = 1/D sum |x - x_hat| + weight / D cost(z)         (mean over the batch; D = C H W of a picture)

Rombach et al. 2021, "High-Resolution Image Synthesis with Latent Diffusion Models", appendix G: both sums
are over all of a picture, so what the cost of the latents weighs against the error of a pixel depends
neither on the size of the pictures nor on that of the batch. With a mean over the latents it would be C h w
times less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.diffusion.tensors import Condition, Samples
from fogcatcher.networks.autoencoder import Autoencoder

KL_WEIGHT, CODE_WEIGHT = 1e-6, 1.0
"""Of the cost of latents: for Gaussian ones as in the paper, for codes as van den Oord et al. 2017 have
it."""


@dataclass(frozen=True)
class Reconstruction:
    """The loss above, as a lesson for ``training/fit.py``."""

    weight: float

    @property
    def memory(self) -> Mapping[str, Tensor]:
        return {}

    def __call__(
        self, network: Autoencoder, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """Return the mean loss of pictures, (B, C, H, W) in [-1, 1]; the condition is not heard."""
        x_hat, learnt = network.learnt(x0, generator)
        size = math.prod(x0.shape[1:])
        return ((x0 - x_hat).abs().flatten(1).sum(1) + self.weight * learnt.cost).mean() / size


def usual_weight(codes: int) -> float:
    """Return what the cost of latents weighs, for so many codes; 0 are Gaussian latents."""
    return CODE_WEIGHT if codes else KL_WEIGHT
