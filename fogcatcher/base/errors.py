"""Mistakes a person can mend, and sentences that every reader gets in words of their own.

A sentence knows options by name, never by flag: in Python it speaks of ``max_bad=0.2``, on the command line
of ``--max-bad 0.2``, and a page can mark the field ``max_bad``.
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fogcatcher.base.printable import printable

T = TypeVar("T")
LONGEST_NAME = 200
MOST_LISTED, MOST_COMPARED = 60, 1000

Naming = Callable[[str, str], str]
"""How a reader knows options: the name and the value ("" where none is said) -> what to write."""


def as_parameter(name: str, value: str) -> str:
    """Name an option as Python does."""
    return f"{name}={value}" if value else name


class Option(str):
    """The name of an option, as a value of a Message: each reader sees it named in his way."""


class Message(str):
    """A sentence for a person that keeps what it was made of; as a ``str`` it speaks to those who use Python.

    >>> Message("{@seed} must be 0 or more, not {given}; try {@seed:1}.", given=-1)
    'seed must be 0 or more, not -1; try seed=1.'

    The template is constant, so that a table can hold it in other languages. {@NAME} is an option, and
    {@NAME:VALUE} one with a value as Python writes it: {@labels:'none'}, {@best:True}, {@balance:{column!r}}.
    All else in it is as for ``str.format``; a value may be a Message too, or an Option.
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, /, **values: object) -> Message:
        self = super().__new__(cls, _fill(template, values, as_parameter))
        self.template, self.values = template, values
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """Copies are made from the template, as this one was."""
        return (self.template,), dict(self.values)

    def told(self, naming: Naming) -> str:
        """Return the sentence for a reader who knows options by other names."""
        return _fill(self.template, self.values, naming)

    @property
    def options(self) -> tuple[str, ...]:
        """The options that it names, in order."""
        named: dict[str, None] = {}
        self.told(lambda name, value: named.setdefault(name) or "")
        return tuple(named)


def to_json(said: object) -> Any:  # noqa: ANN401
    """Return text as JSON has it; of a Message the parts, so that it can still be told anew."""
    if isinstance(said, Message):
        return {"template": said.template, "values": {k: to_json(v) for k, v in said.values.items()}}
    if isinstance(said, Option):
        return {"option": str(said)}
    return said if isinstance(said, str | int | float) else str(said)


def from_json(tree: Any) -> Any:  # noqa: ANN401
    """Return what ``to_json`` made a tree of."""
    if not isinstance(tree, dict):
        return tree
    if "option" in tree:
        return Option(tree["option"])
    return Message(tree["template"], **{name: from_json(value) for name, value in tree["values"].items()})


class UserError(Exception):
    """Wrong input. The message is one sentence that says what is wrong and what to do about it.

    The command line prints it without a traceback and exits with 2.
    """

    def __init__(self, said: str, *, about: str = "") -> None:
        """``about`` is the option to mend, where ``said`` does not name it, or names another one first."""
        said = said if isinstance(said, Message) else printable(said)
        super().__init__(said)
        self.said, self._about = said, about

    @property
    def options(self) -> tuple[str, ...]:
        """The options that it is about; the first is the one to mend."""
        named = self.said.options if isinstance(self.said, Message) else ()
        return tuple(dict.fromkeys([*([self._about] if self._about else []), *named]))

    @property
    def template(self) -> str:
        """What a table of messages finds it by: the same whatever the values; of plain text, the text."""
        return self.said.template if isinstance(self.said, Message) else self.said

    @property
    def values(self) -> Mapping[str, Any]:
        """What fills the template."""
        return self.said.values if isinstance(self.said, Message) else {}


def unknown_name(what: str, given: str, valid: Iterable[str], *, about: str = "") -> UserError:
    """Return the error for a name that is not one of ``valid``, with the nearest one as a hint.

    ``about`` is the option that it was given for.
    """
    names = list(valid)
    short = [name for name in names[:MOST_COMPARED] if len(name) <= LONGEST_NAME]
    near = difflib.get_close_matches(given[:LONGEST_NAME], short, n=1)
    said = Message(
        "unknown {what} '{given}'. Valid: {valid}.{hint}",
        what=what,
        given=printable(given, LONGEST_NAME),
        valid=_listed(names),
        hint=Message(" Did you mean {nearest}?", nearest=near[0]) if near else "",
    )
    return UserError(said, about=about)


def _listed(names: Sequence[str]) -> str:
    """Some names in a sentence; a model of a stranger may have a hundred thousand, each as long as a book."""
    shown = ", ".join(printable(name, LONGEST_NAME) for name in names[:MOST_LISTED])
    return f"{shown} and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else shown or "none"


def known_name(what: str, given: str, valid: Iterable[str], *, about: str = "") -> str:
    """Return the name of ``valid`` that was meant: the very one, else the only one but for capitals.

    Raises UserError, as ``unknown_name``, that lists the valid names.
    """
    names = list(valid)
    if given in names:
        return given
    alike = [name for name in names if name.casefold() == given.casefold()]
    if len(alike) != 1:
        raise unknown_name(what, given, names, about=about)
    return alike[0]


def named(what: str, name: str, table: Mapping[str, T], *, about: str = "") -> T:
    """Return what ``table`` has under a name, in capitals or not. Raises UserError, as ``unknown_name``."""
    return table[known_name(what, name, table, about=about)]


class _Filling(string.Formatter):
    """``str.format``, but for options and for sentences inside the sentence."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:  # noqa: ANN401
        name = str(key)
        return Option(name[1:]) if name.startswith("@") else kwargs[name]

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401
        if isinstance(value, Option):
            return self._naming(value, format_spec)
        # Values may come out of files of strangers, which hold anything.
        if isinstance(value, Message):
            return value.told(self._naming)
        return printable(format(value, format_spec))


def _fill(template: str, values: Mapping[str, object], naming: Naming) -> str:
    return _Filling(naming).vformat(template, (), values)
