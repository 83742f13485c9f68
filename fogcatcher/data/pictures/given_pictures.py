"""A picture that a person hands to a model to change it: in the model's channels, with a mask or without."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fogcatcher.base.errors import UserError
from fogcatcher.base.read_json import plain_bytes
from fogcatcher.data.pictures.found_sheets import is_own_sheet
from fogcatcher.data.pictures.picture_files import (
    MAX_BYTES,
    Unreadable,
    has_picture_content,
    read_picture,
    reason_of,
)
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


def given_pictures(paths: Sequence[Path], channels: int) -> dict[str, OnePicture]:
    """Return picture files, and those in folders, in a model's ``channels``: name -> (1, C, H, W).

    Names are those of the files without suffix; of two alike the later one gets a number. In a folder
    whatever is no picture is passed over, and so are sheets that this program has written. Raises UserError
    as ``given_picture``, and where there is no picture.
    """
    found: dict[str, OnePicture] = {}
    for file in (file for path in paths for file in (_pictures_in(path) if path.is_dir() else [path])):
        names = (file.stem if i == 1 else f"{file.stem}-{i}" for i in itertools.count(1))
        found[next(name for name in names if name not in found)] = given_picture(file, channels)
    if not found:
        raise UserError(f"there is no picture in {', '.join(map(str, paths)) or 'nothing'}: name one.")
    return found


def _pictures_in(folder: Path) -> list[Path]:
    """The files right in a folder that are single pictures, by name."""

    def is_one(path: Path) -> bool:
        with path.open("rb") as file:
            begins_like_one = has_picture_content(file.read(16))
        return begins_like_one and not is_own_sheet(plain_bytes(path, MAX_BYTES))

    try:
        return [path for path in sorted(folder.iterdir()) if path.is_file() and is_one(path)]
    except OSError as error:
        raise UserError(f"{folder} {reason_of(error)}.") from error
    except ValueError as error:
        raise UserError(f"{folder}: {error}.") from error
