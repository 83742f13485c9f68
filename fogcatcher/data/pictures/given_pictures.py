"""A picture that a person hands to a model to change it: in the model's channels, with a mask or without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.picture_files import Unreadable, read_picture
from fogcatcher.diffusion.tensors import OnePicture


def given_picture(path: Path, channels: int) -> OnePicture:
    """Return a picture file in a model's ``channels``, (1, C, H, W), of its own size.

    Opaque alpha comes and goes, and so does colour that is only grey. Raises UserError for a file that cannot
    be read, and where something of the picture would be lost.
    """
    rgba = _read(path)
    if channels < 3 and (rgba[..., :3] != rgba[..., :1]).any():
        raise UserError(f"{path} is in colour, and this model draws grey pictures: make it grey first.")
    if channels in (1, 3) and (rgba[..., 3] < 255).any():
        raise UserError(
            f"{path} has transparent pixels, and this model draws none: paint it over a colour first."
        )
    kept = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    return torch.from_numpy(rgba[..., kept].transpose(2, 0, 1)[None].copy())


def given_mask(path: Path, picture: OnePicture, invert: bool = False) -> OnePicture:
    """Return a mask file for ``picture``, (1, 1, H, W): 255 where it is lighter than middle grey, else 0.

    What is transparent in the mask counts as black. ``invert`` changes white and black. Raises UserError for
    another size than the picture's.
    """
    rgba = _read(path)
    (height, width), (mask_height, mask_width) = picture.shape[-2:], rgba.shape[:2]
    if (height, width) != (mask_height, mask_width):
        raise UserError(
            f"the mask {path} is {mask_width}x{mask_height} and the picture {width}x{height}: "
            "they must be of the same size."
        )
    white = (rgba[..., :3].mean(axis=-1) > 127.5) != invert
    return torch.from_numpy(np.where(white, 255, 0).astype(np.uint8)[None, None])


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        return read_picture(path)
    except Unreadable as error:
        raise UserError(f"{path} {error}.") from error
