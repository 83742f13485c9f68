"""The average of the weights along training, which draws better than the last weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

from fogcatcher.training.sharding import local

SHORT_GAMMA = 16.972
"""Exponent of the second average: half as long, a relative length of 0.05."""


Network = TypeVar("Network", bound=nn.Module)
"""What is trained: a denoiser, or an autoencoder."""


class PowerEMA(Generic[Network]):
    """A power-function average, which lengthens as training goes on, and a shorter one beside it.

        ema <- beta ema + (1 - beta) weights,   beta = (1 - 1 / n)^(gamma + 1)  at update n

    Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion Models",
    equation 127. beta is 0 at the first update, so there is nothing to warm up.

    ``denoiser`` is the one that draws. ``short``, parameter name -> average, has the same shapes; from both,
    kept at a few steps, ``training/post_hoc.py`` makes averages of other lengths.
    """

    def __init__(self, denoiser: Network, gamma: float, short_gamma: float = SHORT_GAMMA) -> None:
        self.denoiser = copy.deepcopy(denoiser).requires_grad_(False).eval()
        self.gamma = gamma
        self.short = {name: weight.detach().clone() for name, weight in denoiser.named_parameters()}
        self.short_gamma = short_gamma
        self.updates = 0

    @torch.no_grad()
    def update(self, denoiser: Network) -> None:
        """Take in the weights after one more training step."""
        self.updates += 1
        n, weights = self.updates, [local(weight.data) for weight in denoiser.parameters()]
        main = [local(average.data) for average in self.denoiser.parameters()]
        short = [local(average) for average in self.short.values()]
        for averages, gamma in ((main, self.gamma), (short, self.short_gamma)):
            beta = (1 - 1 / n) ** (gamma + 1)
            # All weights in one call, without which a GPU waits for Python.
            torch._foreach_lerp_(averages, weights, 1 - beta)  # pyright: ignore[reportPrivateImportUsage]
        # What layers count for themselves, as batch norm does its means, is an average already.
        for average, counted in zip(self.denoiser.buffers(), denoiser.buffers(), strict=True):
            average.copy_(counted)
