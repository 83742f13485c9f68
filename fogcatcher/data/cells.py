"""What the cells of a column mean: what is missing, and what is a number."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from fogcatcher.data.values import Value

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NO_NUMBERS = frozenset(
    {"nan", "+nan", "-nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
    | {"na", "n/a", "#n/a", "<na>", "null", "nil", "none", "missing", "-", "--", "?", "#value!", "#div/0!"}
)
"""What people and programs write where there is no number. Among words, each may be a class."""
_DOUBTFUL = frozenset({"nan", "na", "n/a", "#n/a", "<na>", "null", "nil", "#value!", "#div/0!"})
_SHOWN = 3


def is_number(value: Value) -> bool:
    """Whether a cell is a finite number, or text that is one as tables have it (1_000 is a name)."""
    if isinstance(value, str):
        return bool(_NUMBER.fullmatch(value)) and math.isfinite(float(value))
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def cleaned(value: object) -> object:
    """Return a cell without blanks around it, letters composed; None where nothing is left."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip() or None
    return (
        [part for entry in value if (part := cleaned(entry)) is not None]
        if isinstance(value, list)
        else value
    )


def tidied(columns: Mapping[str, Sequence[Value]]) -> tuple[dict[str, list[Value]], list[str]]:
    """Return columns of a table with None for what is missing, and sentences about what was unclear.

    A float that is no number is missing. A word for "no number" is missing among numbers, and a class of
    its own among words, for a class may really be called nan.
    """
    found, notes = {}, []
    for column, values in columns.items():
        found[column], said = _tidied(column, [_without_nan(value) for value in values])
        notes += said
        if infinite := sum(isinstance(v, float) and math.isinf(v) for v in values):
            notes.append(f"{column}: infinite for {_rows(infinite)}, which is taken as missing")
    return found, notes


def _without_nan(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tidied(column: str, values: list[Value]) -> tuple[list[Value], list[str]]:
    texts = Counter(value for value in values if isinstance(value, str) and not is_number(value))
    numbers = sum(map(is_number, values))
    others = sum(value is not None for value in values) - numbers - texts.total()
    empty = {word: count for word, count in texts.items() if word.lower() in _NO_NUMBERS}
    words = {word: count for word, count in texts.items() if word not in empty}
    doubtful = {word: count for word, count in empty.items() if word.lower() in _DOUBTFUL}
    mostly = sum(empty.values()) - sum(doubtful.values()) <= numbers
    if numbers and mostly and not words and not others:
        said = [f"{column}: {_listed(empty)} among numbers, which is taken as missing"] if empty else []
        return _alike([None if value in empty else value for value in values]), said
    said = [f"{column}: {_listed(doubtful)} counts as a value; an empty cell is missing"] if doubtful else []
    if words and numbers > 4 * sum(words.values()):
        said.append(f"{column} holds numbers, and {_listed(words)}, so it is read as words")
    return values, said


def _alike(values: list[Value]) -> list[Value]:
    """Whole numbers all written as such, where some are: 1 and 1.0 are one class."""
    if any(isinstance(value, float) for value in values) and any(isinstance(value, int) for value in values):
        return [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
    return values


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f"'{word}' ({_rows(count)})" for word, count in list(counts.items())[:_SHOWN]]
    more = f" and {len(counts) - _SHOWN:,} more" if len(counts) > _SHOWN else ""
    return ", ".join(shown) + more


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
