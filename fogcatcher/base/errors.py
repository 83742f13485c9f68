"""Mistakes a person can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class UserError(Exception):
    """Wrong input. The message is one sentence that says what is wrong and what to do about it.

    The command line prints it without a traceback and exits with 2.
    """


def unknown_name(what: str, given: str, valid: Iterable[str]) -> UserError:
    """Return the error for a name that is not one of ``valid``, with the nearest one as a hint."""
    names = list(valid)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    listed = ", ".join(names) if names else "none"
    return UserError(f"unknown {what} '{given}'. Valid: {listed}.{hint}")


def named(what: str, name: str, table: Mapping[str, T]) -> T:
    """Return ``table[name]``. Raises UserError that lists the valid names."""
    if name not in table:
        raise unknown_name(what, name, table)
    return table[name]
