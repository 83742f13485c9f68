"""The parts that U-Nets are made of, for sound (1-D), pictures (2-D) and volumes (3-D).

Everything here takes and returns (B, channels, positions...), with one to three axes of positions
(``dims``). What ends a residual branch starts as zero, so every block starts by passing x on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from fogcatcher.diffusion.tensors import Times

Norm = Callable[[int], nn.Module]
"""From a number of channels to the layer that normalises them."""
Resample = Callable[[Tensor], Tensor]
"""``halved`` or ``doubled``: (B, C, positions...) -> (B, C, fewer or more positions...)."""


def conv(
    dims: int, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, padding: int = -1
) -> nn.Module:
    """Return a convolution over ``dims`` axes; unless told, its padding keeps the size.

    Raises ValueError when dims is not 1, 2 or 3.
    """
    if dims not in (1, 2, 3):
        raise ValueError(f"a convolution goes over 1, 2 or 3 axes, not {dims}")
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
    return kind(inputs, outputs, kernel, stride, kernel // 2 if padding < 0 else padding)


def group_norm(channels: int, groups: int = 32, eps: float = 1e-5) -> nn.GroupNorm:
    """Return a norm of ``groups`` groups, or of the most that divide both them and the channels."""
    return nn.GroupNorm(math.gcd(groups, channels), channels, eps)


def zeroed(layer: nn.Module) -> nn.Module:
    """Return the layer with all its weights 0, so that it starts as "nothing"."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class _Standardise(nn.Module):
    """w -> (w - mean) / std over each output channel."""

    def forward(self, w: Tensor) -> Tensor:
        variance, mean = torch.var_mean(w.flatten(1), dim=1, correction=0)
        shape = (-1, *[1] * (w.ndim - 1))
        return (w - mean.reshape(shape)) * (variance + 1e-5).rsqrt().reshape(shape)


def standardised(layer: nn.Module) -> nn.Module:
    """Return the layer with its weight standardised on every use.

    Qiao et al. 2019, "Micro-Batch Training with Batch-Channel Normalization and Weight Standardization",
    equation 5; meant for a convolution that a group norm follows.
    """
    return parametrize.register_parametrization(layer, "weight", _Standardise())


def halved(x: Tensor) -> Tensor:
    """Return the mean of each 2, 2 x 2 or 2 x 2 x 2 positions."""
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.ndim - 3]
    return pool(x, 2)


def doubled(x: Tensor) -> Tensor:
    """Return every position repeated along each axis (nearest neighbour)."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Downsample(nn.Module):
    """Half the positions along each axis, by a convolution of stride 2.

    ``after`` pads behind the last position only, as DDPM's code does; else both ends are padded.
    """

    def __init__(self, inputs: int, outputs: int, dims: int = 2, after: bool = False) -> None:
        super().__init__()
        self.padding = (0, 1) * dims if after else (0, 0) * dims
        self.conv = conv(dims, inputs, outputs, stride=2, padding=0 if after else 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, self.padding))


class Upsample(nn.Module):
    """Twice the positions along each axis: nearest neighbour, then a convolution."""

    def __init__(self, inputs: int, outputs: int, dims: int = 2) -> None:
        super().__init__()
        self.conv = conv(dims, inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(doubled(x))


class ResidualBlock(nn.Module):
    """y = (shortcut(x) + conv(SiLU(norm(h) told the embedding))) / divisor,  h = conv(SiLU(norm(x))).

    The embedding is added to h before the second norm (Ho et al. 2020, appendix B), or scales and shifts
    what comes out of it: AdaGN, Dhariwal & Nichol 2021, "Diffusion Models Beat GANs", equation 4. With
    ``resample`` both branches are halved or doubled, the long one between SiLU and convolution (Brock et
    al. 2018, "Large Scale GAN Training", appendix B). A ``divisor`` of sqrt 2 keeps the variance of the
    sum (Song et al. 2021, section 4.4); ``standardise`` standardises the convolution between the norms.
    Without an ``embedding`` the block is told nothing.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedding: int | None,
        dims: int = 2,
        norm: Norm = group_norm,
        scale_shift: bool = True,
        dropout: float = 0.0,
        resample: Resample | None = None,
        divisor: float = 1.0,
        standardise: bool = False,
    ) -> None:
        super().__init__()
        self.dims, self.scale_shift, self.resample, self.divisor = dims, scale_shift, resample, divisor
        self.norm1, self.conv1 = norm(inputs), conv(dims, inputs, outputs)
        if standardise:
            standardised(self.conv1)
        if embedding is not None:
            told = nn.Linear(embedding, 2 * outputs if scale_shift else outputs)
            self.modulate = zeroed(told) if scale_shift else told
        self.norm2, self.conv2 = norm(outputs), zeroed(conv(dims, outputs, outputs))
        self.dropout = nn.Dropout(dropout)
        self.shortcut = nn.Identity() if inputs == outputs else conv(dims, inputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Return (B, outputs, ...) for ``x``, (B, inputs, ...), and SiLU of the embedding, (B, embedding)."""
        h = F.silu(self.norm1(x))
        if self.resample is not None:
            x, h = self.resample(x), self.resample(h)
        h = self._told(self.conv1(h), embedding)
        y = self.shortcut(x) + self.conv2(self.dropout(F.silu(h)))
        return y if self.divisor == 1 else y / self.divisor

    def _told(self, h: Tensor, embedding: Tensor | None) -> Tensor:
        if embedding is None:
            return self.norm2(h)
        told = self.modulate(embedding)[(..., *[None] * self.dims)]
        if not self.scale_shift:
            return self.norm2(h + told)
        scale, shift = told.chunk(2, dim=1)
        return torch.addcmul(shift, self.norm2(h), 1 + scale)


class SelfAttention(nn.Module):
    """y = (x + out(attention over all positions of norm(x))) / divisor, in ``heads`` heads.

    Vaswani et al. 2017, "Attention Is All You Need", equation 1. A head has channels / heads channels,
    unless ``head_channels`` says otherwise; ``norm`` may be ``nn.Identity``.
    """

    def __init__(
        self,
        channels: int,
        heads: int = 1,
        dims: int = 2,
        norm: Norm = group_norm,
        head_channels: int | None = None,
        divisor: float = 1.0,
    ) -> None:
        super().__init__()
        self.heads, self.divisor = heads, divisor
        inner = heads * (head_channels or channels // heads)
        self.norm, self.qkv = norm(channels), conv(dims, channels, 3 * inner, 1)
        self.out = zeroed(conv(dims, inner, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (_heads(part, self.heads) for part in self.qkv(self.norm(x)).chunk(3, dim=1))
        y = x + self.out(_places(F.scaled_dot_product_attention(q, k, v), x))
        return y if self.divisor == 1 else y / self.divisor


class LinearAttention(nn.Module):
    """y = x + out(softmax_features(q) (softmax_positions(k)^T v)): work in line with the positions.

    Shen et al. 2018, "Efficient Attention: Attention with Linear Complexities", equation 5.
    """

    def __init__(self, channels: int, heads: int = 4, dims: int = 2, norm: Norm = group_norm) -> None:
        super().__init__()
        self.heads, inner = heads, heads * (channels // heads)
        self.norm, self.qkv = norm(channels), conv(dims, channels, 3 * inner, 1)
        self.out = zeroed(conv(dims, inner, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (_heads(part, self.heads) for part in self.qkv(self.norm(x)).chunk(3, dim=1))
        context = k.softmax(dim=2).transpose(2, 3) @ v
        return x + self.out(_places(q.softmax(dim=3) @ context, x))


class CrossAttention(nn.Module):
    """y = x + out(attention of the positions of norm(x) to tokens).

    Rombach et al. 2021, "High-Resolution Image Synthesis with Latent Diffusion Models", section 3.3.
    """

    def __init__(
        self, channels: int, tokens: int, heads: int = 1, dims: int = 2, norm: Norm = group_norm
    ) -> None:
        super().__init__()
        self.heads, inner = heads, heads * (channels // heads)
        self.norm, self.q = norm(channels), conv(dims, channels, inner, 1)
        self.kv = nn.Linear(tokens, 2 * inner)
        self.out = zeroed(conv(dims, inner, channels, 1))

    def forward(self, x: Tensor, tokens: Tensor, present: Tensor) -> Tensor:
        """Return (B, C, ...) like ``x``; ``tokens`` is (B, L, tokens) and ``present`` (B, L) booleans.

        A sample none of whose tokens is present comes back as it was.
        """
        q = _heads(self.q(self.norm(x)), self.heads)
        k, v = (_heads(part, self.heads) for part in self.kv(tokens).transpose(1, 2).chunk(2, dim=1))
        said = present.any(1)
        seen = present | ~said[:, None]  # softmax over nothing is not a number; it is thrown away below
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
        return x + self.out(_places(mixed, x)) * said.reshape(-1, *[1] * (x.ndim - 1))

    def weights(self, x: Tensor, tokens: Tensor, present: Tensor) -> Tensor:
        """Return softmax(q k^T / sqrt(c)), how much each place looks at each token: (B, heads, positions, L).

        The places of a sample without any token look at nothing: zeros.
        """
        q = _heads(self.q(self.norm(x)), self.heads)
        k = _heads(self.kv(tokens).transpose(1, 2).chunk(2, dim=1)[0], self.heads)
        alike = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
        return alike.masked_fill(~present[:, None, None, :], -math.inf).softmax(3).nan_to_num(0.0)


def _heads(x: Tensor, heads: int) -> Tensor:
    """(B, heads * c, positions...) -> (B, heads, positions, c)."""
    return x.flatten(2).unflatten(1, (heads, -1)).transpose(2, 3)


def _places(mixed: Tensor, like: Tensor) -> Tensor:
    """(B, heads, positions, c) -> (B, heads * c, positions...), with the positions of ``like``."""
    return mixed.transpose(1, 2).flatten(2).transpose(1, 2).unflatten(2, like.shape[2:])


def sinusoids(label: Times, features: int, cosine_first: bool = False, shift: float = 1.0) -> Tensor:
    """Return sines and cosines of label * 10000^(-i / (half - shift)), i = 0 ... half - 1: (B, features).

    DDPM: [sin, cos] and shift 1 (Vaswani et al. 2017, section 3.5, as in the code of Ho et al. 2020). ADM
    and improved DDPM: [cos, sin] and shift 0. Weights of one are useless with the other. An odd number
    of features ends in a 0. In float32 whatever the label, for that is how such networks were trained.
    """
    half = features // 2
    i = torch.arange(half, dtype=torch.float32, device=label.device)
    angles = label.float()[:, None] * torch.exp(-math.log(10000) * i / (half - shift))
    parts = [angles.sin(), angles.cos()]
    return F.pad(torch.cat(parts[::-1] if cosine_first else parts, dim=1), (0, features % 2))


class TimeEmbedding(nn.Module):
    """Sinusoids of the noise label, then two layers: (B,) -> (B, width)."""

    def __init__(self, features: int, width: int, cosine_first: bool = False, shift: float = 1.0) -> None:
        super().__init__()
        self.features, self.cosine_first, self.shift = features, cosine_first, shift
        self.layer1, self.layer2 = nn.Linear(features, width), nn.Linear(width, width)

    def forward(self, label: Times) -> Tensor:
        waves = sinusoids(label, self.features, self.cosine_first, self.shift)
        return self.layer2(F.silu(self.layer1(waves.to(self.layer1.weight.dtype))))
