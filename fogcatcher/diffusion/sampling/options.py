"""Numbers of a step that a person may set: each is declared where the step has it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

KEY = "option"


@dataclass(frozen=True)
class Option:
    """One such number, from ``low`` to ``high``."""

    name: str
    default: float
    """Where it is an int, only whole numbers will do."""
    low: float
    high: float
    help: str

    @property
    def is_whole(self) -> bool:
        return isinstance(self.default, int)

    @property
    def range_in_words(self) -> str:
        return f"{'a whole number ' if self.is_whole else ''}from {self.low:g} to {self.high:g}"

    def value(self, given: float) -> float:
        """Return a number as the step keeps it. Raises ValueError for one that is out of range, or none."""
        if not self.low <= given <= self.high or (self.is_whole and given != int(given)):
            raise ValueError(f"{self.name} must be {self.range_in_words}, not {given:g}")
        return int(given) if self.is_whole else float(given)


def option(default: float, low: float, high: float, help: str) -> Any:  # noqa: ANN401 - as of dataclasses.field
    """Return the field of a step that a person may set from ``low`` to ``high``."""
    return field(default=default, metadata={KEY: (low, high, help)})


def options_of(step: Any) -> dict[str, Option]:  # noqa: ANN401 - any dataclass
    """Return what may be set of a step, by name; the step as it is has the defaults."""
    return {
        f.name: Option(f.name, getattr(step, f.name), *f.metadata[KEY])
        for f in fields(step)
        if KEY in f.metadata
    }
