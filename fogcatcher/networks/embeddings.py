"""What a network is told besides the noisy sample: the noise level and the condition."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Condition, Times
from fogcatcher.networks.sequences import Said, SequenceReader, Vectors, Words, sequence_reader


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


Form = Vector | Words | Vectors
"""How an attribute comes. Words and vectors are sequences: a network may hear them one by one."""

START = 0.5
"""Standard deviation of what a condition adds before training, in each channel."""


class ConditionEmbedding(nn.Module):
    """The sum of one learned embedding per attribute: attribute -> (B, features) gives (B, width).

    A row of zeros, "not said", embeds to zero; fractions mix classes; attributes add up. Of a sequence it is
    the mean. With ``one_by_one`` sequences are also heard word by word: ``said`` gives them, after one
    learned vector that means no word, so that a place that no word concerns has something else to look at.
    """

    def __init__(self, width: int, attributes: Mapping[str, Form], one_by_one: bool = False) -> None:
        super().__init__()
        self.tables = nn.ModuleDict(
            {
                table_name(name): nn.Linear(form.features, width, bias=False)
                if isinstance(form, Vector)
                else sequence_reader(form, width)
                for name, form in attributes.items()
            }
        )
        sequences = [name for name, form in attributes.items() if not isinstance(form, Vector)]
        self.one_by_one = sequences if one_by_one else []
        self.counted = {name for name, form in attributes.items() if isinstance(form, Words)}
        if self.one_by_one:
            self.no_word = nn.Parameter(START * torch.randn(width))

        for name, form in attributes.items():
            table = self.tables[table_name(name)]
            if isinstance(form, Vector) and isinstance(table, nn.Linear):
                # As loud from the first step as the noise level; the usual start shrinks with the number of
                # classes, and a network that hardly hears a condition is slow to follow it.
                nn.init.normal_(table.weight, std=START / form.length)

    def forward(self, cond: Condition | None, like: Tensor) -> Tensor:
        """Raises KeyError for an attribute that the network was not built with."""
        embedding = torch.zeros_like(like)
        for name, rows in (cond or {}).items():
            embedding = embedding + self.tables[table_name(name)](self._told(name, rows, like))
        return embedding

    def _told(self, name: str, rows: Tensor, like: Tensor) -> Tensor:
        """Rows of the type of ``like``; not word numbers, which bfloat16 does not count beyond 256."""
        return rows.to(like.device) if name in self.counted else rows.to(like)

    def said(self, cond: Condition | None, like: Tensor) -> Said | None:
        """Return what is heard one by one, with tokens of the type of ``like``; None where nothing is.

        A sample without any word has nothing present, not even the vector that means none.
        """
        heard = []
        for name in self.one_by_one:
            reader = self.tables[table_name(name)]
            if cond and name in cond and isinstance(reader, SequenceReader):
                heard.append(reader.each(self._told(name, cond[name], like)))
        if not heard:
            return None
        first = self.no_word.to(like).expand(like.shape[0], 1, -1)
        present = torch.cat([part.present for part in heard], 1)
        return Said(
            torch.cat([first, *(part.tokens for part in heard)], 1),
            torch.cat([present.any(1, keepdim=True), present], 1),
        )


def table_name(name: str) -> str:
    """A name for torch's module tree, which parts names by dots."""
    return f"of_{name.replace('.', '%2E')}"
