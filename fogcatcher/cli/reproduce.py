"""``fogcatcher reproduce``: draw a picture again from the recipe inside its PNG."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from fogcatcher.base.errors import UserError


@dataclass
class Reproduce:
    """Draw a PNG of this program again, as the recipe inside it says, and compare every pixel.

    Ends with exit code 0 where all are the same, and 1 where any differs.

    Example:  fogcatcher reproduce samples-sprites/00007.png
    """

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE.png", help_behavior_hint="")]
    """A picture, a sheet, or a preview of training."""
    model: Annotated[str | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="")] = None
    """Run directory, or a model that comes with the program. Default: the one with the weights of the recipe,
    in runs/ or among those that come with the program."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE.png", help_behavior_hint="")] = None
    """Where to write what was drawn. Default: nowhere."""
    yes: bool = False
    """Draw it even where the recipe asks for more than five minutes. Without it a person is asked, and where
    nobody can be it is refused."""

    def run(self) -> None:
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.cli.costs import agree
        from fogcatcher.model.reproduction import reproduce

        if self.out is not None and self.out.exists():
            raise UserError(f"{self.out} is there already: name another file with --out.")
        if self.out is not None and self.out.suffix.lower() != ".png":
            raise UserError(f"{self.out} is no name for a picture: end it in .png.")
        with sampling_bar() as progress:
            found = reproduce(self.file, self.model, progress, partial(agree, yes=self.yes))
        if self.out is not None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            found.save(self.out)
        print(f"{self.file}: {found.in_words}")
        if self.out is not None:
            print(f"drawn again: {self.out}")
        if found.different:
            sys.exit(1)
