"""The preview of a run: the same seeds again and again, in one sheet that fills in as training goes on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fogcatcher.base.disk import write_atomically
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.drawing.sheet_forms import PreviewRow, SheetForm
from fogcatcher.drawing.sheets import MODES, PREVIEW_COLUMNS, preview_sheet
from fogcatcher.model.model import SEEDS_PER_CLASS, Model

EARLY = (0, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)


class Preview:
    """``preview.png``: one row per previewed step, the rows to come still empty.

    Each row is also kept as a strip, ``step-N.png``, so that a resumed run shows the earlier ones.
    """

    def __init__(self, folder: Path, steps: int, conditions: ConditionSpec) -> None:
        self.folder = folder
        self.due = [*(step for step in EARLY if step < 0.8 * steps), steps]
        self.seeds = _seeds(conditions)

    def is_due(self, step: int) -> bool:
        return step in self.due

    def add(self, step: int, model: Model) -> None:
        """Draw the row of this step and write the sheet again; both say by which weights it was drawn."""
        drawn, hash = model.sample(seeds=self.seeds), model.weights_hash()
        drawn = replace(drawn, made=[replace(made, model=hash, step=step) for made in drawn.made])
        pictures = drawn.pictures

        def save(image: Image.Image, path: Path, form: SheetForm) -> None:
            recipe = drawn.recipe_of_all(form)
            write_atomically(path, lambda part: drawn.write(image, part, recipe))

        save(_strip(pictures), self.folder / f"step-{step:09d}.png", Atlas(PREVIEW_COLUMNS))
        rows = {}
        for path in self.folder.glob("step-*.png"):
            rows[int(re.sub(r"\D", "", path.stem))] = _read_strip(path, pictures)
        blank = torch.zeros_like(pictures)
        image = preview_sheet(torch.cat([rows.get(due, blank) for due in self.due]), self.due)
        save(image, self.folder / "preview.png", PreviewRow(tuple(self.due), self.due.index(step)))


def _strip(pictures: Pictures) -> Image.Image:
    strip = pictures.permute(2, 0, 3, 1).flatten(1, 2).numpy()  # (H, N W, C)
    mode = MODES[strip.shape[-1]]
    return Image.fromarray(strip[..., 0] if mode == "L" else strip, mode)


def _read_strip(path: Path, like: Pictures) -> Pictures:
    n, channels, height, width = like.shape
    with Image.open(path) as image:
        strip = torch.from_numpy(np.array(image)).reshape(height, n, width, channels)
    return strip.permute(1, 3, 0, 2)


def _seeds(conditions: ConditionSpec) -> list[int]:
    """Ten seeds whose default classes stand side by side, as evenly as ten allows."""
    classes = conditions.main.features if conditions.main else 1
    shown = [
        column * classes // PREVIEW_COLUMNS if classes < PREVIEW_COLUMNS else column
        for column in range(PREVIEW_COLUMNS)
    ]
    return [SEEDS_PER_CLASS * k + shown[:column].count(k) for column, k in enumerate(shown)]
