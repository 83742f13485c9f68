"""Every JSON that is read comes through here, as if a stranger had written it.

It must be a plain file of a size that fits its purpose, UTF-8, and no deeper than anybody nests by hand; its
numbers must be ones that can be computed with. What it says is then held against type hints (typed_json.py).
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import typed

T = TypeVar("T")
MOST_BYTES = 10_000_000
"""Of a file of settings; the largest that is ever written holds some thousand words, or betas."""
DEEPEST = 40
MOST_DIGITS = 300
"""Of a whole number: all such can still become floats."""
HALF_A_LETTER = re.compile(r"\\u[dD][89a-fA-F]")
"""Where half of a surrogate pair may stand alone, which no terminal and no file takes."""


def read_json(
    path: Path,
    hint: type[T] | Any,  # noqa: ANN401 - what is in brackets is no type to a checker at run time
    most: int = MOST_BYTES,
    finite: bool = True,
) -> T:
    """Return what a file says, as ``hint`` asks for it; ``object`` takes anything.

    ``most`` is how many bytes it may have; ``finite`` refuses NaN. Raises FileNotFoundError where there is
    none, and else UserError: one sentence with the file, the place in it, and what must stand there.
    """
    try:
        return typed(parsed(plain_bytes(path, most), finite), hint, "")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}.") from error


def parsed(text: str | bytes, finite: bool = True) -> Any:  # noqa: ANN401 - JSON
    """Return what JSON says. ``finite`` refuses NaN and infinities. Raises ValueError that says why not."""
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        tree = json.loads(text, **(FINITE if finite else FLOATS))
        if HALF_A_LETTER.search(text):
            json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise ValueError("it is not written in UTF-8") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"it cannot be read as JSON ({error})") from error
    if _is_deep(tree):
        raise ValueError("it is nested too deeply")
    return tree


def plain_bytes(path: Path, most: int) -> bytes:
    """Return the content of a file. Raises OSError, and ValueError where it is no plain file or too large."""
    # A pipe would keep its reader waiting; links are followed, for folders of the Hub are made of them.
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a plain file")
        if status.st_size > most:
            raise ValueError(f"it is larger than {most / 1e6:,.0f} MB")
        return file.read(status.st_size)


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _finite(text: str) -> float:
    """Of a number, or of what Python takes for one."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:MOST_DIGITS]} is not a number to compute with")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose every name stands there once: of two values neither is the right one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it says '{next(n for n in names if names.count(n) > 1)[:80]}' twice")
    return found


FLOATS: Mapping[str, Any] = {"parse_int": _whole, "object_pairs_hook": _once}
FINITE: Mapping[str, Any] = {
    **FLOATS,
    "parse_float": _finite,
    "parse_constant": _finite,
}


def _is_deep(tree: object) -> bool:
    """Whether lists and objects stand in each other more than ``DEEPEST`` times."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [part for node in level if isinstance(node, list | dict) for part in _inside(node)]
    return any(isinstance(node, list | dict) for node in level)


def _inside(node: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node
