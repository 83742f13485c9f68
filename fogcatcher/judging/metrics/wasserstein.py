"""Wasserstein distances along lines: how far must the one set's mass be carried to make the other?

In one dimension the answer is exact and cheap for sets of any sizes; in more, many random lines are tried.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor
from torch.nn import functional

from fogcatcher.judging.metrics.rows import Features, require_rows

TILE = 2**21
"""Numbers sorted at a time: 16 MB, and a few times that in between."""
PATCH = 7
MOST_PATCHES = 128
"""Patches drawn from one picture."""
ALL_PATCHES = 2**16
"""Patches drawn from a set, and at least one of each picture: 100 MB of colour with alpha."""
GREY_LEVEL = 1 / 255
"""The unit of what varies by less, so that faint noise does not count as much as colours."""
PICTURES = 256
"""Pictures filtered at a time."""

Pictures = UInt8[Tensor, "_ C H W"]
Weights = Float64[Tensor, " _"]
Levels = Float64[Tensor, "_ C _ _"]
Lines = Float64[Tensor, "L _"]


# --- along lines --------------------------------------------------------------------------------


def wasserstein(
    real: Features,
    fake: Features,
    real_weights: Weights | None = None,
    fake_weights: Weights | None = None,
) -> Float64[Tensor, " D"]:
    """Return the 1-Wasserstein distance of each feature alone, (D,) in its own units.

        W_1 = integral |F(t) - G(t)| dt,   F and G the shares of the two sets below t

    Vallender 1974, which equals the integral of |F^-1(u) - G^-1(u)| over the quantiles u. Weights, one per
    row, need not sum to 1. Raises UserError for a set without rows.
    """
    require_rows(real, fake, 1, "a Wasserstein distance")
    weights = _signed(real, fake, real_weights, fake_weights)
    step = max(TILE // len(weights), 1)
    pairs = zip(real.T.split(step), fake.T.split(step), strict=True)
    return torch.cat([_distances(x, y, weights) for x, y in pairs])


def mean_wasserstein(real: Features, fake: Features) -> float:
    """Return the mean over the features of ``wasserstein``."""
    return wasserstein(real, fake).mean().item()


def sliced_wasserstein(
    real: Features,
    fake: Features,
    generator: torch.Generator,
    directions: int = 512,
    real_weights: Weights | None = None,
    fake_weights: Weights | None = None,
) -> float:
    """Return the mean 1-Wasserstein distance along random directions, of rows (M, D) and (N, D).

    Rabin et al. 2011, "Wasserstein Barycenter and Its Application to Texture Mixing". A shift
    by v costs |v| E|theta_1|, about |v| sqrt(2 / (pi D)). Sets of different sizes are compared by quantiles.
    Raises UserError for a set without rows.
    """
    require_rows(real, fake, 1, "a Wasserstein distance")
    theta = torch.randn(directions, real.shape[1], dtype=torch.float64, generator=generator)
    theta /= theta.norm(dim=1, keepdim=True)
    weights = _signed(real, fake, real_weights, fake_weights)
    parts = theta.split(max(TILE // len(weights), 1))
    return torch.cat([_distances(part @ real.T, part @ fake.T, weights) for part in parts]).mean().item()


def _distances(x: Lines, y: Lines, weights: Weights) -> Float64[Tensor, " L"]:
    """Return W_1 on each line, of points (L, M) and (L, N) whose weights, (M + N,), are > 0 and < 0."""
    t, order = torch.cat([x, y], dim=1).sort(dim=1)
    F_minus_G = weights[order].cumsum(1)[:, :-1]
    return (F_minus_G.abs() * t.diff(dim=1)).sum(1)


def _signed(real: Features, fake: Features, positive: Weights | None, negative: Weights | None) -> Weights:
    """Return weights that sum to 1 over the real rows and to -1 over the others, equal ones for None."""
    positive = torch.ones(len(real), dtype=torch.float64) if positive is None else positive
    negative = torch.ones(len(fake), dtype=torch.float64) if negative is None else negative
    return torch.cat([positive / positive.sum(), -negative / negative.sum()])


# --- patches of pictures ------------------------------------------------------------------------


def patch_wasserstein(
    real: Pictures, fake: Pictures, generator: torch.Generator, directions: int = 512
) -> dict[int, float]:
    """Return how far apart the patches of pictures, (N, C, H, W) uint8, are in detail and in the large.

    Side of the level -> 1000 times the sliced Wasserstein distance of random 7 x 7 patches, the full size
    first; each next level of the Laplacian pyramid has half the side, down to the last that holds a patch.
    The last level also holds the mean colour. Karras et al. 2018, "Progressive Growing of GANs", section 5,
    except that both sets are in units of the *real* set's mean and standard deviation per channel; with
    units of their own, as there, pictures that are all too pale would score 0. Two sets from one source do
    not score 0, because of chance. Raises UserError for a set without pictures.
    """
    require_rows(real, fake, 1, "a distance of patches")
    found = {}
    for level, side in enumerate(_sides(min(real.shape[2:]))):
        real_patches, fake_patches = _patches(real, level, generator), _patches(fake, level, generator)
        std, mean = torch.std_mean(real_patches, dim=(0, 2, 3), keepdim=True, correction=0)
        unit = std.clamp_min(GREY_LEVEL)  # a channel may never change, such as alpha without holes
        real_rows, fake_rows = (((p - mean) / unit).flatten(1) for p in (real_patches, fake_patches))
        found[side] = 1000 * sliced_wasserstein(real_rows, fake_rows, generator, directions)
    return found


def _sides(side: int) -> list[int]:
    """Return the sides of the levels of a pyramid over pictures of this shorter side."""
    return [side, *_sides((side + 1) // 2)] if (side + 1) // 2 >= PATCH else [side]


def _patches(pictures: Pictures, level: int, generator: torch.Generator) -> Levels:
    """Return random patches of one level of all pictures, (P, C, 7, 7)."""
    count = min(MOST_PATCHES, max(ALL_PATCHES // len(pictures), 1))
    found = []
    for some in pictures.split(PICTURES):
        band = laplacian_level(some.double() / 255, level)
        size = min(PATCH, *band.shape[2:])
        windows = band.unfold(2, size, 1).unfold(3, size, 1)  # (B, C, places down, places across, 7, 7)
        shape = (len(some), count)
        down = torch.randint(windows.shape[2], shape, generator=generator)
        across = torch.randint(windows.shape[3], shape, generator=generator)
        chosen = windows[torch.arange(len(some))[:, None], :, down, across]
        found.append(chosen.flatten(0, 1))
    return torch.cat(found)


def laplacian_level(x: Levels, level: int) -> Levels:
    """Return one level of the Laplacian pyramid of (B, C, H, W), 0 the finest; the last is the small picture.

        g_0 = x,  g_l+1 = down(g_l);   L_l = g_l - up(g_l+1),  L_last = g_last

    Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code", with their 5-tap filter, a = 3/8.
    """
    last = len(_sides(min(x.shape[2:]))) - 1
    for _ in range(level):
        x = _down(x)
    return x if level == last else x - _up(_down(x), x)


def _blur(x: Levels, stride: int) -> Levels:
    taps = torch.tensor([1, 4, 6, 4, 1], dtype=torch.float64) / 16
    channels = x.shape[1]
    kernel = torch.outer(taps, taps).expand(channels, 1, 5, 5)
    mirrored = functional.pad(x, (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(mirrored, kernel, stride=stride, groups=channels)


def _down(x: Levels) -> Levels:
    return _blur(x, stride=2)


def _up(small: Levels, like: Levels) -> Levels:
    spread = torch.zeros_like(like)
    spread[..., ::2, ::2] = 4 * small  # three of four pixels are empty, and the filter's sum is 1
    return _blur(spread, stride=1)
