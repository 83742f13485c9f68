"""Seeded choices made of integer draws only, so every machine agrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """A small wrapper of one PCG64 stream."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def below(self, limit: int) -> int:
        """A whole number in 0..limit-1."""
        return int(self._generator.integers(0, 1 << 32)) % limit

    def between(self, low: int, high: int) -> int:
        """A whole number in low..high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in about ``percent`` of 100 calls."""
        return self.below(100) < percent

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely."""
        return choices[self.below(len(choices))]


def seed_of_place(seed: int, index: int) -> int:
    """Return a 63-bit seed for one place in a set of pictures, unlike its neighbours'."""
    word = np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0]
    return int(word) >> 1
