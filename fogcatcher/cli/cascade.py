"""``fogcatcher cascade``: several models as one, each making the pictures of the one before it larger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(kw_only=True)
class Cascade:
    """Put a model and upscalers into one folder, which fogcatcher sample draws with as with one model.

    Other commands use its first model alone.

    Example:  fogcatcher cascade runs/small runs/twice --out runs/large
    """

    models: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="RUN")]
    """The model that draws, then those trained with --upscale, in their order."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder to write: it must not be there yet."""

    def run(self) -> None:
        from fogcatcher.base.errors import UserError
        from fogcatcher.model.cascade import save_cascade
        from fogcatcher.model.model import load

        if len(self.models) < 2:
            raise UserError("a cascade is at least two models: one that draws, and one that makes it larger.")
        if self.out.exists():
            raise UserError(f"{self.out} is there already: choose another --out.")
        stages = [load(name) for name in self.models]
        save_cascade(stages, self.out)
        sizes = " to ".join(f"{s.config.pictures.width}x{s.config.pictures.height}" for s in stages)
        print(f"{len(stages)} models, {sizes}: {self.out}")
