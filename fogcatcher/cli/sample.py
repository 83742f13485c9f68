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
from fogcatcher.data.upscale_choices import BETWEEN_MODELS, NoiseLevel

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
    then: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN")]] = ()
    """Make the pictures larger with this model, trained with --upscale; again, if given more often."""
    then_noise: NoiseLevel = BETWEEN_MODELS
    """Noise on what was drawn, 0 to 1, before it is made larger: more lets go of its errors, 0 keeps it."""
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
        from fogcatcher.model.cascade import later_stages
        from fogcatcher.model.drawing_files import Asked, draw_files, files_of
        from fogcatcher.model.model import load

        columns, rows = self._grid()
        count = columns * rows if self.n is None else self.n
        seeds = parse_seeds(self.seeds) if self.seeds else list(range(count))
        if not seeds or (self.n is not None and self.n != len(seeds)):
            raise UserError(f"{self.n} pictures were asked for, with {len(seeds)} seeds.")
        shown = min(len(seeds), max(ON_SHEET, columns * rows))
        model = self.load()
        stages = [model, *later_stages(self.model), *(load(name) for name in self.then)]
        if len(stages) > 1:
            self._draw_larger(stages, seeds)
            return
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
        drawn = f"{len(seeds)} {model.config.kind.drawn.name} in {seconds:.1f} s"
        print(f"{drawn}: {out}, {what} in one: {out / 'sheet.png'}")
        self.say_sheet(out / "sheet.png")
        if not self.condition:
            _say_left_out(model, seeds)
        if self.gif:
            print(f"from noise to pictures: {out / 'denoising.gif'}")

    def _draw_larger(self, stages: Sequence[Model], seeds: Sequence[int]) -> None:
        """Draw through a cascade: the pictures of the last model, named by their seeds, and a sheet."""
        from fogcatcher.cli.arguments import folder_name, parse_condition
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.drawing.drawing import names_of
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.model.cascade import check_stages, draw_through

        check_stages(stages)
        if self.gif or self.gif_each:
            raise UserError("--gif and --gif-each show one model at work: leave them out, or --then.")
        out, last = self.out or Path(f"samples-{folder_name(self.model)}"), stages[-1]
        finisher = self.finish.finisher(last.config.kind, last.palette)
        check_ours(out, {f"{name}.png" for name in names_of(seeds)} | self.finish.files_of_sheet("sheet.png"))
        condition = parse_condition(self.condition) or None
        with sampling_bar() as progress:
            drawing = finisher(
                draw_through(
                    stages,
                    seeds,
                    condition,
                    noise=self.then_noise,
                    settings=self.settings(),
                    progress=progress,
                )
            )
        drawing.save_singles(out, metadata=self.metadata)
        self.finish.save_sheet(drawing, out / "sheet.png", self._grid()[0], metadata=self.metadata)
        size = f"{last.config.pictures.width}x{last.config.pictures.height}"
        print(
            f"{len(seeds)} pictures of {size} by {len(stages)} models: {out}, all in one: {out / 'sheet.png'}"
        )

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
