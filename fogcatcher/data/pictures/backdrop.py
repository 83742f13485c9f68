"""What is behind a thing: a plain colour is found along the border and cut out, nothing is painted over.

Pictures are (H, W, 4) uint8 RGBA with zeroed colour under alpha 0.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, UInt8
from numpy.typing import NDArray

from fogcatcher.data.options import DataOptions

Rgba = UInt8[np.ndarray, "_ _ 4"]
Mask = Bool[np.ndarray, "_ _"]

ENOUGH_BORDER = 0.8
"""Share of the border that shows a backdrop by itself: the sky of a landscape has at most 0.75."""
LEAST_BORDER, LEAST_CORNERS = 0.5, 3
"""... or so much of the border, and so many corners: a thing may touch it. A sky has two corners."""
PLAIN, PLAIN_SHARE = 6, 0.75
"""Levels, and the share of the backdrop that lies within them; textures of floors have less."""
LEAST_INSIDE = 0.05
"""Share of the picture without its outermost pixels that a backdrop takes: a frame takes none."""
LEAST_LEFT = 0.01
"""Share of the picture that is left when it is cut out: a picture of one colour has no thing before it."""


def prepared(rgba: Rgba, options: DataOptions) -> tuple[Rgba, bool]:
    """Return a picture with its backdrop and its transparency as asked for, and whether anything was cut."""
    cut = cut_out(rgba, options.cut_out_tolerance) if options.cut_out else rgba
    return _painted(cut, options), cut is not rgba


def backdrop(rgba: Rgba, tolerance: int) -> NDArray[np.uint8] | None:
    """Return the colour, (3,), of the plain backdrop of a picture; None where it has none.

    It is the commonest colour of the border with all that lies within ``tolerance`` levels of it in every
    channel, if that takes 80 % of the border, or half of it and three corners; if most of it is no texture
    but one colour; if it is more than a frame; and if cutting it out leaves something. A picture with
    transparent pixels on its border has none.
    """
    found = _found(rgba, tolerance)
    return None if found is None else found[0]


def cut_out(rgba: Rgba, tolerance: int) -> Rgba:
    """Return the picture with its backdrop transparent, or the very picture where it has none.

    Only what hangs together with the border goes, over sides and not over corners: holes of the same colour
    inside a thing stay, and an outline of single pixels that touch at their corners holds.
    """
    found = _found(rgba, tolerance)
    return rgba if found is None else np.where(found[1][..., None], np.uint8(0), rgba)


def _found(rgba: Rgba, tolerance: int) -> tuple[NDArray[np.uint8], Mask] | None:
    """The colour of the backdrop, and where it is."""
    border = np.concatenate([rgba[0], rgba[-1], rgba[1:-1, 0], rgba[1:-1, -1]])
    if (border[:, 3] < 255).any():
        return None
    colour = _commonest(border[:, :3], tolerance)
    alike, share = _near(rgba, colour, tolerance), float(_near(border, colour, tolerance).mean())
    corners = int(alike[[0, 0, -1, -1], [0, -1, 0, -1]].sum())
    if share < ENOUGH_BORDER and (share < LEAST_BORDER or corners < LEAST_CORNERS):
        return None
    outside = _from_border(alike)
    plain = _near(rgba[outside], colour, PLAIN).mean() >= PLAIN_SHARE
    inside = outside[1:-1, 1:-1]
    is_frame = inside.size == 0 or inside.mean() < LEAST_INSIDE
    return (colour, outside) if plain and not is_frame and (~outside).mean() >= LEAST_LEFT else None


def _commonest(colours: UInt8[np.ndarray, "_ 3"], tolerance: int) -> NDArray[np.uint8]:
    """The colour of most pixels; of those near it the median, for noise makes many of one."""
    values, counts = np.unique(colours >> 4, axis=0, return_counts=True)
    rough = values[counts.argmax()] << 4 | 8
    near = np.abs(colours.astype(np.int16) - rough).max(1) <= max(8, tolerance)
    return np.median(colours[near], axis=0).astype(np.uint8)


def _near(rgba: UInt8[np.ndarray, "*S 4"], colour: NDArray[np.uint8], tolerance: int) -> NDArray[np.bool_]:
    return (np.abs(rgba[..., :3].astype(np.int16) - colour).max(-1) <= tolerance) & (rgba[..., 3] == 255)


def _from_border(alike: Mask) -> Mask:
    """Which of these pixels are reached from the border over sides.

    Whole runs of a row are filled at once, then those of columns, until nothing changes: as often as the way
    in bends, not as long as it is.
    """
    reached = np.zeros_like(alike)
    reached[[0, -1]], reached[:, [0, -1]] = alike[[0, -1]], alike[:, [0, -1]]
    before = -1
    while (count := int(reached.sum())) != before:
        before = count
        reached = _along_rows(alike, reached)
        reached = _along_rows(alike.T, reached.T).T
    return reached


def _along_rows(alike: Mask, reached: Mask) -> Mask:
    """Spread over all of every run of a row that is reached anywhere."""
    starts = alike.copy()
    starts[:, 1:] &= ~alike[:, :-1]
    runs = np.cumsum(starts.ravel()).reshape(alike.shape)
    filled = np.bincount(runs[reached], minlength=int(runs.max(initial=0)) + 1) > 0
    return alike & filled[runs]


def _painted(rgba: Rgba, options: DataOptions) -> Rgba:
    """Apply ``alpha``: painted over a colour, or opaque, or as it is."""
    if options.alpha == "keep" or (rgba[..., 3] == 255).all():
        return rgba
    rgba = rgba.copy()
    if options.background is not None:
        share = rgba[..., 3:].astype(np.float64) / 255
        mixed = rgba[..., :3] * share + np.asarray(options.background) * (1 - share)
        rgba[..., :3] = np.floor(mixed + 0.5)
    rgba[..., 3] = 255
    return rgba
