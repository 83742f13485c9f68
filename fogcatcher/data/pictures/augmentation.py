"""More pictures from few, without leaks: whatever is done to a picture, the network is told.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", showed that augmentations
leak into what a model draws; Karras et al. 2022 (EDM), appendix F.2, cure it for diffusion models by giving
the network the parameters of what was done. At sampling they are zero: a picture as it is in the data.
Only changes that invent no colours are used: whole pixels, flips, quarter turns, and (on request) hues.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.oklab import oklab_from_srgb, srgb_from_oklab
from fogcatcher.base.typed_json import Range
from fogcatcher.data.pictures.store import PictureTensor, has_alpha
from fogcatcher.data.pictures.twins import SAFE, mirror_scores
from fogcatcher.diffusion.tensors import Samples

NAME = "augmentation"
"""The attribute under which the network hears of it."""
FEW = 1000
"""Below so many pictures, "auto" augments."""
KINDS = ("shift", "flip", "flip-vertical", "turn", "hue")


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a picture, each with a chance of ``share``."""

    shift: Annotated[int, Range(0, 4096)] = 0
    """Move by up to so many whole pixels along each axis."""
    flip: bool = False
    """Swap left and right."""
    flip_vertical: bool = False
    """Swap top and bottom."""
    turn: bool = False
    """Turn by a quarter, a half or three quarters (square pictures only)."""
    hue: bool = False
    """Turn all hues by the same angle, lightness and chroma kept (RGB and RGBA only)."""
    share: Annotated[float, Range(0, 1)] = 0.3

    def __bool__(self) -> bool:
        return bool(self.shift or self.flip or self.flip_vertical or self.turn or self.hue)

    @property
    def features(self) -> int:
        """How many numbers tell the network what was done."""
        return 9

    def __call__(
        self,
        x0: Samples,
        generator: torch.Generator,
        size: int | None = None,
        share: slice = slice(None),
    ) -> tuple[Samples, Tensor]:
        """Return the changed batch, (B, C, H, W) in [-1, 1], and what was done, (B, features).

        Where ``x0`` are only the rows ``share`` of a batch of ``size``, draws are made for the whole batch.
        """
        n = len(x0) if size is None else size
        told = torch.zeros(len(x0), self.features)
        chosen = (torch.rand(len(KINDS), n, generator=generator) < self.share)[:, share]
        if self.hue:
            angle = (2 * math.pi * torch.rand(n, generator=generator))[share] * chosen[4]
            x0 = _turn_hue(x0, angle.to(x0.device))
            told[:, 7], told[:, 8] = angle.cos() - 1, angle.sin()
        if self.turn:
            quarters = torch.randint(1, 4, (n,), generator=generator)[share] * chosen[3]
            x0 = torch.stack(
                [picture.rot90(int(k), (-2, -1)) for picture, k in zip(x0, quarters, strict=True)]
            )
            for k in (1, 2, 3):
                told[:, 3 + k] = (quarters == k).float()
        for column, used, axis in ((2, self.flip, -1), (3, self.flip_vertical, -2)):
            if used:
                flipped = chosen[column - 1]
                x0 = torch.where(flipped.to(x0.device)[:, None, None, None], x0.flip(axis), x0)
                told[:, column] = flipped.float()
        if self.shift:
            steps = torch.randint(-self.shift, self.shift + 1, (n, 2), generator=generator)[share]
            steps = steps * chosen[0, :, None]
            x0 = _shifted(x0, steps.to(x0.device))
            told[:, :2] = steps / self.shift
        return x0, told.to(x0.device)


def _shifted(x: Samples, steps: Tensor) -> Samples:
    """Move each picture by (down, right) whole pixels.

    What becomes free is transparent where pictures have alpha; else the border is repeated into it.
    """
    b, channels, h, w = x.shape
    rows = torch.arange(h, device=x.device) - steps[:, :1]
    columns = torch.arange(w, device=x.device) - steps[:, 1:]
    picture = torch.arange(b, device=x.device)[:, None, None]
    inside = ((rows >= 0) & (rows < h))[:, :, None] & ((columns >= 0) & (columns < w))[:, None, :]
    moved = x[picture, :, rows.clamp(0, h - 1)[:, :, None], columns.clamp(0, w - 1)[:, None, :]]
    moved = moved.permute(0, 3, 1, 2).contiguous()
    return torch.where(inside[:, None], moved, -1.0) if has_alpha(channels) else moved


def _turn_hue(x: Samples, angle: Tensor) -> Samples:
    """Turn (a, b) of OKLab by an angle per picture; colours that leave sRGB are clipped to it."""
    rgb = (x[:, :3].movedim(1, -1) + 1) / 2
    lightness, a, b = oklab_from_srgb(rgb).unbind(-1)
    cos, sin = (f(angle)[:, None, None] for f in (torch.cos, torch.sin))
    turned = srgb_from_oklab(torch.stack([lightness, cos * a - sin * b, sin * a + cos * b], -1)).clamp(0, 1)
    unturned = (angle == 0)[:, None, None, None]
    turned = torch.where(unturned, x[:, :3], (2 * turned - 1).movedim(-1, 1).to(x))
    if x.shape[1] == 4:
        # Nothing is where alpha is 0, whatever its hue.
        turned = torch.where(x[:, 3:] <= -1, x[:, :3], turned)
    return torch.cat([turned, x[:, 3:]], 1)


def kinds_in(texts: str) -> list[str]:
    """Return what is listed in "shift,flip"; nothing for "none". Raises UserError for unknown kinds."""
    kinds = [text.strip() for text in texts.split(",") if text.strip() != "none"]
    for kind in kinds:
        if kind not in KINDS:
            raise UserError(
                Message(
                    "{@augment} knows {kinds}, none and auto; not '{kind}'.",
                    kinds=", ".join(KINDS),
                    kind=kind,
                )
            )
    return kinds


def parse(texts: str, shape: tuple[int, int, int]) -> Augmentation:
    """Return what "shift,flip" asks for, for (C, H, W) pictures; "none" is nothing.

    Shifts go up to an eighth of the shorter side. Raises UserError for unknown kinds, quarter turns of
    pictures that are not square, and hues of grey ones.
    """
    kinds, (channels, height, width) = kinds_in(texts), shape
    if "turn" in kinds and height != width:
        raise UserError(
            Message(
                "{@augment:'turn'} needs square pictures, not {width}x{height}.", width=width, height=height
            )
        )
    if "hue" in kinds and channels < 3:
        raise UserError(Message("{@augment:'hue'} needs pictures with colours; these are grey."))
    return Augmentation(
        shift=max(1, min(height, width) // 8) if "shift" in kinds else 0,
        flip="flip" in kinds,
        flip_vertical="flip-vertical" in kinds,
        turn="turn" in kinds,
        hue="hue" in kinds,
    )


def choose(asked: str, pictures: PictureTensor, training: int) -> tuple[Augmentation, list[str]]:
    """Return the augmentation asked for, and sentences about it; "auto" looks at the set.

    With many pictures auto does nothing: what a small network can learn in a short run, it learns from them
    alone. With few it shifts, and flips where the set is symmetric enough.
    """
    shape = (pictures.shape[1], pictures.shape[2], pictures.shape[3])
    if asked != "auto":
        return parse(asked, shape), []
    if training >= FEW:
        return Augmentation(), []
    symmetric = mirror_scores(pictures).get("left-right", 0.0) >= SAFE
    kinds = ["shift", *(["flip"] if symmetric else [])]
    said = Message(
        "augmentation: {kinds}, for there are few pictures ({@augment:'none'} does without)",
        kinds=" and ".join(kinds),
    )
    return parse(",".join(kinds), shape), [said]
