"""What a student that draws in a few steps learns from its teacher, a denoiser that needs many.

The student keeps the contract: it answers with the clean sample, x0_hat. But where the teacher's answer is
the mean of all that may be there, the student's is the one clean sample that takes x_t to the teacher's x_s
in one step of DDIM,

    x0 = (x_s - sigma_s / sigma_t x_t) / (alpha_s - sigma_s / sigma_t alpha_t)

(Salimans & Ho 2022, "Progressive Distillation", algorithm 2, there x-tilde), for the times t and s of its own
few steps. So its sampler is DDIM on those times and no other.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.objectives import Objective, TimeDistribution
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Condition, Samples, Times, expand_to


def ddim(process: Process, x_t: Samples, x0: Samples, t: Times, s: Times) -> Samples:
    """Return x_s, (B, ...), one step of DDIM from x_t, for times (B,): alpha_s x0 + sigma_s eps_hat.

    Song et al. 2020, "DDIM", equation 12 without noise. Where s = t it is x_t.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = process.rates(t, x_t), process.rates(s, x_t)
    shrink = sigma_s / sigma_t
    return (shrink * x_t + (alpha_s - alpha_t * shrink) * x0).to(x_t.dtype)


def one_step_target(process: Process, x_t: Samples, x_s: Samples, t: Times, s: Times) -> Samples:
    """Return the x0, (B, ...), with which ``ddim`` leads from x_t to x_s, for times s < t, (B,)."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = process.rates(t, x_t), process.rates(s, x_t)
    shrink = sigma_s / sigma_t
    return ((x_s - shrink * x_t) / (alpha_s - alpha_t * shrink)).to(x_t.dtype)


@dataclass(frozen=True)
class GridTimes(TimeDistribution):
    """The times at which a few steps ask, each as often: ``grid`` is (N + 1,), falling, and ends at 0."""

    grid: Times

    def quantile(self, u: Times, schedule: Schedule) -> Times:
        noisy = self.grid[:-1].to(u.device)
        return noisy[(u * len(noisy)).long().clamp(max=len(noisy) - 1)]


@dataclass(frozen=True, kw_only=True)
class Distillation(Objective):
    """A student learns to do in one step what ``teacher`` does in ``substeps`` steps of ``fine``.

    ``fine`` is (N m + 1,), falling to 0; every m-th of its times is one of the student's. Errors are weighted
    as in any other training.
    """

    teacher: DenoiserLike
    fine: Times
    substeps: int
    second_order: bool = False
    """Whether the teacher goes by DPM-Solver++(2M), anew in each step of the student; else by DDIM, as a
    teacher must that is a student itself."""

    @classmethod
    def of(
        cls, teacher: DenoiserLike, fine: Times, substeps: int, *, second_order: bool = False
    ) -> Distillation:
        """Raises ValueError where ``fine`` does not part into steps of the student."""
        if substeps < 1 or len(fine) < 2 or (len(fine) - 1) % substeps:
            raise ValueError(f"{len(fine) - 1} steps are not whole steps of {substeps} each")
        times = GridTimes(cls.learned(fine, substeps))
        return cls(times=times, teacher=teacher, fine=fine, substeps=substeps, second_order=second_order)

    @staticmethod
    def learned(fine: Tensor, substeps: int) -> Tensor:
        """Return the times at which the student learns, with the end: those at which it will be asked."""
        return fine[::substeps]

    def place(self, t: Times) -> Tensor:
        """Return where in ``fine`` the times t, (B,), stand, (B,) int64."""
        return (self.fine.to(t.device) - t.double()[:, None]).abs().argmin(1)

    def taught(self, x_t: Samples, place: Tensor, cond: Condition | None, steps: int = 1) -> Samples:
        """Return x_t, (B, ...), after so many steps of the teacher from its place in ``fine``, (B,).

            D = x0_hat + (h / previous h) / 2 (x0_hat - previous x0_hat),   h = lambda_s - lambda_t

        and then DDIM's step with D for x0_hat, where it goes by the second order (Lu et al. 2022, "DPM-
        Solver++", algorithm 2); the step to the data, whose h is infinite, takes x0_hat.
        """
        fine = self.fine.to(place.device)
        h = self.teacher.process.schedule.log_snr(fine).diff() / 2
        previous: Samples | None = None
        for _ in range(steps):
            t, s = fine[place], fine[place + 1]
            d = x0_hat = self.teacher(x_t, t, cond)
            if self.second_order and previous is not None:
                share = torch.where(h[place].isfinite(), h[place] / h[place - 1] / 2, 0.0)
                d = x0_hat + expand_to(share, x_t) * (x0_hat - previous)
            x_t = ddim(self.teacher.process, x_t, d, t, s)
            place, previous = place + 1, x0_hat
        return x_t

    def at(
        self, denoiser: DenoiserLike, x0: Samples, t: Times, noise: Samples, cond: Condition | None = None
    ) -> Times:
        x_t = denoiser.process.corrupt(x0, t, noise)
        with torch.no_grad():
            target = self.target(denoiser, x_t, t, cond)
        return self.of_answer(denoiser, target, denoiser(x_t, t, cond), t)

    @abstractmethod
    def target(self, denoiser: DenoiserLike, x_t: Samples, t: Times, cond: Condition | None) -> Samples:
        """Return the x0, (B, ...), that the student should answer."""


@dataclass(frozen=True, kw_only=True)
class Progressive(Distillation):
    """One step of the student does what m of the teacher do; with m = 2 one halving of Salimans & Ho 2022."""

    def target(self, denoiser: DenoiserLike, x_t: Samples, t: Times, cond: Condition | None) -> Samples:
        place = self.place(t)
        x_s = self.taught(x_t, place, cond, self.substeps)
        return one_step_target(denoiser.process, x_t, x_s, t, self.fine.to(t.device)[place + self.substeps])


@dataclass(frozen=True, kw_only=True)
class Consistency(Distillation):
    """One step of the teacher, and the student's own answer for the rest of its step.

    Heek et al. 2024, "Multistep Consistency Models", algorithm 1; with one step for all it is the consistency
    distillation of Song et al. 2023, algorithm 2, with the average left out as in Song & Dhariwal 2023. It
    learns at all times of ``fine``.
    """

    @staticmethod
    def learned(fine: Tensor, substeps: int) -> Tensor:
        return fine

    def target(self, denoiser: DenoiserLike, x_t: Samples, t: Times, cond: Condition | None) -> Samples:
        fine, place = self.fine.to(t.device), self.place(t)
        process, end = denoiser.process, fine[(place // self.substeps + 1) * self.substeps]
        x_s, s = self.taught(x_t, place, cond), fine[place + 1]
        rest = (s > end).nonzero()[:, 0]
        x_end = x_s.clone()
        if len(rest):
            told = None if cond is None else {name: rows[rest] for name, rows in cond.items()}
            x0_hat = denoiser(x_s[rest], s[rest], told)
            x_end[rest] = ddim(process, x_s[rest], x0_hat, s[rest], end[rest])
        return one_step_target(process, x_t, x_end, t, end)
