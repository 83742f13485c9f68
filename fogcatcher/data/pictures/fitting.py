"""One decoded picture to the size of the data set, without ruining it.

Pictures are (H, W, 4) uint8 RGBA with zeroed colour under alpha 0. Pixel art is never averaged: enlarged
art goes back to its own grid, and art that is too large keeps one pixel of every k x k, of the same k in
all of a set. Photographs are shrunk smoothly. Nothing is ever enlarged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fogcatcher.data.pictures.pixel_art import Art, as_words, examine, restore


@dataclass(frozen=True)
class Fitting:
    """How pictures are brought to one size."""

    height: int
    width: int
    mode: Literal["pad", "crop"] = "pad"
    """pad: all of the picture is kept. crop: the smaller side fills, what stands out is cut evenly."""
    resample: Literal["auto", "nearest", "smooth"] = "auto"
    """How what is too large is shrunk; auto: pixel art by nearest, anything else smoothly."""
    trim: bool = False
    """Cut away the empty border: transparent rows and columns, or those of the corners' one colour."""
    step: int = 1
    """What every picture of the set is shrunk by, so that all have one scale, unless it is shrunk smoothly
    on request: each by at least as much where all of it is kept, by at most as much where it is cut."""

    def fit(self, rgba: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
        """Return (H, W, 4) ``rgba`` as (height, width, 4), and what was done, in order.

        The words: "restored Kx", "trimmed", "shrunk", "cropped", "padded". A picture that already has
        the size is at most trimmed. Padding is transparent if any pixel is, else has the corners' colour
        if all agree, else that of a quarter of the border, else the border's median: plain bars, for
        smeared or mirrored edges would be learnt as things. Odd rows and columns go to the bottom, right.
        """
        height, width, done, is_art = self.height, self.width, list[str](), True
        if rgba.shape[:2] != (height, width) or self.step > 1:
            art = examine(rgba)
            rgba, is_art = restore(rgba, art), art.is_pixel_art
            done += [f"restored {art.enlarged}x"] * (art.enlarged > 1)
        whole = rgba
        trimmed = trim(rgba) if self.trim else rgba
        shrunk = self._shrink(trimmed, is_art)
        fitted = _cut(shrunk, height, width)
        done += ["trimmed"] * (trimmed.shape != whole.shape)
        done += ["shrunk"] * (shrunk.shape != trimmed.shape)
        done += ["cropped"] * (fitted.shape != shrunk.shape)
        if fitted.shape[:2] != (height, width):
            fitted = _pad(fitted, height, width, _filling(whole))
            done.append("padded")
        # A copy, for a view would keep all of the large picture in memory.
        return fitted.copy() if done else rgba, tuple(done)

    def _shrink(self, rgba: NDArray[np.uint8], is_art: bool) -> NDArray[np.uint8]:
        """Shrink until all of it fits (pad), or as far as it still covers (crop)."""
        h, w = rgba.shape[:2]
        choose = max if self.mode == "pad" else min
        factor = choose(h / self.height, w / self.width)
        if self.step > 1:
            factor = choose(factor, self.step)
        if factor <= 1:
            return rgba
        if self.resample == "smooth" or (self.resample == "auto" and not is_art):
            return _smooth(rgba, max(1, round(h / factor)), max(1, round(w / factor)))
        whole = self.own_step(h, w)
        return _every(rgba, choose(whole, self.step) if self.step > 1 else whole)

    def own_step(self, height: int, width: int) -> int:
        """Return the whole step by which a picture of this size is shrunk on its own; 1 if it fits."""
        if self.mode == "pad":
            return max(1, math.ceil(height / self.height), math.ceil(width / self.width))
        # Every k-th of n pixels leaves (n - 1) // k + 1 of them.
        return max(1, min((height - 1) // max(1, self.height - 1), (width - 1) // max(1, self.width - 1)))


def _background(rgba: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The colour around things, (4,): transparent if any pixel is, else the corners' if all four agree."""
    if (rgba[..., 3] < 255).any():
        return np.zeros(4, np.uint8)
    corners = rgba[[0, 0, -1, -1], [0, -1, 0, -1]]
    return corners[0] if (corners == corners[0]).all() else None


def _filling(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colour to pad with, (4,): see Fitting.fit."""
    if (background := _background(rgba)) is not None:
        return background
    border = np.concatenate([rgba[0], rgba[-1], rgba[1:-1, 0], rgba[1:-1, -1]])
    _, places, counts = np.unique(as_words(border[None]), return_index=True, return_counts=True)
    common = border[places[counts.argmax()]]
    return common if 4 * counts.max() >= len(border) else np.rint(np.median(border, 0)).astype(np.uint8)


def at_own_grid(rgba: NDArray[np.uint8], trimmed: bool) -> tuple[Art, NDArray[np.uint8]]:
    """Return what a picture is made of, and the picture as it is before it is shrunk, padded or cropped."""
    art = examine(rgba)
    restored = restore(rgba, art)
    return art, trim(restored) if trimmed else restored


def trim(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut away the rows and columns of background around; a picture that is nothing else stays."""
    if (background := _background(rgba)) is None:
        return rgba
    content = (rgba != background).any(-1)
    rows, columns = np.flatnonzero(content.any(1)), np.flatnonzero(content.any(0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else rgba


def _every(rgba: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Keep one pixel of every k x k: the centre, or what leaves both ends alike where k does not divide."""
    top, left = ((n - 1) % k // 2 for n in rgba.shape[:2])
    return rgba[top::k, left::k]


def _smooth(rgba: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Shrink by Lanczos with premultiplied alpha, so that no hidden colour bleeds; hard alpha stays hard."""
    if (rgba[..., 3] == 255).all():
        return np.array(Image.fromarray(rgba).resize((width, height), Image.Resampling.LANCZOS))
    # In floats, for bytes would cut off where alpha overshoots but not where colour does.
    alpha = rgba[..., 3].astype(np.float32)
    weight = _resized(alpha, height, width)
    shrunk = np.empty((height, width, 4), np.uint8)
    for c in range(3):
        colour = _resized(rgba[..., c] * alpha, height, width) / np.maximum(weight, 0.5)
        shrunk[..., c] = np.rint(colour.clip(0, 255))
    is_hard = np.isin(rgba[..., 3], (0, 255)).all()
    shrunk[..., 3] = np.where(weight >= 127.5, 255, 0) if is_hard else np.rint(weight.clip(0, 255))
    shrunk[shrunk[..., 3] == 0] = 0
    return shrunk


def _resized(plane: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS))


def _cut(rgba: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Cut evenly to at most (height, width)."""
    top, left = max(0, rgba.shape[0] - height) // 2, max(0, rgba.shape[1] - width) // 2
    return rgba[top : top + height, left : left + width]


def _pad(rgba: NDArray[np.uint8], height: int, width: int, colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put the picture evenly into (height, width) of one colour."""
    top, left = (height - rgba.shape[0]) // 2, (width - rgba.shape[1]) // 2
    padded = np.broadcast_to(colour, (height, width, 4)).copy()
    padded[top : top + rgba.shape[0], left : left + rgba.shape[1]] = rgba
    return padded
