"""Is a picture pixel art, and is its art enlarged? Measured thresholds, with the reasons beside them.

Pictures are (H, W, 4) uint8 RGBA with zeroed colour under alpha 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST_FACTOR = 64  # 16 x 16 art shared as 1024 x 1024

SLIGHT = 12  # levels; neighbours this close, yet not equal, are shading or the noise of a photograph
SLIGHT_PER_FAR = 0.4  # soft shadings and gradients have more slight steps than that
SLIGHT_PER_EQUAL = 3  # sharp photographs have more: noise leaves hardly any two neighbours equal

FEWEST_LINES = 3  # on either axis: one straight edge, or one rectangle, is no lattice
ENOUGH_BITS = 10  # chance puts as many lines on one lattice 1 time in 1000

SMALLEST_WORN = 4  # smaller blocks have no middle that JPEG leaves alone
HARD_STEP = 24  # levels; the noise of JPEG at quality 90 seldom makes such a step
ON_LATTICE = 0.85  # share of the hard steps; art enlarged 4x and more has 0.95 at quality 90
ON_EVERY_OTHER = 0.75  # share of the hard steps; art has 0.64 at most, and more are JPEG's own 8 x 8 blocks
DENSE = 0.1  # share of the lattice that shows hard steps; sprites have 0.2 or more, photographs few
FLAT, FLAT_SHARE = 32, 0.8  # levels within the middle of a block; share of the blocks that have no more

Lattice = tuple[int, tuple[int, int]]
"""Blocks of k x k, and at which row and column the first whole one begins."""


@dataclass(frozen=True)
class Art:
    """What a picture is made of."""

    is_pixel_art: bool
    enlarged: int
    """1 = at its own grid; k = every pixel of the art is a k x k block, 2 to LARGEST_FACTOR."""
    phase: tuple[int, int]
    """Rows and columns to cut off before the first whole block: (0, 0) unless the border was cropped."""


def examine(rgba: NDArray[np.uint8]) -> Art:
    """Say what (H, W, 4) ``rgba`` is made of.

    Pixel art has neighbours that are equal or far apart; pairs within the commonest colour say nothing.
    A picture of one colour counts as pixel art.

    Enlarged by k means: all changes of colour lie on one lattice of every k-th row and column, and k is
    the largest such number. The evidence asked for: 3 lines of change on either axis, and so many on both
    together that chance would put them all on one lattice 1 time in 2^10: (lines - 2) log2(k) >= 10.
    Where JPEG or blur wore the blocks (k >= 4): at least 5 blocks on either axis, 85 % of the hard
    steps on the lattice, and blocks with flat middles; such art is pixel art whatever its noise.
    """
    enlarged, phase, worn = _lattice(rgba)
    return Art(worn or _is_hard(restore(rgba, Art(True, enlarged, phase))), enlarged, phase)


def restore(rgba: NDArray[np.uint8], art: Art) -> NDArray[np.uint8]:
    """Return enlarged art at its own grid, one pixel a block; art at its own grid comes back as it is.

    A pixel is the median of the middle of its block, so worn edges do not matter. Blocks that the
    border cuts are left out.
    """
    if art.enlarged == 1:
        return rgba
    middles = _middles(rgba, art.enlarged, art.phase)
    restored = middles[:, 0, :, 0].copy()
    if (middles != restored[:, None, :, None]).any():
        restored = np.rint(np.median(middles, axis=(1, 3))).astype(np.uint8)
        restored[restored[..., 3] == 0] = 0
    return restored


def _is_hard(rgba: NDArray[np.uint8]) -> bool:
    """Whether neighbours are equal or far apart, seldom only slightly different."""
    colours = as_words(rgba)
    # The commonest of at most 8191 pixels, for sorting a large picture would take longest.
    values, counts = np.unique(colours.ravel()[:: max(1, colours.size // 4096)], return_counts=True)
    common = colours == values[counts.argmax()]
    equal = slight = far = 0
    rows, columns = _steps(rgba)
    for step, both in ((rows, common[1:] & common[:-1]), (columns, common[:, 1:] & common[:, :-1])):
        same, near = int(np.count_nonzero(step == 0)), int(np.count_nonzero(step <= SLIGHT))
        equal += same - int(np.count_nonzero(both))
        slight += near - same
        far += step.size - near
    return slight <= SLIGHT_PER_FAR * far and slight <= SLIGHT_PER_EQUAL * equal


def as_words(rgba: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """One number a pixel, (H, W): equal only where all four channels are."""
    return np.ascontiguousarray(rgba).view(np.uint32)[..., 0]


def _steps(rgba: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the largest difference of a channel between rows, (H - 1, W), and columns, (H, W - 1)."""
    planes = np.ascontiguousarray(rgba.transpose(2, 0, 1))
    pairs = ((planes[:, 1:], planes[:, :-1]), (planes[..., 1:], planes[..., :-1]))
    rows, columns = ((np.maximum(a, b) - np.minimum(a, b)).max(0) for a, b in pairs)
    return rows, columns


def _middles(rgba: NDArray[np.uint8], k: int, phase: tuple[int, int]) -> NDArray[np.uint8]:
    """The inner pixels of every whole k x k block, (rows, m, columns, m, 4): a third off either side."""
    (top, left), rim = phase, k // 3
    rows, columns = (rgba.shape[0] - top) // k, (rgba.shape[1] - left) // k
    blocks = rgba[top : top + rows * k, left : left + columns * k].reshape(rows, k, columns, k, 4)
    return blocks[:, rim : k - rim, :, rim : k - rim]


def _lattice(rgba: NDArray[np.uint8]) -> tuple[int, tuple[int, int], bool]:
    """Return the lattice of enlarged art (k = 1: none), and whether its blocks are worn."""
    exact = _exact_lattice(rgba)
    worn = _worn_lattice(rgba) if exact is None else None
    k, phase = exact or worn or (1, (0, 0))
    return k, phase, worn is not None


def _exact_lattice(rgba: NDArray[np.uint8]) -> Lattice | None:
    """Its k divides all distances between changes of colour."""
    colours = as_words(rgba)
    rows = 1 + np.flatnonzero((colours[1:] != colours[:-1]).any(1))
    columns = 1 + np.flatnonzero((colours[:, 1:] != colours[:, :-1]).any(0))
    common = int(np.gcd.reduce(np.concatenate([np.diff(rows), np.diff(columns)])))
    k = max((k for k in range(2, min(common, LARGEST_FACTOR) + 1) if common % k == 0), default=1)
    return (k, (int(rows[0]) % k, int(columns[0]) % k)) if _enough(len(rows), len(columns), k) else None


def _enough(rows: int, columns: int, k: int) -> bool:
    """Whether so many lines on one lattice of k are no accident."""
    return min(rows, columns) >= FEWEST_LINES and (rows + columns - 2) * math.log2(k) >= ENOUGH_BITS


def _worn_lattice(rgba: NDArray[np.uint8]) -> Lattice | None:
    """The largest lattice that explains nearly all hard steps, if the middles of its blocks are flat."""
    rows, columns = _steps(rgba)
    hard = _hard_steps(rows.T), _hard_steps(columns)
    total = sum(int(n.sum()) for n in hard)
    for k in range(min(LARGEST_FACTOR, min(rgba.shape[:2]) // 5), SMALLEST_WORN - 1, -1):
        if total * k < DENSE * rgba.shape[0] * rgba.shape[1]:
            return None  # and on smaller lattices they would be sparser still
        top, left = (int(np.bincount(np.arange(len(n)) % k, n.astype(float)).argmax()) for n in hard)
        lines = hard[0][top::k], hard[1][left::k]
        if sum(int(n.sum()) for n in lines) >= ON_LATTICE * total:
            # A smaller k may explain the steps as well, but only because it divides this one.
            every_other = sum(max(int(n[::2].sum()), int(n[1::2].sum())) for n in lines)
            rows_seen, columns_seen = (int(np.count_nonzero(n)) for n in lines)
            plausible = every_other <= ON_EVERY_OTHER * total and _enough(rows_seen, columns_seen, k)
            return (k, (top, left)) if plausible and _are_flat(_middles(rgba, k, (top, left))) else None
    return None


def _are_flat(middles: NDArray[np.uint8]) -> bool:
    return bool(((middles.max((1, 3)) - middles.min((1, 3))).max(-1) <= FLAT).mean() >= FLAT_SHARE)


def _hard_steps(step: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count along axis 0 the steps that stand alone on axis 1: large, and 1.5 times either neighbour.

    Entry i is the line before pixel i. The edges of photographs take two pixels or more.
    """
    beside = np.zeros_like(step)
    beside[:, 1:] = step[:, :-1]
    np.maximum(beside[:, :-1], step[:, 1:], out=beside[:, :-1])
    alone = (step > HARD_STEP) & (step - step // 3 > beside)
    return np.concatenate([[0], np.count_nonzero(alone, axis=0)])
