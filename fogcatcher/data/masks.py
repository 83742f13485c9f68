"""Pictures with a mask each: NAME.png, and NAME.mask.png whose colours are the classes of the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.data.for_model import with_channels
from fogcatcher.data.pictures.picture_files import SUFFIXES, Unreadable, read_picture
from fogcatcher.data.pictures.spec import Pictures, PictureSpec

MARK = ".mask.png"
MOST_CLASSES = 16
Rgba = tuple[int, int, int, int]


@dataclass(frozen=True)
class Labelled:
    """N pictures whose every pixel has a class."""

    pictures: Pictures
    masks: Int64[Tensor, "N H W"]
    """Numbers of colours."""
    colours: tuple[Rgba, ...]
    """The colour of each class in the masks, in rising order."""


def read_labelled(folder: Path, spec: PictureSpec) -> Labelled:
    """Read all pictures of a folder that have a mask, with the channels of ``spec``.

    Raises UserError where there are none, where a picture is missing or is not of the size of ``spec``, and
    where the masks have more than 16 colours or fewer than 2.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: give one with NAME.png and NAME{MARK} side by side.")
    paths = sorted(path for path in folder.iterdir() if path.name.endswith(MARK))
    if not paths:
        raise UserError(f"{folder} has no masks: put NAME{MARK} beside NAME.png, one colour for each class.")
    pictures = torch.stack([_read(_picture_of(path), spec) for path in paths])
    painted = torch.stack([_read(path, spec) for path in paths]).permute(0, 2, 3, 1)
    colours, numbers = painted.flatten(0, 2).unique(dim=0, return_inverse=True)
    if not 2 <= len(colours) <= MOST_CLASSES:
        raise UserError(
            f"the masks in {folder} have {len(colours)} colours, not 2 to {MOST_CLASSES}: give each class "
            "one plain colour, without smooth edges."
        )
    masks = numbers.reshape(painted.shape[:3])
    known = tuple((r, g, b, a) for r, g, b, a in colours.tolist())
    return Labelled(with_channels(pictures, spec.channels), masks, known)


def _read(path: Path, spec: PictureSpec) -> UInt8[Tensor, "4 H W"]:
    """One RGBA picture as it is. Scaling would move the edges of masks, so another size is refused."""
    try:
        rgba = read_picture(path)
    except Unreadable as error:
        raise UserError(f"{path} {error}.") from error
    if rgba.shape[:2] != (spec.height, spec.width):
        height, width = rgba.shape[:2]
        raise UserError(
            f"{path} is {width}x{height}, and the model's pictures are {spec.width}x{spec.height}: bring "
            "labelled pictures and their masks to that size."
        )
    return torch.from_numpy(rgba).permute(2, 0, 1)


def _picture_of(mask: Path) -> Path:
    """The picture of the same name, whatever its format."""
    stem = mask.name.removesuffix(MARK)
    for suffix in sorted(SUFFIXES, key=lambda suffix: suffix != ".png"):
        if (path := mask.with_name(stem + suffix)).exists():
            return path
    raise UserError(f"{mask} has no picture: put {stem}.png beside it.")


def paint(mask: Int64[Tensor, "H W"], colours: Sequence[Rgba]) -> UInt8[Tensor, "4 H W"]:
    """Return a mask in the colours of its classes, RGBA."""
    return torch.tensor(colours, dtype=torch.uint8)[mask].permute(2, 0, 1)
