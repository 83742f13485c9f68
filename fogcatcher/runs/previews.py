"""The preview of a run: the same seeds again and again, in one sheet that fills in as training goes on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.pictures.sheets import PREVIEW_COLUMNS, preview_names, sheet
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.sheet_forms import PreviewRow
from fogcatcher.model.model import SEEDS_PER_CLASS, Model
from fogcatcher.training.fit import Plan

EARLY = (0, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)


class Preview:
    """``preview.png``: one row per previewed step, the rows to come still empty.

    Each row is also kept as a strip, ``step-N.png``, so that a resumed run shows the earlier ones.
    """

    def __init__(self, folder: Path, plan: Plan, conditions: ConditionSpec, real: Tensor) -> None:
        """``real`` are rows of the data, at least one: an upscaler draws the first ten anew."""
        self.folder = folder
        self.seeds = _seeds(conditions)
        self.real = real[torch.arange(PREVIEW_COLUMNS) % len(real)]
        self.plan(plan)

    def plan(self, plan: Plan) -> None:
        """Say at which steps of this plan a row is due."""
        early = (step for step in EARLY if step < 0.8 * plan.steps)
        self.due = sorted({*early, *plan.ends, plan.steps})

    def is_due(self, step: int) -> bool:
        return step in self.due

    def add(self, step: int, model: Model) -> None:
        """Draw the row of this step and write the sheet again; both say by which weights it was drawn."""
        drawn, hash = model.sample(seeds=self.seeds, edit=model.redrawing(self.real)), model.weights_hash()
        drawn = replace(drawn, made=[replace(made, model=hash, step=step) for made in drawn.made])
        kind, shown = model.config.kind, {}
        path = self.folder / f"step-{step:09d}{kind.suffix}"
        strip = drawn.chunks(drawn.recipe_of_all(Atlas(PREVIEW_COLUMNS)))
        kind.save(drawn.rows, path, *strip)
        for path in self.folder.glob(f"step-*{kind.suffix}"):
            named, earlier = re.fullmatch(r"step-(\d{1,18})", path.stem), _earlier(path, drawn)
            if named and earlier is not None:
                shown[int(named[1])] = kind.shown(earlier)
        blank = torch.zeros_like(drawn.pictures)
        pictures = torch.cat([shown.get(due, blank) for due in self.due])
        image = sheet(pictures, PREVIEW_COLUMNS, rows=preview_names(self.due), heads=drawn.said)
        recipe = drawn.recipe_of_all(PreviewRow(tuple(self.due), self.due.index(step), named=True))
        drawn.write(image, self.folder / "preview.png", recipe)


def _earlier(path: Path, drawn: Drawing) -> Tensor | None:
    """The drawings of an earlier step; None where the file is damaged, or none of this run."""
    try:
        rows = drawn.kind.read(path, len(drawn.rows)) if path.is_file() else None
    except (OSError, ValueError, SyntaxError, RuntimeError, Image.DecompressionBombError):
        return None
    return rows if rows is not None and rows.shape == drawn.rows.shape else None


def _seeds(conditions: ConditionSpec) -> list[int]:
    """Ten seeds whose default classes stand side by side, as evenly as ten allows."""
    classes = max(1, len(conditions.shown[1]))
    shown = [
        column * classes // PREVIEW_COLUMNS if classes < PREVIEW_COLUMNS else column
        for column in range(PREVIEW_COLUMNS)
    ]
    return [SEEDS_PER_CLASS * k + shown[:column].count(k) for column, k in enumerate(shown)]
