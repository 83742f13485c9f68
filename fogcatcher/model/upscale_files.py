"""Small pictures made large by an upscaler, as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.pictures.store import Pictures
from fogcatcher.diffusion.edits.enlarging import Enlarge
from fogcatcher.diffusion.tensors import OnePicture
from fogcatcher.drawing.asked_finish import AS_DRAWN, AskedFinish
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.settings import USUAL, Settings
from fogcatcher.drawing.to_disk import Progress
from fogcatcher.model.model import Model

COLUMNS = 8
SHEET = "sheet.png"


@dataclass(frozen=True)
class Enlarging:
    """Which pictures are made large, and how closely they are kept to."""

    pictures: Mapping[str, OnePicture]
    """Name of the file to write, without suffix -> (1, C, H, W)."""
    noise: float = 0.0
    exact: bool = True
    seed: int = 0
    """Of every picture."""

    @property
    def by_size(self) -> dict[tuple[int, int], list[str]]:
        """(height, width) -> names of the pictures of that size."""
        sizes: dict[tuple[int, int], list[str]] = {}
        for name, picture in self.pictures.items():
            height, width = picture.shape[-2:]
            sizes.setdefault((height, width), []).append(name)
        return sizes


def enlarge(
    model: Model,
    small: Pictures,
    seeds: Sequence[int],
    condition: Mapping[str, Wish] | Sequence[Mapping[str, Wish]] | None = None,
    *,
    noise: float = 0.0,
    exact: bool = True,
    settings: Settings = USUAL,
    progress: Progress | None = None,
) -> Drawing:
    """Draw small pictures of one size, (N, C, h, w) uint8, as large as the model makes them.

    Nothing is wished where ``condition`` is None. Raises UserError as ``enlarging``, and as ``Model.sample``.
    """
    edit = enlarging(model, small, noise=noise, exact=exact)
    return model.sample(
        condition=condition or {}, seeds=seeds, edit=edit, settings=settings, progress=progress
    )


def enlarging(model: Model, small: Pictures, *, noise: float = 0.0, exact: bool = True) -> Enlarge:
    """Return the edit by which a model makes these pictures larger.

    Raises UserError for a model that was not trained for it, and for a noise that cannot be.
    """
    upscaling = model.config.upscaling
    if upscaling is None:
        raise UserError(
            Message(
                "this model draws without small pictures: train one with {@upscale:'2'} to make them large."
            )
        )
    try:
        return Enlarge(small, upscaling.factor, noise, exact)
    except ValueError as error:
        raise UserError(f"{error}.") from error


def upscale_files(
    model: Model,
    asked: Enlarging,
    out: Path,
    wish: Mapping[str, Wish] | None = None,
    *,
    settings: Settings = USUAL,
    finish: AskedFinish = AS_DRAWN,
    progress: Progress | None = None,
) -> list[str]:
    """Write every picture, made large, into ``out``, and a sheet where all are of one size.

    Return what became of which size, in words. Raises UserError as ``enlarge``.
    """
    finisher, said, done = finish.finisher(model.config.kind, model.palette), [], 0
    for (height, width), names in asked.by_size.items():

        def advance(now: int, of: int, before: int = done, count: int = len(names)) -> None:
            if progress:
                progress(before * of + count * now, len(asked.pictures) * of)

        small = torch.cat([asked.pictures[name] for name in names])
        drawn = enlarge(
            model,
            small,
            [asked.seed] * len(names),
            wish,
            noise=asked.noise,
            exact=asked.exact,
            settings=settings,
            progress=advance,
        )
        drawing = finisher(drawn)
        drawing.save_singles(out, names)
        if len(asked.by_size) == 1:
            finish.save_sheet(drawing, out / SHEET, COLUMNS)
        done += len(names)
        said.append(f"{width}x{height} to {drawn.rows.shape[-1]}x{drawn.rows.shape[-2]}")
    return said


def files_upscaled(asked: Enlarging, finish: AskedFinish) -> set[str]:
    """Return the names of all that ``upscale_files`` writes."""
    sheet = finish.files_of_sheet(SHEET) if len(asked.by_size) == 1 else set()
    return {f"{name}.png" for name in asked.pictures} | sheet
