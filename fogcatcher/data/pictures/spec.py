"""What the pictures of a data set look like: uint8 outside, [-1, 1] for the mathematics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from fogcatcher.base.typed_json import Range
from fogcatcher.data.kind import Kind
from fogcatcher.data.pictures.sheets import save_png, to_image
from fogcatcher.data.pictures.store import Pictures, PictureTensor, has_alpha

__all__ = ["PictureSpec", "Pictures", "spec_of", "to_model"]
LARGEST_SIDE = 1024
HARD = 0.95
"""Alpha is hard where so many of all pixels are opaque or not there. A few soft ones are shadows and glows; a
network that is to draw them puts such alphas on every second pixel of an outline."""


@dataclass(frozen=True)
class PictureSpec(Kind):
    """What the pictures of a data set, and so of its model, look like."""

    name: ClassVar[str] = "pictures"
    suffix: ClassVar[str] = ".png"

    height: Annotated[int, Range(1, LARGEST_SIDE)]
    width: Annotated[int, Range(1, LARGEST_SIDE)]
    channels: Annotated[int, Range(1, 4)]
    """1 grey, 2 grey and alpha, 3 RGB, 4 RGBA."""
    hard_alpha: bool
    """Nearly all alpha was 0 or 255 (``HARD``), so generated pictures get no half-transparent pixels."""
    sigma_data: Annotated[float, Range(1e-3, 1e3)]
    """Standard deviation of the pictures in [-1, 1]."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    @property
    def has_alpha(self) -> bool:
        return has_alpha(self.channels)

    @property
    def in_words(self) -> str:
        mode = {1: "grey", 2: "grey, transparent", 3: "RGB", 4: "RGBA"}[self.channels]
        return f"pictures of {self.width} x {self.height} pixels ({mode})"

    def to_model(self, rows: Pictures) -> Float[Tensor, "B C H W"]:
        return to_model(rows)

    def from_model(self, x: Float[Tensor, "B C H W"]) -> Pictures:
        """Return (B, C, H, W) in [-1, 1], clipped and rounded to uint8; colour under alpha 0 is 0."""
        pictures = ((x.detach().cpu().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        if self.has_alpha:
            alpha = pictures[:, -1:]
            if self.hard_alpha:
                alpha = torch.where(alpha >= 128, 255, 0).to(torch.uint8)
            pictures = torch.cat([pictures[:, :-1] * (alpha > 0), alpha], dim=1)
        return pictures

    def nonsense(self, count: int, generator: torch.Generator) -> Pictures:
        return torch.randint(0, 256, (count, *self.shape), generator=generator, dtype=torch.uint8)

    def mean(self, rows: Pictures) -> UInt8[Tensor, "1 C H W"]:
        return rows.double().mean(0, keepdim=True).round().to(torch.uint8)

    def shown(self, rows: Pictures) -> Pictures:
        return rows

    def save(
        self, rows: Pictures, path: Path, recipe: Mapping[str, object] | None = None, text: str = ""
    ) -> None:
        """Write a PNG with all pictures side by side."""
        save_png(to_image(rows.permute(1, 2, 0, 3).flatten(2)[None]), path, recipe, text)

    def read(self, path: Path, count: int) -> Pictures:
        with Image.open(path) as image:
            strip = torch.from_numpy(np.array(image))
        return strip.reshape(len(strip), count, strip.shape[1] // count, -1).permute(1, 3, 0, 2)


def to_model(pictures: Pictures) -> Float[Tensor, "B C H W"]:
    """Return uint8 pictures, (B, C, H, W), as floats in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def hard_share(pictures: PictureTensor) -> float:
    """Return the share of pixels that are opaque or not there at all. The last channel is alpha."""
    alpha = _some(pictures)[:, -1]
    return int(((alpha == 0) | (alpha == 255)).sum()) / max(1, alpha.numel())


def _some(pictures: PictureTensor) -> Pictures:
    """At most about 4,096 pictures, evenly chosen: enough for two digits, and cheap."""
    return pictures[:: max(1, len(pictures) // 4096)]


def spec_of(pictures: PictureTensor) -> PictureSpec:
    """Measure the spec of a data set, (N, C, H, W)."""
    _, channels, height, width = pictures.shape
    hard_alpha = has_alpha(channels) and hard_share(pictures) >= HARD
    some = _some(pictures)
    sigma_data = max(0.05, to_model(some).double().std().item()) if some.numel() > 1 else 0.5
    return PictureSpec(height, width, channels, hard_alpha, round(sigma_data, 4))
