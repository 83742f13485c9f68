"""Training pictures as their own small ones: what an upscaler learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import UInt8
from torch import Tensor

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.typed_json import Range
from fogcatcher.data.pictures.spec import to_model
from fogcatcher.data.pictures.store import has_alpha
from fogcatcher.data.upscale_choices import MOST_TRAINED, Factor, NoiseLevel
from fogcatcher.diffusion.upscaling import Large, Small, noisy_small, premultiplied, shrink, told


@dataclass(frozen=True)
class Upscaling:
    """What a model is told of the small picture that it makes large."""

    factor: Factor
    """How much wider and higher the pictures become."""
    noise: NoiseLevel = MOST_TRAINED
    """Levels of noise on the small pictures are drawn uniformly from 0 to this one; 1 is noise alone."""
    unsaid: Annotated[float, Range(0, 1)] = 0.1
    """Share of the samples that are told no small picture, so that the model can draw without one, too."""

    def small(self, x0: Large) -> Small:
        """Return the small pictures, (B, C, H / f, W / f), of samples in [-1, 1], (B, C, H, W)."""
        return shrink(premultiplied(x0), self.factor)

    def shrunk(self, rows: UInt8[Tensor, "B C H W"]) -> UInt8[Tensor, "B C h w"]:
        """Return 8-bit pictures, (B, C, H, W), as 8-bit small ones, (B, C, H / f, W / f)."""
        y = (self.small(to_model(rows)) + 1) / 2
        if has_alpha(y.shape[1]):
            alpha = y[:, -1:]
            y = torch.cat([torch.where(alpha > 0, y[:, :-1] / alpha, 0.0).clamp(0, 1), alpha], 1)
        return (255 * y).round().to(torch.uint8)

    def told(self, x0: Large) -> Tensor:
        """Return what a network hears of these samples' small pictures without noise, (B, C h w + 2)."""
        return told(self.small(x0), torch.zeros(len(x0), device=x0.device))

    def __call__(
        self, x0: Large, generator: torch.Generator, size: int | None = None, share: slice = slice(None)
    ) -> Tensor:
        """Return what a network hears of them in training, (B, C h w + 2): noisy, and sometimes nothing.

        Where ``x0`` are only the rows ``share`` of a batch of ``size``, draws are made for the whole batch.
        """
        n, y = len(x0) if size is None else size, self.small(x0)
        u = (self.noise * torch.rand(n, generator=generator))[share].to(x0)
        said = (torch.rand(n, 1, generator=generator) >= self.unsaid)[share].to(x0)
        eps = torch.randn(n, *y.shape[1:], generator=generator)[share].to(x0)
        return said * told(noisy_small(y, u, eps), u)


def upscaling_for(factor: int, noise: float, shape: tuple[int, ...]) -> Upscaling:
    """Return how pictures of ``shape``, (C, H, W), are learned from small ones.

    Raises UserError where their sides are no multiples of the factor, and for what are no pictures.
    """
    if len(shape) != 3:
        raise UserError(Message("{@upscale} is for pictures; these are signals."), about="upscale")
    _, height, width = shape
    if height % factor or width % factor:
        raise UserError(
            Message(
                "{@upscale} needs sides that are multiples of {factor}, and the pictures are "
                "{width}x{height}: give another {@size}.",
                factor=factor,
                width=width,
                height=height,
            ),
            about="upscale",
        )
    return Upscaling(factor, noise)
