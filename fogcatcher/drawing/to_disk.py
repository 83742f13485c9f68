"""Any number of drawings, each a file as soon as it is drawn, by any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from fogcatcher.base.processes import ALONE, Processes
from fogcatcher.drawing.drawing import Drawing, names_of
from fogcatcher.drawing.recipe import PictureRecipe

AT_ONCE = 64
"""Pictures drawn together: whole parts go to one process, so that each is rounded as in one process."""
ON_SHEET = 1024
"""Most pictures of a sheet; more of them nobody looks at, and a sheet of 50,000 takes the memory."""

Progress = Callable[[int, int], None]
"""Hears how much of all is done."""
Draw = Callable[[Sequence[int], Progress], Drawing]
"""From seeds to their drawing."""


def draw_to_disk(
    seeds: Sequence[int],
    draw: Draw,
    folder: Path,
    columns: int = 8,
    on_sheet: int = ON_SHEET,
    processes: Processes = ALONE,
    *,
    metadata: bool = True,
    progress: Progress = lambda done, of: None,
) -> list[Path]:
    """Write a file for each seed, and ``sheet.png`` of the first ``on_sheet``; return this process's paths.

    The processes deal the seeds out among them; the files are the same to the byte however many there are.
    Memory holds ``AT_ONCE`` drawings, and those of the sheet. ``progress`` hears of this process's share.
    """
    parts = processes.dealt(len(seeds), AT_ONCE)
    mine, done = sum(part.stop - part.start for part in parts), 0
    names, paths, drawing = names_of(seeds), list[Path](), None
    shown: dict[int, tuple[Tensor, PictureRecipe]] = {}
    for part in parts:
        drawing = draw(seeds[part], _of_share(progress, done, part.stop - part.start, mine))
        paths += drawing.save_singles(folder, names[part], metadata=metadata)
        done += len(drawing.rows)
        # Clones, or each row would hold, and send to the first process, all that were drawn with it.
        rows = (row.clone() for row in drawing.rows)
        places = range(part.start, min(part.stop, on_sheet))
        shown |= zip(places, zip(rows, drawing.made, strict=True), strict=False)
    by_all = {place: one for theirs in processes.gathered(shown) for place, one in theirs.items()}
    if processes.is_first and drawing is not None:
        all_rows, made = zip(*(by_all[place] for place in sorted(by_all)), strict=True)
        # A sheet without recipes does not name its rows either.
        all_of_sheet = replace(drawing, rows=torch.stack(all_rows), made=list(made) if metadata else [])
        paths.append(folder / "sheet.png")
        all_of_sheet.save_sheet(paths[-1], columns, metadata=metadata)
    return paths


def _of_share(progress: Progress, before: int, count: int, in_all: int) -> Progress:
    """The progress of ``count`` drawings, after ``before`` others, of ``in_all``."""

    def advance(done: int, of: int) -> None:
        each = of // count
        progress(before * each + done, in_all * each)

    return advance
