"""All explicit Runge-Kutta steps of two stages: one number says where the second slope is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fogcatcher.diffusion.sampling.options import option
from fogcatcher.diffusion.sampling.samplers import Answer, Moment, Step
from fogcatcher.diffusion.sampling.solvers import NO_SIGNAL
from fogcatcher.diffusion.tensors import Samples


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
