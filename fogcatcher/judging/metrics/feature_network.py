"""The network of the built-in features: sees shape, colour and faults of a 32x32 picture.

Residual blocks: He et al. 2015, "Deep residual learning for image recognition", section 3; batch
normalisation after every convolution: Ioffe and Szegedy 2015.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

SIZE = 32
WIDTHS = (32, 64, 128)
FEATURES = 64


class Residual(nn.Module):
    """x -> relu(x + two convolutions of x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class FeatureNetwork(nn.Module):
    """(B, 4, 32, 32) as ``seeing.see`` gives it -> 64 features; heads name classes from them.

    ``classes``: head -> how many classes it tells apart. ``mean`` and ``unit`` standardise the features on
    the built-in sprites; they are set after training.
    """

    mean: Tensor
    unit: Tensor

    def __init__(self, classes: Mapping[str, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 4
        for width in WIDTHS:  # 32 -> 16 -> 8 -> 4 pixels a side
            layers += [_convolution(before, width, stride=2), nn.ReLU(), Residual(width)]
            before = width
        # The means of the four quarters, so that it is known where something is.
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.last = nn.Linear(4 * before, FEATURES)
        self.heads = nn.ModuleDict({name: nn.Linear(FEATURES, n) for name, n in classes.items()})
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("unit", torch.eye(FEATURES))

    def look(self, seen: Float[Tensor, "B 4 32 32"]) -> Float[Tensor, "B 64"]:
        """Return the features as the heads take them."""
        return self.last(self.trunk(seen))

    def forward(self, seen: Float[Tensor, "B 4 32 32"]) -> Float[Tensor, "B 64"]:
        """Return the standardised features."""
        return (self.look(seen) - self.mean) @ self.unit


def _convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after))
