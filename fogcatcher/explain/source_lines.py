"""Where a formula stands in the program: file, line and the code itself."""

from __future__ import annotations

import inspect
import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SourceLines:
    """The definition of a class or a function."""

    name: str
    path: str
    """Below the project's folder: fogcatcher/process.py."""
    line: int
    """The first line, from 1."""
    code: str

    def link(self, folder: Path) -> str:
        """Return the way from a page in ``folder`` to the line, with / on every system."""
        file = (PROJECT / self.path).resolve()
        try:
            address = quote(os.path.relpath(file, folder.resolve()).replace(os.sep, "/"))
        except ValueError:  # another drive
            address = file.as_uri()
        return f"{address}#L{self.line}"


def source_lines(thing: type | Callable[..., object]) -> SourceLines:
    """Return where a class or a function is defined. Raises ValueError for what has no Python source."""
    thing = inspect.unwrap(thing)
    file = inspect.getsourcefile(thing)
    if file is None:
        raise ValueError(f"{thing} has no source")
    lines, first = inspect.getsourcelines(thing)
    path = Path(file).resolve().relative_to(PROJECT.resolve()).as_posix()
    return SourceLines(thing.__qualname__, path, first, textwrap.dedent("".join(lines)))
