"""Do two sets of pictures use the same colours, as many of them, and alpha in the same way?

Pictures are (N, C, H, W) uint8 of 1 to 4 channels. Colours are those of visible pixels (alpha above 0), as
points of OKLab.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.data.pictures.palettes import as_rgba, colours_per_picture, count_colours
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.pictures.store import has_alpha
from fogcatcher.judging.metrics.wasserstein import sliced_wasserstein, wasserstein

CHUNK = 1024
"""Pictures whose colours are counted at a time."""


class Paint(NamedTuple):
    """Every colour in use, (K, 3) OKLab, and its share of the visible pixels, (K,), summing to 1."""

    colours: Float64[Tensor, "K 3"]
    shares: Float64[Tensor, " K"]

    @property
    def mean(self) -> Float64[Tensor, " 3"]:
        """The mean L, a and b."""
        return self.shares @ self.colours

    @property
    def spread(self) -> Float64[Tensor, " 3"]:
        """The standard deviation of L, a and b over all visible pixels."""
        return (self.shares @ (self.colours - self.mean).square()).sqrt()


def paint_of(pictures: Pictures) -> Paint:
    """Return which colours pictures use, and how much. Raises UserError when no pixel is visible."""
    use = count_colours(as_rgba(some) for some in pictures.split(CHUNK))
    if not use:
        raise UserError("no pixel of these pictures is visible, so they have no colours to compare.")
    codes = torch.tensor(list(use), dtype=torch.int64)
    srgb = torch.stack([codes >> 16, codes >> 8 & 255, codes & 255], dim=1).double() / 255
    return Paint(oklab_from_srgb(srgb), torch.tensor(list(use.values())).double() / use.total())


def palette_distance(real: Paint, fake: Paint, generator: torch.Generator, directions: int = 128) -> float:
    """Return how far, in OKLab, the real pictures' paint must be carried to paint the generated ones.

    Twice the sliced Wasserstein distance: a shift of all colours by v counts |v|, since the mean of
    |cos| over directions in space is 1/2, and it never exceeds the earth mover's distance but for the chance
    in the directions. Where each colour stands in a picture plays no part.
    """
    return 2 * sliced_wasserstein(real.colours, fake.colours, generator, directions, real.shares, fake.shares)


def colour_counts(pictures: Pictures) -> Float64[Tensor, "B 1"]:
    """Return the number of different colours of each picture, (N, 1)."""
    counts = [count for some in pictures.split(CHUNK) for count in colours_per_picture(as_rgba(some))]
    return torch.tensor(counts, dtype=torch.float64)[:, None]


def colour_count_distance(real: Float64[Tensor, "_ 1"], fake: Float64[Tensor, "_ 1"]) -> float:
    """Return the 1-Wasserstein distance of two sets' ``colour_counts``, in colours per picture."""
    return wasserstein(real, fake).item()


def soft_alpha(pictures: Pictures) -> float:
    """Return the share, 0 to 1, of pixels that are neither opaque nor invisible; 0 without alpha."""
    if not has_alpha(pictures.shape[1]):
        return 0.0
    alpha = pictures[:, -1]
    return ((alpha > 0) & (alpha < 255)).sum().item() / max(alpha.numel(), 1)
