"""Changing a picture instead of drawing a new one: what an edit does to a sampler.

An edit starts the sampler elsewhere, follows another grid, or wraps its step or its denoiser; the sampler
itself knows nothing of it. Every kind of edit has a file of its own: ``inpainting``, ``variation``,
``inversion``, ``interpolation``, ``recoloring``, ``tiling``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.samplers import Step
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Rows, Samples, TimeGrid


@dataclass(frozen=True)
class Host:
    """What an edit may ask of the model that draws."""

    process: Process
    seen: Callable[[Rows], Samples]
    """From 8-bit pictures, (B, C, H, W), to what the network sees of them, about [-1, 1]."""
    steered: Callable[[Sequence[Mapping[str, Any]], float], DenoiserLike]
    """From wishes, one per row, and a scale of guidance to the model's denoiser."""


class Edit:
    """The edit that changes nothing: from pure noise down the whole grid.

    An edit is a dataclass of numbers, words, wishes and 8-bit pictures; so it can be written into a recipe
    (``drawing/edit_recipe.py``).
    """

    def part(self, rows: slice) -> Edit:
        """Return the edit of these pictures of the batch."""
        return self

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one sample, (C, H, W), in place of the model's own."""
        return shape

    def grid(self, times: TimeGrid, schedule: Schedule) -> TimeGrid:
        """Return the times to go through, in place of the sampler's own; at least two."""
        return times

    def start(self, host: Host, noise: Samples, times: TimeGrid) -> Samples:
        """Return the sample at times[0], (B, ...), from standard normal ``noise``."""
        return host.process.prior(times[0], noise)

    def asks_first(self, steps: int) -> int:
        """Return how often ``start`` asks the denoiser for one picture, for a way of so many steps."""
        return 0

    def step(self, host: Host, step: Step) -> Step:
        """Return the step to take, in place of ``step``."""
        return step

    def denoiser(self, host: Host, denoiser: DenoiserLike) -> DenoiserLike:
        """Return the denoiser to ask, in place of ``denoiser``."""
        return denoiser

    def finish(self, pictures: Rows) -> Rows:
        """Return the pictures to keep, (B, C, H, W), from those drawn."""
        return pictures
