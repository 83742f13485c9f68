"""Any number of pictures, each a file as soon as it is drawn, by any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from fogcatcher.base.processes import ALONE, Processes
from fogcatcher.drawing.drawing import Drawing, names_of
from fogcatcher.drawing.recipe import PictureRecipe

AT_ONCE = 64
"""Pictures drawn together: whole parts go to one process, so that each is rounded as in one process."""
ON_SHEET = 1024
"""Most pictures of a sheet; more of them nobody looks at, and a sheet of 50,000 takes the memory."""

Draw = Callable[[Sequence[int], int, int], Drawing]
"""(seeds, pictures that this process drew before them, pictures that it draws in all) -> their pictures."""


def draw_to_disk(
    seeds: Sequence[int],
    draw: Draw,
    folder: Path,
    columns: int = 8,
    on_sheet: int = ON_SHEET,
    processes: Processes = ALONE,
    *,
    metadata: bool = True,
) -> list[Path]:
    """Write a PNG for each seed, and ``sheet.png`` of the first ``on_sheet``; return this process's paths.

    The processes deal the seeds out among them; the files are the same to the byte however many there are.
    Memory holds ``AT_ONCE`` pictures, and those of the sheet.
    """
    parts, paths, done = processes.dealt(len(seeds), AT_ONCE), [], 0
    names, made, last = names_of(seeds), dict[int, PictureRecipe](), None
    for part in parts:
        last = draw(seeds[part], done, sum(part.stop - part.start for part in parts))
        paths += last.save_singles(folder, names[part], metadata=metadata)
        done += len(last.rows)
        made |= zip(range(part.start, min(part.stop, on_sheet)), last.made, strict=False)
    by_all = {place: one for theirs in processes.gathered(made) for place, one in theirs.items()}
    if processes.is_first and last is not None:
        # A sheet without recipes does not name its rows either.
        recipes = [by_all[place] for place in sorted(by_all)] if metadata else []
        paths.append(folder / "sheet.png")
        _read(folder, names[:on_sheet], recipes, last).save_sheet(paths[-1], columns, metadata=metadata)
    return paths


def _read(folder: Path, names: Sequence[str], recipes: list[PictureRecipe], like: Drawing) -> Drawing:
    """What any process wrote, of the kind and finish of a drawing; the raw numbers are gone."""
    kind, zoom = like.kind, like.finish.zoom
    rows = torch.cat([kind.read(folder / f"{name}{kind.suffix}", 1) for name in names])
    rows = rows[..., ::zoom, ::zoom] if zoom > 1 else rows
    return Drawing(kind, rows, kind.to_model(rows), recipes, [], like.finish)
