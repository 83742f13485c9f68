"""Sampling times: from the schedule and a number of steps to times falling from noise to 0.

Every grid returns ``steps + 1`` times in float64; the last is 0, so the last step always lands on
clean data.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Times


class Grid(ABC):
    """A rule for spacing the sampling times."""

    def __call__(self, schedule: Schedule, steps: int) -> Times:
        """Return (steps + 1,) falling times that end at 0. Raises ValueError when steps < 1."""
        if steps < 1:
            raise ValueError(f"sampling needs at least 1 step, not {steps}")
        return torch.cat([self.noisy_times(schedule, steps), torch.zeros(1, dtype=torch.float64)])

    @abstractmethod
    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        """Return the (steps,) times at which the denoiser is asked."""


@dataclass(frozen=True)
class UniformGrid(Grid):
    """1, 1 - 1/steps, ..., 1/steps. On a table of betas this is the "trailing" spacing."""

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        return 1 - torch.arange(steps, dtype=torch.float64) / steps


@dataclass(frozen=True)
class LeadingGrid(Grid):
    """Every (T // steps)-th step of a net trained with T discrete steps, from step 1 on.

    The first time is below 1 (0.981 for 50 of 1,000), as in DDIM's code. Raises ValueError when
    steps > T.
    """

    trained_steps: int = 1000

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        if steps > self.trained_steps:
            raise ValueError(f"{steps} steps do not fit into {self.trained_steps} trained ones")
        stride = self.trained_steps // steps
        index = torch.arange(steps, dtype=torch.float64).flip(0) * stride
        return (index + 1) / self.trained_steps


@dataclass(frozen=True)
class KarrasGrid(Grid):
    """Even in (sigma / alpha)^(1 / rho): Karras et al. 2022, equation 5.

    Ends beyond what the schedule reaches are moved to its ends.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        one = torch.ones((), dtype=torch.float64)
        largest = (-schedule.log_snr(one) / 2).exp().clamp(max=self.sigma_max).item()
        high, low = largest ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
        return schedule.t_from_log_snr(-2 * self.rho * (high + ramp * (low - high)).log())


@dataclass(frozen=True)
class NestedKarrasGrid(KarrasGrid):
    """The Karras spacing with sigma_min at 0 steps from the end, where the data are put in its place.

    So the grid of 2 N steps holds every time of that of N, as halving needs (Salimans & Ho 2022), and the
    last of a few steps asks at a noise level at which something is left to decide.
    """

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        return super().noisy_times(schedule, steps + 1)[:-1]


@dataclass(frozen=True)
class StraightGrid(Grid):
    """Even in the time u of a straight path, (1 - u) x0 + u eps, whatever the schedule of the model.

        sigma / alpha = shift u / (1 - u),   u = U, U (N - 1) / N, ..., U / N

    Lipman et al. 2022, "Flow Matching", section 4.1; ``shift`` as in Esser et al. 2024, section 5.3.2. U is
    where the schedule ends, 1 where no signal is left. Along such a path the answer of a denoiser changes
    about as much in every step, so each of a few steps has as much to do. The grid of 2 N steps holds every
    time of that of N, as halving needs (Salimans & Ho 2022).
    """

    shift: float = 1.2

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        one = torch.ones(1, dtype=torch.float64)
        # r / (r + shift) for r = sigma / alpha, which may be infinite.
        end = 1 / (1 + self.shift * (schedule.log_snr(one) / 2).exp())
        u = end * (1 - torch.arange(1, steps, dtype=torch.float64) / steps)
        return torch.cat([one, schedule.t_from_noise_ratio(self.shift * u / (1 - u))])


@dataclass(frozen=True)
class LogSNRGrid(Grid):
    """Even in log-SNR, between the same ends as the Karras grid."""

    sigma_min: float = 0.002
    sigma_max: float = 80.0

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        one = torch.ones((), dtype=torch.float64)
        first, last = (-2 * math.log(sigma) for sigma in (self.sigma_max, self.sigma_min))
        first = schedule.log_snr(one).clamp(min=first)
        ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
        return schedule.t_from_log_snr(first + ramp * (last - first))


@dataclass(frozen=True)
class LinspaceGrid(Grid):
    """Steps of a net trained with T discrete steps, evenly from the last to the first, both included.

    Nichol & Dhariwal 2021, section 4: round(j (T - 1) / (steps - 1)), counted from 0. Raises ValueError when
    steps > T.
    """

    trained_steps: int = 1000

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        if steps > self.trained_steps:
            raise ValueError(f"{steps} steps do not fit into {self.trained_steps} trained ones")
        index = torch.linspace(self.trained_steps - 1, 0, steps, dtype=torch.float64).round()
        return (index + 1) / self.trained_steps


@dataclass(frozen=True)
class OpenLinspaceGrid(LinspaceGrid):
    """One place more, of which the last is left out: the "linspace" of diffusers' multistep solvers.

    round(j (T - 1) / steps), counted from 0, for j = steps, ..., 1.
    """

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        if steps >= self.trained_steps:
            raise ValueError(f"{steps} + 1 steps do not fit into {self.trained_steps} trained ones")
        return super().noisy_times(schedule, steps + 1)[:-1]


@dataclass(frozen=True)
class PolyexponentialGrid(Grid):
    """ln(sigma / alpha) as a power ``rho`` of the way: k-diffusion's spacing of that name; 1 is log-SNR's."""

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 1.0

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        one = torch.ones((), dtype=torch.float64)
        first, last = (-2 * math.log(sigma) for sigma in (self.sigma_max, self.sigma_min))
        first = schedule.log_snr(one).clamp(min=first)
        ramp = torch.linspace(1, 0, steps, dtype=torch.float64) ** self.rho
        return schedule.t_from_log_snr(last + ramp * (first - last))


@dataclass(frozen=True)
class GivenTimes(Grid):
    """These times, falling within (0, 1], whose number is that of the steps; 0 comes after them.

    Raises ValueError for others.
    """

    times: tuple[float, ...]

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        if steps != len(self.times):
            raise ValueError(f"{len(self.times)} given times make as many steps, not {steps}")
        return _falling(torch.tensor(self.times, dtype=torch.float64))


@dataclass(frozen=True)
class GivenSigmas(Grid):
    """The times of these sigma / alpha, falling above 0, as many as there are steps; 0 comes after them.

    Raises ValueError for others, and for more noise than the schedule has.
    """

    sigmas: tuple[float, ...]

    def noisy_times(self, schedule: Schedule, steps: int) -> Times:
        if steps != len(self.sigmas):
            raise ValueError(f"{len(self.sigmas)} given sigmas make as many steps, not {steps}")
        wanted = -2 * torch.tensor(self.sigmas, dtype=torch.float64).log()
        times = schedule.t_from_log_snr(wanted)
        if bool((schedule.log_snr(times) > wanted + 1e-6).any()):
            raise ValueError("a given sigma lies beyond the end of the schedule")
        return _falling(times)


def _falling(times: Times) -> Times:
    if not bool(((times > 0) & (times <= 1)).all()) or not bool((times.diff() < 0).all()):
        raise ValueError("given times must fall, and lie above 0 and up to 1")
    return times
