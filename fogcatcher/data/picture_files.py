"""One picture file: decode it to RGBA, and fit it to a size."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"})
READING_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, MemoryError,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return the first frame as (H, W, 4) uint8 RGBA, upright; colour under alpha 0 is zeroed.

    Raises one of READING_ERRORS when the file is broken, is no picture, or would not fit into memory.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        # A palette with byte transparency converts exactly; Pillow's advice about it is for RGB.
        warnings.filterwarnings("ignore", message="Palette images with Transparency")
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                # 16-bit grey is scaled: Pillow's own conversion would clip it to white.
                grey = (np.asarray(upright, dtype=np.uint32) * 255 + 32767) // 65535
                upright = Image.fromarray(grey.astype(np.uint8), "L")
            rgba = np.array(upright.convert("RGBA"))
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def fit_to(rgba: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return (H, W, 4) fitted into (height, width): shrunk if larger, then padded evenly.

    An exact multiple is shrunk by taking every k-th pixel (enlarged pixel art comes back exactly);
    anything else by area averaging. Padding is transparent, or the corner's colour where the picture
    is opaque. Smaller pictures are never enlarged.
    """
    h, w = rgba.shape[:2]
    if (h, w) == (height, width):
        return rgba
    k = max(-(-h // height), -(-w // width))
    if k > 1:
        if h % k == 0 and w % k == 0 and _is_enlarged(rgba, k):
            rgba = rgba[::k, ::k]
        else:
            scale = min(height / h, width / w)
            rgba = _shrink(rgba, max(1, round(h * scale)), max(1, round(w * scale)))
        h, w = rgba.shape[:2]
    corner = rgba[0, 0] if (rgba[..., 3] == 255).all() else np.zeros(4, np.uint8)
    fitted = np.broadcast_to(corner, (height, width, 4)).copy()
    top, left = (height - h) // 2, (width - w) // 2
    fitted[top : top + h, left : left + w] = rgba
    return fitted


def _is_enlarged(rgba: NDArray[np.uint8], k: int) -> bool:
    """Whether every k x k block has one colour."""
    return bool((rgba == rgba[::k, ::k].repeat(k, 0).repeat(k, 1)).all())


def _shrink(rgba: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Area-average with premultiplied alpha, so that hidden colours do not bleed into the edges."""
    premultiplied = Image.fromarray(rgba).convert("RGBa").resize((width, height), Image.Resampling.BOX)
    shrunk = np.array(premultiplied.convert("RGBA"))
    if np.isin(rgba[..., 3], (0, 255)).all():
        shrunk[..., 3] = np.where(shrunk[..., 3] >= 128, 255, 0)
    shrunk[shrunk[..., 3] == 0] = 0
    return shrunk
