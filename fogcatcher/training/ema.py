"""The average of the weights along training, which draws better than the last weights."""

from __future__ import annotations

import copy

import torch

from fogcatcher.denoiser import Denoiser


class PowerEMA:
    """A power-function average, which lengthens as training goes on.

        ema <- beta ema + (1 - beta) weights,   beta = (1 - 1 / n)^(gamma + 1)  at update n

    Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion Models",
    equation 127. beta is 0 at the first update, so there is nothing to warm up.
    """

    def __init__(self, denoiser: Denoiser, gamma: float) -> None:
        self.denoiser = copy.deepcopy(denoiser).requires_grad_(False).eval()
        self.gamma = gamma
        self.updates = 0

    @torch.no_grad()
    def update(self, denoiser: Denoiser) -> None:
        """Take in the weights after one more training step."""
        self.updates += 1
        beta = (1 - 1 / self.updates) ** (self.gamma + 1)
        for average, weight in zip(self.denoiser.parameters(), denoiser.parameters(), strict=True):
            average.lerp_(weight, 1 - beta)
        # What layers count for themselves, as batch norm does its means, is an average already.
        for average, counted in zip(self.denoiser.buffers(), denoiser.buffers(), strict=True):
            average.copy_(counted)
