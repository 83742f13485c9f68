"""Pictures that somebody asks of a model, as files: what may be asked stands in one record.

Who builds an ``Asked`` and hands it to ``draw_files`` gets the bytes that ``fogcatcher sample`` writes for
the same request; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.processes import ALONE, Processes
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.kind import Kind
from fogcatcher.data.pictures.sheets import SHEET_NAME
from fogcatcher.diffusion.sampling.samplers import State
from fogcatcher.drawing.asked_finish import AS_DRAWN, AskedFinish
from fogcatcher.drawing.drawing import Drawing, names_of
from fogcatcher.drawing.settings import USUAL, Settings
from fogcatcher.drawing.to_disk import ON_SHEET, Progress, draw_to_disk
from fogcatcher.model.model import Model

COLUMNS = 8


@dataclass(frozen=True)
class Asked:
    """What is to be drawn, how, and in which files."""

    seeds: Sequence[int]
    condition: Mapping[str, Wish] | None = None
    """One wish for all; None draws each class in turn, for eight seeds."""
    settings: Settings = USUAL
    finish: AskedFinish = AS_DRAWN
    columns: int = COLUMNS
    """Of the sheet."""
    shown: int = ON_SHEET
    """At most so many pictures are on it."""
    gif: bool = False
    """Also the sheet from noise to pictures, denoising.gif."""
    gif_each: bool = False
    """Also a GIF of each picture."""
    metadata: bool = True
    """With recipes in the PNG files."""


def draw_files(
    model: Model,
    asked: Asked,
    out: Path,
    processes: Processes = ALONE,
    *,
    progress: Progress = lambda done, of: None,
    watch: Callable[[State], None] | None = None,
) -> None:
    """Draw all that was asked into ``out``: one file per seed, and ``sheet.png``.

    ``progress`` hears how much of all is done, ``watch`` the state after each step. Raises UserError for what
    this model cannot draw, and for what needs all the pictures at once and is asked of too many.
    """
    finish = asked.finish.finisher(model.config.kind.drawn, model.palette)
    asked.finish.check_size(model.config.kind.drawn.shape, len(asked.seeds), asked.columns)
    together = asked.gif or asked.gif_each or asked.finish.atlas or asked.finish.palette.isdecimal()
    if together and (processes.count > 1 or asked.shown < len(asked.seeds)):
        raise UserError(
            Message(
                "{@gif}, {@gif_each}, {@atlas} and a number of colours take one process and at most "
                "{most:,} pictures: draw fewer at once.",
                most=ON_SHEET,
            )
        )
    draw = partial(_drawing, model, asked, finish, watch)
    if together:
        _write(draw(asked.seeds, progress), asked, out)
    else:
        draw_to_disk(
            asked.seeds,
            draw,
            out,
            asked.columns,
            asked.shown,
            processes,
            metadata=asked.metadata,
            progress=progress,
        )


def files_of(asked: Asked, kind: Kind) -> set[str]:
    """Return the names of all that ``draw_files`` writes."""
    names = names_of(asked.seeds)
    suffixes = [kind.suffix, *([".gif"] if asked.gif_each else [])]
    singles = {f"{name}{suffix}" for name in names for suffix in suffixes}
    return singles | asked.finish.files_of_sheet(SHEET_NAME) | ({"denoising.gif"} if asked.gif else set())


def _drawing(
    model: Model,
    asked: Asked,
    finish: Callable[[Drawing], Drawing],
    watch: Callable[[State], None] | None,
    seeds: Sequence[int],
    progress: Progress,
) -> Drawing:
    drawn = model.sample(
        condition=asked.condition,
        seeds=seeds,
        keep_frames=asked.gif or asked.gif_each,
        progress=progress,
        watch=watch,
        settings=asked.settings,
    )
    return finish(drawn)


def _write(drawing: Drawing, asked: Asked, out: Path) -> None:
    drawing.save_singles(out, metadata=asked.metadata)
    asked.finish.save_sheet(drawing, out / "sheet.png", asked.columns, metadata=asked.metadata)
    if asked.gif:
        drawing.save_gif(out / "denoising.gif", asked.columns)
    if asked.gif_each:
        drawing.save_gifs(out)
