"""What suits a set of pictures: its size, one scale for all of it; and what to say of its backdrops."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from fogcatcher.base.errors import Message
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.backdrop import Rgba, backdrop, prepared
from fogcatcher.data.pictures.fitting import Fitting, at_own_grid

LARGEST_DEFAULT_SIZE = 64
SMALLEST_SIZE = 8
FALLBACK_SIZE = 32
LARGEST_ADVISED = 128
"""Larger pictures take too long to train on."""
COVERED = 0.95
"""Share of pixel-art pictures that the default size must hold, and that the scale of the set suits."""
WORTH_SAYING = 0.05
"""Share of pictures with a plain backdrop."""

Size = tuple[int, int]
Sizes = Counter[Size]


@dataclass(frozen=True)
class Measure:
    """What was found out by some pictures of a set."""

    fitting: Fitting
    pixel_art: float | None
    """Share of the pictures that look like pixel art; None where there were none."""
    notes: tuple[Message, ...]


def measure(pictures: Iterable[Rgba], options: DataOptions) -> Measure:
    """Choose size and scale by pictures, (H, W, 4), that stand for their set.

    Pixel art takes the smallest size that holds 95 % of them as they are; if that is over 64 pixels, all are
    shrunk by the same whole step, so that it is 64 or less. Photographs take their most common size if it is
    at most 64, else 32 x 32.
    """
    sizes, art, colours = Sizes(), 0, list[bytes]()
    for picture in pictures:
        if (colour := backdrop(picture, options.cut_out_tolerance)) is not None:
            colours.append(colour.tobytes())
        found, own = at_own_grid(prepared(picture, options)[0], options.trim)
        art += found.is_pixel_art
        sizes[own.shape[0], own.shape[1]] += 1
    read = sizes.total()
    share = art / read if read else None
    is_art = share is not None and share > 0.5
    height, width = options.size or _usual_size(sizes, is_art)
    fitting = Fitting(height, width, options.fit, options.resample, options.trim)
    notes = [*_of_backdrops(colours, read, options.cut_out)]
    if options.resample == "nearest" or (options.resample == "auto" and is_art):
        fitting = replace(fitting, step=_step(fitting, sizes))
        notes += _of_scale(fitting, sizes)
    return Measure(fitting, share, tuple(notes))


# --- size and scale -----------------------------------------------------------------------------


def _usual_size(sizes: Sizes, is_art: bool) -> Size:
    """The size that suits most pictures, of at most 64 pixels a side."""
    if not sizes:
        return FALLBACK_SIZE, FALLBACK_SIZE
    if is_art:
        height, width = _covering(sizes)
        step = math.ceil(max(height, width) / LARGEST_DEFAULT_SIZE)
        return max(math.ceil(height / step), SMALLEST_SIZE), max(math.ceil(width / step), SMALLEST_SIZE)
    most = max(sizes.values())
    height, width = max(size for size, count in sizes.items() if count == most)
    if max(height, width) > LARGEST_DEFAULT_SIZE:
        return FALLBACK_SIZE, FALLBACK_SIZE
    return max(height, SMALLEST_SIZE), max(width, SMALLEST_SIZE)


def _covering(sizes: Sizes) -> Size:
    """The shortest height and width that ``COVERED`` of all pictures fit into."""
    heights, widths = Counter[int](), Counter[int]()
    for (height, width), count in sizes.items():
        heights[height] += count
        widths[width] += count
    return _covered(heights), _covered(widths)


def _covered(counts: Counter[int]) -> int:
    """The least value that ``COVERED`` of all do not exceed."""
    reached = 0
    for value, count in sorted(counts.items()):
        reached += count
        if reached >= COVERED * counts.total():
            return value
    return max(counts)


def _step(fitting: Fitting, sizes: Sizes) -> int:
    """The whole step by which all pictures are shrunk, where most are too large; 1 leaves each to its own.

    Where all of a picture is kept, ``COVERED`` of all fit with it; where it is cut, so many fill the size.
    """
    sign, steps = 1 if fitting.mode == "pad" else -1, Counter[int]()
    for size, count in sizes.items():
        steps[sign * fitting.own_step(*size)] += count
    return abs(_covered(steps)) if 2 * steps[sign] < steps.total() else 1


# --- what to say --------------------------------------------------------------------------------


def _of_scale(fitting: Fitting, sizes: Sizes) -> Iterator[Message]:
    """What is lost where pixel art is shrunk, and what loses less."""
    large = sum(count for size, count in sizes.items() if fitting.own_step(*size) > 1)
    if large <= (1 - COVERED) * sizes.total():
        return
    height, width = _covering(sizes)
    more: str | Message = ""
    if max(height, width) <= LARGEST_ADVISED:
        more = Message(", and {@size:({height}, {width})} keeps every pixel", height=height, width=width)
    better = Message(
        "{@resample:'smooth'}{trim} shrinks with softer edges and whole lines{more}",
        trim="" if fitting.trim else Message(" with {@trim:True}"),
        more=more,
    )
    if fitting.step > 1:
        yield Message(
            "scale: all pictures keep one pixel of every {step}x{step}, since most are larger than "
            "{width}x{height}; thin lines break so. {better}",
            step=fitting.step,
            width=fitting.width,
            height=fitting.height,
            better=better,
        )
    else:
        yield Message(
            "scale: {share:.0%} of the pictures are larger than {width}x{height} and shrunk, each by its own "
            "whole step, so scales differ and thin lines break. {better}",
            share=large / sizes.total(),
            width=fitting.width,
            height=fitting.height,
            better=better,
        )


def _of_backdrops(colours: Sequence[bytes], pictures: int, are_cut: bool) -> Iterator[Message]:
    share = len(colours) / max(1, pictures)
    if are_cut and not colours:
        yield Message(
            "cut out: no plain backdrop was found; a larger {@cut_out_tolerance} finds less even ones"
        )
    elif not are_cut and share >= WORTH_SAYING:
        count = len(set(colours))
        yield Message(
            "backdrop: {share:.0%} of the pictures stand before a plain colour{many}; {@cut_out:True} makes "
            "it transparent",
            share=share,
            many=Message(" ({count} different ones)", count=count) if count > 1 else "",
        )
