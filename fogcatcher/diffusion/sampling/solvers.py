"""Faster steps down the probability-flow ODE: more than first order.

All of them see the ODE through x0_hat, which moves little from one time to the next, as a function of
lambda = log_snr / 2 (Lu et al. 2022, "DPM-Solver++", proposition 4.1), or through eps_hat as a function of
sigma / alpha (Karras et al. 2022, equation 1). Where lambda is infinite, at the first step of a schedule
that ends without signal and at the last step of all, they take the step of DDIM.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from fogcatcher.diffusion.sampling.options import option
from fogcatcher.diffusion.sampling.samplers import Answer, Moment, Step, ddim_move
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Samples, Times

NO_SIGNAL = 1000.0
"""With sigma / alpha above this, the slope in sigma / alpha says nothing any more."""


def half_log_snr(schedule: Schedule, t: Times) -> float:
    """lambda(t) as a number."""
    return schedule.log_snr(t).item() / 2


def _starts_or_ends(now: Moment) -> bool:
    """Whether one end of the step holds no noise or no signal."""
    return bool(now.schedule.sigma(now.s) == 0) or bool(now.schedule.alpha(now.t) == 0)


def _left(now: Moment) -> int:
    """Steps left with this one: the order that the last steps may have, for the end is steep."""
    return now.steps - now.i + 1


def _fitting_weights(points: Sequence[float], moments: Sequence[float]) -> Tensor:
    """Return the weights w with sum_j w_j points_j^k = moments_k: exact for polynomials, (order,)."""
    powers = torch.tensor([[p**k for p in points] for k in range(len(points))], dtype=torch.float64)
    return torch.linalg.solve(powers, torch.tensor(list(moments), dtype=torch.float64))


def _mix(weights: Tensor, values: Sequence[Samples]) -> Samples:
    mixed = weights[0].item() * values[0]
    for weight, value in zip(weights[1:].tolist(), values[1:], strict=True):
        mixed = mixed + weight * value
    return mixed


@dataclass(frozen=True)
class Heun(Step):
    """Second order: the mean of the slopes at both ends of Euler's step. Karras et al. 2022, algorithm 1.

    Euler's step stands alone at the last step, to sigma = 0, where there is no slope, and where
    practically no signal is left, where one end of the mean would be infinite.
    """

    calls: ClassVar[int] = 2

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule, t, s = now.schedule, now.t, now.s
        answer = now.ask()
        x_s = now.move(now.x, answer.x0_hat, t, s)
        if schedule.sigma(s) == 0 or schedule.sigma(t) > NO_SIGNAL * schedule.alpha(t):
            return x_s, answer
        slope = (now.eps_hat(answer) + now.eps_hat(now.ask(x_s, s))) / 2
        ratio = schedule.alpha(s) / schedule.alpha(t)
        return ratio * now.x + (schedule.sigma(s) - ratio * schedule.sigma(t)) * slope, answer


@dataclass(frozen=True)
class DPMpp2S(Step):
    """DPM-Solver++(2S): x0_hat from half-way in lambda. Lu et al. 2022, algorithm 1 with r = 1/2."""

    calls: ClassVar[int] = 2

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        answer = now.ask()
        x0 = answer.x0_hat
        if not _starts_or_ends(now):
            schedule = now.schedule
            middle = schedule.t_from_log_snr((schedule.log_snr(now.t) + schedule.log_snr(now.s)) / 2)
            x0 = now.ask(now.move(now.x, x0, now.t, middle), middle).x0_hat
        return now.move(now.x, x0, now.t, now.s), answer


@dataclass(frozen=True)
class DPMpp3S(Step):
    """DPM-Solver++(3S): x0_hat from one and two thirds of the way in lambda, third order.

    Lu et al. 2022, "DPM-Solver", algorithm 2, for x0_hat; with r = 1/3 for the first and 2/3 for the second,

        D = x0_hat + m(r h) / r (D' - x0_hat)

    where m(h) = int_0^1 e^(h (u - 1)) u du over that of 1, D' the answer before and r where it stands.
    """

    calls: ClassVar[int] = 3

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        answer = now.ask()
        if _starts_or_ends(now):
            return now.move(now.x, answer.x0_hat, now.t, now.s), answer
        here, there = now.schedule.log_snr(now.t), now.schedule.log_snr(now.s)
        h, d, stood = (there - here).item() / 2, answer.x0_hat, 0.0
        for r in (1 / 3, 2 / 3):
            between = now.schedule.t_from_log_snr(here + r * (there - here))
            found = now.ask(now.move(now.x, d, now.t, between), between).x0_hat - answer.x0_hat
            stood, following = r, 2 / 3 if stood == 0 else 1.0
            d = answer.x0_hat + _moments(following * h, 2)[1] * following / stood * found
        return now.move(now.x, d, now.t, now.s), answer


@dataclass(frozen=True)
class DPMpp2M(Step):
    """DPM-Solver++(2M): second order at one call a step. Lu et al. 2022, algorithm 2.

        D = x0_hat + (h / previous h) / 2 (x0_hat - previous x0_hat),   h = lambda_s - lambda_t

    and then DDIM's step with D for x0_hat. ``eta`` = 0 follows the ODE; 1 is SDE-DPM-Solver++(2M), which
    adds noise like DDPM (Lu et al. 2022, section 5), and between them is between them. The "heun" ``form``
    solves the ODE exactly for the line through both answers, in place of 1/2. The first step, which has no
    answer before it, is DDIM's, or that of DPM-Solver++(2S).
    """

    eta: float = option(0.0, 0, 1, "fresh noise in each step: 0 none, 1 as much as ddpm")
    form: Literal["midpoint", "heun"] = "midpoint"
    first: Literal["ddim", "2s"] = "ddim"

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        if self.first == "2s" and not now.history:
            return DPMpp2S()(now)
        answer = now.ask()
        d = answer.x0_hat
        if now.history and now.schedule.sigma(now.s) > 0:
            previous, at = now.history[-1], half_log_snr(now.schedule, now.t)
            h_previous = at - half_log_snr(now.schedule, previous.t)
            h = half_log_snr(now.schedule, now.s) - at
            share = 0.5 if self.form == "midpoint" else _moments(h, 2)[1]
            d = d + share * h / h_previous * (d - previous.x0_hat)
        return ddim_move(now, d, self.eta), answer


@dataclass(frozen=True)
class DPMpp3M(Step):
    """DPM-Solver++(3M): third order at one call a step.

    The last three x0_hat define a parabola in lambda, for which the ODE is solved exactly (Lu et al. 2022,
    proposition 4.1 and appendix B, in Lagrange's form):

        D = sum_j w_j x0_hat_j,   sum_j w_j u_j^k = int_0^h e^(u - h) u^k du / (1 - e^-h)

    with u = lambda - lambda_t. The first steps have fewer answers and a lower order. ``bend`` scales the part
    of u^2. The code of the authors and k-diffusion's have one half (their phi_3 D_2 counts the second divided
    difference, half a second derivative, once): that is of order 2 only, yet errs less below 60 steps.
    """

    bend: float = option(1.0, 0, 1, "how much of the parabola's bend counts: 1 is third order")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        answer = now.ask()
        d = answer.x0_hat
        if not _starts_or_ends(now):
            answers, at = _latest(now, answer, 3), half_log_snr(now.schedule, now.t)
            h = half_log_snr(now.schedule, now.s) - at
            points = [(half_log_snr(now.schedule, a.t) - at) / h for a in answers]
            moments = _moments(h, len(points))
            moments[2:] = [self.bend * moment for moment in moments[2:]]
            d = _mix(_fitting_weights(points, moments), [a.x0_hat for a in answers])
        return now.move(now.x, d, now.t, now.s), answer


def _moments(h: float, order: int) -> list[float]:
    """int_0^1 e^(h (u - 1)) u^k du, over the same with k = 0."""
    integrals = [-math.expm1(-h) / h]
    for k in range(1, order):
        integrals.append((1 - k * integrals[-1]) / h)
    return [integral / integrals[0] for integral in integrals]


def _latest(now: Moment, answer: Answer, most: int) -> list[Answer]:
    """The newest answers, the present one first, as far as there was signal."""
    earlier = [a for a in reversed(now.history) if now.schedule.alpha(a.t) > 0]
    return [answer, *earlier][:most]


@dataclass(frozen=True)
class LMS(Step):
    """Linear multistep (Adams-Bashforth): the last eps_hat as a polynomial in sigma / alpha, integrated.

    Of the given ``order``, up to 4; the first steps have fewer answers and a lower one. Liu et al. 2022,
    "Pseudo Numerical Methods for Diffusion Models", equation 9, for any spacing. In the ``variable`` "lambda"
    instead, with the ODE solved exactly for it, this is DEIS (Zhang & Chen 2022, "Fast Sampling of Diffusion
    Models with Exponential Integrator"; in log rho, as in diffusers, where the other is in rho).
    """

    order: int = option(4, 1, 4, "so many answers of the network go into a step")
    variable: Literal["ratio", "lambda"] = "ratio"

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule, t, s = now.schedule, now.t, now.s
        answer = now.ask()
        if schedule.sigma(s) == 0 or schedule.sigma(t) > NO_SIGNAL * schedule.alpha(t):
            return now.move(now.x, answer.x0_hat, t, s), answer
        answers = [
            a
            for a in _latest(now, answer, self.order)
            if schedule.sigma(a.t) <= NO_SIGNAL * schedule.alpha(a.t)
        ]
        values = [half_log_snr(schedule, time) for time in (t, s, *(a.t for a in answers))]
        moments = [1 / (k + 1) for k in range(len(answers))]
        if self.variable == "lambda":
            moments = _moments(values[0] - values[1], len(answers))
        else:
            values = [math.exp(-value) for value in values]
        here, there, *points = values
        weights = _fitting_weights([(point - here) / (there - here) for point in points], moments)
        slope = _mix(weights, [now.eps_hat(a) for a in answers])
        ratio = schedule.alpha(s) / schedule.alpha(t)
        return ratio * now.x + (schedule.sigma(s) - ratio * schedule.sigma(t)) * slope, answer


@dataclass(frozen=True)
class UniPC(Step):
    """UniPC: each x_t is corrected with what the denoiser then said there, at no extra call.

    Zhao et al. 2023, "UniPC", algorithms 5 and 6 (corrector, predictor) for data prediction, B_1(h) = h or
    B_2(h) = e^h - 1. The predictor has the given ``order``, with the corrector one more. The orders grow
    over the first steps and fall over the last.
    """

    order: Literal[1, 2, 3] = 2
    b: Literal[1, 2] = 2

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        answer = now.ask()
        known = [a for a in reversed(now.history) if now.schedule.alpha(a.t) > 0]
        if known:
            x = self._advance(now, known, now.t, self._order(len(known), _left(now) + 1), answer)
            answer = Answer(now.t, x, answer.x0_hat)
        if _starts_or_ends(now):
            return now.move(answer.x, answer.x0_hat, now.t, now.s), answer
        answers = [answer, *known]
        return self._advance(now, answers, now.s, self._order(len(answers), _left(now))), answer

    def _order(self, answers: int, left: int) -> int:
        return min(self.order, answers, left)

    def _advance(
        self, now: Moment, known: Sequence[Answer], s: Times, order: int, new: Answer | None = None
    ) -> Samples:
        """Return the sample at s from the newest of ``known``; with an answer at s this is the corrector.

        x_s = (step of DDIM) - alpha_s B(h) sum_m rho_m (D_m - D_0) / r_m,   sum_m rho_m r_m^(k-1) = b_k
        """
        base, older = known[0], known[1:order]
        at = half_log_snr(now.schedule, base.t)
        h = half_log_snr(now.schedule, s) - at
        r = [(half_log_snr(now.schedule, a.t) - at) / h for a in older]
        d = [(a.x0_hat - base.x0_hat) / r_m for a, r_m in zip(older, r, strict=True)]
        if new is not None:
            r, d = [*r, 1.0], [*d, new.x0_hat - base.x0_hat]
        x_s = now.move(base.x, base.x0_hat, base.t, s)
        if not d:
            return x_s
        b_h = -h if self.b == 1 else math.expm1(-h)
        # With one unknown, one half is right to the same order and stays right for large h.
        one = torch.full((1,), 0.5, dtype=torch.float64)
        rho = one if len(r) == 1 else _fitting_weights(r, _unipc_moments(-h, b_h, len(r)))
        return x_s - now.schedule.alpha(s) * b_h * _mix(rho, d)


def _unipc_moments(h: float, b_h: float, order: int) -> list[float]:
    """b_k = h phi_{k+1}(h) k! / B(h), phi_1(h) = (e^h - 1) / h, phi_{k+1} = (phi_k - 1 / k!) / h."""
    phi, moments = math.expm1(h) / h, []
    for k in range(1, order + 1):
        phi = (phi - 1 / math.factorial(k)) / h
        moments.append(h * phi * math.factorial(k) / b_h)
    return moments
