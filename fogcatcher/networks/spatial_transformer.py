"""The transformer between the convolutions of latent diffusion: places look at each other, then at words."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.networks.blocks import group_norm
from fogcatcher.networks.sequences import Said

MLP_RATIO = 4


class SpatialTransformer(nn.Module):
    """y = x + proj_out(blocks(proj_in(norm(x)))), each place of a picture a token, as (B, C, H, W).

    Rombach et al. 2021, "High-Resolution Image Synthesis with Latent Diffusion Models", appendix E.2.1.
    ``tokens`` is the width of the vectors that are looked at. Raises ValueError for heads that do not divide
    the channels.
    """

    def __init__(self, channels: int, tokens: int, heads: int, depth: int = 1, groups: int = 32) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be parted into {heads} heads")
        self.norm = group_norm(channels, groups, eps=1e-6)
        self.proj_in, self.proj_out = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.blocks = nn.ModuleList(LookingBlock(channels, tokens, heads) for _ in range(depth))
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x: Tensor, said: Said | None) -> Tensor:
        h = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        for block in self.blocks:
            h = block(h, said)
        return x + self.proj_out(h).transpose(1, 2).unflatten(2, x.shape[2:])


class LookingBlock(nn.Module):
    """Self-attention, attention to words, then two layers on each place by itself: (B, N, C) -> the same.

    x <- x + Attention(LN(x), LN(x))
    x <- x + Attention(LN(x), words)           nothing for a sample without words
    x <- x + W (a GELU(b)),  a, b = V LN(x)     GEGLU: Shazeer 2020, "GLU Variants Improve Transformer"
    """

    def __init__(self, channels: int, tokens: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.attention = Looking(channels, channels, heads)
        self.words = Looking(channels, tokens, heads)
        self.gated = nn.Linear(channels, 2 * MLP_RATIO * channels)
        self.out = nn.Linear(MLP_RATIO * channels, channels)

    def forward(self, x: Tensor, said: Said | None) -> Tensor:
        h = self.norm1(x)
        x = x + self.attention(h, h)
        if said is not None:
            x = x + self.words(self.norm2(x), *said)
        a, b = self.gated(self.norm3(x)).chunk(2, dim=-1)
        return x + self.out(a * F.gelu(b))


class Looking(nn.Module):
    """Attention of places, (B, N, C), to tokens, (B, L, tokens), without biases but the last (their code)."""

    def __init__(self, channels: int, tokens: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(channels, channels, bias=False)
        self.kv = nn.Linear(tokens, 2 * channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """Return (B, N, C); a sample none of whose tokens is ``present``, (B, L), gets zeros."""
        q = self.q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(tokens).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if present is None:
            return self._joined(F.scaled_dot_product_attention(q, k, v))
        said = present.any(1)
        seen = present | ~said[:, None]  # softmax over nothing is not a number; it is thrown away below
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
        return self._joined(mixed) * said[:, None, None]

    def _joined(self, mixed: Tensor) -> Tensor:
        return self.out(mixed.transpose(1, 2).flatten(2))
