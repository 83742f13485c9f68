"""Are generated pictures copies of training pictures?

Real pictures that nobody trained on say how near to a training picture one comes by chance. A sample counts
as copied when it is

- nearer to a training picture than all but 1 % of the held-out pictures are: of real pictures nobody trained
  on, at most 1 % would count (the rank of one among n others of its kind is uniform); or
- next to equal: within 2 % of the held-out pictures' median distance. This also works with few of them.
  Where the data repeat themselves it holds for held-out pictures too, so what counts in the end is whether
  more of the samples than of the held-out pictures are copies.

Training pictures count also when flipped or moved by one pixel, and equal ones count as one. Carlini et al.
2023, "Extracting Training Data from Diffusion Models", section 4, and for the comparison with held-out
pictures Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.judging.metrics.membership import Membership, membership
from fogcatcher.judging.metrics.nearest import (
    Look,
    Nearest,
    Variants,
    nearest,
    nearest_of_variants,
    variants,
)

__all__ = ["Membership", "Memorisation", "Repeated", "measure", "membership", "nearest", "variants"]

ALLOWED = 0.01
"""The share of held-out pictures that may count as copies."""
NEXT_TO_EQUAL = 0.02
"""Of the median distance of held-out pictures."""
NEIGHBOURS, ALPHA = 50, 0.5
"""Carlini et al.'s n and alpha."""
SURE = 0.001
"""Chances below this are not taken for chance."""
FACTOR = 5.0
"""A training picture comes up too often from so many times the chance on."""

Distances = Float64[Tensor, " _"]


@dataclass(frozen=True)
class Repeated:
    """A training picture of which far too many samples are copies."""

    number: int
    """Its place in the training set; the first where equal ones follow."""
    copies: int
    """How often it stands in the training set."""
    found: int
    """How many samples are copies of it."""
    factor: float
    """``found`` over what is expected if every different training picture were copied equally often."""
    p: float
    """The chance that any picture is found so often: Poisson, times the number of different pictures."""


@dataclass(frozen=True)
class Memorisation:
    """What the distances of M samples to the training set say, all shares in [0, 1]."""

    copied: float
    """The share of the samples that are copies."""
    expected: float
    """The share of held-out pictures that count as copies by the same rule."""
    p: float
    """The chance of so many copies, or more, if samples were like held-out pictures."""
    nearer: float
    """The share nearer to training pictures than to as many held-out ones; 1/2 if nothing is copied."""
    relative: float
    """The share by the same rule, of distances over the mean distance of the 50 nearest (Carlini et al.)."""
    is_copy: Bool[Tensor, " M"]
    nearest: Int64[Tensor, " M"]
    """The number of the nearest training picture."""
    distances: Float64[Tensor, " M"]
    repeated: list[Repeated]
    kind: str = "pictures"
    """What was compared, in words."""

    @property
    def verdict(self) -> str:
        share, among = (
            f"{100 * self.copied:.1f} %",
            f"of real {self.kind} nobody trained on {100 * self.expected:.1f} %",
        )
        if self.p >= SURE:
            near = f"{share} of the samples are that near to training {self.kind}"
            return f"no sign of copying: {near}, {among}"
        often = f"; {len(self.repeated)} training {self.kind} come up far too often" if self.repeated else ""
        return f"copies: {share} of the samples are training {self.kind}, {among}{often}"


def measure(
    samples: Tensor,
    training: Tensor,
    held_out: Tensor,
    look: Look,
    generator: torch.Generator,
    alike: Variants = variants,
) -> Memorisation:
    """Compare ``samples`` with ``training`` pictures, as ``held_out`` pictures of the same source compare.

    All are rows, (N, C, ...), of one shape; ``look`` is an extractor, best ``features.Pixels`` for pictures.
    ``alike`` gives what counts as the same row, by default flipped and moved pictures. ``generator`` chooses
    the training pictures that stand against the held-out ones. Fewer than 99 held-out pictures are too few
    for a share of 1 %: then only what is next to equal counts. Raises UserError for empty sets.
    """
    for pictures, name in ((samples, "samples"), (training, "training"), (held_out, "held-out")):
        if not len(pictures):
            raise UserError(f"there are no {name} pictures: copies cannot be told without them.")
    different, first, copies = _different(training)
    k = min(NEIGHBOURS, len(different))
    rows, real = look(samples), look(held_out)
    # In one search, for looking at all variants is most of the work.
    both = _search(torch.cat([rows, real]), different, look, alike, k)
    ours, theirs = (
        Nearest(*parts) for parts in zip(*(f.split([len(rows), len(real)]) for f in both), strict=True)
    )
    d, d_real = ours.distances[:, 0], theirs.distances[:, 0]
    rule = _rule(d_real)
    is_copy, counted = rule(d), rule(d_real)
    equal = min(len(training), len(held_out))
    some = training[torch.randperm(len(training), generator=generator)[:equal]]
    others = held_out[torch.randperm(len(held_out), generator=generator)[:equal]]
    return Memorisation(
        copied=_share(is_copy),
        expected=_share(counted),
        p=_chance(int(is_copy.sum()), len(d), int(counted.sum()), len(d_real)),
        nearer=_nearer(_search(rows, some, look, alike), _search(rows, others, look, alike)),
        relative=_share(_rule(_relative(theirs))(_relative(ours))),
        is_copy=is_copy,
        nearest=first[ours.numbers[:, 0]],
        distances=d,
        repeated=_repeated(ours.numbers[is_copy, 0], first, copies),
    )


def _different(training: Tensor) -> tuple[Tensor, Int64[Tensor, " _"], Int64[Tensor, " _"]]:
    """Return the different pictures, the number of the first of each, and how often it is there."""
    _, group, copies = training.flatten(1).unique(dim=0, return_inverse=True, return_counts=True)
    numbers = torch.arange(len(training))
    first = torch.full((len(copies),), len(training)).scatter_reduce(0, group, numbers, "amin")
    return training[first], first, copies


def _search(
    rows: Float64[Tensor, "_ _"], training: Tensor, look: Look, alike: Variants, k: int = 1
) -> Nearest:
    return nearest_of_variants(rows, (look(variant) for variant in alike(training)), k)


def _low(held_out: Distances) -> float:
    """Return the value below which another one of the same kind falls with a chance of at most ALLOWED.

    Below the j-th smallest of n it falls with the chance j / (n + 1), whatever the distribution.
    """
    j = int(ALLOWED * (len(held_out) + 1))
    return held_out.kthvalue(j).values.item() if j else 0.0


def _rule(held_out: Distances) -> Callable[[Distances], Bool[Tensor, " _"]]:
    low, equal = _low(held_out), NEXT_TO_EQUAL * held_out.median().item()
    return lambda d: (d < low) | (d <= equal)


def _relative(found: Nearest) -> Distances:
    """Return d_1 / (alpha mean_j d_j), j = 1 ... 50, (N,). Carlini et al. 2023, section 4.2."""
    mean = found.distances.mean(1).clamp_min(torch.finfo(torch.float64).tiny)
    return found.distances[:, 0] / (ALPHA * mean)


def _nearer(training: Nearest, held_out: Nearest) -> float:
    a, b = training.distances[:, 0], held_out.distances[:, 0]
    return _share(a < b) + _share(a == b) / 2


def _chance(x: int, samples: int, h: int, held_out: int) -> float:
    """Return Fisher's exact chance that of x + h copies at most h are among the held-out pictures."""
    ways = sum(math.comb(held_out, i) * math.comb(samples, x + h - i) for i in range(h + 1))
    return ways / math.comb(held_out + samples, x + h)


def _repeated(copied: Int64[Tensor, " _"], first: Tensor, copies: Tensor) -> list[Repeated]:
    """Name the training pictures that are found far too often, the most frequent first.

    mu = copied samples / different pictures;  P(X >= x) of a Poisson X is the regularised gamma P(x, mu)
    """
    found = torch.bincount(copied, minlength=len(first))
    mu = max(len(copied) / len(first), 1e-12)
    p = torch.special.gammainc(found.double().clamp_min(1e-9), torch.full((len(first),), mu).double())
    p = (p * len(first)).clamp_max(1)
    named = ((found / mu >= FACTOR) & (p < SURE)).nonzero().flatten().tolist()
    named.sort(key=lambda i: -int(found[i]))
    return [
        Repeated(int(first[i]), int(copies[i]), int(found[i]), int(found[i]) / mu, p[i].item()) for i in named
    ]


def _share(which: Bool[Tensor, " _"]) -> float:
    return which.double().mean().item()
