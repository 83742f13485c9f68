"""An explanation, or a table of comparisons, as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fogcatcher.base.disk import NAMES, write_atomically, write_text
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.pictures.sheets import save_gif, save_png
from fogcatcher.data.pictures.spec import Pictures, to_model
from fogcatcher.diffusion.tensors import Times
from fogcatcher.drawing.settings import STEP_BY_STEP, Settings
from fogcatcher.explain.comparing import Axis, Cell
from fogcatcher.explain.comparison_picture import comparison_picture
from fogcatcher.explain.explanation import explain
from fogcatcher.explain.page import page
from fogcatcher.explain.strips import frames, strips
from fogcatcher.model.model import Model

PAGE, MOVING = "explain.html", "denoising.gif"
STRIPS = ("forward", "steps", "samplers", "noise", "guidance", "limits", "words")
EXPLAINED = {PAGE, MOVING, *(f"{strip}.png" for strip in STRIPS)}
"""All that an explanation may write."""
TABLE = ("grid.png", "grid.csv", "grid.json")
"""All that a table writes."""


def explain_files(
    model: Model,
    name: str,
    out: Path,
    *,
    picture: Pictures | None = None,
    seed: int = 0,
    condition: Mapping[str, Wish] | None = None,
    settings: Settings = STEP_BY_STEP,
    times: Times | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the page about a model, called ``name`` there, with strips and an animation; return its path.

    ``picture``, (1, C, H, W) uint8, is the one to fade; the other choices are those of ``explain``. Raises
    UserError where the model draws no pictures.
    """
    spec = model.config.pixels
    found = explain(
        model,
        picture=None if picture is None else to_model(picture),
        seed=seed,
        condition=condition,
        settings=settings,
        times=times,
        progress=progress,
    )
    out.mkdir(parents=True, exist_ok=True)
    text = page(found, spec, model.config.method, name, picture is not None)
    write_text(out / PAGE, text)
    made_by = {"model": model.hash, "seed": found.seed, "condition": dict(found.wish)}
    for strip, image in strips(found, spec).items():
        save_png(image, out / f"{strip}.png", made_by | {"strip": strip})
    save_gif(frames(found.steps, spec), out / MOVING)
    return out / PAGE


def save_table(cells: Sequence[Cell], axes: Sequence[Axis], out: Path) -> None:
    """Write grid.png, which carries the settings of all cells, grid.csv and grid.json."""
    columns, blocks = len(axes[-1].values), len(axes[-2].values) if len(axes) > 1 else 1
    image = comparison_picture(list(cells), columns, blocks)
    facts = [cell.facts() for cell in cells]
    table = {"axes": {axis.name: [str(value) for value in axis.values] for axis in axes}, "cells": facts}

    def write_csv(part: Path) -> None:
        with open(part, "w", newline="", encoding="utf-8", errors=NAMES) as file:
            writer = csv.DictWriter(file, list(facts[0]))
            writer.writeheader()
            for row in facts:
                lists = {k: json.dumps(v) for k, v in row.items() if isinstance(v, (dict, list, tuple))}
                writer.writerow(row | lists)

    out.mkdir(parents=True, exist_ok=True)
    picture, rows, tree = TABLE
    save_png(image, out / picture, table)
    write_atomically(out / rows, write_csv)
    write_text(out / tree, json.dumps(table, indent=1))
