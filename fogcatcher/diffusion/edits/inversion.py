"""From a picture to the noise that the sampler turns into it: DDIM backwards.

Song et al. 2020, "Denoising Diffusion Implicit Models", section 4.3; the step is ``samplers.Inversion``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.edits.edit import Edit, Host
from fogcatcher.diffusion.sampling.samplers import Inversion, sample
from fogcatcher.diffusion.tensors import OnePicture, Samples, TimeGrid

ROUNDS = 3
"""Substitutions in every step up; more bring the way back closer to the picture, at one call each."""
MOST_ROUNDS = 100


def inverted(denoiser: DenoiserLike, x0: Samples, times: TimeGrid, rounds: int = ROUNDS) -> Samples:
    """Return x at times[0], (B, ...), from which DDIM on the falling grid ``times`` comes back to ``x0``.

    Raises ValueError for rounds that are not 1 to 100.
    """
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ValueError(f"inversion takes 1 to {MOST_ROUNDS} rounds, not {rounds}")
    x = x0
    # No step of Inversion draws anything.
    for state in sample(denoiser, x0, times.flip(0), Inversion(rounds), torch.Generator()):
        x = state.x
    return x


@dataclass(frozen=True)
class Invert(Edit):
    """Start from the noise that is in ``source``, found under ``wish``.

    Drawn under the same wish it is the same picture again; under another, the picture that this noise gives
    there. The way up is not guided (scale 1), because guided it does not find back.
    """

    source: OnePicture
    """(1, C, H, W)."""
    wish: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = ROUNDS

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.source.shape[1:])

    def start(self, host: Host, noise: Samples, times: TimeGrid) -> Samples:
        x0 = host.seen(self.source).to(noise)
        return inverted(host.steered([self.wish], 1.0), x0, times, self.rounds).expand_as(noise)

    def asks_first(self, steps: int) -> int:
        return self.rounds * steps
