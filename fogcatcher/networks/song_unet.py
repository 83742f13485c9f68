"""DDPM++ and NCSN++, the U-Nets of the score SDE paper, in the form in which EDM uses them.

Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", appendix H;
Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", appendix F.2.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.base.errors import UserError
from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.networks.blocks import (
    Resample,
    ResidualBlock,
    SelfAttention,
    conv,
    group_norm,
    sinusoids,
    zeroed,
)
from fogcatcher.networks.embeddings import ConditionEmbedding, Form, Vector

BOX, BINOMIAL = (1, 1), (1, 3, 3, 1)
FOURIER_SCALE = 16.0
ROOT_2 = math.sqrt(2)


class SongUNet(nn.Module):
    """A U-Net of ``multipliers`` times ``width`` channels, one resolution each, sums divided by sqrt 2.

    ``taps`` are the resampling filter along one axis. The "residual" encoder adds to every resolution
    the input itself, made smaller by a convolution and the filter. Attention, in one head, stands where the
    longer side of ``size``, (height, width), has been halved to one of ``attention_at``, and in the middle.
    ``attributes`` names the conditions: rows of k weights come in times sqrt(k), which gives a single 1 unit
    variance, but for those of ``as_given`` (the labels of augmentation). ``answers`` is how many times
    the channels of the input it returns.

    Raises UserError for a height or width that cannot be halved often enough.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        width: int = 128,
        multipliers: Sequence[int] = (2, 2, 2),
        blocks: int = 4,
        attention_at: Collection[int] = (16,),
        dropout: float = 0.13,
        embedding: Literal["positional", "fourier"] = "positional",
        taps: Sequence[int] = BOX,
        encoder: Literal["standard", "residual"] = "standard",
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
        as_given: Collection[str] = (),
    ) -> None:
        super().__init__()
        widths = [width * multiplier for multiplier in multipliers]
        self.multiple = 2 ** (len(widths) - 1)
        self._check(*size)
        self.embed = NoiseLevel(width, embedding, attributes or {}, as_given)
        self.halve = partial(halved_by, taps)
        attends = [max(size) // 2**level in attention_at for level in range(len(widths))]
        stage = partial(Stage, embedding=4 * width, dropout=dropout)

        w, skips = width, [width]
        self.enter = _started(conv(2, channels, width))
        self.down, self.up, self.aside = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        seen = channels
        for level, outputs in enumerate(widths):
            if level > 0:
                self.down.append(stage(w, w, resample=self.halve))
                skips.append(w)
                if encoder == "residual":
                    self.aside.append(_started(conv(2, seen, w, padding=len(taps) // 2)))
                    seen = w
            for _ in range(blocks):
                self.down.append(stage(w, outputs, attends=attends[level]))
                w = outputs
                skips.append(w)
        self.middle = nn.ModuleList([stage(w, w, attends=True), stage(w, w)])
        for level, outputs in reversed(list(enumerate(widths))):
            if level < len(widths) - 1:
                self.up.append(stage(w, w, resample=partial(doubled_by, taps)))
            for i in range(blocks + 1):
                self.up.append(stage(w + skips.pop(), outputs, attends=attends[level] and i == blocks))
                w = outputs
        self.exit = nn.Sequential(norm(w), nn.SiLU(), zeroed(conv(2, w, answers * channels)))

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, H, W), for ``x``, (B, C, H, W), and the noise label, (B,)."""
        self._check(*x.shape[-2:])
        embedding = self.embed(noise_label, cond)
        aside, asides = x, iter(self.aside)
        h = self.enter(x)
        skips = [h]
        for stage in self.down:
            h = stage(h, embedding)
            if stage.resamples and self.aside:
                h = aside = (h + self.halve(next(asides)(aside), padding=0)) / ROOT_2
            skips.append(h)
        for stage in self.middle:
            h = stage(h, embedding)
        for stage in self.up:
            h = stage(h if stage.resamples else torch.cat([h, skips.pop()], dim=1), embedding)
        return self.exit(h)

    def _check(self, height: int, width: int) -> None:
        if height % self.multiple or width % self.multiple:
            near = [max(1, round(side / self.multiple)) * self.multiple for side in (height, width)]
            raise UserError(
                f"this network halves pictures {int(math.log2(self.multiple))} times and cannot take "
                f"{height} x {width}: use {near[0]} x {near[1]}."
            )


class NoiseLevel(nn.Module):
    """The noise level in sines and cosines, plus the condition, through two layers: (B, 4 width)."""

    def __init__(
        self,
        width: int,
        kind: Literal["positional", "fourier"],
        attributes: Mapping[str, Form],
        as_given: Collection[str],
    ) -> None:
        super().__init__()
        features = width if kind == "positional" else 2 * width
        if kind == "fourier":  # f ~ N(0, 16^2), drawn once
            self.register_buffer("f", FOURIER_SCALE * torch.randn(features // 2))
        self.kind, self.features = kind, features
        self.scales = {
            name: math.sqrt(of.features) if isinstance(of, Vector) and name not in as_given else 1.0
            for name, of in attributes.items()
        }
        self.condition = ConditionEmbedding(features, attributes)
        self.layer1 = _started(nn.Linear(features, 4 * width))
        self.layer2 = _started(nn.Linear(4 * width, 4 * width))

    def forward(self, noise_label: Times, cond: Condition | None) -> Tensor:
        """Return SiLU of the embedding. Raises KeyError for an attribute it was not built with."""
        if self.kind == "positional":
            waves = sinusoids(noise_label, self.features).to(noise_label.dtype)
        else:
            angles = 2 * math.pi * noise_label[:, None] * self.get_buffer("f")
            waves = torch.cat([angles.sin(), angles.cos()], dim=1)
        scaled = {name: self.scales[name] * rows for name, rows in (cond or {}).items()}
        return F.silu(self.layer2(F.silu(self.layer1(waves + self.condition(scaled, waves)))))


class Stage(nn.Module):
    """A residual block told the noise level by addition, and perhaps attention; both divided by sqrt 2."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedding: int,
        dropout: float,
        attends: bool = False,
        resample: Resample | None = None,
    ) -> None:
        super().__init__()
        self.resamples = resample is not None
        self.block = ResidualBlock(
            inputs,
            outputs,
            embedding,
            norm=norm,
            scale_shift=False,
            dropout=dropout,
            resample=resample,
            divisor=ROOT_2,
        )
        if self.resamples and inputs == outputs:
            self.block.shortcut = conv(2, inputs, outputs, 1)  # EDM's shortcut is never bare there
        self.attention = SelfAttention(outputs, norm=norm, divisor=ROOT_2) if attends else nn.Identity()
        _started(self)
        zeroed(self.block.conv2)
        if isinstance(self.attention, SelfAttention):
            zeroed(self.attention.out)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.attention(self.block(x, embedding))


def norm(channels: int) -> nn.GroupNorm:
    """Return a norm of 32 groups, or fewer so that each has 4 channels."""
    return group_norm(channels, groups=max(1, min(32, channels // 4)), eps=1e-6)


def halved_by(taps: Sequence[int], x: Tensor, padding: int | None = None) -> Tensor:
    """Return every second position along both axes after the filter; zeros stand beyond the border.

    ``padding`` is how many of them, so many that the size is halved unless told.
    """
    b, c, *_ = x.shape
    padding = len(taps) // 2 - 1 if padding is None else padding
    y = F.conv2d(x.flatten(0, 1)[:, None], _kernel(taps, x), stride=2, padding=padding)
    return y[:, 0].unflatten(0, (b, c))


def doubled_by(taps: Sequence[int], x: Tensor) -> Tensor:
    """Return twice the positions along both axes: zeros between, then the filter, times 4."""
    b, c, *_ = x.shape
    y = F.conv_transpose2d(
        x.flatten(0, 1)[:, None], 4 * _kernel(taps, x), stride=2, padding=len(taps) // 2 - 1
    )
    return y[:, 0].unflatten(0, (b, c))


def _kernel(taps: Sequence[int], like: Tensor) -> Tensor:
    """The filter over both axes, of sum 1."""
    line = torch.tensor(taps, dtype=like.dtype, device=like.device)
    return (torch.outer(line, line) / line.sum() ** 2)[None, None]


def _started(module: nn.Module) -> nn.Module:
    """The module with weights that keep the variance both ways (Glorot & Bengio 2010), and no biases."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


ddpmpp = SongUNet
"""EDM's DDPM++ (Karras et al. 2022, table 7), which the defaults are."""
ncsnpp = partial(SongUNet, embedding="fourier", taps=BINOMIAL, encoder="residual")
"""EDM's NCSN++ (the same)."""
