"""How much memory this process has needed, and work in as many parts as memory asks for."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from fogcatcher.base.errors import UserError

T = TypeVar("T")
SIGNS = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch says on a GPU, and on the CPU of Linux and of Windows."""


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far, in MB; nan where nobody counts it."""
    try:
        import resource  # not on Windows
    except ImportError:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def free_bytes() -> float:
    """Return how much memory programs may still take; infinite where nobody counts it."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # on Linux
            facts = dict(line.split(":", 1) for line in file)
        return 1024.0 * int(facts["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError, IndexError):
        return float("inf")


def check_room(parameters: int, copies: int) -> None:
    """Raises UserError where memory does not hold so many ``copies`` of the parameters of a network."""
    needed, free = 4.0 * parameters * copies, free_bytes()
    if needed > free:
        raise UserError(
            f"a network of {parameters / 1e6:,.0f} M parameters takes {needed / 1e9:,.1f} GB of memory, and "
            f"{free / 1e9:,.1f} GB are free: take a smaller one."
        )


def in_parts(count: int, at_once: int, act: Callable[[slice], T]) -> Iterator[T]:
    """Yield what ``act`` returns for one part of ``count`` things after another, ``at_once`` in each.

    Where memory is too small, a part is tried again with half as many. Raises what ``act`` raises when memory
    does not hold even one.
    """
    first, size = 0, min(at_once, count)
    while first < count:
        found = _unless_too_many(act, slice(first, first + size), size > 1)
        if found:
            yield found[0]
            first += size
        else:
            free_memory()
            size //= 2


def _unless_too_many(act: Callable[[slice], T], part: slice, can_be_fewer: bool) -> list[T]:
    """The answer, or none; what an attempt held is free once this returns."""
    try:
        return [act(part)]
    except (RuntimeError, MemoryError) as error:
        if not can_be_fewer or not is_out_of_memory(error):
            raise
    return []


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory, of the machine or of its GPU, was the reason."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


def free_memory() -> None:
    """Give back what an attempt that failed still holds."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
