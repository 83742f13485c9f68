"""Variations of a picture: some noise, and down again. SDEdit, Meng et al. 2021, algorithm 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from fogcatcher.diffusion.edits.edit import Edit, Host
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import OnePicture, Rows, Samples, TimeGrid, Times


def time_of_strength(schedule: Schedule, strength: float) -> Times:
    """Return the time at which signal and noise stand at this share, between 0 and 1, of a right angle.

        sigma / alpha = tan(strength pi / 2),   so alpha_bar = cos^2(strength pi / 2)

    with alpha_bar = alpha^2 / (alpha^2 + sigma^2). It means the same in every schedule. For pixels that are
    independent and normal, alpha_bar is the correlation that an ancestral sampler leaves between the picture
    drawn and the one it started from.
    """
    ratio = torch.tensor(strength * math.pi / 2, dtype=torch.float64).tan()
    return schedule.t_from_noise_ratio(ratio)


@dataclass(frozen=True)
class Vary(Edit):
    """Start at q(x_t | guide), as far up as ``strength`` says: 0 is the guide, 1 a fresh sample.

    Raises ValueError for a strength outside 0 to 1.
    """

    guide: OnePicture
    """(1, C, H, W)."""
    strength: float = 0.8

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"a strength is from 0 to 1, not {self.strength:g}")

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.guide.shape[1:])

    def grid(self, times: TimeGrid, schedule: Schedule) -> TimeGrid:
        if self.strength in (0, 1):
            return times[-2:] if self.strength == 0 else times
        start = time_of_strength(schedule, self.strength)
        return times if start >= times[0] else torch.cat([start[None], times[times < start]])

    def start(self, host: Host, noise: Samples, times: TimeGrid) -> Samples:
        if self.strength == 1:
            return host.process.prior(times[0], noise)
        return host.process.corrupt(host.seen(self.guide).to(noise).expand_as(noise), times[0], noise)

    def finish(self, pictures: Rows) -> Rows:
        return self.guide.expand_as(pictures) if self.strength == 0 else pictures
