"""The noise of a seed as torch's CPU generator draws it, so that a seed is the same picture without torch.

The bits are those of the Mersenne Twister (Matsumoto & Nishimura 1998, ``init_genrand``). The normals are
Box & Muller's (1958): for u_1 in (0, 1] and u_2 in [0, 1),

    sqrt(-2 ln u_1) cos(2 pi u_2)   and   sqrt(-2 ln u_1) sin(2 pi u_2)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK = 16
"""torch turns so many uniform numbers at a time into normals: eight u_1, then their eight u_2."""


def randn(seed: int, shape: Sequence[int]) -> NDArray[np.float32]:
    """Return ``torch.randn(shape, generator=torch.Generator().manual_seed(seed))`` within 1e-6."""
    bits, size = np.random.RandomState(seed % 2**32), math.prod(shape)
    if size < BLOCK:
        return _few(bits, size).reshape(shape)
    values = _uniform(bits, size)
    whole = size - size % BLOCK
    values[:whole] = _blocks(values[:whole])
    if whole < size:
        values[-BLOCK:] = _blocks(_uniform(bits, BLOCK))  # the last block is drawn anew, over its neighbour
    return values.reshape(shape)


def _words(bits: np.random.RandomState, count: int) -> NDArray[np.uint64]:
    return bits.randint(0, 2**32, count, dtype=np.uint32).astype(np.uint64)


def _uniform(bits: np.random.RandomState, count: int) -> NDArray[np.float32]:
    """Uniform numbers of 24 bits, in [0, 1)."""
    return (_words(bits, count) % 2**24).astype(np.float32) / np.float32(2**24)


def _blocks(uniform: NDArray[np.float32]) -> NDArray[np.float32]:
    u = uniform.reshape(-1, 2, BLOCK // 2)
    return _box_muller(1 - u[:, 0], u[:, 1]).reshape(-1)


def _few(bits: np.random.RandomState, size: int) -> NDArray[np.float32]:
    """Fewer than a block come one pair at a time, each from 53 bits in the order u_2, 1 - u_1."""
    high, low = np.moveaxis(_words(bits, 4 * -(-size // 2)).reshape(-1, 2, 2), 2, 0)
    u = ((high * 2**32 + low) % 2**53).astype(np.float64) / 2**53
    return _box_muller(1 - u[:, 1], u[:, 0]).reshape(-1)[:size].astype(np.float32)


def _box_muller(u1: NDArray[np.floating], u2: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the cosines and the sines side by side on axis 1, in the type of ``u1``, as torch counts."""
    radius, theta = np.sqrt(-2 * np.log(u1)), u1.dtype.type(2 * np.pi) * u2
    return np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=1)
