"""Which pictures of a set are the same, nearly the same, or have a mirror image: pictures in, numbers out.

Pictures are compared by their *looks*: premultiplied lightness in full, premultiplied colour by blocks of
2 x 2 pixels, and alpha. The eye, too, sees colour more coarsely than lightness, and JPEG keeps it so. In
looks black lies 1 from white, and 1 from nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.pictures.store import PictureTensor, has_alpha

Looks = Float[Tensor, "_ P H W"]
Points = Float[Tensor, "_ F"]
"""What whole pictures look like, coarsely: never further apart than their looks."""
Numbers = Int64[Tensor, " _"]
Lengths = Float[Tensor, " _"]

NEAR = 0.15
"""Near-duplicates differ by at most this part of their own contrast.

Judged by eye on 4,078 tiles of a game: up to 0.15 all pairs are one drawing, with other details or slightly
other colours; from 0.2 on many have quite other colours; from 0.25 on some are different drawings. Two
pictures with nothing in common come to about 1.4, the root of 2. Sprites of 16 x 16 come to 0.07 with four
pixels recoloured, to 0.11 saved as a JPEG of quality 90, and to 0.17 of quality 75.
"""
CELLS = 8
"""A picture is summed up by at most this many cells a side."""
DIRECTIONS = 32
"""The directions of greatest spread that the search for near-duplicates looks along first."""
CANDIDATES = 4
"""With so many others, the most alike by their cells, each picture is compared pixel by pixel."""
SHIFTS = ((0, 0), (0, 1), (1, 0))
"""Pixels (down, right). Left and up are these, seen from the other picture."""
BLOCK = 1024
CHUNK = 512
BASIS_FROM = 4096
"""So many pictures say in which directions the set spreads."""
MOST_COMPARED = 100_000
"""Of more pictures than this, so many are searched for near-duplicates: half a minute on one core."""
FAINTEST = 1e-6
"""Contrast of a picture of one colour, so that it differs infinitely from any other."""

MIRRORS: dict[str, Callable[[Pictures], Pictures]] = {
    "left-right": lambda pictures: pictures.flip(-1),
    "up-down": lambda pictures: pictures.flip(-2),
    "quarter turn": lambda pictures: pictures.rot90(1, (-2, -1)),
}
AS_NEAR = 1.1
"""A mirror image may be so many times as far from the set as the picture is. Any more, and one would see."""
ALIKE = 0.5
"""Further from all others than this part of its contrast, a picture has nothing like it in the set.

Without this, small sets of unlike pictures would hold any mirror image: all are about equally far away.
"""
SAFE = 0.5
"""From this mirror score on, flips may be used.

Where a coin decided which way each picture faces, its mirror image is the nearer one to the set as often as
not, so the score is at least a half. Measured from left to right on letters, game tiles, the built-in sprites
and Fashion-MNIST: 0.09, 0.21, 0.32, 0.39 as they are, and 0.58, 0.53, 0.71, 0.78 once flipped by a coin.
"""
SOME = 0.25
"""From this mirror score on, a good part of the pictures are symmetric, and the others are not."""


# --- what pictures look like --------------------------------------------------------------------


def looks(pictures: Pictures) -> Looks:
    """Return the looks of pictures, (N, 1 to 4, H, W) uint8, as (N, 2 or 5, H, W)."""
    x = _premultiplied(pictures)
    if x.shape[1] == 2:
        return x
    # Three equal parts and what is left without them are orthogonal: no distance changes but by blurring.
    mean = x[:, :3].mean(dim=1, keepdim=True)
    return torch.cat([mean * 3**0.5, _in_blocks(x[:, :3] - mean), x[:, 3:]], dim=1)


def _premultiplied(pictures: Pictures) -> Looks:
    """Return colour times alpha, divided by sqrt(3), and alpha: (N, 4, H, W); (N, 2, H, W) for grey."""
    x = pictures.float() / 255
    transparent = has_alpha(x.shape[1])
    alpha = x[:, -1:] if transparent else torch.ones_like(x[:, :1])
    colours = x[:, :-1] * alpha if transparent else x
    return torch.cat([colours / colours.shape[1] ** 0.5, alpha], dim=1)


def _in_blocks(x: Looks) -> Looks:
    """Return x, (N, P, H, W), with every 2 x 2 pixels replaced by their mean."""
    height, width = x.shape[-2:]
    x = functional.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
    means = functional.avg_pool2d(x, 2)
    return means.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)[..., :height, :width]


def _points(x: Looks) -> Points:
    """Sum premultiplied pictures, (N, P, H, W), up in cells of whole 2 x 2 blocks: (N, F).

    A sum over k pixels divided by sqrt(k) is the length along one unit vector, and the vectors of different
    cells are orthogonal: so points are never further apart than the looks.
    """
    height, width = x.shape[-2:]
    cell = 2 * -(-height // (2 * CELLS)), 2 * -(-width // (2 * CELLS))
    x = functional.pad(x, (0, -width % cell[1], 0, -height % cell[0]))
    return functional.avg_pool2d(x, cell).flatten(1) * (cell[0] * cell[1]) ** 0.5


def _contrast(x: Looks) -> Lengths:
    """Return how far each picture lies from one that has its mean everywhere, squared."""
    return (x - x.mean(dim=(2, 3), keepdim=True)).square().sum(dim=(1, 2, 3))


def spread(count: int, most: int) -> Numbers:
    """Return at most ``most`` of the numbers below ``count``, rising and evenly spread."""
    return torch.linspace(0, count - 1, min(count, most), dtype=torch.float64).round().long()


def _chunks(pictures: PictureTensor, numbers: Numbers) -> Iterator[tuple[int, Pictures]]:
    """Yield the pictures of these numbers in parts, each with the place of its first."""
    for start in range(0, len(numbers), CHUNK):
        yield start, pictures[numbers[start : start + CHUNK]]


# --- the same -----------------------------------------------------------------------------------


def exact_duplicates(pictures: PictureTensor) -> list[list[int]]:
    """Return the groups of two and more pictures, (N, C, H, W), with the same pixels; each group rises."""
    return [group for group in _groups(pictures) if len(group) > 1]


def _groups(pictures: PictureTensor) -> list[list[int]]:
    groups: dict[bytes, list[int]] = {}
    number = 0
    for start in range(0, len(pictures), CHUNK):
        for picture in pictures[start : start + CHUNK].contiguous().numpy():
            groups.setdefault(hashlib.blake2b(picture.data, digest_size=16).digest(), []).append(number)
            number += 1
    return list(groups.values())


def _distinct(pictures: PictureTensor) -> Numbers:
    """Return the number of the first of each group of pictures with the same pixels."""
    return torch.tensor([group[0] for group in _groups(pictures)], dtype=torch.int64)


# --- nearly the same ----------------------------------------------------------------------------


def near_duplicates(
    pictures: PictureTensor, threshold: float = NEAR, most: int = MOST_COMPARED
) -> list[tuple[int, int, float]]:
    """Return pairs (i, j, distance), i < j, of pictures, (N, C, H, W), that look nearly the same.

    Nearest first. Of pictures with the same pixels only the first takes part. The distance is
    sqrt(|x - y|^2 / mean(contrast of x, of y)) for looks x and y, the smallest over ``SHIFTS``. All pairs up
    to ``threshold`` are found, but for each picture only those among the ``CANDIDATES`` others that its cells
    are most alike to, so that sets of pictures all much alike take no longer. Of more than ``most`` pictures,
    so many are compared, evenly spread.
    """
    numbers = _distinct(pictures)
    numbers = numbers[spread(len(numbers), most)]
    if len(numbers) < 2:
        return []
    sketches = _sketches(pictures, numbers, threshold)
    found: dict[tuple[int, int], float] = {}
    for shift, moved in zip(SHIFTS, sketches, strict=True):
        rows, columns = (numbers[picked] for picked in _alike(moved, sketches[0]))
        distances = _distances(pictures, rows, columns, shift)
        for i, j, distance in zip(rows.tolist(), columns.tolist(), distances.tolist(), strict=True):
            if distance <= threshold:
                pair = min(i, j), max(i, j)
                found[pair] = min(distance, found.get(pair, threshold))
    return sorted(
        ((i, j, distance) for (i, j), distance in found.items()), key=lambda pair: (pair[2], pair[:2])
    )


@dataclass(frozen=True)
class _Sketch:
    """What the search knows of each picture before it looks at pixels."""

    points: Float[Tensor, "_ D"]
    margins: Lengths
    """|p|^2 - threshold^2 contrast / 2. Pictures with points p, q can be near only where
    |p - q|^2 <= threshold^2 (contrast + contrast) / 2, which is p q >= (margin + margin) / 2."""
    reach: float
    """Points that can be near lie no further apart than this, also along one direction."""


def _sketches(pictures: PictureTensor, numbers: Numbers, threshold: float) -> list[_Sketch]:
    """Return one sketch of all the pictures per shift."""
    mean, directions = _basis(pictures, numbers)
    # Written in place: many small results between large passing ones would hold all that memory.
    points = torch.empty(len(SHIFTS), len(numbers), directions.shape[1])
    contrasts = torch.empty(len(numbers))
    for start, chunk in _chunks(pictures, numbers):
        stop = start + len(chunk)
        # At least the contrast of the looks, whose colours are blurred.
        contrasts[start:stop] = _contrast(_premultiplied(chunk))
        for part, shift in zip(points, SHIFTS, strict=True):
            part[start:stop] = (_points(_premultiplied(_shifted(chunk, shift))) - mean) @ directions
    room = threshold**2 * contrasts
    reach = room.max().item() ** 0.5
    return [_Sketch(p, p.square().sum(dim=1) - room / 2, reach) for p in points]


def _basis(pictures: PictureTensor, numbers: Numbers) -> tuple[Float[Tensor, "1 F"], Float[Tensor, "F D"]]:
    """Return the mean of all points, and the orthonormal directions in which they spread most."""
    some = numbers[spread(len(numbers), BASIS_FROM)]
    points = torch.cat([_points(_premultiplied(chunk)) for _, chunk in _chunks(pictures, some)]).double()
    mean = points.mean(dim=0, keepdim=True)
    _, directions = torch.linalg.eigh((points - mean).T @ (points - mean))  # the least spread first
    return mean.float(), directions.flip(1)[:, :DIRECTIONS].float()


def _shifted(pictures: Pictures, shift: tuple[int, int]) -> Pictures:
    """Return pictures moved by so many pixels (down, right), 0 or 1.

    What becomes free is transparent where pictures have alpha; else it keeps the old border.
    """
    down, right = shift
    height, width = pictures.shape[-2:]
    moved = torch.zeros_like(pictures) if has_alpha(pictures.shape[1]) else pictures.clone()
    moved[..., down:, right:] = pictures[..., : height - down, : width - right]
    return moved


def _alike(moved: _Sketch, still: _Sketch) -> tuple[Numbers, Numbers]:
    """Return pairs (row of ``moved``, another row of ``still``) that can be near.

    Both are sorted along the first direction, so only blocks about as far along it need be compared.
    """
    order = still.points[:, 0].argsort()
    ones = torch.ones(len(order), 1)
    # One matrix product gives p q - (margin + margin) / 2.
    right = torch.cat([still.points, ones, -still.margins[:, None] / 2], dim=1)[order]
    along = right[:, 0].contiguous()
    first, second = [], []
    for rows in moved.points[:, 0].argsort().split(BLOCK):
        left = torch.cat([moved.points[rows], -moved.margins[rows, None] / 2, ones[rows]], dim=1)
        start = int(torch.searchsorted(along, left[0, 0] - still.reach))
        stop = int(torch.searchsorted(along, left[-1, 0] + still.reach, right=True))
        row, column = _best(left, right[start:stop])
        first.append(rows[row])
        second.append(order[column + start])
    i, j = torch.cat(first), torch.cat(second)
    return i[i != j], j[i != j]


def _best(left: Points, right: Points) -> tuple[Numbers, Numbers]:
    """Return the (row, column) of the greatest positive products in each row."""
    count = CANDIDATES + 1  # one more, for the picture itself
    best, which = torch.zeros(len(left), count), torch.zeros(len(left), count, dtype=torch.int64)
    for start in range(0, len(right), BLOCK):
        products = left @ right[start : start + BLOCK].T
        rows = (products.amax(dim=1) > best[:, -1]).nonzero()[:, 0]
        if not len(rows):
            continue
        columns = torch.arange(start, start + products.shape[1]).expand(len(rows), -1)
        best[rows], picked = torch.cat([best[rows], products[rows]], dim=1).topk(count)
        which[rows] = torch.cat([which[rows], columns], dim=1).gather(1, picked)
    rows, places = (best > 0).nonzero(as_tuple=True)
    return rows, which[rows, places]


def _distances(pictures: PictureTensor, first: Numbers, second: Numbers, shift: tuple[int, int]) -> Lengths:
    """Return how far the shifted first pictures are from the second ones."""
    distances = torch.empty(len(first))
    for start in range(0, len(first), CHUNK):
        part = slice(start, start + CHUNK)
        x, y = looks(_shifted(pictures[first[part]], shift)), looks(pictures[second[part]])
        contrast = (_contrast(x) + _contrast(y)) / 2
        distances[part] = ((x - y).square().sum(dim=(1, 2, 3)) / contrast.clamp_min(FAINTEST)).sqrt()
    return distances


# --- mirror images ------------------------------------------------------------------------------


def mirror_scores(pictures: PictureTensor, sample: int = 1000) -> dict[str, float]:
    """Return how far the set, (N, C, H, W), holds its own mirror images: name in ``MIRRORS`` -> 0 to 1.

    The score is the share of pictures whose mirror image is as near to a picture of the set (itself
    included) as the picture is to its nearest other one: up to ``AS_NEAR`` times as far, and no further than
    ``ALIKE``. So symmetric pictures count, and pictures that the set holds both ways. ``sample`` pictures,
    spread evenly, are compared with all. Only square pictures have quarter turns; one picture says nothing.
    """
    numbers = _distinct(pictures)
    if len(numbers) < 2:
        return {}
    rows = numbers[spread(len(numbers), sample)]
    chosen = pictures[rows]
    square = chosen.shape[-2] == chosen.shape[-1]
    names = [name for name in MIRRORS if square or name != "quarter turn"]
    x = _premultiplied(chosen)
    own, contrast = _points(x), _points(x - x.mean(dim=(2, 3), keepdim=True)).norm(dim=1)
    turned = torch.cat([_points(_premultiplied(MIRRORS[name](chosen))) for name in names])
    other = _nearest(own, pictures, numbers, without=rows)
    image = _nearest(turned, pictures, numbers).reshape(len(names), -1)
    # The distance to itself once more, without the rounding of the fast way: 0 for a symmetric picture.
    image = torch.minimum(image, (turned.reshape(len(names), *own.shape) - own).norm(dim=-1))
    shares = (image <= torch.minimum(AS_NEAR * other, ALIKE * contrast)).double().mean(dim=1)
    return dict(zip(names, shares.tolist(), strict=True))


def _nearest(
    points: Points, pictures: PictureTensor, numbers: Numbers, without: Numbers | None = None
) -> Lengths:
    """Return the distance of each point to the nearest picture, not counting the one named ``without``."""
    nearest = torch.full((len(points),), torch.inf)
    for start, chunk in _chunks(pictures, numbers):
        others = _points(_premultiplied(chunk))
        squares = others.square().sum(dim=1) - 2 * points @ others.T
        if without is not None:
            squares[without[:, None] == numbers[start : start + CHUNK]] = torch.inf
        nearest = torch.minimum(nearest, squares.amin(dim=1))
    return (nearest + points.square().sum(dim=1)).clamp_min(0).sqrt()
