"""Parts of a network by name, as a person gives them and as a config keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin

from fogcatcher.base.errors import UserError, unknown_name
from fogcatcher.base.typed_json import AnyFinite, Length, hints_of, typed

Choices = TypeVar("Choices")
Value = bool | AnyFinite | Annotated[tuple[AnyFinite, ...], Length(0, 16)]
"""Yes or no, a number, or some numbers."""
Values = Annotated[Mapping[str, Value], Length(0, 40)]


def options_of(choices: type) -> Mapping[str, Any]:
    """Return what may be chosen of a network: name -> type and range."""
    return {name: get_args(hint)[0] for name, hint in hints_of(choices).items()}


def read_options(network: str, given: Mapping[str, Any], table: Mapping[str, type | None]) -> dict[str, Any]:
    """Return the options of a network, each as its record keeps it: 1 as (1,) where it wants some numbers,
    and 0 or 1 as yes or no.

    ``table`` has the record of each network. Raises UserError for names that it has not, and for values that
    cannot be.
    """
    choices = table[network]
    known = options_of(choices) if choices else {}
    for name in given:
        if name not in known:
            raise _unknown(network, name, known, table)
    try:
        return {
            name: typed(_as_wanted(value, known[name]), known[name], name) for name, value in given.items()
        }
    except ValueError as error:
        raise UserError(f"network {network}: {error}.", about="network_options") from error


def chosen(choices: type[Choices], given: Mapping[str, Any]) -> Choices:
    """Return the record with what was given, which ``read_options`` has read."""
    return choices(**given)


def in_words(given: Mapping[str, Any]) -> str:
    """Return options as they are typed: "blocks=3, attention=16,8, scale_shift=no"."""
    return ", ".join(f"{name}={_typed(value)}" for name, value in given.items())


def _typed(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence):
        return ",".join(f"{number:g}" for number in value) or "none"
    return f"{value:g}"


def _as_wanted(value: Any, hint: Any) -> Any:  # noqa: ANN401
    """What JSON has for it: lists for tuples, a list where some numbers are wanted and one is given."""
    inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if get_origin(inner) is tuple and is_number:
        return [value]
    if inner is bool and is_number and value in (0, 1):
        return bool(value)
    return list(value) if isinstance(value, tuple) else value


def _unknown(
    network: str, name: str, known: Mapping[str, Any], table: Mapping[str, type | None]
) -> UserError:
    others = [other for other, choices in table.items() if choices and name in options_of(choices)]
    if not others:
        return unknown_name(f"option of the network {network}", name, known, about="network_options")
    own = ", ".join(known) or "none"
    which = f"network {others[0]}" if len(others) == 1 else f"networks {', '.join(others)}"
    return UserError(
        f"{name} is an option of the {which}; those of {network}: {own}.",
        about="network_options",
    )
