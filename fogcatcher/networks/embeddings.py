"""What a network is told besides the noisy sample: the noise level and the condition."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fogcatcher.tensors import Condition, Times


class NoiseEmbedding(nn.Module):
    """Sines and cosines of c_noise, then two layers: (B,) -> (B, width).

    The frequencies run from 1/16 to 4 turns per unit. c_noise = ln(sigma / alpha) / 4 moves within
    about [-2, 2], so the slowest tells the ends apart and the fastest tells neighbours apart.
    """

    def __init__(self, width: int, features: int = 32) -> None:
        super().__init__()
        octaves = torch.linspace(math.log2(1 / 16), math.log2(4), features // 2)
        self.register_buffer("angular_frequencies", 2 * math.pi * 2**octaves, persistent=False)
        self.layers = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, noise_label: Times) -> Tensor:
        angles = noise_label[:, None] * self.get_buffer("angular_frequencies")
        return self.layers(torch.cat([angles.cos(), angles.sin()], dim=1))


class ConditionEmbedding(nn.Module):
    """The sum of one learned vector per class, weighted: attribute -> (B, classes) gives (B, width).

    A row of zeros, "not said", embeds to zero; fractions mix classes; attributes add up.
    """

    def __init__(self, width: int, classes: Mapping[str, int]) -> None:
        super().__init__()
        self.width = width
        self.tables = nn.ModuleDict(
            {f"of_{name}": nn.Linear(count, width, bias=False) for name, count in classes.items()}
        )

    def forward(self, cond: Condition | None, like: Tensor) -> Tensor:
        """Raises KeyError for an attribute that the network was not built with."""
        embedding = torch.zeros_like(like)
        for name, weights in (cond or {}).items():
            embedding = embedding + self.tables[f"of_{name}"](weights.to(like))
        return embedding
