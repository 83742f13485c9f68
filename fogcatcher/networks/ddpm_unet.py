"""The U-Net of DDPM, improved DDPM and ADM: one network, and the shape that each paper gave it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import Length, Range
from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.networks.blocks import (
    CrossAttention,
    Downsample,
    LinearAttention,
    Norm,
    Resample,
    ResidualBlock,
    SelfAttention,
    TimeEmbedding,
    Upsample,
    conv,
    doubled,
    group_norm,
    halved,
    zeroed,
)
from fogcatcher.networks.embeddings import ConditionEmbedding, Form
from fogcatcher.networks.sequences import Said, Vectors
from fogcatcher.networks.spatial_transformer import SpatialTransformer

Channels = Annotated[int, Range(1, 65_536)]
ChannelsOrNone = Annotated[int, Range(0, 65_536)]
Blocks = Annotated[int, Range(1, 16)]
Share = Annotated[float, Range(0, 1)]
Levels = Length(1, 16)


@dataclass(frozen=True)
class Transformers:
    """Of those that stand where attention would, and look at the vectors of a text encoder as they are."""

    depth: Annotated[tuple[Annotated[int, Range(1, 64)], ...], Levels]
    """Blocks of each, level by level."""
    heads: Annotated[tuple[Channels, ...], Levels]
    """Heads of their attention, level by level."""
    width: Channels
    """Of the vectors."""


@dataclass(frozen=True)
class UNetShape:
    """Everything that decides which weights a ``DDPMUNet`` has, and what it does with them.

    The four tuples of booleans go level by level, the finest first, like ``widths``.
    """

    widths: Annotated[tuple[Channels, ...], Levels]
    """Channels of each level; every level has half the side of the one before."""
    attention_down: Annotated[tuple[bool, ...], Levels]
    attention_up: Annotated[tuple[bool, ...], Levels]
    """Whether every block of a level is followed by self-attention."""
    blocks_down: Annotated[tuple[bool, ...], Levels]
    blocks_up: Annotated[tuple[bool, ...], Levels]
    """Whether the step out of a level, finer to coarser and back, is a residual block or a convolution."""
    blocks: Blocks = 2
    """Residual blocks per level on the way down; one more on the way up."""
    depths: Annotated[tuple[Blocks, ...], Length(0, 16)] = ()
    """The same of each level by itself; none: ``blocks`` for all."""
    resample_first: bool = False
    """Whether each level, the finest too, is halved before its blocks and doubled after them, and features of
    the way down are divided by the root of 2. Saharia et al. 2022, "Photorealistic Text-to-Image Diffusion
    Models with Deep Language Understanding", appendix B.1: the efficient U-Net."""
    dims: Annotated[int, Range(1, 3)] = 2
    frequencies: ChannelsOrNone = 0
    """Features of the sinusoids; 0: ``widths[0]``."""
    embedding: ChannelsOrNone = 0
    """Features of the time embedding; 0: 4 times the frequencies."""
    cosine_first: bool = False
    frequency_shift: float = 1.0
    scale_shift: bool = False
    """AdaGN instead of addition of the time embedding."""
    heads: Channels = 1
    head_channels: ChannelsOrNone = 0
    """Channels of a head, which then decide how many there are; 0: ``heads`` decides."""
    linear_attention: bool = False
    """In the levels; the middle always looks at every pair."""
    groups: Channels = 32
    eps: Annotated[float, Range(0, 1)] = 1e-5
    dropout: Share = 0.0
    divisor: Annotated[float, Range(1e-3, 1e3)] = 1.0
    """What the sum of the two branches is divided by, in the levels."""
    middle: bool = True
    middle_attention: bool = True
    middle_groups: ChannelsOrNone = 32
    """Groups of the norm before the attention of the middle; 0: no norm."""
    middle_divisor: Annotated[float, Range(1e-3, 1e3)] = 1.0
    pad_after: bool = False
    """Whether convolutions of stride 2 are padded behind the picture only, or on both sides."""
    standardise: bool = False
    """Whether the convolutions between two norms have standardised weights."""
    recentred: bool = False
    """Whether the network sees 2 x - 1 instead of x."""
    cross_attention: bool = False
    """Whether words are looked at one by one wherever self-attention stands."""
    transformers: Transformers | None = None
    """Spatial transformers in place of all attention; None has none."""


class DDPMUNet(nn.Module):
    """Down through the levels and up again, with the result of every single layer of the way down.

    Ho et al. 2020, "Denoising Diffusion Probabilistic Models", appendix B. The conditions are added to the
    time embedding (Dhariwal & Nichol 2021, section 2.2). ``attributes`` names what it can be conditioned
    on, ``answers`` is how many times the channels of the input it returns. ``checkpointed`` keeps only what
    goes from layer to layer for the gradient and computes the rest twice, to the same bits. Raises
    ValueError when the tuples of the shape differ in length.
    """

    def __init__(
        self,
        channels: int,
        shape: UNetShape,
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
        checkpointed: bool = False,
    ) -> None:
        super().__init__()
        s, self.shape, self.checkpointed = shape, shape, checkpointed
        levels = len(s.widths)
        depths = s.depths or (s.blocks,) * levels
        of_levels = (s.attention_down, s.attention_up, s.blocks_down, s.blocks_up, depths)
        if {len(each) for each in of_levels} != {levels}:
            raise ValueError(f"a shape of {levels} levels needs {levels} entries in each of its tuples")
        if s.transformers and {len(s.transformers.depth), len(s.transformers.heads)} != {levels}:
            raise ValueError(f"transformers of {levels} levels need {levels} depths and numbers of heads")
        frequencies = s.frequencies or s.widths[0]
        self.embedding = s.embedding or 4 * frequencies
        self.norm: Norm = partial(group_norm, groups=s.groups, eps=s.eps)
        self.time = TimeEmbedding(frequencies, self.embedding, s.cosine_first, s.frequency_shift)
        attributes = attributes or {}
        self.raw = [n for n, form in attributes.items() if s.transformers and isinstance(form, Vectors)]
        told = {name: form for name, form in attributes.items() if name not in self.raw}
        self.condition = ConditionEmbedding(self.embedding, told, s.cross_attention)

        w = s.widths[0]
        self.enter, skips = conv(s.dims, channels, w), list[int]()
        if not s.resample_first:
            skips.append(w)
        self.down, self.middle, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level, outputs in enumerate(s.widths):
            if s.resample_first:
                self.down.append(self._halving(w, s.blocks_down[level]))
                skips.append(w)
            for _ in range(depths[level]):
                self.down.append(self._stage(w, level, s.attention_down[level]))
                skips.append(w := outputs)
            if level < levels - 1 and not s.resample_first:
                self.down.append(self._halving(w, s.blocks_down[level]))
                skips.append(w)
        if s.middle:
            self.middle.extend([self._middle(w, s.middle_attention), self._middle(w, False)])
        for level, outputs in reversed(list(enumerate(s.widths))):
            for _ in range(depths[level] + 1):
                self.up.append(self._stage(w + skips.pop(), level, s.attention_up[level]))
                w = outputs
            if level > 0 or s.resample_first:
                self.up.append(self._doubling(w, s.blocks_up[level]))
        leave = zeroed(conv(s.dims, w, answers * channels))
        self.exit = nn.Sequential(self.norm(w), nn.SiLU(), leave)

    def _block(
        self, inputs: int, outputs: int, resample: Resample | None = None, divisor: float | None = None
    ) -> ResidualBlock:
        s = self.shape
        return ResidualBlock(
            inputs,
            outputs,
            self.embedding,
            s.dims,
            self.norm,
            s.scale_shift,
            s.dropout,
            resample,
            divisor or s.divisor,
            s.standardise,
        )

    def _attention(self, channels: int, norm: Norm, divisor: float) -> SelfAttention:
        wanted = min(self.shape.head_channels, channels)
        heads = channels // wanted if wanted else self.shape.heads
        return SelfAttention(channels, heads, self.shape.dims, norm, wanted or None, divisor)

    def _stage(self, inputs: int, level: int, attends: bool) -> Stage:
        s, outputs = self.shape, self.shape.widths[level]
        block = self._block(inputs, outputs)
        if not attends:
            return Stage(block)
        if s.transformers:
            return Stage(block, words=self._transformer(s.transformers, level))
        if s.linear_attention:
            attention: nn.Module = LinearAttention(outputs, s.heads, s.dims, self.norm)
        else:
            attention = self._attention(outputs, self.norm, s.divisor)
        return Stage(block, attention, self._words(outputs))

    def _transformer(self, of: Transformers, level: int) -> SpatialTransformer:
        width, depth, heads = self.shape.widths[level], of.depth[level], of.heads[level]
        return SpatialTransformer(width, of.width, heads, depth, self.shape.groups)

    def _words(self, channels: int) -> CrossAttention | None:
        """What looks at words beside self-attention, in as many heads."""
        if not self.condition.one_by_one:
            return None
        wanted = min(self.shape.head_channels, channels)
        heads = channels // wanted if wanted else self.shape.heads
        return CrossAttention(channels, self.embedding, heads, self.shape.dims, self.norm)

    def _middle(self, w: int, attends: bool) -> Stage:
        s = self.shape
        norm: Norm = (
            partial(group_norm, groups=s.middle_groups, eps=s.eps) if s.middle_groups else nn.Identity
        )
        block = self._block(w, w, divisor=s.middle_divisor)
        if not attends:
            return Stage(block)
        if s.transformers:
            return Stage(block, words=self._transformer(s.transformers, -1))
        return Stage(block, self._attention(w, norm, s.middle_divisor), self._words(w))

    def _halving(self, w: int, block: bool) -> Resized:
        s = self.shape
        return Resized(self._block(w, w, halved) if block else Downsample(w, w, s.dims, s.pad_after))

    def _doubling(self, w: int, block: bool) -> Resized:
        return Resized(self._block(w, w, doubled) if block else Upsample(w, w, self.shape.dims))

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, ...), for ``x``, (B, C, ...), and the noise label, (B,).

        Raises ValueError when a side of ``x`` cannot be halved often enough, KeyError for an attribute
        that the network was not built with.
        """
        fits = legal_size(x.shape[2:], len(self.shape.widths) + self.shape.resample_first)
        if tuple(x.shape[2:]) != fits:
            raise ValueError(f"sides of {tuple(x.shape[2:])} cannot be halved often enough; {fits} can")
        embedding = self.time(noise_label)
        said = self._said(cond, embedding)
        told = {name: rows for name, rows in (cond or {}).items() if name not in self.raw}
        embedding = F.silu(embedding + self.condition(told, embedding))
        entered = h = self.enter(2 * x - 1 if self.shape.recentred else x)
        skips = [] if self.shape.resample_first else [h]
        part = math.sqrt(0.5) if self.shape.resample_first else 1.0
        for layer in self.down:
            skips.append(h := self._run(layer, h, embedding, said))
        for layer in self.middle:
            h = self._run(layer, h, embedding, said)
        for layer in self.up:
            h = h if isinstance(layer, Resized) else torch.cat([h, part * skips.pop()], dim=1)
            h = self._run(layer, h, embedding, said)
        return self.exit(part * (h + entered) if self.shape.resample_first else h)

    def _said(self, cond: Condition | None, like: Tensor) -> Said | None:
        """What is looked at one by one: vectors as they come, where there are transformers for them."""
        if not self.shape.transformers:
            return self.condition.said(cond, like)
        rows = [cond[name].to(like) for name in self.raw if cond and name in cond]
        if not rows:
            return None
        tokens = torch.cat([row.unflatten(1, (-1, self.shape.transformers.width)) for row in rows], 1)
        return Said(tokens, (tokens != 0).any(2))

    def _run(self, layer: nn.Module, h: Tensor, embedding: Tensor, said: Said | None) -> Tensor:
        if self.checkpointed and torch.is_grad_enabled():
            return checkpoint(layer, h, embedding, said, use_reentrant=False)
        return layer(h, embedding, said)


class Stage(nn.Module):
    """A residual block on h and, on the way up, on what came down beside it; then attention."""

    def __init__(
        self,
        block: ResidualBlock,
        attention: nn.Module | None = None,
        words: CrossAttention | SpatialTransformer | None = None,
    ) -> None:
        super().__init__()
        self.block, self.attention, self.words = block, attention or nn.Identity(), words

    def forward(self, h: Tensor, embedding: Tensor, said: Said | None = None) -> Tensor:
        h = self.attention(self.block(h, embedding))
        if isinstance(self.words, SpatialTransformer):
            return self.words(h, said)
        return h if self.words is None or said is None else self.words(h, *said)


class Resized(nn.Module):
    """A step from one level to the next: a residual block that resamples, or a layer told nothing."""

    def __init__(self, layer: ResidualBlock | Downsample | Upsample) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, h: Tensor, embedding: Tensor, said: Said | None = None) -> Tensor:
        return self.layer(h, embedding) if isinstance(self.layer, ResidualBlock) else self.layer(h)


def legal_size(size: Sequence[int], levels: int) -> tuple[int, ...]:
    """Return the size nearest to ``size`` whose sides can all be halved ``levels - 1`` times."""
    multiple = 2 ** (levels - 1)
    return tuple(max(multiple, int(side / multiple + 0.5) * multiple) for side in size)


def ddpm(
    size: Sequence[int] = (32, 32),
    width: int = 128,
    multipliers: Sequence[float] = (1, 2, 2, 2),
    blocks: int = 2,
) -> UNetShape:
    """Return the shape of Ho et al. 2020, appendix B, for pictures of ``size``; as it is, that for CIFAR-10.

    Attention at 16 x 16 with one head. Their multipliers for 256 x 256 are (1, 1, 2, 2, 4, 4), without
    dropout. Raises UserError for a size that cannot be halved often enough.
    """
    skeleton = _skeleton(size, width, multipliers, blocks, {16})
    return replace(skeleton, eps=1e-6, dropout=0.1, pad_after=True)


def iddpm(
    size: Sequence[int] = (32, 32),
    width: int = 128,
    multipliers: Sequence[float] | None = None,
    blocks: int = 3,
) -> UNetShape:
    """Return the shape of Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models".

    Their settings for CIFAR-10: AdaGN, attention at 16 x 16 and 8 x 8 in four heads, dropout 0.3. Raises
    UserError for a size that cannot be halved often enough.
    """
    multipliers = multipliers or _openai_multipliers(size)
    skeleton = _skeleton(size, width, multipliers, blocks, {16, 8})
    return replace(_told_by_adagn(skeleton), heads=4, dropout=0.3)


def adm(
    size: Sequence[int] = (64, 64),
    width: int = 256,
    multipliers: Sequence[float] | None = None,
    blocks: int = 2,
) -> UNetShape:
    """Return the shape of Dhariwal & Nichol 2021, "Diffusion Models Beat GANs", section 3.1.

    AdaGN, attention at 32, 16 and 8 in heads of 64 channels, and residual blocks that resample. At 64 x 64
    theirs has a width of 192 and 3 blocks. Raises UserError for a size that cannot be halved often enough.
    """
    multipliers = multipliers or _openai_multipliers(size)
    skeleton = _skeleton(size, width, multipliers, blocks, {32, 16, 8}, by_block=True)
    return replace(_told_by_adagn(skeleton), head_channels=64)


def _skeleton(
    size: Sequence[int],
    width: int,
    multipliers: Sequence[float],
    blocks: int,
    attention: set[int],
    by_block: bool = False,
) -> UNetShape:
    """What the three papers share; ``attention`` names the sides at which it stands."""
    attends = tuple(side in attention for side in sides_of(size, len(multipliers)))
    return UNetShape(
        widths=tuple(int(width * multiplier) for multiplier in multipliers),
        attention_down=attends,
        attention_up=attends,
        blocks_down=(by_block,) * len(multipliers),
        blocks_up=(by_block,) * len(multipliers),
        blocks=blocks,
        dims=len(size),
        frequencies=width,
    )


def _told_by_adagn(shape: UNetShape) -> UNetShape:
    """The time embedding of improved DDPM and ADM: [cos, sin], and it scales and shifts."""
    return replace(shape, cosine_first=True, frequency_shift=0.0, scale_shift=True)


def sides_of(size: Sequence[int], levels: int) -> tuple[int, ...]:
    """Return the side of each level, the finest first: the longer one, rounded up to a power of 2.

    Raises UserError for a size that cannot be halved often enough.
    """
    fits = legal_size(size, levels)
    if tuple(size) != fits:
        wrong, right = (" x ".join(str(side) for side in sides) for sides in (size, fits))
        raise UserError(
            f"a U-Net of {levels} levels halves every side {levels - 1} times, which {wrong} does not allow: "
            f"use {right}, the nearest size, or fewer levels."
        )
    return tuple(2 ** math.ceil(math.log2(max(size) >> level)) for level in range(levels))


def _openai_multipliers(size: Sequence[int]) -> tuple[float, ...]:
    """The multipliers of the code of both papers for the next larger size that they know."""
    known: dict[int, tuple[float, ...]] = {
        32: (1, 2, 2, 2),
        64: (1, 2, 3, 4),
        128: (1, 1, 2, 3, 4),
        256: (1, 1, 2, 2, 4, 4),
    }
    return next((known[side] for side in known if max(size) <= side), (0.5, 1, 1, 2, 2, 4, 4))
