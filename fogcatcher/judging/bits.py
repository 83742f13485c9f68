"""How well a trained model predicts pictures it has not seen, in bits per dimension."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.data.pictures.spec import Pictures, to_model
from fogcatcher.diffusion.bound import Bound
from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.guidance import Clipped, Conditioned
from fogcatcher.diffusion.sampling.likelihood import bits_per_dimension, dequantise, log_likelihood
from fogcatcher.diffusion.tensors import Bytes
from fogcatcher.model.bound_terms import BoundTerms, bound_of, terms_of
from fogcatcher.model.model import BATCH, Model

TOLERANCE = 1e-3
"""Of the ODE: it moves the figure by less than 0.01 bits."""


@dataclass(frozen=True)
class BitsPerDimension:
    """Means over pictures, each with the standard error of the mean."""

    pictures: int
    flow: float
    """By the probability-flow ODE, of dequantised pictures."""
    flow_error: float
    bound: float
    """The variational bound of the ancestral sampler with so many steps."""
    bound_error: float
    steps: int
    terms: BoundTerms
    """The bound, term by term."""


def bits_of(
    model: Model,
    pictures: Pictures,
    condition: Mapping[str, Tensor],
    steps: int = 100,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> BitsPerDimension:
    """Return both figures for uint8 pictures, (N, C, H, W), and what is known of each, name -> (N, k).

    They are those of the model as it draws: its answers are kept within [-1, 1].
    ``progress`` hears how many of all pictures are done.
    """
    device = model.device
    generator = torch.Generator().manual_seed(seed)
    flow, bounds, times = [], list[Bound](), list[float]()
    for start in range(0, len(pictures), BATCH):
        part = slice(start, start + BATCH)
        batch = pictures[part].to(device)
        cond = {name: rows[part].to(device) for name, rows in condition.items()}
        denoiser = Clipped(Conditioned(model.denoiser, cond))
        flow.append(_flow(denoiser, batch, generator))
        found, times = bound_of(denoiser, model.config.method, to_model(batch), steps, generator)
        bounds.append(found)
        if progress:
            progress(min(start + BATCH, len(pictures)), len(pictures))
    (f, f_error), (b, b_error) = _mean(flow), _mean([found.bits for found in bounds])
    return BitsPerDimension(
        len(pictures), f, f_error, b, b_error, steps, terms_of(bounds, times, model.hash, f)
    )


def _flow(denoiser: DenoiserLike, pictures: Bytes, generator: torch.Generator) -> Tensor:
    x0 = dequantise(pictures, generator)
    log_p = log_likelihood(denoiser, x0, generator, rtol=TOLERANCE, atol=TOLERANCE)
    return bits_per_dimension(log_p, x0[0].numel())


def _mean(parts: list[Tensor]) -> tuple[float, float]:
    values = torch.cat(parts).double()
    error = values.std().item() / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return values.mean().item(), error
