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

if TYPE_CHECKING:
    from fogcatcher.denoiser import Denoiser
    from fogcatcher.drawing import Drawing
    from fogcatcher.model import Model, load
    from fogcatcher.objectives import Objective
    from fogcatcher.process import Process
    from fogcatcher.runs import train
    from fogcatcher.samplers import sample
    from fogcatcher.training.fit import fit

__version__ = "0.1.0"

_HOME = {
    "train": "fogcatcher.runs",
    "load": "fogcatcher.model",
    "Model": "fogcatcher.model",
    "Drawing": "fogcatcher.drawing",
    "Process": "fogcatcher.process",
    "Denoiser": "fogcatcher.denoiser",
    "Objective": "fogcatcher.objectives",
    "fit": "fogcatcher.training.fit",
    "sample": "fogcatcher.samplers",
}
__all__ = [
    "Denoiser", "Drawing", "Model", "Objective", "Process", "fit", "load", "sample", "train",
]  # fmt: skip


def __getattr__(name: str) -> object:
    # Lazy, so that `fogcatcher --help` does not wait for torch.
    if name not in _HOME:
        raise AttributeError(f"module 'fogcatcher' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
