"""From a teacher and a number of steps to the objective of a student."""

from __future__ import annotations

from collections.abc import Mapping

from fogcatcher.base.errors import UserError, named
from fogcatcher.diffusion.denoiser import Denoiser, DenoiserLike
from fogcatcher.diffusion.distillation import Consistency, Distillation, Progressive
from fogcatcher.diffusion.guidance import ClassifierFree, Clipped
from fogcatcher.diffusion.mean_flow import MeanFlow
from fogcatcher.model.build import build_grid, steps_of
from fogcatcher.model.config import MEANFLOW, Distilled, RunConfig

METHODS: Mapping[str, type[Distillation]] = {
    "consistency": Consistency,
    MEANFLOW: MeanFlow,
    "progressive": Progressive,
}
"""How a student learns (``diffusion/distillation.py``)."""
TEACHER = "teacher"
"""Folder of a run in which its teacher lies, so that it can go on wherever it is."""
USUAL = "progressive"
"""What auto means: by the second order it came as far in a third of the time (docs/experiments.md)."""


def grid_of(config: RunConfig) -> str:
    """Return the spacing of few steps that suits a teacher: one that halving thins out, and keeps.

    A teacher of T steps has been asked at their times alone, which are parts of all of them.
    """
    if config.distilled:
        return config.distilled.grid
    return "straight" if steps_of(config.method) is None else "uniform"


def build_distillation(config: RunConfig, teacher: Denoiser) -> Distillation:
    """Return what a student with this config learns from its teacher.

    Raises UserError where the config says nothing of a teacher, or what cannot be.
    """
    few = config.distilled
    if few is None:
        raise UserError("this run has no teacher.")
    kind = named("method", few.method, METHODS, about="method")
    fine = build_grid(few.grid, config.method)(teacher.process.schedule, few.teacher_steps)
    try:
        second = few.solver == "dpmpp_2m"
        return kind.of(_as_it_draws(teacher, few), fine, few.teacher_steps // few.steps, second_order=second)
    except ValueError as error:
        raise UserError(f"{error}.") from error


def _as_it_draws(teacher: Denoiser, few: Distilled) -> DenoiserLike:
    teacher = teacher.eval().requires_grad_(False)
    guided: DenoiserLike = teacher if few.guidance == 1 else ClassifierFree(teacher, few.guidance)
    return Clipped(guided)
