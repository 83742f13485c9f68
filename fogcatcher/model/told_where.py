"""A student that is told where its steps go, made of a teacher that never was."""

from __future__ import annotations

import torch

from fogcatcher.base.errors import Message, UserError
from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.flow_maps import UNTIL
from fogcatcher.model.build import steps_of
from fogcatcher.model.model import Model
from fogcatcher.networks.embeddings import table_name
from fogcatcher.networks.magnitude_preserving import MPConditionEmbedding


def check_mean(teacher: Model, name: str) -> None:
    """Raises UserError for a teacher, given as ``name``, of which no student can learn by meanflow."""
    config = teacher.config
    if config.distilled:
        raise UserError(
            f"{name} was distilled itself, and meanflow learns from the mean of what may be: take its "
            f"teacher, {config.distilled.teacher}.",
            about="method",
        )
    if config.method.learns_variance:
        raise UserError(
            f"{name} learns its variance, too, which a student of meanflow has no use for: take progressive.",
            about="method",
        )
    if steps_of(config.method) is not None:
        raise UserError(
            f"{name} knows the times of its own steps alone, and meanflow asks between them: "
            "take progressive.",
            about="method",
        )


@torch.no_grad()
def begin_as(student: Denoiser, teacher: Model) -> None:
    """Give a student the weights of its teacher; what hears where a step goes begins with zeros, and so does
    not change any answer.

    Raises UserError where the network has no place of its own for what it hears.
    """
    had, wants = teacher.denoiser.state_dict(), student.state_dict()
    new = [name for name in wants if name not in had or wants[name].shape != had[name].shape]
    keeps_magnitudes = any(isinstance(part, MPConditionEmbedding) for part in student.modules())
    if keeps_magnitudes or not all(f".{table_name(UNTIL)}." in name for name in new):
        message = Message(
            "the network {network} cannot begin to hear where its steps go without another answer: "
            "take progressive.",
            network=teacher.config.network.name,
        )
        raise UserError(message, about="method")
    student.load_state_dict({**had, **{name: torch.zeros_like(wants[name]) for name in new}})
