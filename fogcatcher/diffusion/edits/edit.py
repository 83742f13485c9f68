"""Changing a picture instead of drawing a new one: what an edit does to a sampler.

An edit starts the sampler elsewhere, follows another grid, tells the network more, or wraps its step or its
denoiser; the sampler itself knows nothing of it. Every kind of edit has a file of its own: ``inpainting``,
``variation``, ``inversion``, ``interpolation``, ``recoloring``, ``tiling``, ``enlarging``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import Generator
from fogcatcher.diffusion.sampling.samplers import Step
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Condition, Rows, Samples, TimeGrid


@dataclass(frozen=True)
class Host:
    """What an edit may ask of the model that draws."""

    process: Process
    seen: Callable[[Rows], Samples]
    """From 8-bit pictures, (B, C, H, W), to what the network sees of them, about [-1, 1]."""
    steered: Callable[[Sequence[Mapping[str, Any]], float], DenoiserLike]
    """From wishes, one per row, and a scale of guidance to the model's denoiser."""
    enlarges: int = 1
    """How many times as large as the small picture that it is told a model draws; 1 where it is told none."""
    in_samples: Callable[[Tensor], Tensor] | None = None
    """From where pixels may change, (B, 1, H, W) booleans, to where samples may; None where samples are
    pixels themselves."""

    def free(self, pixels: Tensor) -> Tensor:
        """Return where samples may change, for pixels that may where ``pixels`` is True."""
        return pixels if self.in_samples is None else self.in_samples(pixels)

    def check_pixels(self, what: str) -> None:
        """Raises ValueError for a model that draws latents, of which ``what`` cannot be."""
        if self.in_samples is not None:
            raise ValueError(f"this model draws latents and no pixels, and {what} works on pixels")


class Edit:
    """The edit that changes nothing: from pure noise down the whole grid.

    An edit is a dataclass of numbers, words, wishes and 8-bit pictures; so it can be written into a recipe
    (``drawing/edit_recipe.py``).
    """

    own: ClassVar[tuple[str, ...]] = ()
    """Fields that hold one entry for each picture of a batch; where they hold one alone, it serves all."""

    def part(self, rows: slice) -> Edit:
        """Return the edit of these pictures of the batch."""
        entries = {name: getattr(self, name) for name in self.own}
        return self._with({name: entry[rows] for name, entry in entries.items() if len(entry) > 1})

    def joined(self, others: Sequence[Edit]) -> Edit:
        """Return the edit of this picture and others', from edits that differ in ``own`` alone.

        Raises ValueError for pictures of several sizes.
        """
        every = {name: [getattr(edit, name) for edit in (self, *others)] for name in self.own}
        return self._with({name: _end_to_end(entries) for name, entries in every.items()})

    def _with(self, entries: Mapping[str, Any]) -> Edit:
        return replace(self, **entries) if entries else self  # type: ignore[type-var]  # all others are dataclasses

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one picture, (C, H, W), in place of those that the model draws."""
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

    def told(self, host: Host, count: int, generator: Generator) -> Condition:
        """Return what the network is told of ``count`` pictures beside wishes: attribute -> (B, k)."""
        return {}

    def denoiser(self, host: Host, denoiser: DenoiserLike) -> DenoiserLike:
        """Return the denoiser to ask, in place of ``denoiser``."""
        return denoiser

    def finish(self, pictures: Rows) -> Rows:
        """Return the pictures to keep, (B, C, H, W), from those drawn."""
        return pictures


def _end_to_end(entries: Sequence[Any]) -> Any:  # noqa: ANN401 - tensors or tuples
    if isinstance(entries[0], Tensor):
        if len({entry.shape[1:] for entry in entries}) > 1:
            raise ValueError("pictures of several sizes cannot be changed together")
        return torch.cat(list(entries))
    return tuple(value for entry in entries for value in entry)
