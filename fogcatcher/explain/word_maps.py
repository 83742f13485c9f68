"""Where a model that looks at words looks at each of them, in every step of a drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.explain.explaining import Steps
from fogcatcher.model.model import Model
from fogcatcher.networks.looks_at_words import looking

LATE = 0.5
"""A word's map is the mean of the last steps, this share of all: before, nothing is in its place."""
DARK = -0.7
"""How a place is shown that does not look, from -1 (black) to 1."""
LEAST = 1e-3
"""Smaller differences of attention than this are not shown."""


@dataclass(frozen=True)
class WordMaps:
    """How much more than usual each place looks at each word."""

    words: list[str]
    each: Tensor
    """(words, N, H, W), for each of the N steps: the attention that places pay to the word, where the network
    has the most of them, less that of the middle place (the median), at least 0; as large as the picture."""

    @property
    def whole(self) -> Tensor:
        """Return (words, H, W): the mean over the last ``LATE`` of the steps, each with a sum of 1, or 0."""
        late = self.each[:, -max(1, round(LATE * self.each.shape[1])) :].mean(1)
        return late / late.sum((1, 2), keepdim=True).clamp(min=1e-12)


def word_maps(model: Model, steps: Steps, wish: Mapping[str, Wish]) -> WordMaps | None:
    """Ask the network again at every step of a drawing of ``wish``, without guidance, and see where it looks.

    None where the wish holds no words, or the network does not look at them one by one.
    """
    attributes = model.conditions.attributes
    names = {a.name: a.one_by_one(wish.get(a.name)) for a in attributes}
    words = [word for said in names.values() for word in said]
    if not words:
        return None
    cond = {name: rows.to(steps.x_t.device) for name, rows in model.encoded([wish] * len(steps.t)).items()}
    with torch.no_grad(), looking(model.denoiser.network) as looks:
        model.denoiser(steps.x_t, steps.t, cond)
    if looks.present is None:
        return None
    # Words are heard in the order of the attributes, padded, after the token that means none.
    heard = looks.finest()[:, 1:][:, looks.present[0, 1:]]
    maps = _in_rows(heard.transpose(0, 1), steps.x_t)
    usual = maps.flatten(2).median(2).values[..., None, None]
    more = (maps - usual).clamp(min=0)
    return WordMaps(words, F.interpolate(more, size=steps.x_t.shape[-2:], mode="bilinear"))


def _in_rows(maps: Tensor, like: Samples) -> Tensor:
    """(words, N, positions...) as (words, N, rows, columns); a transformer has patches in one line."""
    if maps.ndim == 4:
        return maps
    height, width = like.shape[-2:]
    grids = ((-(-height // side), -(-width // side)) for side in range(1, max(height, width) + 1))
    return maps.unflatten(2, next(grid for grid in grids if math.prod(grid) == maps.shape[2]))


def lit_by(maps: Tensor, pictures: Samples) -> Samples:
    """Return pictures, (N, C, H, W), dark where nobody looks; a map, (N, H, W), at its highest keeps them."""
    light = maps / maps.flatten(1).amax(1)[:, None, None].clamp(min=LEAST)
    colours = {2: 1, 4: 3}.get(pictures.shape[1], pictures.shape[1])
    lit = DARK + light[:, None] * (pictures[:, :colours] - DARK)
    return torch.cat([lit, pictures[:, colours:]], 1)
