"""Large pictures from small ones: what an upscaler is told, and noise on it that makes it robust.

Its network sees, beside x_t, a small picture, enlarged (Saharia et al. 2021, "Image Super-Resolution via
Iterative Refinement", section 2), and hears how noisy that is:

    x0_hat(x_t, t, y_u, u),   y_u = cos(pi u / 2) y + sin(pi u / 2) eps,   y = A x0

with u from 0, clean, to 1, noise alone, and A the mean over blocks of f x f positions. Noise-conditioning
augmentation: Ho et al. 2022, "Cascaded Diffusion Models", section 4; the level told: Saharia et al. 2022,
"Imagen", section 2.3. So a model that draws the small picture may err a little, and so may a person.

All of it is told as one attribute of a condition, (B, C h w + 2): the numbers of y_u, then u, then 1. A row
of zeros says nothing, as in every other attribute.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fogcatcher.diffusion.tensors import PerSample, expand_to

Large = Float[Tensor, "B C H W"]
Small = Float[Tensor, "B C h w"]
"""Of the same data: h = H / f, w = W / f."""

UPSCALING = "upscaling"
"""The attribute under which the network hears of the small picture."""
BESIDE = 2
"""So many numbers are told beside those of the small picture."""


def premultiplied(x: Large) -> Large:
    """Return pictures, (B, C, H, W) in [-1, 1], with colours weighed by alpha, which 2 and 4 channels have.

    So the mean over a block does not mix in the colour of what cannot be seen.
    """
    if x.shape[1] % 2:
        return x
    colour, alpha = x[:, :-1], x[:, -1:]
    return torch.cat([(colour + 1) * ((alpha + 1) / 2) - 1, alpha], 1)


def shrink(x: Large, factor: int) -> Small:
    """Return A x: the mean over blocks of ``factor`` x ``factor``, (B, C, H, W) -> (B, C, H / f, W / f).

    Raises ValueError where a side is no multiple of the factor.
    """
    if x.shape[-2] % factor or x.shape[-1] % factor:
        raise ValueError(f"{x.shape[-1]}x{x.shape[-2]} cannot be divided into blocks of {factor}x{factor}")
    return F.avg_pool2d(x, factor)


def enlarge(y: Small, factor: int) -> Large:
    """Return every pixel as a block of ``factor`` x ``factor``: the right inverse of ``shrink``."""
    return y.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def agreeing(x: Large, y: Float[Tensor, "_ C h w"], factor: int) -> Large:
    """Return the samples nearest to ``x`` that shrink to ``y``: x + A^+ (y - A x), A^+ being ``enlarge``.

    Wang et al. 2023, "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model", equation 13.
    """
    return x + enlarge(y - shrink(x, factor), factor)


def noisy_small(y: Small, u: PerSample, eps: Small) -> Small:
    """Return y_u, (B, C, h, w), for levels u in [0, 1], (B,)."""
    angle = expand_to(u * (math.pi / 2), y)
    return angle.cos() * y + angle.sin() * eps


def told(y_u: Small, u: PerSample) -> Float[Tensor, "B _"]:
    """Return what the network is told, (B, C h w + 2), of small pictures and their levels, (B,)."""
    said = torch.stack([u.to(y_u), torch.ones_like(u).to(y_u)], 1)
    return torch.cat([y_u.flatten(1), said], 1)
