"""What the built-in features learn to see: pictures damaged in one of many ways, each by a dose from 0 to 1.

Pictures are (n, 4, H, W), OKLab times alpha and alpha as ``seeing.see`` gives them, in their own size: a
pixel of a picture is a pixel here. ``u``, (n, 1, 1, 1), is the dose of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

Damage = Callable[[Tensor, Tensor, torch.Generator], Tensor]


def uniform(n: int, low: float, high: float, g: torch.Generator) -> Tensor:
    """Return (n, 1, 1, 1) numbers, one per picture."""
    return low + (high - low) * torch.rand(n, 1, 1, 1, generator=g)


def in_groups(x: Tensor, group: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    """Let a share u of the pixels change places with others of their group, (n, H, W) numbers."""
    n, channels, height, width = x.shape
    pixels = height * width
    place = torch.arange(pixels)
    moves = torch.rand(n, pixels, generator=g) < u.flatten(1)
    group = torch.where(moves, group.reshape(n, pixels).double(), (pixels + place).double())
    to = (group + place / pixels).argsort(1)
    come_from = (group + torch.rand(n, pixels, generator=g) * 0.999).argsort(1)
    moved = x.flatten(2).gather(2, come_from[:, None].expand(-1, channels, -1))
    return torch.empty_like(moved).scatter(2, to[:, None].expand(-1, channels, -1), moved).view_as(x)


def blocks(side: int) -> Damage:
    def damage(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
        row, column = torch.arange(x.shape[2])[:, None] // side, torch.arange(x.shape[3])[None] // side
        return in_groups(x, (row * x.shape[3] + column).expand(len(x), -1, -1), u, g)

    return damage


def silhouette(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    """Visible pixels change places among themselves."""
    return in_groups(x, (x[:, 3] <= 0.02).int(), u, g)


def noise(scale: int) -> Damage:
    """Colours and lightness shaken, each by its own dose, in squares of ``scale`` pixels or smoothly."""

    def damage(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
        n, _, height, width = x.shape
        spread = u * torch.cat([0.2 * uniform(n, 0, 1, g), *[0.15 * uniform(n, 0, 1, g)] * 2], 1)
        size = (math.ceil(height / scale), math.ceil(width / scale))
        values = torch.randn(n, 3, *size, generator=g)
        if scale > 1:
            squares = interpolate(values, scale_factor=scale, mode="nearest")
            smooth = 1.3 * interpolate(values, scale_factor=scale, mode="bilinear")
            values = torch.where(uniform(n, 0, 1, g) < 0.5, squares, smooth)[:, :, :height, :width]
        return torch.cat([x[:, :3] + spread * values * x[:, 3:], x[:, 3:]], 1)

    return damage


def hue(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    """The hue of every pixel turned, up to 90 degrees either way."""
    angle = u * math.pi / 2 * (2 * torch.rand(x[:, :1].shape, generator=g) - 1)
    lightness, a, b, alpha = x.split(1, 1)
    return torch.cat(
        [lightness, angle.cos() * a - angle.sin() * b, angle.sin() * a + angle.cos() * b, alpha], 1
    )


def own_colours(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    """A share of the visible pixels, on their own or in squares of 2, takes a colour from elsewhere in it."""
    n, channels, height, width = x.shape
    weights = (x[:, 3] > 0.02).flatten(1).float() + 1e-6
    chosen = torch.multinomial(weights, height * width, replacement=True, generator=g)
    other = x.flatten(2).gather(2, chosen[:, None].expand(-1, channels, -1)).view_as(x)
    fine = torch.rand(n, 1, height, width, generator=g)
    coarse = fine[:, :, ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :height, :width]
    squares = other[:, :, ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :height, :width]
    twofold = uniform(n, 0, 1, g) < 0.4
    hit = (torch.where(twofold, coarse, fine) < 0.6 * u) & (x[:, 3:] > 0.02)
    return torch.where(hit, torch.where(twofold, squares, other), x)


def blur(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    return x + u * (avg_pool2d(pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1) - x)


def dropped(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    """Pixels become clear, or black."""
    kept = torch.rand(x[:, :1].shape, generator=g) > 0.4 * u
    black = (uniform(len(x), 0, 1, g) < 0.5) & (torch.arange(4) == 3)[None, :, None, None]
    return torch.where(kept | black, x, 0)


def halves(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    """Up to half of the picture comes from another."""
    return torch.where(torch.arange(x.shape[3]) >= x.shape[3] * (1 - u / 2), x.roll(1, 0), x)


def turned(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    """Quarter turns; the dose says which."""
    quarters = (1 + (3 * u).floor().clamp_max(2)).int()
    for k in (1, 2, 3):
        x = torch.where(quarters == k, x.rot90(k, (2, 3)), x)
    return x


def ragged(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    """Pixels at the outline are cut away, or repeated outwards."""
    alpha = x[:, 3:]
    edge = (max_pool2d(alpha, 3, 1, 1) > 0.02) & (-max_pool2d(-alpha, 3, 1, 1) < 0.02)
    hit = edge & (torch.rand(alpha.shape, generator=g) < 0.6 * u)
    return torch.where(hit, torch.where(alpha > 0.02, 0, x.roll(1, 3)), x)


def half_clear(x: Tensor, u: Tensor, g: torch.Generator) -> Tensor:
    """Pixels are seen through, each by its own share."""
    return x * (1 - 0.7 * u * torch.rand(x[:, :1].shape, generator=g))


DAMAGES: dict[str, Damage] = {
    "blocks of 2": blocks(2),
    "blocks of 4": blocks(4),
    "blocks of 8": blocks(8),
    "silhouette": silhouette,
    "noise": noise(1),
    "noise of 2": noise(2),
    "noise of 4": noise(4),
    "hue": hue,
    "own colours": own_colours,
    "blur": blur,
    "dropped pixels": dropped,
    "mixed halves": halves,
    "quarter turns": turned,
    "ragged outline": ragged,
    "half clear": half_clear,
}


OFTEN = [2.0 if name in ("silhouette", "noise", "hue") else 1.0 for name in DAMAGES]
"""How often each is met: twice what is hardest to see."""


def damaged(x: Tensor, g: torch.Generator, share: float = 0.7) -> tuple[Tensor, Tensor, Tensor]:
    """Damage a ``share`` of the pictures, each in one way.

    Returns the pictures, the number of the way, (n,), counting from 1 with 0 for none, and the dose of each
    way, (n, ways).
    """
    n, ways = len(x), len(DAMAGES)
    hurt = torch.rand(n, generator=g) < share
    chosen = torch.multinomial(torch.tensor(OFTEN), n, replacement=True, generator=g)
    way = torch.where(hurt, 1 + chosen, 0)
    u = uniform(n, 0.25, 1, g)
    x = x.clone()
    for number, damage in enumerate(DAMAGES.values(), 1):
        chosen = (way == number).nonzero()[:, 0]
        if len(chosen):
            x[chosen] = damage(x[chosen], u[chosen], g)
    dose = torch.nn.functional.one_hot(way, ways + 1)[:, 1:] * u.flatten()[:, None]
    return x, way, dose
