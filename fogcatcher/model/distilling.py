"""From a teacher and a number of steps to the objective of a student."""

from __future__ import annotations

from collections.abc import Mapping

from fogcatcher.base.errors import Message, UserError, named
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.denoiser import Denoiser, DenoiserLike
from fogcatcher.diffusion.distillation import Consistency, Distillation, Progressive
from fogcatcher.diffusion.guidance import ClassifierFree, Clipped
from fogcatcher.diffusion.matching import Matching
from fogcatcher.diffusion.mean_flow import MeanFlow
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.diffusion.rectified_flow import Reflow
from fogcatcher.model.build import build_grid, steps_of
from fogcatcher.model.config import MEANFLOW, Distilled, RunConfig
from fogcatcher.networks.eyes import LayersSeen

FROM_PATH: Mapping[str, type[Distillation] | type[Reflow]] = {
    "consistency": Consistency,
    MEANFLOW: MeanFlow,
    "progressive": Progressive,
    "reflow": Reflow,
}
"""How a student learns where its teacher's steps lead (``diffusion/distillation.py``)."""
MATCHING = "matching"
"""How it learns the law of the data in the eyes of its teacher (``diffusion/matching.py``)."""
METHODS: Mapping[str, type[Objective]] = {**FROM_PATH, MATCHING: Matching}
TEACHER = "teacher"
"""Folder of a run in which its teacher lies, so that it can go on wherever it is."""
USUAL = "progressive"
"""What auto means: it was the best after twenty minutes (docs/experiments.md)."""


def grid_of(config: RunConfig) -> str:
    """Return the spacing of few steps that suits a teacher: one that halving thins out, and keeps.

    A teacher of T steps has been asked at their times alone, which are parts of all of them.
    """
    if config.distilled:
        return config.distilled.grid
    return "straight" if steps_of(config.method) is None else "uniform"


def why_not_matching(config: RunConfig, guidance: float) -> Message | None:
    """Return why a student of this teacher cannot learn by matching; None where it can."""
    if not isinstance(config.kind, PictureSpec):
        return Message("matching is for pictures yet; these are {kind}.", kind=config.kind.name)
    if config.upscaling:
        return Message("matching compares many pictures that were told the same, and no two small ones are.")
    if config.distilled:
        return Message(
            "matching looks with a teacher that knows every noise level, and this one learned only those "
            "of its own steps: learn from its teacher, {teacher}.",
            teacher=config.distilled.teacher,
        )
    if guidance != 1:
        return Message("matching learns to draw as the data are, and guidance leads away: leave it out.")
    return None


def build_distillation(config: RunConfig, teacher: Denoiser) -> Objective:
    """Return what a student with this config learns from its teacher.

    Raises UserError where the config says nothing of a teacher, or what cannot be.
    """
    few = config.distilled
    if few is None:
        raise UserError("this run has no teacher.")
    if few.method == MATCHING:
        grid = build_grid(few.grid, config.method)(teacher.process.schedule, few.steps)
        return Matching.of(grid, LayersSeen(teacher))
    kind = named("method", few.method, FROM_PATH, about="method")
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
