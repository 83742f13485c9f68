"""Train a diffusion model on your own pictures, understand every step, steer it, ship it.

import fogcatcher

run = fogcatcher.train("my-sprites", minutes=10)
model = fogcatcher.load(run)
drawing = model.sample(64, condition={"label": "food"}, guidance=2.0, seeds=range(64))
drawing.sheet().save("sheet.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fogcatcher.base.moved import find_moved_modules
from fogcatcher.base.version import __version__ as __version__

if TYPE_CHECKING:
    from fogcatcher.data.options import DataOptions
    from fogcatcher.data.pictures.given_pictures import given_mask, given_picture
    from fogcatcher.diffusion.denoiser import Denoiser
    from fogcatcher.diffusion.edits.inpainting import Inpaint
    from fogcatcher.diffusion.edits.interpolation import Between
    from fogcatcher.diffusion.edits.recoloring import Recolor
    from fogcatcher.diffusion.edits.tiling import Tile
    from fogcatcher.diffusion.edits.variation import Vary
    from fogcatcher.diffusion.objectives import Objective
    from fogcatcher.diffusion.process import Process
    from fogcatcher.diffusion.sampling.samplers import sample
    from fogcatcher.drawing.atlas import Atlas
    from fogcatcher.drawing.drawing import Drawing
    from fogcatcher.drawing.finishing import Finish
    from fogcatcher.drawing.settings import Settings, Steering
    from fogcatcher.judging.evaluation import evaluate
    from fogcatcher.model.model import Model, load
    from fogcatcher.model.reproduction import reproduce
    from fogcatcher.runs.train import train
    from fogcatcher.training.fit import fit

find_moved_modules(__name__)

_HOME = {
    "Atlas": "drawing.atlas",
    "Between": "diffusion.edits.interpolation",
    "DataOptions": "data.options",
    "Denoiser": "diffusion.denoiser",
    "Drawing": "drawing.drawing",
    "Finish": "drawing.finishing",
    "Inpaint": "diffusion.edits.inpainting",
    "Model": "model.model",
    "Objective": "diffusion.objectives",
    "Process": "diffusion.process",
    "Recolor": "diffusion.edits.recoloring",
    "Settings": "drawing.settings",
    "Steering": "drawing.settings",
    "Tile": "diffusion.edits.tiling",
    "Vary": "diffusion.edits.variation",
    "evaluate": "judging.evaluation",
    "fit": "training.fit",
    "given_mask": "data.pictures.given_pictures",
    "given_picture": "data.pictures.given_pictures",
    "load": "model.model",
    "reproduce": "model.reproduction",
    "sample": "diffusion.sampling.samplers",
    "train": "runs.train",
}
__all__ = [
    "Atlas", "Between", "DataOptions", "Denoiser", "Drawing", "Finish", "Inpaint", "Model", "Objective",
    "Process", "Recolor", "Settings", "Steering", "Tile", "Vary", "evaluate", "fit", "given_mask",
    "given_picture", "load", "reproduce", "sample", "train",
]  # fmt: skip


def __getattr__(name: str) -> object:
    # Lazy, so that `fogcatcher --help` does not wait for torch.
    if name not in _HOME:
        raise AttributeError(f"module 'fogcatcher' has no attribute '{name}'")
    return getattr(importlib.import_module(f"fogcatcher.{_HOME[name]}"), name)
