"""``fogcatcher sample``: draw pictures with a trained model."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import shown
from fogcatcher.cli.drawing_arguments import SteeringArguments
from fogcatcher.cli.finish_arguments import FinishArguments
from fogcatcher.cli.ranges import Count

if TYPE_CHECKING:
    from fogcatcher.base.processes import Processes
    from fogcatcher.model.model import Model


@dataclass(kw_only=True)
class Sample(FinishArguments, SteeringArguments):
    """Draw pictures with a trained model: one PNG each, named by its seed, and a sheet of the first ones.

    Under torchrun or accelerate launch the pictures are divided among the processes, and stay the same.

    Example:  fogcatcher sample sprites -n 16 --condition kind=food --guidance 2 --out food
    """

    condition: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]] = ()
    """What to draw, for example kind=food; a mix: kind=hero:1,food:0.6. Default: each class in turn, for
    eight seeds."""
    n: Annotated[Count | None, tyro.conf.arg(metavar="N", help_behavior_hint="", aliases=["-n"])] = None
    """Number of pictures. Default: one per seed, or as many as the sheet has cells."""
    seeds: Annotated[str | None, tyro.conf.arg(metavar="SEEDS", help_behavior_hint="")] = None
    """Seeds, one picture each: 7, or 0-63, or 1,5,10-20. Default: 0, 1, 2 ..."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for the pictures. Default: samples-NAME, next to where you are."""
    sheet: Annotated[str, tyro.conf.arg(metavar="CxR")] = "8x8"
    """Columns x rows of the sheet; more pictures make more rows."""
    gif: bool = False
    """Also write denoising.gif: the sheet, from noise to pictures."""
    gif_each: bool = False
    """Also write a GIF of each picture, from noise to the picture, transparent where it is."""
    metadata: bool = True
    """Write no recipe into the PNG files; without it they cannot be reproduced."""

    def run(self) -> None:
        from fogcatcher.base.processes import joined

        with joined() as processes:
            self._draw(processes)

    def _draw(self, processes: Processes) -> None:
        from fogcatcher.cli.arguments import folder_name, parse_condition, parse_seeds
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.cli.costs import say_cost
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.drawing.to_disk import ON_SHEET
        from fogcatcher.model.drawing_files import Asked, draw_files, files_of

        columns, rows = self._grid()
        count = columns * rows if self.n is None else self.n
        seeds = parse_seeds(self.seeds) if self.seeds else list(range(count))
        if not seeds or (self.n is not None and self.n != len(seeds)):
            raise UserError(f"{self.n} pictures were asked for, with {len(seeds)} seeds.")
        shown = min(len(seeds), max(ON_SHEET, columns * rows))
        model = self.load()
        asked = Asked(
            seeds,
            parse_condition(self.condition) or None,
            self.settings(),
            self.finish,
            columns,
            shown,
            self.gif,
            self.gif_each,
            self.metadata,
        )
        out = self.out or Path(f"samples-{folder_name(self.model)}")
        if processes.is_first:
            check_ours(out, files_of(asked, model.config.kind))
            say_cost(model, asked.settings, len(seeds))
        start = time.perf_counter()
        with sampling_bar() as progress:
            draw_files(model, asked, out, processes, progress=progress)
        seconds = time.perf_counter() - start
        what = "all" if shown == len(seeds) else f"the first {shown:,}"
        drawn = f"{len(seeds)} {model.config.kind.name} in {seconds:.1f} s"
        print(f"{drawn}: {out}, {what} in one: {out / 'sheet.png'}")
        self.say_sheet(out / "sheet.png")
        if not self.condition:
            _say_left_out(model, seeds)
        if self.gif:
            print(f"from noise to pictures: {out / 'denoising.gif'}")

    def _grid(self) -> tuple[int, int]:
        """Return columns and rows."""
        match = re.fullmatch(r"([1-9]\d{0,2})x([1-9]\d{0,3})", self.sheet)
        if not match:
            raise UserError(f"--sheet {shown(self.sheet)} is not a grid: write 8x8 for 8 columns and 8 rows.")
        return int(match[1]), int(match[2])


def _say_left_out(model: Model, seeds: Sequence[int]) -> None:
    """Say so where nothing was asked for and the seeds do not show every class."""
    from fogcatcher.model.model import SEEDS_PER_CLASS, class_of_seed

    name, classes = model.conditions.shown
    shown = {class_of_seed(seed, len(classes)) for seed in seeds} if classes else set()
    if len(shown) < len(classes):
        print(
            f"shown: {len(shown)} of the {len(classes)} of {name}, eight seeds for each; "
            f"-n {SEEDS_PER_CLASS * len(classes)} shows all, --condition {name}=... another"
        )
