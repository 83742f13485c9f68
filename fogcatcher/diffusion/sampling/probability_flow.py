"""The probability-flow ODE itself, followed to any accuracy: adaptive Runge-Kutta, and what it says.

Song et al. 2021, "Score-Based Generative Modeling through SDEs", equation 13:

    dx / dt = f x - g^2 score / 2

Scaled to u = x / sqrt(alpha^2 + sigma^2), with the angle phi = atan(sigma / alpha) for the time, the same
ODE of every schedule is

    du / dphi = v_hat(u, phi),   v = cos(phi) eps - sin(phi) x0

(Salimans & Ho 2022, appendix D), which is finite from pure data, phi = 0, to pure noise, phi = pi / 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.sampling.options import option
from fogcatcher.diffusion.sampling.samplers import Answer, Moment, Step
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Samples, Times, expand_to

FINEST = 1e-6
"""Relative error below which float32 takes no smaller steps."""
Slope = Callable[[Times, Tensor], Tensor]
"""(time of each sample, values) -> how fast the values change."""


def angle(schedule: Schedule, t: Times) -> Times:
    """Return phi(t), from 0 (data) to pi / 2 (noise)."""
    return torch.atan2(schedule.sigma(t), schedule.alpha(t))


def time_of(schedule: Schedule, phi: Times) -> Times:
    """Return the time of an angle."""
    return schedule.t_from_noise_ratio(phi.tan())


def contrast(schedule: Schedule, t: Times) -> Times:
    """Return sqrt(alpha^2 + sigma^2), by which x is u."""
    return torch.hypot(schedule.alpha(t), schedule.sigma(t))


def v_hat(denoiser: DenoiserLike, u: Samples, phi: Times) -> Samples:
    """Return (cos(phi) u - x0_hat) / sin(phi), the slope of the ODE, (B, ...); not at phi = 0."""
    schedule = denoiser.process.schedule
    t = time_of(schedule, phi)
    x0_hat = denoiser(expand_to(contrast(schedule, t), u) * u, t)
    return (expand_to(phi.cos(), u) * u - x0_hat) / expand_to(phi.sin(), u)


@dataclass(frozen=True)
class RK45(Step):
    """The ODE from t to s by as many calls as the tolerances ask for; the grid needs no more than two times.

    A step to data ends at sigma = ``smallest`` alpha, with the answer of the denoiser there.
    """

    rtol: float = option(1e-3, 1e-12, 1, "error that is allowed, relative to the values")
    atol: float = option(1e-3, 1e-12, 1, "error that is allowed where values are near 0")
    smallest: float = option(2e-3, 1e-4, 1, "sigma / alpha at which the way ends")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule, t, s = now.schedule, now.t, now.s
        lands = bool(schedule.sigma(s) == 0)
        end = torch.atan(torch.full_like(t, self.smallest)) if lands else angle(schedule, s)
        start = angle(schedule, t)
        if lands and start <= end:
            answer = now.ask()
            return answer.x0_hat, answer
        u = now.x / contrast(schedule, t)
        u = integrate(lambda phi, u: v_hat(now.denoiser, u, phi), u, start, end, self.rtol, self.atol)
        t_end = time_of(schedule, end)
        answer = now.ask(contrast(schedule, t_end) * u, t_end)
        return answer.x0_hat if lands else answer.x, answer

    def asks(self, steps: int) -> int:
        """Only about: measured on the shipped sprites, by a third too many at the most."""
        return 8 * steps + round(20 * max(self.rtol, self.atol, FINEST) ** -0.2)


def integrate(
    slope: Slope, y: Tensor, start: Times, end: Times, rtol: float, atol: float, most: int = 100_000
) -> Tensor:
    """Return y at ``end``, (B, ...), following its ``slope`` from ``start``, either way.

    Dormand & Prince 1980, "A family of embedded Runge-Kutta formulae", RK5(4)7M. Every sample has steps of
    its own, so none depends on its neighbours: their error, the root mean square relative to
    atol + rtol |y|, stays below 1. A sample that has landed on ``end`` stays there. What the type of y cannot
    tell apart is no error: float32 ends at about 1e-6. Raises ValueError when ``most`` steps do not reach the
    end, and where no step is small enough.
    """
    at, end = (time.double().to(y.device).expand(len(y)) for time in (start, end))
    rounding = 8 * torch.finfo(y.dtype).eps
    h, smallest = (end - at) / 10, 1e-15 * (end - at).abs()
    first = slope(at, y)
    for _ in range(most):
        lands = h.abs() >= (end - at).abs()
        h = torch.where(lands, end - at, h)
        slopes, size = [first], expand_to(h, y)
        for c, row in zip(_C, _A, strict=True):
            slopes.append(slope(at + c * h, y + size * _sum(row, slopes)))
        new = y + size * _sum(_A[-1], slopes)
        largest = torch.maximum(y.abs(), new.abs())
        scale = atol + rtol * largest + rounding * expand_to(largest.flatten(1).amax(1), y)
        error = (size * _sum(_ERROR, slopes) / scale).flatten(1).square().mean(1).sqrt().double()
        error = error.nan_to_num(nan=math.inf)
        accepted = error <= 1
        at = torch.where(accepted, torch.where(lands, end, at + h), at)
        took = expand_to(accepted.double(), y).bool()
        y, first = torch.where(took, new, y), torch.where(took, slopes[-1], first)
        if bool((at == end).all()):
            return y
        if bool((~accepted & (h.abs() < smallest)).any()):
            raise ValueError("the ODE cannot be followed: it leads to values that are no numbers")
        h = h * (0.9 * error.clamp(min=1e-10) ** -0.2).clamp(0.2, 5)
    raise ValueError(f"{most} steps of the ODE did not reach the end: allow a larger error")


def _sum(weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    total = weights[0] * slopes[0]
    for weight, slope in zip(weights[1:], slopes[1:], strict=False):
        total = total + weight * slope
    return total


_C = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_A = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
