"""Which training pictures lie nearest, also when they were flipped or moved by one pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from fogcatcher.data.pictures.store import has_alpha

Rows = Float64[Tensor, "_ D"]
Pictures = UInt8[Tensor, "_ C H W"]
Look = Callable[[Tensor], Rows]
"""From pictures to rows: any extractor of ``features``."""
Variants = Callable[[Tensor], Iterable[Tensor]]
"""From rows of data to all sets of them that count as the same."""

TILE = 2**22
"""Distances held at a time: 32 MB."""
STEPS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


class Nearest(NamedTuple):
    """The k nearest references of each query, the nearest first."""

    distances: Float64[Tensor, "M k"]
    numbers: Int64[Tensor, "M k"]


def nearest(queries: Rows, references: Rows, k: int = 1) -> Nearest:
    """Return the ``k`` nearest of (N, D) ``references`` to each of (M, D) ``queries``, Euclidean.

    Equal rows have the distance 0 to the bit. Memory does not grow with N or M together. Raises ValueError
    unless 1 <= k <= N.
    """
    if not 1 <= k <= len(references):
        raise ValueError(f"there are {len(references)} references, so not {k} nearest ones")
    centre = references.mean(0)
    centred = references - centre
    lengths = centred.square().sum(1)
    found: list[Nearest] = []
    for part in queries.split(max(1, TILE // len(references))):
        # |q - r|^2 up to |q|^2, which is the same for all references
        order = torch.addmm(lengths, part - centre, centred.T, alpha=-2)
        numbers = order.topk(k, largest=False).indices
        # The product rounds; the few chosen are measured again by what they differ in.
        exact = torch.stack([(part - references[column]).norm(dim=1) for column in numbers.T], 1)
        distances, place = exact.sort(stable=True)
        found.append(Nearest(distances, numbers.gather(1, place)))
    return Nearest(torch.cat([f.distances for f in found]), torch.cat([f.numbers for f in found]))


def nearest_of_variants(queries: Rows, variants: Iterable[Rows], k: int = 1) -> Nearest:
    """Return the ``k`` nearest references, each as near as the nearest of its variants.

    Every element of ``variants`` holds one variant of all references, (N, D) in the same order. A reference
    among the k nearest over all has fewer than k before it in its best variant, so k of each are enough.
    """
    best: Nearest | None = None
    for rows in variants:
        one = nearest(queries, rows, k)
        best = one if best is None else _merged(best, one, k)
    if best is None:
        raise ValueError("there is no variant to compare with")
    return best


def _merged(a: Nearest, b: Nearest, k: int) -> Nearest:
    """Return the k nearest of both, each reference once."""
    parts: list[Nearest] = []
    step = max(1, TILE // (4 * k * k))
    for i in range(0, len(a.distances), step):
        near = torch.cat([a.distances[i : i + step], b.distances[i : i + step]], 1)
        distances, place = near.sort(stable=True)
        numbers = torch.cat([a.numbers[i : i + step], b.numbers[i : i + step]], 1).gather(1, place)
        again = (numbers[:, :, None] == numbers[:, None, :]).tril(-1).any(2)
        distances, place = distances.masked_fill(again, torch.inf).topk(k, largest=False)
        parts.append(Nearest(distances, numbers.gather(1, place)))
    return Nearest(torch.cat([p.distances for p in parts]), torch.cat([p.numbers for p in parts]))


def variants(pictures: Pictures) -> Iterator[Pictures]:
    """Yield (N, C, H, W) pictures as they are, moved by a pixel in eight directions, and all that mirrored.

    What becomes free is transparent where there is alpha; else the border is repeated into it.
    """
    for flipped in (pictures, pictures.flip(-1)):
        for down, right in STEPS:
            yield _moved(flipped, down, right)


def _moved(pictures: Pictures, down: int, right: int) -> Pictures:
    height, width = pictures.shape[2:]
    rows, columns = torch.arange(height) - down, torch.arange(width) - right
    moved = pictures[:, :, rows.clamp(0, height - 1)][..., columns.clamp(0, width - 1)]
    if has_alpha(pictures.shape[1]):
        moved[:, :, (rows < 0) | (rows >= height)] = 0
        moved[..., (columns < 0) | (columns >= width)] = 0
    return moved
