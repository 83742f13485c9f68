"""Flow maps: a denoiser that is told where a step goes, so that one network draws in one call or in eight.

    x_s = DDIM's step from x_t with x0 = X(x_t, t, s)

X is the one clean sample that leads from x_t to where the path of the probability flow is at s < t, and at
s = t the mean of all, as of any denoiser. In the time tau = sigma / (alpha + sigma) of a straight path, on
which z = x / (alpha + sigma), u = (z_t - X) / tau_t is the average velocity between the two times:

    u(z_t, t, s) = (z_t - z_s) / (tau_t - tau_s)

Geng et al. 2025, "Mean Flows for One-step Generative Modeling", equation 3; Boffi et al. 2024, "Flow Map
Matching". A network that predicts x0 keeps the contract of every denoiser here, and its weights may be those
of a teacher that was never told s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.guidance import Wrapped
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Condition, Samples, TimeGrid, Times

UNTIL = "until"
"""Under this name the network of a ``FlowMap`` hears where its step ends, beside the condition."""
WAVES = 4
FEATURES = 3 + 2 * WAVES
"""So many numbers tell it."""


def straight_time(schedule: Schedule, t: Times) -> Times:
    """Return tau = sigma / (alpha + sigma), from 0 to 1, of times t, (B,)."""
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    return sigma / (alpha + sigma)


def time_of_straight(schedule: Schedule, tau: Times) -> Times:
    """Return the times t, (B,), of tau from 0 to 1, (B,)."""
    return schedule.t_from_noise_ratio(tau / (1 - tau))


def until(schedule: Schedule, t: Times, s: Times) -> Tensor:
    """Return what a network hears of a step from t to s <= t, (B,) each: (B, ``FEATURES``).

    1, tau_s, tau_t - tau_s, and waves of the latter two, cos(pi k tau). A row of zeros would say nothing.
    """
    end, length = straight_time(schedule, s), straight_time(schedule, t) - straight_time(schedule, s)
    k = math.pi * torch.arange(1, WAVES + 1, dtype=end.dtype, device=end.device)
    waves = [(angle[:, None] * k).cos() for angle in (end, length)]
    return torch.cat([torch.stack([torch.ones_like(end), end, length], 1), *waves], 1)


class FlowMap(Denoiser):
    """A denoiser whose network hears, as ``UNTIL``, to what time s <= t its answer is to lead.

    Where nothing is told s is t.
    """

    def forward(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        said = dict(cond or {})
        if UNTIL not in said:
            said[UNTIL] = until(self.process.schedule, t, t).to(x_t)
        return super().forward(x_t, t, said)


@dataclass(frozen=True)
class AlongGrid(Wrapped):
    """A flow map that is told, at each time it is asked, the next lower one of a grid, or 0.

    So any step along the grid that asks at its own time goes where it should, also one that climbs.
    """

    times: TimeGrid

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        told = until(self.process.schedule, t, next_lower(self.times, t)).to(x_t)
        return self.inner(x_t, t, {**(cond or {}), UNTIL: told})


def next_lower(times: TimeGrid, t: Times) -> Times:
    """Return the largest of ``times``, (N,), below t, (B,); 0 where there is none."""
    times = times.to(t)
    return torch.where(times < t[:, None], times, 0.0).amax(1)
