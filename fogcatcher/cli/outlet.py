"""What reaches the terminal: names come out of files of strangers, and could move its cursor or rename it."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from fogcatcher.base.printable import printable

LINES = re.compile(r"([\n\t]+)")


def written_out(text: str) -> str:
    """Return text with its control signs written out, but for ends of lines and tabs."""
    if text.isprintable():
        return text
    return "".join(part if LINES.fullmatch(part) else printable(part) for part in LINES.split(text))


class WrittenOut:
    """A stream that writes out control signs; in all else as the one behind it."""

    def __init__(self, behind: Any) -> None:  # noqa: ANN401 - whatever stands in for it
        self.behind = behind

    def write(self, text: str) -> int:
        return self.behind.write(written_out(text))

    def flush(self) -> None:
        self.behind.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.behind, name)


def plain(stream: Any) -> Any:  # noqa: ANN401
    """Return the stream that takes control signs, for our own."""
    return stream.behind if isinstance(stream, WrittenOut) else stream


@contextlib.contextmanager
def control_signs_written_out() -> Iterator[None]:
    """While this lasts, standard output shows control signs instead of obeying them."""
    with contextlib.redirect_stdout(WrittenOut(sys.stdout)):
        yield
