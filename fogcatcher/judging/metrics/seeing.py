"""The one way from a picture of any size and mode to what a feature network sees.

    uint8 grey, grey + alpha, RGB or RGBA -> RGBA -> OKLab times alpha, and alpha
    -> the smallest square around it, what is free being transparent
    -> enlarged by the largest whole factor that fits (nearest), or shrunk by area
    -> the square that is seen, what is free being transparent

So the same picture in any mode looks the same, and a colour under alpha 0 is not seen. A spare row or column
of padding goes to the bottom or right. Mixing in OKLab: see ``fogcatcher.base.oklab``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.data.pictures.store import has_alpha

RULE = "centred square, whole factors up, area down (1)"
"""The name of this way, to print beside a figure; another way is another figure."""
CHANNELS = (1, 2, 3, 4)

Pictures = UInt8[Tensor, "N C H W"]
Seen = Float[Tensor, "N 4 _ _"]


def see(pictures: Pictures, size: int) -> Seen:
    """Return what is seen of ``pictures`` at ``size`` pixels a side: (N, 4, size, size) float32.

    Channels: L, a, b of OKLab, each times alpha, and alpha in [0, 1]. Raises ValueError when there are not
    1 to 4 channels.
    """
    seen = _square(in_oklab(pictures))
    side = seen.shape[-1]
    if side > size:
        return _shrunk(seen, size)
    factor = size // side
    return _padded(seen.repeat_interleave(factor, 2).repeat_interleave(factor, 3), size, size)


def in_oklab(pictures: Pictures) -> Float[Tensor, "N 4 H W"]:
    """Return pictures in their own size as OKLab times alpha, and alpha. Raises ValueError as ``see``."""
    return _oklab(_rgba(pictures))


def _rgba(pictures: Pictures) -> UInt8[Tensor, "N 4 H W"]:
    channels = pictures.shape[1]
    if channels not in CHANNELS:
        raise ValueError(f"pictures have 1 (grey), 2, 3 (RGB) or 4 (RGBA) channels, not {channels}")
    colour = pictures[:, :3] if channels > 2 else pictures[:, :1].expand(-1, 3, -1, -1)
    alpha = pictures[:, -1:] if has_alpha(channels) else torch.full_like(pictures[:, :1], 255)
    return torch.cat([colour, alpha], 1)


def _oklab(rgba: UInt8[Tensor, "N 4 H W"]) -> Seen:
    values = rgba.float() / 255
    lab = oklab_from_srgb(values[:, :3].movedim(1, -1)).movedim(-1, 1)
    return torch.cat([lab * values[:, 3:], values[:, 3:]], 1)


def _square(seen: Seen) -> Seen:
    side = max(seen.shape[-2:])
    return _padded(seen, side, side)


def _padded(seen: Seen, height: int, width: int) -> Seen:
    """Put pictures in the middle of transparent ones; all channels of transparent are 0."""
    free_y, free_x = height - seen.shape[-2], width - seen.shape[-1]
    edges = (free_x // 2, free_x - free_x // 2, free_y // 2, free_y - free_y // 2)
    return torch.nn.functional.pad(seen, edges)


def _shrunk(seen: Seen, size: int) -> Seen:
    """Average over the area that each new pixel covers; pixels that it covers in part count in part."""
    side = seen.shape[-1]
    step = side / size
    new, old = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(side, dtype=torch.float64)
    covered = (torch.minimum((new + 1) * step, old + 1) - torch.maximum(new * step, old)).clamp_min(0)
    weights = (covered / step).to(seen)
    return weights @ seen @ weights.T
