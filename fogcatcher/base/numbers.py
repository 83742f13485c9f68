"""Numbers as people give them, in Python or as text: each is one to compute with, and in its range.

Comparisons let what is no number (NaN) pass, and ``float`` reads it from a text; so all numbers of people
come through here, as those of files come through ``typed_json.py``. The ranges are the same.
"""

from __future__ import annotations

import functools
import itertools
import numbers
import operator
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from fogcatcher.base.errors import Message, Option, UserError, unknown_name
from fogcatcher.base.typed_json import LARGEST_NUMBER, LARGEST_SEED, Misfit, Range, hints_of, typed

MOST_PICTURES = 1_000_000
Pictures = Annotated[int, Range(1, MOST_PICTURES)]
"""How many are drawn by one command or call."""
Seed = Annotated[int, Range(0, LARGEST_SEED - 1)]
"""What random streams are made from."""


def number(text: object) -> float:
    """Return the number of a text. Raises ValueError for what is none, none to compute with, or beyond a
    million."""
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a number") from error
    if not abs(value) <= LARGEST_NUMBER:
        raise ValueError(f"{value:g} is not a number to compute with")
    return value


def seeds_of(n: int | None, seeds: Iterable[Any] | None, usual: int = 8) -> list[int]:
    """Return the seeds of ``n`` pictures, 0 ... n - 1 where none are given; those of NumPy become Python's.

    Raises UserError where there are none or over a million, where they are not ``n``, and for no seed.
    """
    check_value("n", n, Pictures | None)
    if seeds is None:
        return list(range(usual if n is None else n))
    found = list(itertools.islice(seeds, MOST_PICTURES + 1))
    if not found or (n is not None and n != len(found)):
        raise UserError(f"{n} pictures were asked for, with {len(found)} seeds.")
    check_value("n", len(found), Pictures)
    found = [_plain(seed) for seed in found]
    for seed in found:
        check_value("seeds", seed, Seed)
    return found


def check_fields(record: Any) -> None:  # noqa: ANN401 - any dataclass
    """Hold a record against its type hints, and the ranges beside them; numbers of NumPy become Python's.

    Raises UserError that names the first field that does not fit. Records inside it have checked themselves.
    """
    for name, hint in hints_of(type(record)).items():
        given = getattr(record, name)
        value = _plain(given)
        if value is not given:
            object.__setattr__(record, name, value)
        if not is_dataclass(value):
            check_value(name, value, hint)


def check_value(name: str, value: object, hint: object) -> None:
    """Raises UserError where the option of this name has a value that its type hint does not allow."""
    if get_origin(hint) is Literal and isinstance(value, str) and value not in get_args(hint):
        raise unknown_name(name, value, get_args(hint), about=name)
    try:
        typed(_as_json(value), hint if value is None else _given(hint), "")
    except Misfit as error:
        where = error.place if error.place.startswith(("[", ".")) or not error.place else f".{error.place}"
        said = Message("{option}{where} {said}.", option=Option(name), where=where, said=error.said)
        raise UserError(said) from error


def _given(hint: Any) -> Any:  # noqa: ANN401 - any type hint
    """The type of what was given: where nothing may be said too, a refusal need not speak of it."""
    if get_origin(hint) is Annotated:
        inner, *beside = get_args(hint)
        return Annotated[_given(inner), *beside]
    others = [part for part in get_args(hint) if part is not type(None)]
    is_optional = type(None) in get_args(hint)
    return functools.reduce(operator.or_, others) if is_optional else hint


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A number as Python has it."""
    is_foreign = isinstance(value, numbers.Number) and not isinstance(value, bool | int)
    return getattr(value, "item", lambda: value)() if is_foreign else value


def _as_json(value: Any) -> Any:  # noqa: ANN401
    """What JSON would have for a value of a field."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_as_json(entry) for entry in value]
    return _plain(value)
