"""What may be chosen about the networks of papers, beside their width: the ablations.

Each record names the choices of one kind of network; None is as its paper has it. Types and ranges are those
of the records that the networks are built from.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import Length, Range
from fogcatcher.networks.ddpm_unet import Blocks, Channels, Share, UNetShape, sides_of

MOST_LEVELS = 8
Sides = Annotated[tuple[Annotated[int, Range(1, 4096)], ...], Length(0, 8)]
Multipliers = Annotated[tuple[Annotated[float, Range(0.125, 16)], ...], Length(1, MOST_LEVELS)]
WholeMultipliers = Annotated[tuple[Annotated[int, Range(1, 16)], ...], Length(1, MOST_LEVELS)]
Depths = Annotated[tuple[Blocks, ...], Length(1, MOST_LEVELS)]
Levels = Annotated[int, Range(1, MOST_LEVELS)]
Depth = Annotated[int, Range(1, 64)]
Patch = Annotated[int, Range(1, 16)]


@dataclass(frozen=True)
class UNetChoices:
    """Of the U-Nets of DDPM, improved DDPM and ADM; most are varied by Dhariwal & Nichol 2021, section 3."""

    multipliers: Multipliers | None = None
    """Width of each level as a multiple of the first, the finest first; so many levels as numbers."""
    blocks: Blocks | None = None
    """Residual blocks per level, the depth; one more on the way up."""
    depths: Depths | None = None
    """The same of each level by itself, the finest first; so many levels as numbers."""
    resample_first: bool | None = None
    """Whether levels are halved before their blocks and doubled after them, as in Imagen: less work."""
    attention: Sides | None = None
    """Sides of the levels that have attention, such as 16,8; none leaves it in the middle alone."""
    middle_attention: bool | None = None
    """Whether the middle has attention too."""
    heads: Channels | None = None
    """Heads of each attention; each has as many channels as are left for it."""
    head_channels: Channels | None = None
    """Channels of a head, which then say how many heads there are."""
    linear_attention: bool | None = None
    """Whether attention in the levels takes work in line with the positions instead of their square."""
    resample: bool | None = None
    """Whether residual blocks halve and double, as in BigGAN, or convolutions do."""
    scale_shift: bool | None = None
    """Whether the noise level scales and shifts what a norm gives (AdaGN), or is added before it."""
    rescaled: bool | None = None
    """Whether sums of two branches are divided by the root of 2."""
    standardise: bool | None = None
    """Whether convolutions between two norms have standardised weights."""
    dropout: Share | None = None
    """Share of the features that is dropped in training."""
    cross_attention: bool | None = None
    """Whether places look at each word of a text where attention stands; else it is one vector for all."""


@dataclass(frozen=True)
class SongChoices:
    """Of DDPM++ and NCSN++."""

    multipliers: WholeMultipliers | None = None
    """Width of each level as a multiple of the network's, the finest first; so many levels as numbers."""
    blocks: Blocks | None = None
    """Residual blocks per level; one more on the way up."""
    attention: Sides | None = None
    """Sides of the levels that have attention; none leaves it in the middle alone."""
    dropout: Share | None = None
    """Share of the features that is dropped in training."""


@dataclass(frozen=True)
class TransformerChoices:
    """Of the transformer."""

    depth: Depth | None = None
    """Blocks, one after the other."""
    heads: Channels | None = None
    """Heads of each attention."""
    patch: Patch | None = None
    """Side of the patch that is one token; of signals so many values."""
    cross_attention: bool | None = None
    """Whether places look at each word of a text in every block; else it is one vector for all."""


@dataclass(frozen=True)
class SmallChoices:
    """Of our own small U-Net."""

    levels: Levels | None = None
    """Resolutions, each half of the one before and twice as wide."""
    blocks: Blocks | None = None
    """Residual blocks per level, on the way down and again on the way up."""
    patch: Patch | None = None
    """Side of the blocks of pixels that become channels at the input."""
    cross_attention: bool | None = None
    """Whether places look at each word of a text, at most 16 x 16 of them; else it is one vector for all."""


@dataclass(frozen=True)
class AnnotatedChoices:
    """Of the network of the annotated tutorial."""

    multipliers: WholeMultipliers | None = None
    """Width of each level as a multiple of the network's, the finest first; so many levels as numbers."""


def varied(shape: UNetShape, size: Sequence[int], choices: UNetChoices) -> UNetShape:
    """Return a shape for pictures of ``size`` with some parts chosen anew; its levels are there already.

    Raises UserError for attention at a side that no level has, heads that do not divide the channels, and
    parts that exclude each other.
    """
    c, levels = choices, len(shape.widths)
    there = sides_of(size, levels)
    if c.depths is not None:
        if len(c.depths) != levels or c.blocks is not None:
            raise UserError(
                f"depths takes a number for each of the {levels} levels, without blocks.",
                about="network_options",
            )
        shape = replace(shape, depths=c.depths)
    if c.resample_first:
        # Attention stays at its sides, which are those of other levels now.
        sides = {side for side, at in zip(there, shape.attention_down, strict=True) if at}
        there = sides_of(size, levels + 1)[1:]
        at = tuple(side in sides for side in there)
        shape = replace(shape, resample_first=True, attention_down=at, attention_up=at)
    said = {name: getattr(c, name) for name in ("blocks", "middle_attention", "scale_shift", "standardise")}
    said |= {name: getattr(c, name) for name in ("linear_attention", "dropout", "cross_attention")}
    shape = replace(shape, **{name: value for name, value in said.items() if value is not None})
    if c.attention is not None:
        check_sides(c.attention, there)
        at = tuple(side in c.attention for side in there)
        shape = replace(shape, attention_down=at, attention_up=at)
    if c.resample is not None:
        shape = replace(shape, blocks_down=(c.resample,) * levels, blocks_up=(c.resample,) * levels)
    if c.rescaled is not None:
        # "rescaling residual connections with 1 / sqrt(2)", Dhariwal & Nichol 2021, section 3.
        divisor = math.sqrt(2) if c.rescaled else 1.0
        shape = replace(shape, divisor=divisor, middle_divisor=divisor)
    return _with_heads(shape, c)


def _with_heads(shape: UNetShape, c: UNetChoices) -> UNetShape:
    if c.heads is not None and c.head_channels is not None:
        raise UserError(
            "heads and head_channels say the same thing twice: give one of them.", about="network_options"
        )
    if c.heads is not None:
        shape = replace(shape, heads=c.heads, head_channels=0)
    if c.head_channels is not None:
        shape = replace(shape, head_channels=c.head_channels)
    if c.linear_attention and shape.head_channels:
        if c.head_channels is not None:
            raise UserError("linear attention takes heads, not head_channels.", about="network_options")
        shape = replace(shape, head_channels=0)
    if c == UNetChoices():
        return shape
    for width in _attending(shape):
        by = min(shape.head_channels, width) or shape.heads
        if width % by:
            what = f"heads of {by} channels" if shape.head_channels else f"{by} heads"
            raise UserError(
                f"attention over {width} channels cannot have {what}: choose a divisor of {width}.",
                about="network_options",
            )
    return shape


def _attending(shape: UNetShape) -> list[int]:
    """The widths at which attention stands, the finest first."""
    widths = [w for w, at in zip(shape.widths, shape.attention_down, strict=True) if at]
    return widths + [shape.widths[-1]] * (shape.middle and shape.middle_attention)


def check_sides(sides: Collection[int], there: Sequence[int]) -> None:
    """Raises UserError for a side that is none of those of the levels, ``there``."""
    for side in sides:
        if side not in there:
            known = ", ".join(map(str, there))
            raise UserError(
                f"no level has a side of {side}: attention can stand at {known}, or none.",
                about="network_options",
            )
