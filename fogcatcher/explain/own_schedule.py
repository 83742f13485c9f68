"""The numbers of one schedule, step by step, as the lectures and DDPM's paper call them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.tensors import Times
from fogcatcher.model.build import steps_of
from fogcatcher.model.choices import T_OF_NO_TABLE
from fogcatcher.model.model import Model


@dataclass(frozen=True)
class OwnSchedule:
    """Steps 1, ..., T of a schedule, (T,) each. Ho et al. 2020, equations 4 and 7, for any schedule.

    beta is the variance that one step adds, alpha_step^2 the signal that it keeps, which is 1 - beta where
    the variance is preserved; the lectures' alpha_bar is the product of these, alpha^2.
    """

    steps: int
    t: Times
    beta: Times
    kept: Times
    """The lectures' alpha_t: (alpha_t / alpha_s)^2."""
    alpha_bar: Times
    alpha: Times
    sigma: Times
    log_snr: Times
    posterior: Times
    """beta-tilde: the variance of q(x_s | x_t, x0); 0 in step 1."""
    is_table: bool
    """Whether T is the schedule's own."""


def own_schedule(model: Model) -> OwnSchedule:
    """Return the numbers of a model's schedule in its T steps, or in 1,000 where it has no T of its own."""
    process, own = model.denoiser.process, steps_of(model.config.method)
    return numbers_of(process, own or T_OF_NO_TABLE, own is not None)


def numbers_of(process: Process, steps: int, is_table: bool = True) -> OwnSchedule:
    """Return the numbers of a schedule in ``steps`` even steps."""
    line = torch.arange(steps + 1, dtype=torch.float64) / steps
    s, t = line[:-1], line[1:]
    alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
    return OwnSchedule(
        steps,
        t,
        process.step_variance(t, s),
        (alpha / process.schedule.alpha(s)) ** 2,
        alpha**2,
        alpha,
        sigma,
        process.schedule.log_snr(t),
        process.bridge_variance(t, s),
        is_table,
    )
