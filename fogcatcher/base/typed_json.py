"""What JSON says, as the type hints of a dataclass ask for it; nothing else passes.

A field says its range beside its type: ``width: Annotated[int, Range(1, 4096)]``.
"""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fogcatcher.base.errors import UserError

T = TypeVar("T")
LARGEST_NUMBER = 1e6
LARGEST_SEED = 2**63
LONGEST_SHOWN = 40
"""Letters of a wrong value that a sentence repeats."""


@dataclass(frozen=True)
class Range:
    """Which numbers a field may hold, both ends included; without a word, those of usual size."""

    least: float
    most: float
    nan: bool = False
    """Also what is no number at all, as in the log of a run that went wrong."""

    def holds(self, value: float) -> bool:
        return self.least <= value <= self.most or (self.nan and value != value)

    def __str__(self) -> str:
        return f" from {_number(self.least)} to {_number(self.most)}"


@dataclass(frozen=True)
class Length:
    """How many entries a list or an object may have, or a text letters."""

    least: int
    most: int

    def holds(self, length: int) -> bool:
        return self.least <= length <= self.most

    def __str__(self) -> str:
        return f" of {self.least:,}" + (f" to {self.most:,}" if self.most > self.least else "")


@dataclass(frozen=True)
class Reads:
    """How a field is read that no hint describes: from its value and its place to what it is."""

    read: Callable[[Any, str], Any]


AnyFinite = Annotated[float, Range(-sys.float_info.max, sys.float_info.max)]
AnyFloat = Annotated[float, Range(-math.inf, math.inf, nan=True)]
USUAL: Mapping[type, Range] = {
    float: Range(-LARGEST_NUMBER, LARGEST_NUMBER),
    int: Range(1 - LARGEST_SEED, LARGEST_SEED - 1),
}
WORDS: Mapping[Any, str] = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


class Misfit(ValueError):
    """Something at ``place`` that is not what the hints ask for."""

    def __init__(self, place: str, said: str) -> None:
        super().__init__(f"{place or 'it'} {said}")
        self.place, self.said = place, said


def typed_fields(kind: type[T], tree: Mapping[str, Any], place: str = "") -> T:
    """Return the dataclass that an object of JSON describes.

    Raises ValueError for fields that are missing, unknown or do not fit; it names the first, below ``place``.
    """
    hints = hints_of(kind)
    for name in tree:
        if name not in hints:
            raise Misfit(_below(place, name), "is unknown to this version")
    for name in _needed(kind):
        if name not in tree:
            raise Misfit(_below(place, name), "is missing")
    values = {name: typed(value, hints[name], _below(place, name)) for name, value in tree.items()}
    try:
        return kind(**values)
    except UserError as error:
        raise ValueError(str(error).rstrip(".")) from error


def typed(value: Any, hint: Any, name: str) -> Any:  # noqa: ANN401 - the hint says what it is
    """Return what JSON has as what a type hint asks for: lists as tuples, whole numbers also as floats.

    Raises ValueError, which names the place, where it does not fit.
    """
    hint, limit = _parted(hint)
    if isinstance(limit, Reads):
        return limit.read(value, name)
    if hint is Any or hint is object:
        return value
    if get_origin(hint) in (Union, types.UnionType):
        return _first_that_fits(value, hint, name)
    if not _is_of(value, hint, limit):
        if limit is None and isinstance(value, int | float) and not isinstance(value, bool):
            limit = USUAL.get(hint)  # or nobody would see what is wrong with it
        raise Misfit(name, f"must be {in_words(hint, limit)}, not {shown(value)}")
    if is_dataclass(hint):
        return typed_fields(hint, value, name)  # type: ignore[arg-type]
    if isinstance(value, dict) and get_args(hint):
        part = get_args(hint)[1]
        return {key: typed(entry, part, _below(name, key)) for key, entry in value.items()}
    if isinstance(value, list) and get_args(hint):
        if _are_plain(value, hint):
            return value if get_origin(hint) is list else tuple(value)
        found = [typed(entry, part, place) for entry, part, place in _entries(value, hint, name)]
        return found if get_origin(hint) is list else tuple(found)
    return value


def in_words(hint: Any, limit: Range | Length | Reads | None = None) -> str:  # noqa: ANN401
    """Return what a hint asks for, as a sentence says it: "a whole number from 1 to 4,096"."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(in_words(*_parted(part)) for part in parts))
    if origin is Literal:
        return " or ".join(shown(part) for part in parts)
    if hint is type(None):
        return "null"
    if hint in WORDS:
        return WORDS[hint] + ("" if limit is None else str(limit))
    if is_dataclass(hint) or hint is dict or origin in (dict, Mapping):
        return "an object" + ("" if limit is None else str(limit))
    if origin is tuple and parts[-1] is not ...:
        return f"a list of {len(parts)}"
    if origin in (list, tuple, Sequence):
        return "a list" + ("" if limit is None else str(limit))
    return f"a {getattr(hint, '__name__', 'value').lower()}"


def needed(tree: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401
    """Return the entry of this name. Raises ValueError where there is none."""
    if name not in tree:
        raise ValueError(f"it has no '{name}'")
    return tree[name]


def whole(tree: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """Return the entry of this name. Raises ValueError unless it is a whole number between these two."""
    return typed(needed(tree, name), Annotated[int, Range(least, most)], name)


def shown(value: object) -> str:
    """Return a value of JSON, short and printable, as a sentence repeats it."""
    if isinstance(value, dict | list | tuple):
        kind = "an object" if isinstance(value, dict) else "a list"
        return f"{kind} of {len(value):,}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str | int | float):
        return f"a {type(value).__name__.lower()}"
    said = repr(value[: LONGEST_SHOWN + 1] if isinstance(value, str) else value)
    return said if len(said) <= LONGEST_SHOWN else said[: LONGEST_SHOWN - 3] + "..."


def _first_that_fits(value: Any, hint: Any, name: str) -> Any:  # noqa: ANN401
    """As the first part of a union that the value fits. Raises what names the innermost place."""
    inner: ValueError | None = None
    for part in get_args(hint):
        try:
            return typed(value, part, name)
        except ValueError as error:
            only_another_kind = isinstance(error, Misfit) and error.place == name
            inner = inner or (None if only_another_kind else error)
    raise inner or Misfit(name, f"must be {in_words(hint)}, not {shown(value)}")


def _is_of(value: Any, hint: Any, limit: Range | Length | None) -> bool:  # noqa: ANN401
    """Whether a value is of the kind that a hint names; what is inside it comes later."""
    origin = get_origin(hint)
    if origin is Literal:
        return any(value == part and type(value) is type(part) for part in get_args(hint))
    if hint in (int, float):
        return _is_number(value, hint, limit if isinstance(limit, Range) else USUAL[hint])
    if isinstance(limit, Length) and isinstance(value, str | list | dict) and not limit.holds(len(value)):
        return False
    if is_dataclass(hint) or origin in (dict, Mapping):
        return isinstance(value, dict)
    if origin is tuple and get_args(hint)[-1] is not ...:
        return isinstance(value, list) and len(value) == len(get_args(hint))
    if origin in (list, tuple, Sequence):
        return isinstance(value, list)
    return isinstance(value, hint)


def _is_number(value: object, kind: type, limit: Range) -> bool:
    numbers = (int, float) if kind is float else int
    return isinstance(value, numbers) and not isinstance(value, bool) and limit.holds(value)


def _are_plain(value: list[Any], hint: Any) -> bool:  # noqa: ANN401
    """Whether nothing more need be asked of the entries: there may be millions of names."""
    part, *rest = get_args(hint)
    if rest not in ([], [...]):
        return False
    return part in (Any, object) or (part is str and all(isinstance(entry, str) for entry in value))


def _entries(value: list[Any], hint: Any, name: str) -> Iterator[tuple[Any, Any, str]]:  # noqa: ANN401
    """The entries of a list, what each must be, and where it stands."""
    parts = get_args(hint)
    one_by_one = get_origin(hint) is tuple and parts[-1] is not ...
    for number, entry in enumerate(value):
        yield entry, parts[number if one_by_one else 0], f"{name}[{number}]"


def _parted(hint: Any) -> tuple[Any, Range | Length | Reads | None]:  # noqa: ANN401
    """A hint, and the limit that stands beside it."""
    if get_origin(hint) is not Annotated:
        return hint, None
    inner, *notes = get_args(hint)
    return inner, next((note for note in notes if isinstance(note, Range | Length | Reads)), None)


@cache
def hints_of(kind: type) -> Mapping[str, Any]:
    """Return the type hints of a dataclass, with what stands beside them, of the fields that are given."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


@cache
def _needed(kind: type) -> Sequence[str]:
    return [f.name for f in fields(kind) if f.init and f.default is MISSING and f.default_factory is MISSING]


def _below(place: str, name: str) -> str:
    """Where a field stands; of a name that nobody would give, what can be printed."""
    name = name if name.isprintable() and 0 < len(name) <= LONGEST_SHOWN else shown(name)
    return f"{place}.{name}" if place else name


def _number(value: float) -> str:
    if value and not 1e-9 <= abs(value) < 1e15:  # NaN too
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.9f}".rstrip("0").rstrip(".")
