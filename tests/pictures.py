"""Pictures that tests make."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (16, 16), alpha: bool = True) -> np.ndarray:
    """(H, W, 4) uint8 of noise, with hard alpha or opaque."""
    rng = np.random.default_rng(seed)
    rgba = rng.integers(0, 256, (*size, 4), dtype=np.uint8)
    rgba[..., 3] = rng.integers(0, 2, size) * 255 if alpha else 255
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def save(path: Path, rgba: np.ndarray, mode: str = "RGBA") -> None:
    """Write a picture; the suffix says in which format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgba, "RGBA").convert(mode).save(path)
