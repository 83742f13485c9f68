"""What went wrong in a run so far, and how it trains differently since; part of the state that is saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from fogcatcher.base.typed_json import Range

Count = Annotated[int, Range(0, 10**15)]
IN_A_ROW = 5
"""Steps without a finite loss and gradient after which a run goes back to its newest checkpoint."""
ROLLBACKS = 3
"""So often; then it stops."""
NAMED = 4
"""So many files of a batch are named on the screen; incidents.jsonl has all."""


class Diverged(RuntimeError):
    """Loss, gradient or weights are no longer numbers. The message is one sentence that says since when."""


@dataclass(frozen=True)
class Setbacks:
    """All zeros in a run without any; then nothing is different."""

    skipped: Count = 0
    """Steps whose loss or gradient was not finite: they changed nothing but this count."""
    in_a_row: Count = 0
    """How many of them are the latest steps."""
    rollbacks: Annotated[int, Range(0, 1000)] = 0
    """How often the run went back to a checkpoint."""
    micro_batch: Annotated[int, Range(1, 10**9)] | None = None
    """Pictures that memory holds at once, where a batch was too large for it."""

    @property
    def rate(self) -> float:
        """The factor of the learning rate: half of it after every return."""
        return 0.5**self.rollbacks


@dataclass(frozen=True)
class Incident:
    """Something that went wrong, and what was done about it, for people."""

    step: int
    said: str
    files: tuple[str, ...] = ()
    """The pictures of the batch, where it may be their fault."""

    @property
    def in_words(self) -> str:
        named = ", ".join(self.files[:NAMED]) + (" ..." if len(self.files) > NAMED else "")
        return f"{self.said} (of {named})" if named else self.said


def first_not_finite(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    """Return the name of the first tensor that holds an infinity or no number; None when all are finite."""
    return next((name for name, value in tensors if not bool(value.isfinite().all())), None)
