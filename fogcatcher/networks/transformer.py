"""A diffusion transformer for pictures, sequences and sets of points: everything is a list of tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.base.errors import UserError
from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.networks.blocks import CrossAttention
from fogcatcher.networks.embeddings import ConditionEmbedding, Form, NoiseEmbedding
from fogcatcher.networks.sequences import Said

NOISE_FEATURES = 256
MLP_RATIO = 4


class Tokens(ABC):
    """How data become tokens, (B, N, features), and data again."""

    @abstractmethod
    def features(self, channels: int) -> int:
        """Return how many numbers a token holds."""

    @abstractmethod
    def split(self, x: Samples) -> Tensor:
        """Return the tokens, (B, N, features), of data, padded to whole patches."""

    @abstractmethod
    def join(self, tokens: Tensor, like: Samples) -> Tensor:
        """Return data of the size of ``like`` from tokens, with as many channels as the tokens hold."""

    @abstractmethod
    def places(self, like: Samples, width: int) -> Tensor | None:
        """Return the position code, (N, width), or None where the order of tokens means nothing."""


@dataclass(frozen=True)
class Pictures(Tokens):
    """(B, C, H, W): a token is ``patch`` x ``patch`` pixels; pictures are padded at the right and below."""

    patch: int = 2

    def features(self, channels: int) -> int:
        return channels * self.patch**2

    def split(self, x: Samples) -> Tensor:
        height, width = x.shape[-2:]
        padded = F.pad(x, (0, -width % self.patch, 0, -height % self.patch), mode="replicate")
        return F.pixel_unshuffle(padded, self.patch).flatten(2).transpose(1, 2)

    def join(self, tokens: Tensor, like: Samples) -> Tensor:
        height, width = like.shape[-2:]
        grid = tokens.transpose(1, 2).unflatten(2, (-(-height // self.patch), -(-width // self.patch)))
        return F.pixel_shuffle(grid, self.patch)[..., :height, :width]

    def places(self, like: Samples, width: int) -> Tensor:
        """One half of the code is of the column, the other of the row."""
        rows, columns = (-(-side // self.patch) for side in like.shape[-2:])
        of_column = sine_cosine(columns, width // 2, like).expand(rows, -1, -1)
        of_row = sine_cosine(rows, width // 2, like)[:, None].expand(-1, columns, -1)
        return torch.cat([of_column, of_row], -1).flatten(0, 1)


@dataclass(frozen=True)
class Sequences(Tokens):
    """(B, C, L): a token is ``patch`` neighbours; sequences are padded at the end."""

    patch: int = 1

    def features(self, channels: int) -> int:
        return channels * self.patch

    def split(self, x: Samples) -> Tensor:
        padded = F.pad(x, (0, -x.shape[-1] % self.patch), mode="replicate")
        return padded.unflatten(2, (-1, self.patch)).transpose(1, 2).flatten(2)

    def join(self, tokens: Tensor, like: Samples) -> Tensor:
        parts = tokens.unflatten(2, (-1, self.patch)).transpose(1, 2)
        return parts.flatten(2)[..., : like.shape[-1]]

    def places(self, like: Samples, width: int) -> Tensor:
        return sine_cosine(-(-like.shape[-1] // self.patch), width, like)


@dataclass(frozen=True)
class Points(Tokens):
    """(B, N, C): a token is a point. No position code, so the order of the points means nothing."""

    def features(self, channels: int) -> int:
        return channels

    def split(self, x: Samples) -> Tensor:
        return x

    def join(self, tokens: Tensor, like: Samples) -> Tensor:
        return tokens

    def places(self, like: Samples, width: int) -> None:
        return None


def sine_cosine(count: int, width: int, like: Tensor) -> Tensor:
    """Return a code of the places 0 ... count - 1, (count, width), in the type of ``like``.

        sin(p / 10000^(2 i / width)), then cos(p / 10000^(2 i / width)),  i < width / 2

    Vaswani et al. 2017, "Attention Is All You Need", section 3.5, sines first.
    """
    i = torch.arange(width // 2, device=like.device, dtype=torch.float64)
    p = torch.arange(count, device=like.device, dtype=torch.float64)
    angles = torch.outer(p, 10000 ** (-2 * i / width))
    return torch.cat([angles.sin(), angles.cos()], 1).to(like.dtype)


class DiT(nn.Module):
    """The transformer of Peebles & Xie 2023, "Scalable Diffusion Models with Transformers": adaLN-Zero.

    ``tokens`` says what the data are: ``Pictures(patch)``, ``Sequences(patch)`` or ``Points()``; any size.
    Every block starts as the identity, and the network as zero. The published shapes are, as (width,
    depth, heads): S (384, 12, 6), B (768, 12, 12), L (1024, 24, 16), XL (1152, 28, 16). The class table has
    no row for "no class", because a row of zeros says that. ``attributes`` names the conditions;
    with ``cross_attention`` every block also looks at words one by one. ``answers`` is how many times the
    channels of the input it returns.

    Raises UserError for a width that does not divide into heads and into the four parts of a position.
    """

    def __init__(
        self,
        channels: int,
        tokens: Tokens,
        width: int = 384,
        depth: int = 12,
        heads: int = 6,
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
        cross_attention: bool = False,
    ) -> None:
        super().__init__()
        if width % heads or width % 4:
            raise UserError(
                f"a transformer of width {width} cannot have {heads} heads: choose a width that is a "
                f"multiple of {heads} and of 4."
            )
        self.tokens, self.width = tokens, width
        self.noise = NoiseEmbedding(width, NOISE_FEATURES)
        self.condition = ConditionEmbedding(width, attributes or {}, cross_attention)
        listens = bool(self.condition.one_by_one)
        self.enter = nn.Linear(tokens.features(channels), width)
        self.blocks = nn.ModuleList(Block(width, heads, listens) for _ in range(depth))
        self.modulate = nn.Linear(width, 2 * width)
        self.exit = nn.Linear(width, answers * tokens.features(channels))
        for layer in (self.enter, self.modulate, self.exit):
            nn.init.zeros_(layer.bias)
        nn.init.xavier_uniform_(self.enter.weight)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.exit.weight)

    def embed(self, x: Samples) -> Tensor:
        """Return the tokens of ``x`` as the first block sees them, (B, N, width)."""
        h, places = self.enter(self.tokens.split(x)), self.tokens.places(x, self.width)
        return h if places is None else h + places

    def forward(
        self, x: Samples, noise_label: Times, cond: Condition | None = None, present: Tensor | None = None
    ) -> Tensor:
        """Return the raw answer, of the shape of ``x`` with ``answers`` times the channels.

        ``present``, (B, N) of truth values, says which tokens are there, for sets of unequal size. The
        others may hold any finite numbers: nobody looks at them, and the answer for them is 0.
        """
        embedding = self.noise(noise_label)
        said = self.condition.said(cond, embedding)
        embedding = F.silu(embedding + self.condition(cond, embedding))
        seen = None
        if present is not None:
            # Softmax over nothing is not a number; the answers of an empty set are thrown away below.
            seen = (present | ~present.any(1, keepdim=True))[:, None, None, :]
        h = self.embed(x)
        for block in self.blocks:
            h = block(h, embedding, seen, said)
        shift, scale = self.modulate(embedding)[:, None].chunk(2, dim=-1)
        answer = self.exit(_adapt(h, shift, scale))
        if present is not None:
            answer = answer.masked_fill(~present[..., None], 0)
        return self.tokens.join(answer, x)


class Block(nn.Module):
    """Attention, then two layers on each token by itself, both in adaLN-Zero (figure 3 of the paper).

        x <- x + gate1 Attention(LN(x) (1 + scale1) + shift1)
        x <- x + gate2 MLP(LN(x) (1 + scale2) + shift2)

    The six vectors are linear in the embedding and start at zero. One that ``listens`` looks at words between
    the two, x <- x + CrossAttention(LN(x)), which starts at zero, too (Chen et al. 2023, "PixArt-alpha",
    section 2.3).
    """

    def __init__(self, width: int, heads: int, listens: bool = False) -> None:
        super().__init__()
        self.modulate = nn.Linear(width, 6 * width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, MLP_RATIO * width),
            nn.GELU(approximate="tanh"),
            nn.Linear(MLP_RATIO * width, width),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.modulate.weight)
        self.words = CrossAttention(width, width, heads, dims=1, norm=OfEachPlace) if listens else None

    def forward(
        self, x: Tensor, embedding: Tensor, seen: Tensor | None = None, said: Said | None = None
    ) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulate(embedding)[:, None].chunk(6, dim=-1)
        x = x + gate1 * self.attention(_adapt(x, shift1, scale1), seen)
        if self.words is not None and said is not None:
            x = self.words(x.transpose(1, 2), *said).transpose(1, 2)
        return x + gate2 * self.mlp(_adapt(x, shift2, scale2))


class Attention(nn.Module):
    """Self-attention over the tokens that are seen, (B, 1, 1, N), or over all."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return self.out(mixed.transpose(1, 2).flatten(2))


class OfEachPlace(nn.LayerNorm):
    """The norm of each place by itself: (B, C, N) -> (B, C, N)."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.transpose(1, 2)).transpose(1, 2)


def _adapt(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)
