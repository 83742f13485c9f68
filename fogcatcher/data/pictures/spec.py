"""The border between pictures and the mathematics: uint8 outside, [-1, 1] inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fogcatcher.base.typed_json import Range
from fogcatcher.data.pictures.store import PictureTensor

Pictures = UInt8[Tensor, "B C H W"]
LARGEST_SIDE = 4096


@dataclass(frozen=True)
class PictureSpec:
    """What the pictures of a data set, and so of its model, look like."""

    height: Annotated[int, Range(1, LARGEST_SIDE)]
    width: Annotated[int, Range(1, LARGEST_SIDE)]
    channels: Annotated[int, Range(1, 4)]
    """1 grey, 2 grey and alpha, 3 RGB, 4 RGBA."""
    hard_alpha: bool
    """Alpha was only ever 0 or 255, so generated pictures get no half-transparent pixels."""
    sigma_data: Annotated[float, Range(1e-3, 1e3)]
    """Standard deviation of the pictures in [-1, 1]."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    @property
    def has_alpha(self) -> bool:
        return self.channels in (2, 4)

    def to_pictures(self, x: Float[Tensor, "B C H W"]) -> Pictures:
        """Return (B, C, H, W) in [-1, 1], clipped and rounded to uint8; colour under alpha 0 is 0."""
        pictures = ((x.detach().cpu().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        if self.has_alpha:
            alpha = pictures[:, -1:]
            if self.hard_alpha:
                alpha = torch.where(alpha >= 128, 255, 0).to(torch.uint8)
            pictures = torch.cat([pictures[:, :-1] * (alpha > 0), alpha], dim=1)
        return pictures


def to_model(pictures: Pictures) -> Float[Tensor, "B C H W"]:
    """Return uint8 pictures, (B, C, H, W), as floats in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def spec_of(pictures: PictureTensor) -> PictureSpec:
    """Measure the spec of a data set, (N, C, H, W)."""
    _, channels, height, width = pictures.shape
    parts = (pictures[start : start + 4096][:, -1] for start in range(0, len(pictures), 4096))
    hard_alpha = channels in (2, 4) and all(bool(((a == 0) | (a == 255)).all()) for a in parts)
    # float64 sums over at most 4,096 evenly chosen pictures: enough for two digits, and cheap.
    some = pictures[:: max(1, len(pictures) // 4096)]
    sigma_data = max(0.05, to_model(some).double().std().item()) if some.numel() > 1 else 0.5
    return PictureSpec(height, width, channels, hard_alpha, round(sigma_data, 4))
