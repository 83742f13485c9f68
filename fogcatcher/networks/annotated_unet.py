"""The U-Net of "The Annotated Diffusion Model" (Hugging Face, 2022; the text as it stands today)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.networks.context_unet import require_multiples
from fogcatcher.networks.embeddings import ConditionEmbedding, Form

GROUPS = 4
HEADS, HEAD_CHANNELS = 4, 32


class AnnotatedUNet(nn.Module):
    """Residual blocks told of the noise by scale and shift, and attention at every level.

    Attention is linear on the levels, full in the middle. Every level hands two skips across, and the
    first convolution one more, to the last block. The text tells the network the step number, 1 to T: a
    preconditioning with ``steps=T`` does the same. Conditions are added to the embedded step.

    ``size`` (height, width) must be divisible by 2 for every level but the last, which stays as it is;
    any other such size fits too. ``dim`` is a multiple of 4. ``answers`` is how many times the channels of
    the input it returns. Raises UserError for other sizes and widths.

    2,020,257 parameters with dim 28, multipliers (1, 2, 4) and one channel, as in the text. One defect of
    the text is mended: its standardised weights are *divided* by 1 / sqrt(var + eps), see
    ``StandardisedConv2d``.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int] = (28, 28),
        dim: int = 28,
        multipliers: Sequence[int] = (1, 2, 4),
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
    ) -> None:
        super().__init__()
        require_multiples("pictures with sides", size, 2 ** (len(multipliers) - 1))
        require_multiples("a width", [dim], GROUPS)
        time = 4 * dim
        widths = [dim, *(dim * m for m in multipliers)]
        last = len(multipliers) - 1
        self.time = nn.Sequential(Sinusoid(dim), nn.Linear(dim, time), nn.GELU(), nn.Linear(time, time))
        self.condition = ConditionEmbedding(time, attributes or {})
        self.init = nn.Conv2d(channels, dim, 1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, (a, b) in enumerate(pairwise(widths)):
            self.down.append(Down(a, a, time, _same(a, b) if i == last else _halve(a, b)))
            self.up.insert(0, Up(a + b, b, time, _same(b, a) if i == 0 else _double(b, a)))
        self.middle1 = ResidualBlock(widths[-1], widths[-1], time)
        self.attention = Attention(widths[-1])
        self.middle2 = ResidualBlock(widths[-1], widths[-1], time)
        self.last = ResidualBlock(2 * dim, dim, time)
        self.out = nn.Conv2d(dim, answers * channels, 1)

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, H, W), for ``x``, (B, C, H, W), and the noise label, (B,).

        Raises KeyError for an attribute that the network was not built with.
        """
        time = self.time(noise_label)
        time = time + self.condition(cond, time)
        h = first = self.init(x)
        skips: list[Tensor] = []
        for level in self.down:
            skip1, skip2, h = level(h, time)
            skips += [skip1, skip2]
        h = self.middle2(self.attention(self.middle1(h, time)), time)
        for level in self.up:
            h = level(h, skips.pop(), skips.pop(), time)
        return self.out(self.last(torch.cat([h, first], 1), time))


class Level(nn.Module):
    """The parts of one resolution: two blocks, attention, and the way to the next."""

    def __init__(self, inputs: int, outputs: int, time: int, resize: nn.Module) -> None:
        super().__init__()
        self.block1 = ResidualBlock(inputs, outputs, time)
        self.block2 = ResidualBlock(inputs, outputs, time)
        self.attention = LinearAttention(outputs)
        self.resize = resize


class Down(Level):
    def forward(self, x: Tensor, time: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return two skips, and what goes on to the next level."""
        skip1 = self.block1(x, time)
        skip2 = self.attention(self.block2(skip1, time))
        return skip1, skip2, self.resize(skip2)


class Up(Level):
    def forward(self, x: Tensor, skip2: Tensor, skip1: Tensor, time: Tensor) -> Tensor:
        h = self.block1(torch.cat([x, skip2], 1), time)
        h = self.block2(torch.cat([h, skip1], 1), time)
        return self.resize(self.attention(h))


class Sinusoid(nn.Module):
    """sin and cos of w_k label, w_k = 10000^(-k / (K - 1)), k = 0 ... K - 1: (B,) -> (B, 2 K).

    Vaswani et al. 2017, section 3.5, with all sines first, as in Ho et al. 2020. Wavelengths run from 2 pi to
    10000 * 2 pi, so it wants labels of the size of step numbers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        k = torch.arange(width // 2) / (width // 2 - 1)
        self.register_buffer("frequencies", torch.exp(-math.log(10000) * k), persistent=False)

    def forward(self, noise_label: Times) -> Tensor:
        angles = noise_label[:, None] * self.get_buffer("frequencies")
        return torch.cat([angles.sin(), angles.cos()], 1)


class StandardisedConv2d(nn.Conv2d):
    """A convolution by the standardised filter, (w - mean) / sqrt(var + eps), each output channel its own.

    Qiao et al. 2019, "Weight Standardization". The text of the annotated model divides by 1 / sqrt(var + eps)
    instead, so that there small filters become smaller still: their variance is squared.
    """

    EPS = 1e-5

    def standardised(self) -> Tensor:
        """Return the filters that are applied, (outputs, inputs, 3, 3): mean 0, variance 1."""
        w = self.weight
        var, mean = torch.var_mean(w, (1, 2, 3), correction=0, keepdim=True)
        return (w - mean) * (var + self.EPS).rsqrt()

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, self.standardised(), self.bias, self.stride, self.padding)


class ResidualBlock(nn.Module):
    """Two times [convolution, norm, SiLU]; the embedded time scales and shifts the first."""

    def __init__(self, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.modulate = nn.Linear(time, 2 * outputs)
        self.conv1 = StandardisedConv2d(inputs, outputs, 3, padding=1)
        self.conv2 = StandardisedConv2d(outputs, outputs, 3, padding=1)
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, outputs), nn.GroupNorm(GROUPS, outputs)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.modulate(F.silu(time))[:, :, None, None].chunk(2, 1)
        h = F.silu(self.norm1(self.conv1(x)) * (scale + 1) + shift)
        return self.shortcut(x) + F.silu(self.norm2(self.conv2(h)))


class LinearAttention(nn.Module):
    """x + out(V (softmax_n(K)^T softmax_d(Q))): cost linear in the number n of positions.

    Shen et al. 2018, "Efficient Attention", with softmax as the normalisation. n counts positions, d the 32
    features of a head; Q is also divided by sqrt(d), as in the text.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_CHANNELS
        self.norm, self.qkv = nn.GroupNorm(1, channels), nn.Conv2d(channels, 3 * inner, 1, bias=False)
        self.out = nn.Sequential(nn.Conv2d(inner, channels, 1), nn.GroupNorm(1, channels))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = _heads(self.qkv(self.norm(x)))  # (B, heads, d, n) each
        context = v @ k.softmax(-1).mT  # (B, heads, d, d)
        mixed = context @ (q.softmax(-2) * HEAD_CHANNELS**-0.5)
        return x + self.out(mixed.reshape(len(x), -1, *x.shape[2:]))


class Attention(nn.Module):
    """x + out(softmax(Q K^T / sqrt(d)) V), every position looking at every other (Vaswani et al., eq. 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_CHANNELS
        self.norm, self.qkv = nn.GroupNorm(1, channels), nn.Conv2d(channels, 3 * inner, 1, bias=False)
        self.out = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.mT for part in _heads(self.qkv(self.norm(x))))
        mixed = F.scaled_dot_product_attention(q, k, v).mT
        return x + self.out(mixed.reshape(len(x), -1, *x.shape[2:]))


def _heads(qkv: Tensor) -> tuple[Tensor, ...]:
    return qkv.reshape(len(qkv), 3, HEADS, HEAD_CHANNELS, -1).unbind(1)


def _same(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _halve(inputs: int, outputs: int) -> nn.Module:
    """Blocks of 2x2 pixels become channels, which loses nothing."""
    return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * inputs, outputs, 1))


def _double(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1))
