"""The gradient of one batch in as many parts as memory asks for."""

from __future__ import annotations

import gc

import torch
from torch import Tensor

from fogcatcher.denoiser import Denoiser
from fogcatcher.objectives import Objective
from fogcatcher.tensors import Condition, Samples

SIGNS = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch says on a GPU, and on the CPU of Linux and of Windows."""


def leave_gradient(
    denoiser: Denoiser,
    objective: Objective,
    x0: Samples,
    condition: Condition,
    generator: torch.Generator,
    size: int,
) -> Tensor:
    """Return the mean loss of a batch, a scalar, and leave its gradient in the weights.

    Only ``size`` pictures at a time pass through the network. Times and noise are drawn for the whole batch
    first, so the sum of the parts is the whole batch's gradient to rounding. Three things see their part
    alone: batch norm, dropout (its draws differ, their law does not) and ``ImportanceTimes`` (it learns from
    one part before it weighs the next).
    """
    denoiser.zero_grad()
    if size >= len(x0):
        loss = objective(denoiser, x0, condition, generator)
        loss.backward()
        return loss.detach()
    # The draws of Objective.__call__, in its order.
    t = objective.times.sample(len(x0), denoiser.process.schedule, generator).to(x0.device)
    noise = torch.randn(x0.shape, generator=generator, device=generator.device).to(x0)
    total = torch.zeros((), device=x0.device)
    for start in range(0, len(x0), size):
        part = slice(start, start + size)
        told = {name: rows[part] for name, rows in condition.items()}
        losses = objective.times.weigh(t[part], objective.at(denoiser, x0[part], t[part], noise[part], told))
        share = losses.sum() / len(x0)
        share.backward()
        total += share.detach()
    return total


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory, of the machine or of its GPU, was the reason."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


def free_memory() -> None:
    """Give back what an attempt that failed still holds."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
