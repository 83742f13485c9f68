"""Steps that add noise of their own: the reverse SDE, Langevin dynamics, churn.

The ancestral steps, DDPM and DDIM with eta, are in ``samplers.py``; SDE-DPM-Solver++ is ``DPMpp2M(eta=1)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch

from fogcatcher.diffusion.sampling.options import option
from fogcatcher.diffusion.sampling.runge_kutta import DPM2
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM, Answer, Moment, Step
from fogcatcher.diffusion.sampling.solvers import Heun
from fogcatcher.diffusion.tensors import Samples


@dataclass(frozen=True)
class Churn(Step):
    """Raise the noise a little, then take a step of Heun from there. Karras et al. 2022, algorithm 2.

    ``churn`` is S_churn, spread over all steps; it acts where ``low`` <= sigma / alpha <= ``high`` (S_min,
    S_max), and ``noise`` is S_noise. No churn is Heun. Raises ValueError where more noise is asked for than
    the schedule has at its end.
    """

    calls: ClassVar[int] = 2
    then: ClassVar[Step] = Heun()
    """The step from there."""
    churn: float = option(40.0, 0, 1000, "how far noise is raised, over all steps; 0 is heun (S_churn)")
    low: float = option(0.05, 0, 1000, "least sigma / alpha at which it is raised (S_min)")
    high: float = option(50.0, 0, 1000, "largest sigma / alpha at which it is raised (S_max)")
    noise: float = option(1.003, 0, 2, "spread of the noise that is put on (S_noise)")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule, log_snr = now.schedule, now.schedule.log_snr(now.t)
        gamma = min(self.churn / now.steps, math.sqrt(2) - 1)
        if gamma > 0 and self.low <= math.exp(-log_snr.item() / 2) <= self.high:
            raised = log_snr - 2 * math.log1p(gamma)
            t = schedule.t_from_log_snr(raised)
            if schedule.log_snr(t) > raised + 1e-6:
                end = math.exp(-schedule.log_snr(torch.ones_like(t)).item() / 2)
                raise ValueError(
                    f"churn would raise sigma / alpha to {math.exp(-raised.item() / 2):.4g}, and this "
                    f"schedule ends at {end:.4g}: set high to {0.999 * end / (1 + gamma):.4g} or less"
                )
            x = now.denoiser.process.renoise(now.x, now.t, t, self.noise * now.noise())
            now = replace(now, x=x, t=t)
        return self.then(now)


@dataclass(frozen=True)
class EulerChurn(Churn):
    """The same with a step of Euler, at one call."""

    calls: ClassVar[int] = 1
    then: ClassVar[Step] = DDIM()


@dataclass(frozen=True)
class Ancestral(Step):
    """A step of ``inner`` further down than s, and fresh noise back up to s: the ancestral form of any step.

        r = sigma / alpha,   up = eta r_s sqrt(1 - r_s^2 / r_t^2),   r_down^2 = r_s^2 - up^2

    Crowson 2022, k-diffusion's ``get_ancestral_step``. With DDIM inside and eta = 1 this is DDPM.
    """

    inner: Step = field(default_factory=DPM2)
    eta: float = option(1.0, 0, 1, "fresh noise in each step: 0 none, 1 as much as ddpm")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule, s = now.schedule, now.s
        if schedule.sigma(s) == 0 or self.eta == 0:
            return self.inner(now)
        r_t, r_s = (schedule.sigma(time) / schedule.alpha(time) for time in (now.t, s))
        up = self.eta * r_s * (1 - (r_s / r_t) ** 2).sqrt()
        down = schedule.t_from_noise_ratio((r_s**2 - up**2).clamp(min=0).sqrt())
        x, answer = self.inner(replace(now, s=down))
        alpha_s = schedule.alpha(s)
        return alpha_s / schedule.alpha(down) * x + alpha_s * up * now.noise(), answer

    def asks(self, steps: int) -> int:
        return self.inner.asks(steps)


@dataclass(frozen=True)
class EulerMaruyama(Step):
    """The reverse SDE in plain steps: x_s = x - (f x - g^2 score) dt + g sqrt(dt) z, dt = t - s.

    Song et al. 2021, "Score-Based Generative Modeling through SDEs", equation 6. It needs many, small steps,
    and a schedule whose noise rate is finite at its ends (VP, sub-VP, VE). The last step, to data, gives the
    answer of the denoiser.
    """

    noise: float = option(1.0, 0, 2, "spread of the fresh noise: 0 none, 1 as the method has it")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        answer = now.ask()
        if now.schedule.sigma(now.s) == 0:
            return answer.x0_hat, answer
        f, g2 = now.schedule.drift(now.t)
        if not (f.isfinite() and g2.isfinite()):
            raise ValueError(
                "the noise rate of this schedule is infinite where it ends: use ddpm or dpmpp_2m_sde instead"
            )
        dt = now.t - now.s
        drift = f * now.x - g2 * score(now, answer)
        return now.x - drift * dt + (g2 * dt).sqrt() * self.noise * now.noise(), answer


def score(now: Moment, answer: Answer) -> Samples:
    """Return the gradient of log p(x_t): -eps_hat / sigma."""
    return -now.eps_hat(answer) / now.schedule.sigma(answer.t)


def langevin(now: Moment, step: torch.Tensor) -> tuple[Samples, Answer]:
    """Return x + step score + sqrt(2 step) z, which leaves p(x_t) as it is for small steps."""
    answer = now.ask()
    return now.x + step * score(now, answer) + (2 * step).sqrt() * now.noise(), answer


@dataclass(frozen=True)
class PredictorCorrector(Step):
    """At each time first ``corrections`` steps of Langevin dynamics, then a step down.

    Song et al. 2021, appendix G, in the order of its code (the paper's algorithms 2 and 3 correct
    afterwards). The Langevin step is 2 (snr a |z| / |score|)^2 there, over the norms of the batch; here the
    norms are taken at what they are for eps, 2 (snr a sigma)^2, so that no sample depends on its neighbours,
    with a = alpha_t / alpha_s of the coming step, as there for VP.
    """

    predictor: Step = field(default_factory=DDPM)
    snr: float = option(0.16, 0, 1, "size of the corrections, as signal to noise")
    corrections: int = option(1, 0, 100, "so many corrections at each time")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        a2 = (now.schedule.alpha(now.t) / now.schedule.alpha(now.s)) ** 2
        step = 2 * a2 * (self.snr * now.schedule.sigma(now.t)) ** 2
        for _ in range(self.corrections):
            x, _answer = langevin(now, step)
            now = replace(now, x=x)
        return self.predictor(now)

    def asks(self, steps: int) -> int:
        return self.corrections * steps + self.predictor.asks(steps)


@dataclass(frozen=True)
class AnnealedLangevin(Step):
    """``inner`` steps of Langevin dynamics at each noise level, and on to the next as one is.

    Song & Ermon 2019, "Generative Modeling by Estimating Gradients", algorithm 1: x + a/2 score + sqrt(a) z
    with a = epsilon sigma_i^2 / sigma_L^2. ``size`` is epsilon / sigma_L^2: 0.2 for the paper's 2e-5 and 0.01
    (its code takes twice as much). ``inner`` is 100 there; 20 take a fifth of the time, and the spread of a
    Gaussian comes out a fifth too large over 20 noise levels. The last step, to data, is the answer of the
    denoiser, which Jolicoeur-Martineau et al. 2021 added.
    """

    size: float = option(0.2, 0, 1, "size of the Langevin steps, for a noise of 1")
    inner: int = option(20, 1, 1000, "so many Langevin steps at each time")

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        schedule = now.schedule
        if schedule.alpha(now.t) == 0:
            raise ValueError(
                "this schedule starts without any signal to carry on: use ddpm or dpmpp_2m_sde instead"
            )
        step = self.size * schedule.sigma(now.t) ** 2 / 2
        for _ in range(self.inner):
            x, _answer = langevin(now, step)
            now = replace(now, x=x)
        answer = now.ask()
        if schedule.sigma(now.s) == 0:
            return answer.x0_hat, answer
        return schedule.alpha(now.s) / schedule.alpha(now.t) * now.x, answer

    def asks(self, steps: int) -> int:
        return (self.inner + 1) * steps
