"""What JSON says, as the type hints of a dataclass ask for it; nothing else passes."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fogcatcher.base.errors import UserError

T = TypeVar("T")
LARGEST_NUMBER = 1e6
LARGEST_SEED = 2**63


def typed_fields(kind: type[T], tree: Mapping[str, Any]) -> T:
    """Raises ValueError for fields that are unknown or do not fit."""
    hints = get_type_hints(kind)
    unknown = set(tree) - set(hints)
    if unknown:
        raise ValueError(f"'{min(unknown)}' is unknown to this version")
    values = {name: typed(value, hints[name], name) for name, value in tree.items()}
    try:
        return kind(**values)
    except UserError as error:
        raise ValueError(str(error).rstrip(".")) from error


def typed(value: Any, hint: Any, name: str) -> Any:  # noqa: ANN401 - the hint says what it is
    """Return what JSON has as what a type hint asks for: lists as tuples, whole numbers also as floats.

    Raises ValueError where it does not fit.
    """
    if hint is Any or hint is object:
        return value
    if is_dataclass(hint) and isinstance(value, dict):
        return typed_fields(hint, value)  # type: ignore[arg-type]
    parts, origin = get_args(hint), get_origin(hint)
    if origin in (Union, types.UnionType):
        return _first_that_fits(value, parts, name)
    if origin is Literal and value in parts:
        return value
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {key: typed(entry, parts[1], name) for key, entry in value.items()}
    if origin is list and isinstance(value, list):
        return [typed(entry, parts[0], name) for entry in value]
    if origin in (tuple, Sequence) and isinstance(value, list):
        every = [parts[0]] * len(value) if parts[-1] is ... or origin is Sequence else parts
        if len(every) == len(value):
            return tuple(typed(entry, part, name) for entry, part in zip(value, every, strict=True))
    if origin is None and _is_of(value, hint):
        return value
    raise ValueError(f"'{name}' is not of the right kind")


def _first_that_fits(value: Any, hints: tuple[Any, ...], name: str) -> Any:  # noqa: ANN401
    for hint in hints:
        try:
            return typed(value, hint, name)
        except ValueError:
            continue
    raise ValueError(f"'{name}' is not of the right kind")


def _is_of(value: object, kind: Any) -> bool:  # noqa: ANN401
    if kind is float:  # of whole numbers only usual ones, as of floats
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_SEED
    return value is None if kind is type(None) else isinstance(value, kind)
