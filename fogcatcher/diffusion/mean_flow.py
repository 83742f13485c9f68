"""MeanFlow: what a flow map learns from a teacher, at every length of its steps at once.

With tau, z, u and X as in ``flow_maps.py``, r for tau_s, D the teacher's answer and v = (z_t - D) / tau its
velocity, the derivative of (tau - r) u = z_t - z_s along the path says

    u = v - (tau - r) du/dtau,   so   X = r / tau D + (1 - r / tau) X - (tau - r) dX/dtau

Geng et al. 2025, "Mean Flows for One-step Generative Modeling", equation 6; there v is that of single
samples, and a teacher's has no variance. The right-hand side, of the network as it is, is the target, and no
gradient flows through it. At s = t it is D; at s = 0 it is the consistency of Song et al. 2023 in the limit
of many steps. Only where X answers along the whole path as it should does it stay what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.distillation import Distillation, ddim
from fogcatcher.diffusion.flow_maps import UNTIL, straight_time, time_of_straight, until
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.diffusion.tensors import Condition, Samples, Times, expand_to


@dataclass(frozen=True, kw_only=True)
class MeanFlow(Distillation):
    """Learn at all times of ``fine`` where each of N steps ends, each of N / 2, ..., and one step for all.

    N is what ``substeps`` leaves of ``fine``, and every divisor of it counts alike: neighbouring times belong
    to different ones, so that a batch holds them all. dX/dtau is a central difference along the path,

        dX/dtau = (X(z + h v, tau + h, s) - X(z - h v, tau - h, s)) / 2 h,   h = ``nudge`` (tau - r)

    since torch derives no group norm forwards where channels lie last. Its error falls with the square of h.
    """

    nudge: float = 0.02
    steady: float | None = 0.1
    """Each sample's loss l is divided by l + this, which is taken for a constant: so no few samples lead all
    (the adaptive weight of Geng et al. 2025, section 4, with p = 1). None divides by nothing."""

    @staticmethod
    def learned(fine: Times, substeps: int) -> Times:
        return fine

    @property
    def measured(self) -> Objective:
        """Without the division, after which a loss says little."""
        return replace(self, steady=None)

    def end(self, t: Times) -> Times:
        """Return where the steps from times t of ``fine`` end, (B,)."""
        place, steps = self.place(t), (len(self.fine) - 1) // self.substeps
        calls = torch.tensor([n for n in range(1, steps + 1) if steps % n == 0], device=t.device)
        length = (len(self.fine) - 1) // calls[place % len(calls)]
        return self.fine.to(t.device)[(place // length + 1) * length]

    def at(
        self, denoiser: DenoiserLike, x0: Samples, t: Times, noise: Samples, cond: Condition | None = None
    ) -> Times:
        x_t, s = denoiser.process.corrupt(x0, t, noise), self.end(t)
        answer = _told(denoiser, x_t, t, s, cond)
        with torch.no_grad():
            target = self._target(denoiser, answer.detach(), x_t, t, s, cond)
        loss = self.of_answer(denoiser, target, answer, t)
        return loss if self.steady is None else loss / (loss.detach() + self.steady)

    def target(self, denoiser: DenoiserLike, x_t: Samples, t: Times, cond: Condition | None) -> Samples:
        s = self.end(t)
        return self._target(denoiser, _told(denoiser, x_t, t, s, cond), x_t, t, s, cond)

    def _target(
        self,
        denoiser: DenoiserLike,
        answer: Samples,
        x_t: Samples,
        t: Times,
        s: Times,
        cond: Condition | None,
    ) -> Samples:
        schedule = denoiser.process.schedule
        tau, r = straight_time(schedule, t), straight_time(schedule, s)
        last = straight_time(schedule, torch.ones_like(t))
        x0_hat = self.teacher(x_t, t, cond)
        ends = []
        for h in (self.nudge, -self.nudge):
            near = time_of_straight(schedule, torch.minimum(tau + h * (tau - r), last))
            x_near = ddim(denoiser.process, x_t, x0_hat, t, near)  # z + h v
            ends.append((straight_time(schedule, near), _told(denoiser, x_near, near, s, cond)))
        (above, X_above), (below, X_below) = ends
        change = expand_to((tau - r) / (above - below), x_t) * (X_above - X_below)
        share = expand_to(r / tau, x_t)
        return (share * x0_hat + (1 - share) * answer - change).to(x_t.dtype)


def _told(denoiser: DenoiserLike, x_t: Samples, t: Times, s: Times, cond: Condition | None) -> Samples:
    """X(x_t, t, s), (B, ...)."""
    return denoiser(x_t, t, {**(cond or {}), UNTIL: until(denoiser.process.schedule, t, s).to(x_t)})
