"""What a network is told besides the noisy sample: the noise level and the condition."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Condition, Times


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


@dataclass(frozen=True)
class Vector:
    """An attribute that comes as numbers of which zeros mean "not said"."""

    features: int
    length: float = 1.0
    """About how long such a vector is."""


@dataclass(frozen=True)
class Words:
    """An attribute that comes as word numbers, (B, L), 0 where there is no word."""

    vocabulary: int


START = 0.5
"""Standard deviation of what a condition adds before training, in each channel."""


class ConditionEmbedding(nn.Module):
    """The sum of one learned embedding per attribute: attribute -> (B, features) gives (B, width).

    A row of zeros, "not said", embeds to zero; fractions mix classes; attributes add up.
    """

    def __init__(self, width: int, attributes: Mapping[str, Vector | Words]) -> None:
        super().__init__()
        self.tables = nn.ModuleDict(
            {
                table_name(name): WordsEmbedding(width, kind.vocabulary)
                if isinstance(kind, Words)
                else nn.Linear(kind.features, width, bias=False)
                for name, kind in attributes.items()
            }
        )

        for name, kind in attributes.items():
            table = self.tables[table_name(name)]
            if isinstance(kind, Vector) and isinstance(table, nn.Linear):
                # As loud from the first step as the noise level; the usual start shrinks with the number of
                # classes, and a network that hardly hears a condition is slow to follow it.
                nn.init.normal_(table.weight, std=START / kind.length)

    def forward(self, cond: Condition | None, like: Tensor) -> Tensor:
        """Raises KeyError for an attribute that the network was not built with."""
        embedding = torch.zeros_like(like)
        for name, rows in (cond or {}).items():
            embedding = embedding + self.tables[table_name(name)](rows.to(like))
        return embedding


def table_name(name: str) -> str:
    """A name for torch's module tree, which parts names by dots."""
    return f"of_{name.replace('.', '%2E')}"


class WordsEmbedding(nn.Module):
    """A small text encoder: words and their places, one layer of attention, the mean over all words.

    (B, L) word numbers give (B, width); no words give zero.
    """

    CHANNELS, HEADS, LONGEST = 64, 4, 64

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, self.CHANNELS)
        self.places = nn.Parameter(0.02 * torch.randn(self.LONGEST, self.CHANNELS))
        self.norm = nn.LayerNorm(self.CHANNELS)
        self.qkv = nn.Linear(self.CHANNELS, 3 * self.CHANNELS)
        self.mix = nn.Linear(self.CHANNELS, self.CHANNELS)
        self.out = nn.Linear(self.CHANNELS, width, bias=False)

    def forward(self, numbers: Tensor) -> Tensor:
        present = numbers > 0
        h = self.words(numbers.long()) + self.places[: numbers.shape[1]]
        b, length, c = h.shape
        q, k, v = self.qkv(self.norm(h)).reshape(b, length, 3, self.HEADS, -1).permute(2, 0, 3, 1, 4)
        # Padding is not looked at; where all is padding, the answer is thrown away below.
        seen = present | ~present.any(1, keepdim=True)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
        h = F.silu(h + self.mix(mixed.transpose(1, 2).reshape(b, length, c)))
        count = present.sum(1, keepdim=True).clamp(min=1)
        return self.out((h * present[..., None]).sum(1) / count)
