"""Pictures of another size than a model was trained on: which can it draw?"""

from __future__ import annotations

import torch

from fogcatcher.base.devices import device_of
from fogcatcher.base.errors import UserError
from fogcatcher.data.kind import Kind
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.denoiser import Denoiser

MOST = 4
"""Times its own width or height that a model is let draw; far more, and it only repeats what it knows."""


def check_canvas(denoiser: Denoiser, kind: Kind, shape: tuple[int, ...]) -> None:
    """Raise UserError where a model of this ``kind`` of data cannot draw samples of this shape, (C, ...)."""
    if shape == kind.shape:
        return
    if not isinstance(kind, PictureSpec):
        raise UserError(f"this model draws {kind.drawn.name} of one size alone.")
    channels, height, width = shape
    own, asked = f"{kind.width}x{kind.height}", f"{width}x{height}"
    if channels != kind.channels:
        raise UserError(
            f"the picture has {channels} channels and this model draws {kind.channels}: convert it."
        )
    if height > MOST * kind.height or width > MOST * kind.width:
        raise UserError(
            f"{asked} is too large for a model that learned {own} pictures: a side may be at most {MOST} "
            "times its own. Is the picture enlarged? Then scale it down to its true pixels."
        )
    device = device_of(denoiser)
    try:
        with torch.no_grad():
            answer = denoiser(torch.zeros(1, *shape, device=device), torch.ones(1, dtype=torch.float64))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"the network of this model draws {own} pictures, and cannot draw {asked}."
        ) from error
    if answer.shape[1:] != shape:
        raise UserError(f"the network of this model draws {own} pictures, and cannot draw {asked}.")
