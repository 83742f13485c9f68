"""``fogcatcher learn``: from a published equation to the lines that compute it, and their tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass
class Learn:
    """Find where an equation of a paper is computed: paper and number, file and line, formula, tests.

    docs/symbols.md has the letters of lectures, papers and code side by side; docs/errata.md says what
    lectures print wrongly.

    Example:  fogcatcher learn "ho eq 7"
    """

    asked: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="WORDS")] = ()
    """A number (eq 11), a paper (karras 2022), a name (DDIM), or several of them. Default: all there is."""

    def run(self) -> None:
        from fogcatcher.explain.equations import index, proofs_of, search

        asked = " ".join(self.asked).strip()
        for entry in search(asked) if asked else index():
            print(f"{entry.told}: {entry.name}, {entry.path}:{entry.line}")
            if asked:
                for line in entry.formulas:
                    print(f"    {line}")
                for test in proofs_of(entry):
                    print(f"    test: {test}")
