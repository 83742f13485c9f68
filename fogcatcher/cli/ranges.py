"""Every number on the command line is one to compute with, and in the range that stands beside its option."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Annotated, get_type_hints

from fogcatcher.base.numbers import check_value
from fogcatcher.base.typed_json import Range

MOST = 1_000_000
Count = Annotated[int, Range(1, MOST)]
"""Of pictures, steps and the like."""
Pixels = Annotated[int, Range(0, 100_000)]


def check_numbers(command: object) -> None:
    """Raises UserError for the first option of a command whose number is none, or out of its range."""
    hints = get_type_hints(type(command), include_extras=True)
    for field in fields(command):  # type: ignore[arg-type]
        value = getattr(command, field.name)
        if is_dataclass(value):
            check_numbers(value)
        elif isinstance(value, int | float):
            check_value(field.name, value, hints[field.name])
