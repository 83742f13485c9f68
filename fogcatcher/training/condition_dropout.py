"""Silenced conditions while a network learns, so that guidance has something to compare with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fogcatcher.diffusion.tensors import Condition

MISSING = 5.5
"""So many tags, on average, are said to be missing from a picture, where there are many."""


@dataclass(frozen=True)
class ConditionDropout:
    """Which attributes of which samples are silenced in training.

    All at once for a ``share`` of the samples, which teaches the unconditional denoiser that guidance needs
    (Ho & Salimans 2022, algorithm 1); each on its own for its ``own`` share, so that a model can be asked
    for one attribute without another; and, of those named in ``singly``, every number of the row with a
    chance of its own, so that it can be asked for some tags without saying anything about the rest. A wish
    mostly names what a picture is to have; so in most samples what it has not is left unsaid, the more of
    them the more tags there are, or the few that it has would be drowned.

    The own shares all fall into one half of the samples. So attributes are often left unsaid together, and
    the other half says everything: with independent coins, few samples would do either.
    """

    share: float
    own: Mapping[str, float] = field(default_factory=dict)
    """Attribute -> 0 to 0.5."""
    singly: Collection[str] = ()

    def __call__(self, cond: Condition, generator: torch.Generator) -> Condition:
        def coins(rows: Tensor, width: int = 1) -> Tensor:
            return torch.rand(len(rows), width, generator=generator, device=generator.device)

        if not cond:
            return cond
        first = next(iter(cond.values()))
        says_anything, says_everything = coins(first) >= self.share, coins(first) >= 0.5
        kept = {}
        for name, rows in cond.items():
            keep = says_anything & (says_everything | (coins(rows) >= 2 * self.own.get(name, 0.0)))
            if name in self.singly:
                # A chance of its own for every sample, so that few and many tags are left unsaid.
                one_by_one = coins(rows, rows.shape[1]) >= coins(rows)
                says_what_not = coins(rows) >= max(0.5, 1 - MISSING / rows.shape[1])
                keep = keep & (says_everything | one_by_one) & ((rows > 0) | says_what_not)
            kept[name] = rows * keep.to(rows)
        return kept
