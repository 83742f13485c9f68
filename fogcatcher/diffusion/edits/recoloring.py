"""New colours for a picture of which the shapes and the light stay.

Every colour of the picture becomes one other colour of the same lightness, wherever it stands; which, the
model decides. This is a projection of the denoiser's answer, as in Choi et al. 2021, "ILVR", equation 6, with
"lightness and regions of equal colour" in the place of their low frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.base.oklab import oklab_from_srgb, srgb_from_oklab
from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.edits.edit import Edit, Host
from fogcatcher.diffusion.guidance import Wrapped
from fogcatcher.diffusion.tensors import Condition, OnePicture, Samples, Times


@dataclass(frozen=True)
class Relit(Wrapped):
    """Answers with the lightness, the regions and the alpha of ``picture``, (1, C, H, W) in [-1, 1].

    In OKLab, L is the picture's; a and b are the means of the answer over all pixels that have one colour in
    the picture.
    """

    picture: Samples

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        x0_hat = self.inner(x_t, t, cond)
        picture = self.picture.to(x0_hat)
        pixels = _rgb(picture)[0]  # (P, 3)
        _, region = pixels.unique(dim=0, return_inverse=True)
        answer = oklab_from_srgb(_rgb(x0_hat))  # (B, P, 3)
        hue = _means(answer[..., 1:], region)
        lightness = oklab_from_srgb(pixels)[:, :1].expand(len(hue), -1, -1)
        rgb = srgb_from_oklab(torch.cat([lightness, hue], dim=2)).clamp(0, 1) * 2 - 1
        rgb = rgb.transpose(1, 2).reshape(len(x0_hat), 3, *picture.shape[-2:])
        rest = picture[:, 3:].expand(len(x0_hat), -1, -1, -1)
        rgb = torch.where(rest > -1, rgb, -1) if rest.shape[1] else rgb
        return torch.cat([rgb, rest], dim=1)


def _rgb(x: Samples) -> Tensor:
    """(B, C, H, W) in [-1, 1] -> (B, P, 3) in [0, 1]."""
    return (x[:, :3].flatten(2).transpose(1, 2) + 1).clamp(0, 2) / 2


def _means(values: Tensor, region: Tensor) -> Tensor:
    """Return (B, P, k) with the mean of its region, (P,) of numbers, at every place."""
    count = torch.bincount(region).to(values)
    sums = values.new_zeros(len(values), len(count), values.shape[2]).index_add(1, region, values)
    return (sums / count[:, None])[:, region]


@dataclass(frozen=True)
class Recolor(Edit):
    """New colours for a picture. Raises ValueError, when drawing begins, for a grey picture."""

    picture: OnePicture
    """(1, 3 or 4, H, W)."""

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.picture.shape[1:])

    def denoiser(self, host: Host, denoiser: DenoiserLike) -> DenoiserLike:
        host.check_pixels("recolor")
        if self.picture.shape[1] < 3:
            raise ValueError(
                "this model draws grey pictures and has no colours to give: recolor needs RGB or RGBA"
            )
        return Relit(denoiser, host.seen(self.picture))
