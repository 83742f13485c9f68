"""What training asks of a network: the noise in one picture, and what wrong answers cost.

    x_t = alpha x0 + sigma eps,   loss(t) = w(t) || x0 - x0_hat(x_t, t) ||^2

Ho et al. 2020, algorithm 1, with the loss and the weight of the model's own training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.diffusion.predictions import EPS
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.sampling.probability_flow import contrast, time_of
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Samples, Times, expand_to
from fogcatcher.model.build import build_objective, steps_of
from fogcatcher.model.kept_weights import kept_weights, model_at
from fogcatcher.model.model import Model

ANGLES = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
"""atan(sigma / alpha) at which is asked, of a right angle: the middle has as much noise as picture."""


@dataclass(frozen=True)
class Answers:
    """What one set of weights answers at each time."""

    weights: str
    x0_hat: Samples
    """(T, C, H, W)."""
    eps_hat: Samples
    loss: Times
    """(T,): what training counts."""
    eps_error: Times
    """(T,): mean square of eps - eps_hat."""
    x0_error: Times
    """(T,): root mean square of x0 - x0_hat, on the scale from -1 to 1."""


@dataclass(frozen=True)
class TrainingSide:
    """One picture and one noise at several times, and the answers of one or two sets of weights."""

    t: Times
    sigma: Times
    x0: Float[Tensor, "1 C H W"]
    eps: Float[Tensor, "1 C H W"]
    seen: Samples
    """x_t at the contrast of a picture, (T, C, H, W)."""
    answers: list[Answers]
    """The earliest weights first, where any were kept."""


def times_in(schedule: Schedule, angles: tuple[float, ...], steps: int | None) -> Times:
    """Return the times of these shares of the way to pure noise; of a table of T betas, whole steps."""
    phi = torch.tensor(angles, dtype=torch.float64) * (torch.pi / 2)
    t = time_of(schedule, phi)
    return t if steps is None else (t * steps).round().clamp(min=1) / steps


def training_side(
    model: Model, x0: Float[Tensor, "1 C H W"], wish: Mapping[str, Wish], seed: int = 0
) -> TrainingSide:
    """Ask the earliest kept weights of a model's run, and the model's own, for the noise of ``seed`` in x0.

    Raises UserError where kept weights cannot be read.
    """
    process = model.denoiser.process
    t = times_in(process.schedule, ANGLES, steps_of(model.config.method))
    eps = SampleGenerator([seed]).randn_like(x0)
    many = x0.expand(len(t), *x0.shape[1:])
    noise = eps.expand_as(many)
    x_t = process.corrupt(many, t, noise)
    asked = _Asked(many, noise, x_t, t, wish)
    kept = kept_weights(model.folder)
    answers = [_answers(model_at(model, kept[0]), f"step {kept[0].step:,}", asked)] if kept else []
    answers.append(_answers(model, f"step {kept[-1].step:,}" if kept else "trained", asked))
    seen = x_t / expand_to(contrast(process.schedule, t), x_t)
    return TrainingSide(t, process.schedule.sigma(t), x0, eps, seen, answers)


@dataclass(frozen=True)
class _Asked:
    x0: Samples
    eps: Samples
    x_t: Samples
    t: Times
    wish: Mapping[str, Wish]


def _answers(model: Model, weights: str, asked: _Asked) -> Answers:
    denoiser = model.denoiser
    cond = model.encoded([asked.wish] * len(asked.t)) if asked.wish else None
    objective = build_objective(model.config.method, model.config.kind.sigma_data)
    with torch.no_grad():
        x0_hat = denoiser(asked.x_t, asked.t, cond)
        loss = objective.at(denoiser, asked.x0, asked.t, asked.eps, cond)
    eps_hat = EPS.from_x0(asked.x_t, x0_hat, *denoiser.process.rates(asked.t, asked.x_t))
    return Answers(
        weights,
        x0_hat,
        eps_hat,
        loss,
        _mean_square(asked.eps - eps_hat),
        _mean_square(asked.x0 - x0_hat).sqrt(),
    )


def _mean_square(x: Samples) -> Tensor:
    return x.square().flatten(1).mean(1)
