"""Real pictures damaged on purpose: what no good model draws, for a judge to be measured by.

A figure that hardly moves while the pixels of every picture change places does not see what people see.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Int64
from torch import Tensor

from fogcatcher.base.oklab import oklab_from_srgb, srgb_from_oklab
from fogcatcher.data.pictures.store import Pictures, has_alpha


def shuffled_silhouettes(pictures: Pictures, generator: torch.Generator) -> Pictures:
    """Return (N, C, H, W) with all visible pixels of each picture in any order; its outline stays."""
    places = torch.arange(math.prod(pictures.shape[-2:]))
    inside = _visible(pictures).flatten(1)
    return _shuffled(pictures, torch.where(inside, 0, 1 + places), generator)


def shuffled_blocks(pictures: Pictures, side: int, generator: torch.Generator) -> Pictures:
    """Return (N, C, H, W) with the pixels of each block of ``side`` x ``side`` in any order."""
    height, width = pictures.shape[-2:]
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    block = row // side * -(-width // side) + column // side
    return _shuffled(pictures, block.flatten().expand(len(pictures), -1), generator)


def colour_noise(pictures: Pictures, spread: float, generator: torch.Generator) -> Pictures:
    """Return (N, C, H, W) with normal noise of deviation ``spread``, of 255, on visible colours."""
    noise = spread * torch.randn(pictures.shape, generator=generator)
    return _with_colours(pictures, (pictures + noise).round())


def hue_noise(pictures: Pictures, degrees: float, generator: torch.Generator) -> Pictures:
    """Return (N, 3 or 4, H, W) with the hue of each visible pixel turned, in OKLab, by up to ``degrees``."""
    angle = math.radians(degrees) * (2 * torch.rand(_visible(pictures).shape, generator=generator) - 1)
    lightness, a, b = oklab_from_srgb(pictures[:, :3].permute(0, 2, 3, 1) / 255).unbind(-1)
    cos, sin = angle.cos(), angle.sin()
    turned = srgb_from_oklab(torch.stack([lightness, a * cos - b * sin, a * sin + b * cos], -1))
    colours = (255 * turned).round().permute(0, 3, 1, 2)
    return _with_colours(pictures, torch.cat([colours, pictures[:, 3:]], 1))


def _grain(pictures: Pictures, generator: torch.Generator) -> Pictures:
    return colour_noise(pictures, 12, generator)


def _noise(pictures: Pictures, generator: torch.Generator) -> Pictures:
    return colour_noise(pictures, 40, generator)


def _blocks(pictures: Pictures, generator: torch.Generator) -> Pictures:
    return shuffled_blocks(pictures, 4, generator)


GRAIN, NOISE = "slight grain", "colour noise"
DAMAGES: Mapping[str, Callable[[Pictures, torch.Generator], Pictures]] = {
    GRAIN: _grain,
    NOISE: _noise,
    "blocks shuffled": _blocks,
    "all shuffled": shuffled_silhouettes,
}
"""What a judge sets figures beside, the least first: noise of 12 and of 40 of 255 on the colours of pictures,
their pixels shuffled within blocks of 4, and within the whole outline. With slight grain a picture is just
still of use."""


def _visible(pictures: Pictures) -> Tensor:
    """(N, H, W) bool"""
    if has_alpha(pictures.shape[1]):
        return pictures[:, -1] > 0
    return torch.ones_like(pictures[:, 0], dtype=torch.bool)


def _with_colours(pictures: Pictures, values: Tensor) -> Pictures:
    """The colours of ``values`` where a picture can be seen, its own alpha everywhere."""
    colours = pictures.shape[1] - has_alpha(pictures.shape[1])
    seen = torch.where(_visible(pictures)[:, None], values[:, :colours].clamp(0, 255), 0).to(torch.uint8)
    return torch.cat([seen, pictures[:, colours:]], 1)


def _shuffled(pictures: Pictures, group: Int64[Tensor, "N P"], generator: torch.Generator) -> Pictures:
    """Pixels of equal group in any order."""
    places = torch.arange(group.shape[1]) / group.shape[1]
    to = (group + places.double()).argsort(1)
    come_from = (group + torch.rand(group.shape, generator=generator, dtype=torch.float64)).argsort(1)
    flat = pictures.flatten(2)
    channels = flat.shape[1]
    moved = flat.gather(2, come_from[:, None].expand(-1, channels, -1))
    return torch.empty_like(flat).scatter(2, to[:, None].expand(-1, channels, -1), moved).view_as(pictures)
