"""Runge-Kutta steps of fixed size, and the pseudo multistep of PNDM that starts with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fogcatcher.diffusion.sampling.options import option
from fogcatcher.diffusion.sampling.samplers import Answer, Moment, Step
from fogcatcher.diffusion.sampling.solvers import NO_SIGNAL
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Samples, Times, expand_to


@dataclass(frozen=True)
class RungeKutta2(Step):
    """Second order, with the slope at the share ``c`` of the step. Karras et al. 2022, algorithm 3.

        r = sigma / alpha,   r' = r_t + c (r_s - r_t)
        slope = (1 - 1/(2c)) eps_hat(r_t) + 1/(2c) eps_hat(r')

    c = 1 is Heun's step, 1/2 the midpoint's, 2/3 Ralston's. As with Heun, Euler's step stands alone where
    practically no signal is left, and for c = 1 where the step ends without noise.
    """

    calls: ClassVar[int] = 2
    c: float = option(0.5, 0.1, 1.0, "where in a step the second slope is taken: 1 is heun, 0.5 the midpoint")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule, t, s = now.schedule, now.t, now.s
        answer = now.ask()
        r_t, r_s = (schedule.sigma(time) / schedule.alpha(time) for time in (t, s))
        r = r_t + self.c * (r_s - r_t)
        if r == 0 or r_t > NO_SIGNAL:
            return now.move(now.x, answer.x0_hat, t, s), answer
        between = schedule.t_from_noise_ratio(r)
        there = now.ask(now.move(now.x, answer.x0_hat, t, between), between)
        share = 1 / (2 * self.c)
        slope = (1 - share) * now.eps_hat(answer) + share * now.eps_hat(there)
        alpha_s = schedule.alpha(s)
        return alpha_s * (now.x / schedule.alpha(t) + (r_s - r_t) * slope), answer


@dataclass(frozen=True)
class DPM2(Step):
    """Second order, with the slope in sigma / alpha half-way in its logarithm.

    Crowson 2022, k-diffusion's ``sample_dpm_2``; Karras et al. 2022, algorithm 3, takes it half-way in
    sigma / alpha itself.
    """

    calls: ClassVar[int] = 2

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule, t, s = now.schedule, now.t, now.s
        answer = now.ask()
        if schedule.sigma(s) == 0 or schedule.sigma(t) > NO_SIGNAL * schedule.alpha(t):
            return now.move(now.x, answer.x0_hat, t, s), answer
        middle = schedule.t_from_log_snr((schedule.log_snr(t) + schedule.log_snr(s)) / 2)
        there = now.ask(now.move(now.x, answer.x0_hat, t, middle), middle)
        return shifted(now, now.x, now.eps_hat(there), s), answer


def shifted(now: Moment, x: Samples, eps: Samples, s: Times) -> Samples:
    """Return where ``x`` at the moment's t comes to at ``s`` if its noise is ``eps`` all the way."""
    ratio = now.schedule.alpha(s) / now.schedule.alpha(now.t)
    return ratio * x + (now.schedule.sigma(s) - ratio * now.schedule.sigma(now.t)) * eps


@dataclass(frozen=True)
class HeunInTime(Step):
    """Heun's step in t: dx/dt = alpha' x0_hat + sigma' eps_hat, which for flow matching is eps_hat - x0_hat.

    Second order; what codes of flow matching call Heun. ``Heun`` takes its slopes in sigma / alpha, as Karras
    et al. do. The last step, to sigma = 0, where there is no slope, is DDIM's.
    """

    calls: ClassVar[int] = 2

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        answer = now.ask()
        if now.schedule.sigma(now.s) == 0:
            return now.move(now.x, answer.x0_hat, now.t, now.s), answer
        slope = _slope_in_time(now, answer)
        width = now.s - now.t
        there = now.ask(now.x + width * slope, now.s)
        return now.x + width * (slope + _slope_in_time(now, there)) / 2, answer


def _slope_in_time(now: Moment, answer: Answer) -> Samples:
    alpha, sigma = _rate_slopes(now.schedule, answer.t)
    return expand_to(alpha, answer.x) * answer.x0_hat + expand_to(sigma, answer.x) * now.eps_hat(answer)


def _rate_slopes(schedule: Schedule, t: Times) -> tuple[Times, Times]:
    """Return alpha'(t) and sigma'(t)."""
    with torch.enable_grad():
        t = t.detach().double().requires_grad_()
        rates = (schedule.alpha(t), schedule.sigma(t))
        alpha, sigma = (torch.autograd.grad(rate.sum(), t, retain_graph=True)[0] for rate in rates)
    return alpha, sigma


@dataclass(frozen=True)
class PNDM(Step):
    """Three steps of the pseudo Runge-Kutta method, then the pseudo linear multistep of four answers.

    Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models" (F-PNDM): the weights are those of equal
    steps in t, and each move is DDIM's for the mixed eps_hat, which makes it second order.
    The first three steps ask four times.
    ``LMS`` is this method with weights that fit the spacing. No pseudo step where there is no signal, or no
    noise to land in.
    """

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule, t, s = now.schedule, now.t, now.s
        answer = now.ask()
        known = [a for a in reversed(now.history) if schedule.sigma(a.t) <= NO_SIGNAL * schedule.alpha(a.t)]
        if schedule.sigma(s) == 0 or schedule.sigma(t) > NO_SIGNAL * schedule.alpha(t):
            return now.move(now.x, answer.x0_hat, t, s), answer
        eps = now.eps_hat(answer)
        if len(known) >= 3:
            a, b, c = (now.eps_hat(earlier) for earlier in known[:3])
            return shifted(now, now.x, (55 * eps - 59 * a + 37 * b - 9 * c) / 24, s), answer
        middle = (t + s) / 2
        second = self._eps(now, eps, middle)
        third = self._eps(now, second, middle)
        fourth = self._eps(now, third, s)
        return shifted(now, now.x, (eps + 2 * second + 2 * third + fourth) / 6, s), answer

    def asks(self, steps: int) -> int:
        return steps + 3 * min(steps, 3)

    def _eps(self, now: Moment, eps: Samples, time: Times) -> Samples:
        return now.eps_hat(now.ask(shifted(now, now.x, eps, time), time))
