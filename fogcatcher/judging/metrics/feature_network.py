"""The network of the built-in features: sees shape, colour, texture and faults of a 32x32 picture.

Residual blocks: He et al. 2015, "Deep residual learning for image recognition", section 3; batch
normalisation after every convolution: Ioffe and Szegedy 2015.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

SIZE = 32
WIDTHS = (16, 48, 96)
FEATURES = 64
SCALES = (1, 2, 4)
STATISTICS = 4 * len(SCALES) + 3
GAINS = (1.0, 4.0, 4.0, 1.0)
"""Hue varies by a quarter of what lightness and alpha do; unscaled it is hardly heard."""


class Residual(nn.Module):
    """x -> relu(x + two convolutions of x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class FeatureNetwork(nn.Module):
    """(B, 4, 32, 32) as ``seeing.see`` gives it -> 64 features.

    Every depth is heard: of the pixels, of their neighbourhoods and of the whole, what is there (mean over
    all places) and how unevenly (deviation); of the deepest also where (means of the four quarters); and how
    much neighbours differ, at three scales.
    ``mean`` and ``unit`` standardise the features on the built-in sprites; they are set after training.
    """

    mean: Tensor
    unit: Tensor

    def __init__(self) -> None:
        super().__init__()
        stages, before = [], 4
        for width in WIDTHS:  # 32, 16 and 8 pixels a side
            stride = 1 if before == 4 else 2
            stages.append(nn.Sequential(_convolution(before, width, stride), nn.ReLU(), Residual(width)))
            before = width
        self.stages = nn.ModuleList(stages)
        self.statistics = nn.Sequential(
            nn.BatchNorm1d(STATISTICS), nn.Linear(STATISTICS, 2 * FEATURES), nn.ReLU()
        )
        self.last = nn.Linear(2 * sum(WIDTHS) + 4 * before + 2 * FEATURES, FEATURES)
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("unit", torch.eye(FEATURES))

    def look(self, seen: Float[Tensor, "B 4 32 32"]) -> Float[Tensor, "B 64"]:
        """Return the features as they were learnt."""
        x, heard = seen * seen.new_tensor(GAINS)[:, None, None], [self.statistics(contrasts(seen))]
        for stage in self.stages:
            x = stage(x)
            mean = x.mean((2, 3))
            # Of the mean of squares, and no root of 0: its slope would be infinite.
            spread = ((x - mean[:, :, None, None]).square().mean((2, 3)) + 1e-4).sqrt()
            heard += [mean, spread]
        quarters = nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)
        return self.last(torch.cat([*heard, quarters], 1))

    def forward(self, seen: Float[Tensor, "B 4 32 32"]) -> Float[Tensor, "B 64"]:
        """Return the standardised features."""
        return (self.look(seen) - self.mean) @ self.unit


def contrasts(seen: Float[Tensor, "B 4 H W"]) -> Float[Tensor, "B 15"]:
    """Return how much L, a, b and alpha of neighbours differ at three scales, and how much L, a, b vary.

    Logarithms of mean squares: of colours over pairs of pixels that can both be seen.
    """
    found = []
    for scale in SCALES:
        x = nn.functional.avg_pool2d(seen, scale)
        alpha = x[:, 3:]
        squares, weights = torch.zeros_like(x[:, :3, 0, 0]), torch.zeros_like(x[:, 3:, 0, 0])
        edges = torch.zeros_like(weights)
        for axis in (2, 3):
            n = x.shape[axis] - 1
            both = alpha.narrow(axis, 0, n) * alpha.narrow(axis, 1, n)
            change = x.diff(dim=axis).square()
            squares = squares + (change[:, :3] * both).sum((2, 3))
            edges = edges + change[:, 3:].mean((2, 3))
            weights = weights + both.sum((2, 3))
        found += [squares / (weights + 1e-3), edges]
    alpha = seen[:, 3:]
    total = alpha.sum((2, 3), keepdim=True) + 1e-3
    mean = seen[:, :3].sum((2, 3), keepdim=True) / total
    found.append(((seen[:, :3] - mean * alpha).square()).sum((2, 3)) / total[:, :, 0, 0])
    return (torch.cat(found, 1) + 1e-5).log()


def _convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after))
