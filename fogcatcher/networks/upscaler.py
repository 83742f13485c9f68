"""Any network of pictures, with a small picture to look at beside the noisy one."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.diffusion.upscaling import BESIDE, UPSCALING, enlarge
from fogcatcher.networks.embeddings import Vector

WAVES = 4
LEVEL = Vector(2 + WAVES)
"""How a network inside hears that there is a small picture, and how noisy it is."""


class Upscaler(nn.Module):
    """A network told of small pictures, (B, C h w + 2) as ``diffusion/upscaling.py`` has them.

    ``inner`` is a network of twice the channels that hears ``LEVEL`` as the attribute ``UPSCALING``. It sees
    the noisy picture and, enlarged pixel by pixel, the small one; of its answers those for the second half of
    the channels are dropped. Told nothing, it sees zeros there.
    """

    def __init__(self, inner: nn.Module, channels: int, factor: int) -> None:
        super().__init__()
        self.inner, self.channels, self.factor = inner, channels, factor

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, H, W), for ``x``, (B, C, H, W), and the noise label, (B,).

        Raises ValueError for a small picture of another size than H / f x W / f.
        """
        heard: Mapping[str, Tensor] = cond or {}
        rows = heard.get(UPSCALING)
        b, c, height, width = x.shape
        small = (c, -(-height // self.factor), -(-width // self.factor))
        if rows is None:
            rows = x.new_zeros(b, math.prod(small) + BESIDE)
        if rows.shape[1] != math.prod(small) + BESIDE:
            raise ValueError(
                f"a picture of {width}x{height} is drawn from one of {small[2]}x{small[1]}, and no other"
            )
        seen = enlarge(rows[:, :-BESIDE].reshape(b, *small).to(x), self.factor)[..., :height, :width]
        answer = self.inner(
            torch.cat([x, seen], 1), noise_label, {**heard, UPSCALING: _waves(rows[:, -BESIDE:]).to(x)}
        )
        return answer.unflatten(1, (-1, 2 * self.channels))[:, :, : self.channels].flatten(1, 2)


def _waves(told: Tensor) -> Tensor:
    """(u, said), (B, 2), as ``LEVEL``: said, 2 u - 1 and cos(pi k u), all zero where nothing is said."""
    u, said = told[:, :1], told[:, 1:]
    k = torch.arange(1, WAVES + 1, device=told.device)
    return said * torch.cat([torch.ones_like(u), 2 * u - 1, (math.pi * k * u).cos()], 1)
