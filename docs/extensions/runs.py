"""Runs of commands as the reference shows them: what is typed, and what comes out.

A run is ``docs/examples/NAME.txt``. Lines that begin with ``$`` are typed; what stands below comes out, where
``...`` may be anything, also several lines.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
WITHOUT_A_RUN = {"studio": "It serves a page until it is stopped, so no run stands here."}
"""Commands that cannot be shown by what they print."""


@dataclass(frozen=True)
class Typed:
    """One line that is typed, and what comes out."""

    arguments: list[str]
    """After the name of the program."""
    output: str

    def fits(self, said: str) -> bool:
        """Whether a program said this."""
        pieces = [re.escape(piece) for piece in _tidy(self.output).split("...")]
        return re.fullmatch("(?s:.*)".join(pieces), _tidy(said)) is not None


def _tidy(text: str) -> str:
    """Without what no reader sees: spaces at the ends of lines, and empty lines at both ends."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def read(name: str) -> list[Typed]:
    """Return the lines of a run. Raises FileNotFoundError where there is none."""
    text = (EXAMPLES / f"{name}.txt").read_text(encoding="utf-8")
    parts = re.split(r"^\$ fogcatcher ", text, flags=re.MULTILINE)[1:]
    typed = (part.partition("\n") for part in parts)
    return [Typed(shlex.split(line), output.strip("\n")) for line, _, output in typed]
