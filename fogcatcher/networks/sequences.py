"""Conditions that are sequences, words or vectors: how they come, and the layers that hear them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Words:
    """An attribute that comes as word numbers, (B, L), 0 where there is no word."""

    vocabulary: int


@dataclass(frozen=True)
class Vectors:
    """An attribute that comes as some vectors one after another, (B, count * width), zeros where none is."""

    count: int
    width: int


class Said(NamedTuple):
    """The words of each sample, or the vectors that it is told one by one."""

    tokens: Tensor
    """(B, L, width)."""
    present: Tensor
    """(B, L) truth values: which of them there are."""


def sequence_reader(form: Words | Vectors, width: int) -> SequenceReader:
    """Return the layer that hears a sequence, as vectors of ``width``."""
    if isinstance(form, Words):
        return WordsEmbedding(width, form.vocabulary)
    return VectorsEmbedding(width, form.width)


class SequenceReader(nn.Module, ABC):
    """Hears a sequence: (B, features) gives (B, width), the mean over all that is there, or all one by one.

    Nothing there gives zero.
    """

    @abstractmethod
    def read(self, rows: Tensor) -> Said:
        """Return what is there, before the last layer, which is linear."""

    @abstractmethod
    def last(self, tokens: Tensor) -> Tensor:
        """Return (..., width): the last layer."""

    def each(self, rows: Tensor) -> Said:
        """Return what is there, one by one: tokens (B, L, width)."""
        tokens, present = self.read(rows)
        return Said(self.last(tokens), present)

    def forward(self, rows: Tensor) -> Tensor:
        tokens, present = self.read(rows)
        count = present.sum(1, keepdim=True).clamp(min=1)
        return self.last((tokens * present[..., None]).sum(1) / count)


class WordsEmbedding(SequenceReader):
    """A small text encoder: words and their places, one layer of attention over (B, L) word numbers."""

    CHANNELS, HEADS, LONGEST = 64, 4, 64

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, self.CHANNELS)
        self.places = nn.Parameter(0.02 * torch.randn(self.LONGEST, self.CHANNELS))
        self.norm = nn.LayerNorm(self.CHANNELS)
        self.qkv = nn.Linear(self.CHANNELS, 3 * self.CHANNELS)
        self.mix = nn.Linear(self.CHANNELS, self.CHANNELS)
        self.out = nn.Linear(self.CHANNELS, width, bias=False)

    def read(self, rows: Tensor) -> Said:
        present = rows > 0
        h = self.words(rows.long()) + self.places[: rows.shape[1]]
        b, length, c = h.shape
        q, k, v = self.qkv(self.norm(h)).reshape(b, length, 3, self.HEADS, -1).permute(2, 0, 3, 1, 4)
        # Padding is not looked at; where all is padding, the answer is thrown away.
        seen = present | ~present.any(1, keepdim=True)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
        return Said(F.silu(h + self.mix(mixed.transpose(1, 2).reshape(b, length, c))), present)

    def last(self, tokens: Tensor) -> Tensor:
        return self.out(tokens)


class VectorsEmbedding(SequenceReader):
    """The vectors of a text encoder that stays as it is, each of ``features``, at about unit variance."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.features = features
        self.out = nn.Linear(features, width, bias=False)

    def read(self, rows: Tensor) -> Said:
        tokens = rows.unflatten(1, (-1, self.features))
        return Said(F.layer_norm(tokens, (self.features,)), (tokens != 0).any(2))

    def last(self, tokens: Tensor) -> Tensor:
        return self.out(tokens)
