"""A classifier of noisy pictures, whose gradient can guide a denoiser."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Samples, Times
from fogcatcher.networks.blocks import ResidualBlock, SelfAttention, conv, group_norm, halved, zeroed
from fogcatcher.networks.embeddings import NoiseEmbedding
from fogcatcher.networks.transformer import Pictures

HEAD_CHANNELS = 32


class NoisyClassifier(nn.Module):
    """The way down of a U-Net, told the noise level, and attention pooling: (B, C, H, W) -> (B, classes).

    Dhariwal & Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis", section 4, made small: it suits
    pictures of 16 to 64 pixels on a CPU. ``multipliers`` times ``width`` channels, one resolution each,
    with attention at the last. Any height and width: the picture is padded to what the halving needs. The
    pictures should come at about unit variance, and the noise label as c_noise = ln(sigma / alpha) / 4.
    Before training it holds all classes equally likely, and its gradient is 0.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        width: int = 32,
        multipliers: Sequence[int] = (1, 2, 4),
        blocks: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        e, w, self.multiple = 4 * width, width * multipliers[0], 2 ** (len(multipliers) - 1)
        self.noise = NoiseEmbedding(e)
        self.enter, self.down = conv(2, channels, w), nn.ModuleList()
        for level, multiplier in enumerate(multipliers):
            if level > 0:
                self.down.append(ResidualBlock(w, w, e, dropout=dropout, resample=halved))
            for _ in range(blocks):
                self.down.append(ResidualBlock(w, width * multiplier, e, dropout=dropout))
                w = width * multiplier
        self.attention = SelfAttention(w, max(1, w // HEAD_CHANNELS))
        self.last = ResidualBlock(w, w, e, dropout=dropout)
        self.norm, self.pool = group_norm(w), AttentionPool(w, classes, max(1, w // HEAD_CHANNELS))

    def forward(self, x_t: Samples, noise_label: Times) -> Tensor:
        """Return the logits, (B, classes), of ``x_t``, (B, C, H, W), at the noise label, (B,)."""
        embedding = F.silu(self.noise(noise_label))
        height, width = x_t.shape[-2:]
        x = F.pad(x_t, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        h = self.enter(x)
        for block in self.down:
            h = block(h, embedding)
        h = self.last(self.attention(h), embedding)
        return self.pool(F.silu(self.norm(h)))


class AttentionPool(nn.Module):
    """The mean of all positions asks, and all positions answer: (B, C, H, W) -> (B, outputs).

        y = W_out sum_n softmax_n(q . k_n / sqrt(c)) v_n,   q = W_q mean,   (k_n, v_n) = W_kv token_n

    in heads of c channels. The tokens are the mean and every position with its place. Radford et al.
    2021, "Learning Transferable Visual Models From Natural Language Supervision", section 2.4.
    """

    def __init__(self, channels: int, outputs: int, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.kv = nn.Linear(channels, channels), nn.Linear(channels, 2 * channels)
        self.out = zeroed(nn.Linear(channels, outputs))

    def forward(self, x: Samples) -> Tensor:
        positions = x.flatten(2).transpose(1, 2)  # (B, N, C)
        mean = positions.mean(1, keepdim=True)
        tokens = torch.cat([mean, positions + Pictures(1).places(x, x.shape[1])], dim=1)
        q = self.q(mean).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, 1, c)
        k, v = self.kv(tokens).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).softmax(dim=-1)
        return self.out((weights @ v).flatten(1))
