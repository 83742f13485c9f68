"""The U-Net of a bachelor's thesis on monster sprites, in the three stages in which it grew.

A. Pequeño Lizcano, Universidad Politécnica de Madrid, 2024. One defect of its network is mended: attention
was added to the *normalised* input, so that the size of what came in was lost at every attention. Its other
defects have no place here: a validation that hid the labels which it meant to keep, labels hidden number by
number (here a row is silent as a whole), and drawing that ended one step early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.networks.annotated_unet import Sinusoid
from fogcatcher.networks.context_unet import ContextVector, require_multiples
from fogcatcher.networks.embeddings import Form

EPS = 1e-3
"""Of every normalisation, as in Keras."""


@dataclass(frozen=True)
class Stage:
    """What the thesis changed from one stage to the next."""

    groups: int | None = None
    """Groups of the group normalisation; None normalises over all channels, each position its own."""
    activation: Callable[[Tensor], Tensor] = F.relu
    sinusoid: bool = False
    """Whether the network is told waves of the noise label, or the bare number."""
    attention: tuple[bool, ...] = (False, False, False, False)
    """Whether each level, from the finest, has attention."""
    dropout: float = 0.0
    """Share of whole channels that are dropped in the deeper blocks, in training."""


VANILLA = Stage()
ATTENTIVE = Stage(16, F.silu, sinusoid=True, attention=(False, True, True, True))
FINAL = replace(ATTENTIVE, dropout=0.1)


class ThesisUNet(nn.Module):
    """One block per level: act(norm(conv(x))) c + t beside conv(x), where c is the label and t the time.

    Max-pooling on the way down, nearest neighbours on the way up, two blocks at the bottom. The label is all
    attributes in one row, in the order of ``attributes``; nothing said is zeros. From the second stage on
    the network wants step numbers as noise labels: a preconditioning with ``steps=T``.

    ``size`` (height, width) must be divisible by 2 for every level but the last; any other such size fits
    too. ``width`` is a multiple of 16. ``answers`` is how many times the channels of the input it returns.
    Raises UserError for other sizes and widths.

    The final stage has 8,965,315 parameters at 32x32x3 and 18 types, as in the thesis. Drafts of its first
    stage also had 128 channels on every level and a fully connected bottom, which ties a network to one
    size; here all stages share one skeleton, so that a comparison shows what the changes did.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int] = (32, 32),
        width: int = 64,
        multipliers: Sequence[int] = (1, 2, 2, 4),
        stage: Stage = FINAL,
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
    ) -> None:
        super().__init__()
        if len(stage.attention) != len(multipliers):
            raise ValueError(f"{len(multipliers)} levels, but attention is said for {len(stage.attention)}")
        require_multiples("pictures with sides", size, 2 ** (len(multipliers) - 1))
        require_multiples("a width", [width], 16)
        widths = [width * m for m in multipliers]
        embedding = widths[-2]
        self.context = ContextVector(attributes or {})
        self.label = Embedding(self.context.width, embedding, stage)
        self.wave = Sinusoid(embedding) if stage.sinusoid else nn.Unflatten(0, (-1, 1))
        self.time = Embedding(embedding if stage.sinusoid else 1, embedding, stage)
        dry = replace(stage, dropout=0.0)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        above, below = [channels, *widths[:-1]], [*widths[1:], widths[-1]]
        for i, (a, w, b, attends) in enumerate(zip(above, widths, below, stage.attention, strict=True)):
            # Two blocks at the start and one at the end keep everything, as in the thesis.
            self.down.append(Block(a, w, embedding, attends, stage if i >= 2 else dry))
            self.up.insert(0, Block(b + w, w, embedding, attends, stage if i >= 1 else dry))
        bottom = widths[-1]
        self.bottom1 = Block(bottom, bottom, embedding, any(stage.attention), stage)
        self.bottom2 = Block(bottom, bottom, embedding, False, stage)
        self.norm, self.activation = _norm(width, stage), stage.activation
        self.out = nn.Conv2d(width, answers * channels, 1)

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, H, W), for ``x``, (B, C, H, W), and the noise label, (B,).

        Raises KeyError for an attribute that the network was not built with.
        """
        c, t = self.label(self.context(cond, x)), self.time(self.wave(noise_label))
        h, skips = x, []
        for i, block in enumerate(self.down):
            h = block(F.max_pool2d(h, 2) if i > 0 else h, c, t)
            skips.append(h)
        h = self.bottom2(self.bottom1(h, c, t), c, t)
        for i, block in enumerate(self.up):
            h = F.interpolate(h, scale_factor=2.0) if i > 0 else h
            h = block(torch.cat([h, skips.pop()], 1), c, t)
        return self.out(self.activation(self.norm(h)))


class Embedding(nn.Module):
    """act(norm(act(linear(row)))): (B, inputs) -> (B, outputs)."""

    def __init__(self, inputs: int, outputs: int, stage: Stage) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(inputs, outputs), _norm(outputs, stage)
        self.activation = stage.activation

    def forward(self, row: Tensor) -> Tensor:
        return self.activation(self.norm(self.activation(self.linear(row))))


class Block(nn.Module):
    """h = branch(x) act(label) + act(time) + conv(x); then attention, norm, activation, dropout."""

    def __init__(self, inputs: int, outputs: int, embedding: int, attends: bool, stage: Stage) -> None:
        super().__init__()
        self.branch, self.norm1 = nn.Conv2d(inputs, outputs, 3, padding=1), _norm(outputs, stage)
        self.label, self.time = nn.Linear(embedding, outputs), nn.Linear(embedding, outputs)
        self.parallel = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.attention = Attention(outputs, stage) if attends else nn.Identity()
        self.norm2, self.activation = _norm(outputs, stage), stage.activation
        self.dropout = nn.Dropout2d(stage.dropout)

    def forward(self, x: Tensor, label: Tensor, time: Tensor) -> Tensor:
        c = self.activation(self.label(label))[:, :, None, None]
        t = self.activation(self.time(time))[:, :, None, None]
        h = self.activation(self.norm1(self.branch(x))) * c + t + self.parallel(x)
        return self.dropout(self.activation(self.norm2(self.attention(h))))


class Attention(nn.Module):
    """x + out(softmax(Q K^T / sqrt(C)) V) of the normalised x, in one head (Vaswani et al. 2017, eq. 1)."""

    def __init__(self, channels: int, stage: Stage) -> None:
        super().__init__()
        self.norm = _norm(channels, stage)
        self.query, self.key = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.value, self.out = nn.Linear(channels, channels), nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.norm(x).flatten(2).mT  # (B, positions, C)
        mixed = F.scaled_dot_product_attention(self.query(rows), self.key(rows), self.value(rows))
        return x + self.out(mixed).mT.reshape(x.shape)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels, (B, C, ...), each position its own."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def _norm(channels: int, stage: Stage) -> nn.Module:
    return nn.GroupNorm(stage.groups, channels, EPS) if stage.groups else ChannelNorm(channels, EPS)
