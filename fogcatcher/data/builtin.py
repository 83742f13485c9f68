"""The built-in sprites as a data set: the same shape as any folder's."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch

from fogcatcher.data import sprites
from fogcatcher.data.reading import Dataset

NAME = "sprites"
COUNT = 20_000


def sprite_dataset(count: int = COUNT, seed: int = 0) -> Dataset:
    """Return ``count`` sprites drawn by rule, with their kind, item and palette as labels."""
    drawn = sprites.draw_many(count, seed)
    pixels = np.stack([sprite.pixels for sprite in drawn]).transpose(0, 3, 1, 2)
    return Dataset(
        pictures=torch.from_numpy(np.ascontiguousarray(pixels)),
        labels={
            "kind": [sprite.kind for sprite in drawn],
            "item": [sprite.item for sprite in drawn],
            "palette": [sprite.palette for sprite in drawn],
        },
        names=[f"{NAME}[{i}]" for i in range(count)],
        sizes=Counter({(16, 16): count}),
        notes=[f"the built-in sprites: {count} drawn by rule"],
    )
