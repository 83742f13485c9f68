"""The error of x0_hat at every noise level, on training and held-out rows, and what it tells of copying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from fogcatcher.data.kind import Kind
from fogcatcher.data.reading import Dataset
from fogcatcher.diffusion.baselines import MANY, Baselines, baselines
from fogcatcher.diffusion.tensors import PerSample
from fogcatcher.judging.metrics.membership import Membership, membership
from fogcatcher.model.model import Model

NOISE_LEVELS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""sigma / alpha at which losses are measured."""
MOST_LOSSES = 512

Rows = Int64[Tensor, " _"]


@dataclass(frozen=True)
class Level:
    """Mean squared error of x0_hat at one noise level."""

    sigma: float
    """Noise over signal."""
    training: float
    held_out: float
    zero: float
    """What an answer of zero gets, on held-out pictures."""
    gaussian: float
    """What a denoiser gets there that knows no more than mean and covariance."""


def losses(
    model: Model, dataset: Dataset, training: Rows, held_out: Rows, seed: int
) -> tuple[tuple[Level, ...], Membership]:
    """Return the errors by noise level, and whether their sum tells training pictures from held-out ones.

    The same noise falls on the k-th picture of both sets.
    """
    n = min(MOST_LOSSES, len(training), len(held_out))
    sides = (training[:n], held_out[torch.linspace(0, len(held_out) - 1, n).round().long()])
    known, simple = (
        model.conditions.encode_pictures(dataset.columns),
        known_little(model.config.kind, dataset, training, sides[1]),
    )
    found, weighed = [], [torch.zeros(n, dtype=torch.float64) for _ in sides]
    for number, sigma in enumerate(NOISE_LEVELS):
        errors = [errors_at(sigma, model, dataset, rows, known, 100 * seed + number) for rows in sides]
        for total, error in zip(weighed, errors, strict=True):
            # Each level counts by how far it is from its mean, else the noisiest decide alone.
            total += (error / torch.cat(errors).mean()).double()
        here, there = (error.mean().item() for error in errors)
        found.append(Level(sigma, here, there, simple.zero, simple.gaussian(sigma)))
    return tuple(found), membership(weighed[0], weighed[1])


def known_little(kind: Kind, dataset: Dataset, training: Rows, judged: Rows) -> Baselines:
    """Return what denoisers get on the rows ``judged`` that know next to nothing of the training ones."""
    known, others = dataset.rows[training[:MANY]], dataset.rows[judged]
    return baselines(kind.to_model(known), kind.to_model(others))


def errors_at(
    sigma: float, model: Model, dataset: Dataset, rows: Rows, known: Mapping[str, Tensor], seed: int
) -> PerSample:
    """Return the mean squared error of each picture's x0_hat where the noise is ``sigma`` times the signal.

    ``known`` are the conditions of the whole data set. The same seed puts the same noise on the k-th picture.
    """
    schedule, generator = model.denoiser.process.schedule, torch.Generator().manual_seed(seed)
    t = schedule.t_from_noise_ratio(torch.tensor(sigma, dtype=torch.float64))
    device, found = model.device, []
    for part in rows.split(64):
        x0 = model.config.kind.to_model(dataset.rows[part]).to(device)
        noise = torch.randn(x0.shape, generator=generator).to(x0)
        cond = {name: values[part].to(device) for name, values in known.items()} | model.told_of(x0)
        with torch.no_grad():
            x0_hat = model.denoiser(model.denoiser.process.corrupt(x0, t, noise), t.expand(len(x0)), cond)
        found.append((x0 - x0_hat).square().flatten(1).mean(1).cpu())
    return torch.cat(found)
