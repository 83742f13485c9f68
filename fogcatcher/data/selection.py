"""Which pictures are used: by an expression, by class, by number."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.data.expressions import parse
from fogcatcher.data.values import USUAL_LABELS, Value

Columns = Mapping[str, Sequence[Value]]
"""Column -> one value per picture."""


def usual_label(columns: Columns) -> str | None:
    """Return the column that people mean by "the classes", if there is one."""
    known = {name.lower(): name for name in reversed(list(columns))}
    return next((known[name] for name in USUAL_LABELS if name in known), None)


def select(
    columns: Columns, names: Sequence[str], where: str | None, classes: Sequence[str], limit: int | None
) -> list[int]:
    """Return the numbers of the pictures to use, rising.

    Raises UserError for unknown columns and classes, and where nothing is left.
    """
    chosen = list(range(len(names)))
    if where is not None:
        test = parse(where, list(columns))
        chosen = [i for i in chosen if test({name: column[i] for name, column in columns.items()})]
    if classes:
        chosen = _of_classes(columns, chosen, classes)
    if not chosen:
        raise UserError(
            Message(
                "none of the {pictures} pictures is left after {@where} and {@classes}.", pictures=len(names)
            )
        )
    if limit is not None and limit < len(chosen):
        # By the hash of the name: the same pictures whatever else is in the folder.
        chosen = sorted(sorted(chosen, key=lambda i: stable_hash(names[i]))[:limit])
    return chosen


def _of_classes(columns: Columns, chosen: list[int], classes: Sequence[str]) -> list[int]:
    label = usual_label(columns)
    if label is None:
        raise UserError(
            Message("{@classes} needs labels (sub-folders, or a column named kind, label or class).")
        )
    valid = sorted({str(value) for value in columns[label] if value is not None})
    for name in classes:
        if name not in valid:
            raise unknown_name(label, name, valid, about="classes")
    return [i for i in chosen if str(columns[label][i]) in classes]


def stable_hash(name: str) -> bytes:
    """Return bytes that order names as if at random, the same way every time."""
    return hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()
