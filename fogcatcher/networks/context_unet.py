"""The U-Net of the course "How Diffusion Models Work" (DeepLearning.AI, 2023), which made 16x16 sprites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.base.errors import UserError
from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.networks.embeddings import Form, Vector
from fogcatcher.networks.sequences import sequence_reader

GROUPS = 8
WORDS_WIDTH = 32
"""Numbers that stand for a text in the context."""


class ContextUnet(nn.Module):
    """Two halvings, one vector for the whole picture, and up again by c u + t.

    c and t are what two small networks make of the context and of the noise label. The course tells it t
    in [0, 1] as one bare number, so the noise label should be of that size. The context is all attributes
    in one row, in the order of ``attributes``; nothing said is zeros.

    ``size`` (height, width) must be divisible by 4, because the first step up leads at once from 1x1 to
    height/4 x width/4; the network then fits that size only. ``features`` is a multiple of 8. ``answers`` is
    how many times the channels of the input it returns. Raises UserError for other sizes and widths.

    The course has 1,480,771 parameters (3 channels, 64 features, 5 contexts, 16x16), and one defect: the
    1x1 shortcut of its first block is created anew, untrained, in every forward pass, so that two calls
    differ. Here it is a layer like any other, ``init.shortcut``, and is trained. Its 4 * 64 = 256
    parameters come on top, for the course's figure counts none for a layer that it throws away.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        features: int = 64,
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
    ) -> None:
        super().__init__()
        require_multiples("pictures with sides", size, 4)
        require_multiples("a width", [features], GROUPS)
        self.size, n = size, features
        quarter = (size[0] // 4, size[1] // 4)
        self.context = ContextVector(attributes or {})
        self.init = FirstBlock(channels, n)
        self.down1 = nn.Sequential(_convolutions(n, n), _convolutions(n, n), nn.MaxPool2d(2))
        self.down2 = nn.Sequential(_convolutions(n, 2 * n), _convolutions(2 * n, 2 * n), nn.MaxPool2d(2))
        self.timeembed1, self.timeembed2 = _embedding(1, 2 * n), _embedding(1, n)
        self.contextembed1 = _embedding(self.context.width, 2 * n)
        self.contextembed2 = _embedding(self.context.width, n)
        self.up0 = nn.Sequential(
            nn.ConvTranspose2d(2 * n, 2 * n, quarter, quarter), nn.GroupNorm(GROUPS, 2 * n), nn.ReLU()
        )
        self.up1, self.up2 = _up(4 * n, n), _up(2 * n, n)
        self.out = nn.Sequential(
            nn.Conv2d(2 * n, n, 3, padding=1),
            nn.GroupNorm(GROUPS, n),
            nn.ReLU(),
            nn.Conv2d(n, answers * channels, 3, padding=1),
        )

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, H, W), for ``x``, (B, C, H, W), and the noise label, (B,).

        Raises ValueError for another height or width than it was built for, KeyError for an attribute that
        it was not built with.
        """
        if x.shape[-2:] != self.size:
            raise ValueError(f"built for {self.size}, but got pictures of {tuple(x.shape[-2:])}")
        context, t = self.context(cond, x), noise_label[:, None]
        c1, c2 = _per_channel(self.contextembed1(context)), _per_channel(self.contextembed2(context))
        t1, t2 = _per_channel(self.timeembed1(t)), _per_channel(self.timeembed2(t))
        first = self.init(x)
        half = self.down1(first)
        quarter = self.down2(half)
        u = self.up0(F.gelu(quarter.mean((2, 3), keepdim=True)))
        u = self.up1(torch.cat([c1 * u + t1, quarter], 1))
        u = self.up2(torch.cat([c2 * u + t2, half], 1))
        return self.out(torch.cat([u, first], 1))


class ContextVector(nn.Module):
    """All attributes side by side, in their order: attribute -> (B, k) gives (B, width).

    What is not said is zeros, and a text is read by a small encoder. Without any attribute the row is a
    single 1.
    """

    def __init__(self, attributes: Mapping[str, Form]) -> None:
        super().__init__()
        self.widths = {
            name: kind.features if isinstance(kind, Vector) else WORDS_WIDTH
            for name, kind in attributes.items()
        }
        self.width = sum(self.widths.values()) or 1
        self.readers = nn.ModuleList(
            nn.Identity() if isinstance(kind, Vector) else sequence_reader(kind, WORDS_WIDTH)
            for kind in attributes.values()
        )

    def forward(self, cond: Condition | None, like: Tensor) -> Tensor:
        """Raises KeyError for an attribute that the network was not built with."""
        cond = cond or {}
        if unknown := cond.keys() - self.widths.keys():
            raise KeyError(f"the network was not built with {sorted(unknown)}")
        if not self.widths:
            return like.new_ones(len(like), 1)
        rows = [
            read(cond[name].to(like)) if name in cond else like.new_zeros(len(like), width)
            for (name, width), read in zip(self.widths.items(), self.readers, strict=True)
        ]
        return torch.cat(rows, 1)


class FirstBlock(nn.Module):
    """(shortcut(x) + convolutions(x)) / sqrt(2): the sum of two such signals keeps its variance."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolutions = _convolutions(inputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return (self.shortcut(x) + self.convolutions(x)) / 2**0.5


def require_multiples(what: str, given: Sequence[int], multiple: int) -> None:
    """Raise UserError, which names the nearest legal numbers, unless all are positive multiples."""
    nearest = [max(1, (2 * side + multiple) // (2 * multiple)) * multiple for side in given]
    if list(given) != nearest:
        is_given, take = (" x ".join(map(str, sides)) for sides in (given, nearest))
        raise UserError(f"this network needs {what} in multiples of {multiple}, not {is_given}: take {take}.")


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.GELU()),
        *(nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.GELU()),
    )


def _up(inputs: int, outputs: int) -> nn.Sequential:
    twice = nn.ConvTranspose2d(inputs, outputs, 2, 2)
    return nn.Sequential(twice, _convolutions(outputs, outputs), _convolutions(outputs, outputs))


def _embedding(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.GELU(), nn.Linear(outputs, outputs))


def _per_channel(rows: Tensor) -> Tensor:
    return rows[:, :, None, None]
