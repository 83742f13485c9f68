"""A U-Net for small pictures and signals on a CPU: little work at full resolution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.networks.blocks import CrossAttention, ResidualBlock, SelfAttention, zeroed
from fogcatcher.networks.embeddings import ConditionEmbedding, Form, NoiseEmbedding
from fogcatcher.networks.sequences import Said

ATTENTION_AT_MOST = 8 * 8
"""Attention looks at every pair of positions, so it stands only where there are few."""
WORDS_AT_MOST = 16 * 16
"""Words are few, so more places may look at them; and where these are small, they look at what they mean."""
HEAD_CHANNELS = 32
GROUP_CHANNELS = 16


class UNet(nn.Module):
    """Down through ``widths``, one resolution each, and up again with the features of the way down.

    Blocks of ``patch`` x ``patch`` pixels become channels first, which loses nothing and leaves a
    quarter of the positions to work on for a patch of 2. Any height and width: the picture is padded to
    what the halving needs, and cut back. ``size`` (height, width) only decides where attention stands.
    ``halved`` says by how much a level divides height and width.
    ``attributes`` names what it can be conditioned on, and in which form each comes; with
    ``cross_attention`` sequences are also looked at word by word, down to half the side of those levels.
    ``answers`` is how many times the channels of the input it returns.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        patch: int = 2,
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
        halved: tuple[int, int] = (2, 2),
        cross_attention: bool = False,
    ) -> None:
        super().__init__()
        self.patch = patch
        down, right = halved
        self.multiples = patch * down ** (len(widths) - 1), patch * right ** (len(widths) - 1)
        embedding = 4 * widths[0]
        self.noise = NoiseEmbedding(embedding)
        self.condition = ConditionEmbedding(embedding, attributes or {}, cross_attention)
        listens = bool(self.condition.one_by_one)
        self.enter = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        positions = [self._positions(size, halved, level) for level in range(len(widths))]

        for level, w in enumerate(widths):
            if level > 0:
                self.down.append(nn.Conv2d(widths[level - 1], w, halved, stride=halved))
            self.down.extend(Stage(w, w, embedding, positions[level], listens) for _ in range(blocks))
        self.middle = Stage(widths[-1], widths[-1], embedding, positions[-1], listens)
        for level, w in reversed(list(enumerate(widths))):
            self.up.extend(Stage(2 * w, w, embedding, positions[level], listens) for _ in range(blocks))
            if level > 0:
                self.up.append(nn.ConvTranspose2d(w, widths[level - 1], halved, stride=halved))
        leave = nn.Conv2d(widths[0], answers * channels * patch**2, 3, padding=1)
        self.exit = nn.Sequential(_norm(widths[0]), nn.SiLU(), zeroed(leave))

    def _positions(self, size: tuple[int, int], halved: tuple[int, int], level: int) -> int:
        """The number of positions at a level."""
        sides = zip(size, self.multiples, halved, strict=True)
        return math.prod(-(-side // m) * m // self.patch // by**level for side, m, by in sides)

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, H, W), for ``x``, (B, C, H, W), and the noise label, (B,)."""
        height, width = x.shape[-2:]
        embedding = self.noise(noise_label)
        said = self.condition.said(cond, embedding)
        embedding = F.silu(embedding + self.condition(cond, embedding))
        down, right = self.multiples
        padding = (0, -width % right, 0, -height % down)
        h = F.pixel_unshuffle(F.pad(x, padding, mode="replicate"), self.patch)
        h = self.enter(h.contiguous(memory_format=torch.channels_last))
        skips = []
        for layer in self.down:
            if isinstance(layer, Stage):
                h = layer(h, embedding, said)
                skips.append(h)
            else:
                h = layer(h)
        h = self.middle(h, embedding, said)
        for layer in self.up:
            h = (
                layer(torch.cat([h, skips.pop()], 1), embedding, said)
                if isinstance(layer, Stage)
                else layer(h)
            )
        return F.pixel_shuffle(self.exit(h), self.patch)[..., :height, :width]


class SignalUNet(nn.Module):
    """The same for signals, (B, C, L): pictures of one row, halved along their length alone."""

    def __init__(
        self,
        channels: int,
        length: int,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
        cross_attention: bool = False,
    ) -> None:
        super().__init__()
        size, halved = (1, length), (1, 2)
        self.of_one_row = UNet(
            channels, size, widths, blocks, 1, attributes, answers, halved, cross_attention
        )

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, L), for ``x``, (B, C, L), and the noise label, (B,)."""
        return self.of_one_row(x[:, :, None], noise_label, cond)[:, :, 0]


class Stage(nn.Module):
    """A residual block, and where there are few positions attention, to each other and to words."""

    def __init__(
        self, inputs: int, outputs: int, embedding: int, positions: int, listens: bool = False
    ) -> None:
        super().__init__()
        self.block = ResidualBlock(inputs, outputs, embedding, norm=_norm)
        heads = max(1, outputs // HEAD_CHANNELS)
        few = positions <= ATTENTION_AT_MOST
        self.attention = SelfAttention(outputs, heads, norm=_norm) if few else nn.Identity()
        listens = listens and positions <= WORDS_AT_MOST
        self.words = CrossAttention(outputs, embedding, heads, norm=_norm) if listens else None

    def forward(self, x: Tensor, embedding: Tensor, said: Said | None = None) -> Tensor:
        h = self.attention(self.block(x, embedding))
        return h if self.words is None or said is None else self.words(h, *said)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(max(1, channels // GROUP_CHANNELS), channels)
