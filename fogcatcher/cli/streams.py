"""What is said to people arrives as far as it can: no letter and no reader that is gone ends a command."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


class _Fading(io.FileIO):
    """A file that takes all that is written to it, also when nobody reads it any more: ``| head -1``."""

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return super().write(data)  # type: ignore[arg-type]


def open_streams() -> None:
    """Let output and errors write out letters that their encoding lacks, and outlive their readers."""
    sys.stdout, sys.stderr = _patient(sys.stdout), _patient(sys.stderr)


def _patient(stream: TextIO) -> TextIO:
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):  # closed, or somebody's own
        return stream
    stream.flush()
    raw = io.BufferedWriter(_Fading(descriptor, "w", closefd=False))
    is_seen = stream.isatty() or getattr(stream, "line_buffering", False)
    return io.TextIOWrapper(raw, stream.encoding, "backslashreplace", line_buffering=is_seen)
