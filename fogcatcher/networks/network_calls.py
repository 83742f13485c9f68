"""How often a network was really asked: counted while it works, not worked out by a formula."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass
class Calls:
    """Pictures that went through a network, each as often as it did."""

    pictures: int = 0

    def each(self, count: int) -> float:
        """Return the calls for each of ``count`` pictures."""
        return self.pictures / count


@contextmanager
def counted(network: nn.Module) -> Iterator[Calls]:
    """Count what goes through ``network`` inside the ``with`` block.

    Pictures are counted, not batches: so the figure is the same however many are drawn at once, and
    guidance, which asks twice, counts twice.
    """
    calls = Calls()

    def count(module: nn.Module, given: tuple[Any, ...]) -> None:
        calls.pictures += len(given[0])

    hook = network.register_forward_pre_hook(count)
    try:
        yield calls
    finally:
        hook.remove()
