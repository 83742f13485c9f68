"""Changing a picture instead of drawing a new one: what an edit does to a sampler.

An edit starts the sampler elsewhere, follows another grid, or wraps its step or its denoiser; the sampler
itself knows nothing of it.
"""

from __future__ import annotations

from fogcatcher.denoiser import DenoiserLike
from fogcatcher.process import Process
from fogcatcher.samplers import Step
from fogcatcher.tensors import Samples, Times


class Edit:
    """The edit that changes nothing: from pure noise down the whole grid."""

    def part(self, rows: slice) -> Edit:
        """Return the edit of these pictures of the batch."""
        return self

    def grid(self, times: Times) -> Times:
        """Return the times to go through, in place of the sampler's own."""
        return times

    def start(self, process: Process, noise: Samples, t: Times) -> Samples:
        """Return the sample at the first time, (B, ...), from standard normal ``noise``."""
        return process.prior(t, noise)

    def step(self, step: Step) -> Step:
        """Return the step to take, in place of ``step``."""
        return step

    def denoiser(self, denoiser: DenoiserLike) -> DenoiserLike:
        """Return the denoiser to ask, in place of ``denoiser``."""
        return denoiser
