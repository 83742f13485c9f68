"""One batch in as many parts as memory asks for: its gradient, or whatever is done with it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.diffusion.tensors import Condition, Samples
from fogcatcher.training.lesson import Lesson
from fogcatcher.training.precision import autocast


def leave_gradient(
    denoiser: nn.Module,
    objective: Lesson[Any],
    x0: Samples,
    condition: Condition,
    generator: torch.Generator,
    size: int,
    batch: int | None = None,
    share: slice = slice(None),
    *,
    precision: str = "float32",
) -> Tensor:
    """Return the mean loss of a batch, a scalar, and leave its gradient in the weights.

    Only ``size`` pictures at a time pass through the network. Times and noise are drawn for the whole batch
    first, so the sum of the parts is the whole batch's gradient to rounding. Three things see their part
    alone: batch norm, dropout (its draws differ, their law does not) and ``ImportanceTimes`` (it learns from
    one part before it weighs the next). A lesson that is not of denoisers, or is of batches as wholes,
    draws for each part anew.

    Where ``x0`` are only the rows ``share`` of a batch of ``batch``, loss and gradient are theirs over
    ``batch``: the sum over all shares is the mean of the batch.
    """
    denoiser.zero_grad()
    batch = len(x0) if batch is None else batch
    if size >= len(x0) == batch:
        with autocast(x0.device, precision):
            loss = objective(denoiser, x0, condition, generator)
        loss.backward()
        return loss.detach()
    if not isinstance(objective, Objective) or objective.by_batch or not isinstance(denoiser, Denoiser):
        return _part_by_part(denoiser, objective, x0, condition, generator, size, batch, precision)
    # The draws of Objective.__call__, in its order.
    t = objective.times.sample(batch, denoiser.process.schedule, generator).to(x0.device)[share]
    noise = torch.randn(batch, *x0.shape[1:], generator=generator, device=generator.device)[share].to(x0)
    total = torch.zeros((), dtype=x0.dtype, device=x0.device)
    for start in range(0, len(x0), size):
        part = slice(start, start + size)
        told = {name: rows[part] for name, rows in condition.items()}
        with autocast(x0.device, precision):
            errors = objective.at(denoiser, x0[part], t[part], noise[part], told)
        losses = objective.times.weigh(t[part], errors)
        mean = losses.sum() / batch
        mean.backward()
        total += mean.detach()
    return total


def _part_by_part(
    network: nn.Module,
    lesson: Lesson[Any],
    x0: Samples,
    condition: Condition,
    generator: torch.Generator,
    size: int,
    batch: int,
    precision: str,
) -> Tensor:
    """The same for a lesson that is known by its mean alone."""
    total = torch.zeros((), dtype=x0.dtype, device=x0.device)
    for start in range(0, len(x0), size):
        part = slice(start, start + size)
        told = {name: rows[part] for name, rows in condition.items()}
        with autocast(x0.device, precision):
            mean = lesson(network, x0[part], told, generator) * (len(x0[part]) / batch)
        mean.backward()
        total += mean.detach()
    return total
