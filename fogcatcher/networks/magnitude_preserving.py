"""A U-Net in which no layer changes the magnitude of what passes through it, and weights cannot grow.

Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion Models" (EDM2), config G.
The magnitude of a vector is its root mean square (equation 3); every layer keeps a magnitude of 1. So there
is no norm with groups, and no bias: the network sees a channel of ones instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Condition, PerSample, Samples, Times
from fogcatcher.networks.blocks import Resample, doubled, halved
from fogcatcher.networks.embeddings import ConditionEmbedding, Form, Vector

EPSILON = 1e-4
SILU_MAGNITUDE = 0.596
"""sqrt(E silu(z)^2) for z ~ N(0, 1)."""
RESIDUAL_SHARE = 0.3
"""t of the sum of a block and its shortcut."""
LARGEST = 256.0
"""Activations beyond are cut, so that half precision holds them all."""
HEAD_CHANNELS = 64


def unit(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Return ``x`` scaled to magnitude 1 along ``dims`` (equations 30 and 66); zeros stay zeros."""
    count = math.prod(x.shape[dim] for dim in dims)
    magnitude = torch.linalg.vector_norm(x, dim=tuple(dims), keepdim=True) / math.sqrt(count)
    return x / (magnitude + EPSILON)


def mp_silu(x: Tensor) -> Tensor:
    """silu(x) / 0.596 (equation 81)."""
    return F.silu(x) / SILU_MAGNITUDE


def mp_sum(a: Tensor, b: Tensor, t: float = RESIDUAL_SHARE) -> Tensor:
    """((1 - t) a + t b) / sqrt((1 - t)^2 + t^2) (equation 88)."""
    return a.lerp(b, t) / math.hypot(1 - t, t)


def mp_cat(a: Tensor, b: Tensor, t: float = 0.5) -> Tensor:
    """Join the channels, (B, N_a, ...) and (B, N_b, ...), so that t says how much b counts (equation 103).

    sqrt((N_a + N_b) / ((1 - t)^2 + t^2)) [(1 - t) / sqrt(N_a) a, t / sqrt(N_b) b]
    """
    n_a, n_b = a.shape[1], b.shape[1]
    c = math.sqrt((n_a + n_b) / ((1 - t) ** 2 + t**2))
    return torch.cat([c * (1 - t) / math.sqrt(n_a) * a, c * t / math.sqrt(n_b) * b], dim=1)


class MPWeight(nn.Module):
    """Filters, (outputs, ...), that are kept at magnitude 1 and used at Euclidean norm 1 (algorithm 1)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape))

    def filters(self) -> Tensor:
        """Return each filter scaled to norm 1, which keeps unit variance; in training store it so too.

        The gradient passes through the scaling, so it is at right angles to the filter.
        """
        dims = range(1, self.weight.ndim)
        if self.training:
            # .data: a rounding error must not void the graph of an earlier call that awaits its backward.
            self.weight.data.copy_(unit(self.weight.data, dims))
        return unit(self.weight, dims) / math.sqrt(self.weight[0].numel())


class MPLinear(MPWeight):
    """(..., inputs) -> (..., outputs), times a gain."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(outputs, inputs)

    def forward(self, x: Tensor, gain: float | Tensor = 1.0) -> Tensor:
        return F.linear(x, self.filters() * gain)


class MPConv(MPWeight):
    """(B, inputs, H, W) -> (B, outputs, H, W), times a gain."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(outputs, inputs, kernel, kernel)

    def forward(self, x: Tensor, gain: float | Tensor = 1.0) -> Tensor:
        return F.conv2d(x, self.filters() * gain, padding=self.weight.shape[-1] // 2)


class MPFourier(nn.Module):
    """sqrt(2) cos(2 pi (f x + phi)), f ~ N(0, 1), phi ~ U(0, 1): (B,) -> (B, features) (equation 75)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("f", torch.randn(features))
        self.register_buffer("phi", torch.rand(features))

    def forward(self, x: Times) -> Tensor:
        turns = x[:, None] * self.get_buffer("f") + self.get_buffer("phi")
        return math.sqrt(2) * torch.cos(2 * math.pi * turns)


class MPVector(MPLinear):
    """Rows of weights, (B, features), a single 1 of which has magnitude 1 after scaling; zeros stay zeros."""

    def forward(self, x: Tensor, gain: float | Tensor = 1.0) -> Tensor:
        return super().forward(math.sqrt(x.shape[1]) * x, gain)


class MPWords(nn.Module):
    """The embedding of words, at magnitude 1; no words give zero."""

    def __init__(self, words: nn.Module) -> None:
        super().__init__()
        self.words = words

    def forward(self, numbers: Tensor) -> Tensor:
        return unit(self.words(numbers), [1])


class MPConditionEmbedding(ConditionEmbedding):
    """The sum over attributes, of magnitude 1 when each of them is said."""

    def __init__(self, width: int, attributes: Mapping[str, Form]) -> None:
        super().__init__(width, attributes)
        for key, kind in zip(list(self.tables), attributes.values(), strict=True):
            words = self.tables[key]
            self.tables[key] = MPVector(kind.features, width) if isinstance(kind, Vector) else MPWords(words)

    def forward(self, cond: Condition | None, like: Tensor) -> Tensor:
        return super().forward(cond, like) / math.sqrt(len(self.tables))


class MPAttention(nn.Module):
    """Self-attention with q, k and v of magnitude 1 per head and position, in heads of about 64 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // HEAD_CHANNELS)
        self.qkv, self.out = MPConv(channels, 3 * channels, 1), MPConv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x).flatten(2).unflatten(1, (3, self.heads, -1))  # (B, 3, heads, c, HW)
        q, k, v = unit(qkv, [3]).transpose(3, 4).unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape_as(x)
        return mp_sum(x, self.out(mixed))


class MPBlock(nn.Module):
    """A residual block of the way down (``encodes``) or up (figure 21 of the paper).

    The way down sets every pixel to magnitude 1 first, and its shortcut stands before both branches.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedding: int,
        encodes: bool,
        attention: bool = False,
        resample: Resample | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encodes, self.resample = encodes, resample
        self.shortcut = nn.Identity() if inputs == outputs else MPConv(inputs, outputs, 1)
        self.conv1 = MPConv(outputs if encodes else inputs, outputs)
        self.modulate, self.gain = MPLinear(embedding, outputs), nn.Parameter(torch.zeros(()))
        self.dropout, self.conv2 = nn.Dropout(dropout), MPConv(outputs, outputs)
        self.attention = MPAttention(outputs) if attention else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        x = x if self.resample is None else self.resample(x)
        if self.encodes:
            x = unit(self.shortcut(x), [1])
        h = self.conv1(mp_silu(x))
        h = mp_silu(h * (1 + self.modulate(embedding, self.gain))[:, :, None, None])
        h = self.conv2(self.dropout(h))
        x = x if self.encodes else self.shortcut(x)
        return self.attention(mp_sum(x, h)).clamp(-LARGEST, LARGEST)


class MPUNet(nn.Module):
    """EDM2's U-Net, of ``multipliers`` times ``width`` channels, one resolution each.

    Made for inputs of unit variance and c_noise = ln(sigma) / 4. Any height and width: the picture is padded
    to what the halving needs, and cut back. Attention stands where the longer side of ``size``, (height,
    width), has been halved to one of ``attention_at``, and in the middle. The output has a gain that starts
    at 0. ``attributes`` names the conditions, and ``answers`` is how many times the channels of the input it
    returns. The paper's XS and S have width 128 and 192, at 64 x 64.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        width: int = 192,
        multipliers: Sequence[int] = (1, 2, 3, 4),
        blocks: int = 3,
        attention_at: Sequence[int] = (16, 8),
        dropout: float = 0.0,
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
    ) -> None:
        super().__init__()
        widths = [width * multiplier for multiplier in multipliers]
        self.multiple, e, w = 2 ** (len(widths) - 1), max(widths), widths[0]
        self.fourier, self.noise = MPFourier(width), MPLinear(width, e)
        self.condition = MPConditionEmbedding(e, attributes) if attributes else None
        self.enter, skips = MPConv(channels + 1, w), [w]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        attends = [-(-max(size) // 2**level) in attention_at for level in range(len(widths))]

        for level, outputs in enumerate(widths):
            if level > 0:
                self.down.append(MPBlock(w, w, e, True, resample=halved, dropout=dropout))
                skips.append(w)
            for _ in range(blocks):
                self.down.append(MPBlock(w, outputs, e, True, attends[level], dropout=dropout))
                w = outputs
                skips.append(w)
        self.middle = nn.ModuleList(
            MPBlock(w, w, e, False, first, dropout=dropout) for first in (True, False)
        )
        for level, outputs in reversed(list(enumerate(widths))):
            if level < len(widths) - 1:
                self.up.append(MPBlock(w, w, e, False, resample=doubled, dropout=dropout))
            for _ in range(blocks + 1):
                self.up.append(MPBlock(w + skips.pop(), outputs, e, False, attends[level], dropout=dropout))
                w = outputs
        self.exit, self.gain = MPConv(w, answers * channels), nn.Parameter(torch.zeros(()))

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, H, W), for ``x``, (B, C, H, W), and the noise label, (B,)."""
        height, width = x.shape[-2:]
        embedding = self._embed(noise_label, cond)
        x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        h = self.enter(torch.cat([x, torch.ones_like(x[:, :1])], dim=1))
        skips = [h]
        for block in self.down:
            h = block(h, embedding)
            skips.append(h)
        for block in self.middle:
            h = block(h, embedding)
        for block in self.up:
            h = block(h if block.resample else mp_cat(h, skips.pop()), embedding)
        return self.exit(h, self.gain)[..., :height, :width]

    def _embed(self, noise_label: Times, cond: Condition | None) -> Tensor:
        """Raises KeyError for an attribute that the network was not built with."""
        embedding = self.noise(self.fourier(noise_label))
        if self.condition is None and cond:
            raise KeyError(f"this network knows no attributes, and was told {', '.join(cond)}")
        if self.condition is not None:
            embedding = mp_sum(embedding, self.condition(cond, embedding), t=0.5)
        return mp_silu(embedding)


class Uncertainty(nn.Module):
    """u(c_noise), the logarithm of the loss to expect at a noise level: (B,) -> (B,) (equation 21).

    lambda(sigma) / e^u |D(x; sigma) - y|^2 + u is least where e^u is the mean of the first factor; so
    every noise level comes to count the same. For training alone.
    """

    def __init__(self, features: int = 128) -> None:
        super().__init__()
        self.fourier, self.linear = MPFourier(features), MPLinear(features, 1)

    def forward(self, noise_label: Times) -> PerSample:
        return self.linear(self.fourier(noise_label))[:, 0]
