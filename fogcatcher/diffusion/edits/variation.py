"""Variations of a picture: some noise, and down again. SDEdit, Meng et al. 2021, algorithm 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


PROBE = 0.2
"""Strength of the noise by which is seen how well a model knows a picture: a third of the signal."""


def noise_left(host: Host, guide: OnePicture, noise: Samples, wish: Mapping[str, Any]) -> float:
    """Return which share of a little noise, as standard deviation, the denoiser leaves in a picture.

        |x0_hat(alpha x0 + sigma eps) - x0| / |sigma / alpha eps|,   at strength ``PROBE``

    0 for one that knows the picture by heart, 1 for one that takes nothing away. ``noise``, (B, C, H, W), is
    standard normal; the answer is that of all B together.
    """
    process = host.process
    t = time_of_strength(process.schedule, PROBE).to(noise.device)
    x0 = host.seen(guide).to(noise).expand_as(noise)
    alpha, sigma = process.rates(t, noise)
    with torch.no_grad():
        answer = host.steered([wish] * len(noise), 1.0)(process.corrupt(x0, t, noise), t.expand(len(noise)))
    return float((answer - x0).norm() / (sigma / alpha * noise).norm())


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
