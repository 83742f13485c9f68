"""The bound of a model for its page: as it was measured, or of the one picture that the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.pictures.spec import to_model
from fogcatcher.diffusion.guidance import Clipped, Conditioned
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.model.bound_terms import BoundTerms, bound_of, read_terms, terms_of
from fogcatcher.model.model import Model

STEPS = 100
DRAWS = 8
"""Of the noise, of which the terms of one picture are the mean."""
EVALUATION = "evaluation"


@dataclass(frozen=True)
class BoundCurve:
    """The terms, and whose they are."""

    terms: BoundTerms
    measured: bool
    """Whether on held-out pictures; else on the one that the page shows."""


def bound_curve(model: Model, x0: Samples, wish: Mapping[str, Wish], seed: int = 0) -> BoundCurve:
    """Return what ``evaluate --nll`` kept of these weights, or else the bound of ``x0``, (1, C, H, W), alone.

    Raises UserError for a file that is not as it was written.
    """
    kept = None if model.folder is None else read_terms(model.folder / EVALUATION, model.hash)
    if kept is not None:
        return BoundCurve(kept, True)
    eight_bits = to_model(model.config.pixels.from_model(x0)).expand(DRAWS, *x0.shape[1:]).to(x0.device)
    denoiser = Clipped(Conditioned(model.denoiser, model.encoded([wish] * DRAWS)))
    generator = torch.Generator().manual_seed(seed)
    found, times = bound_of(denoiser, model.config.method, eight_bits, STEPS, generator)
    return BoundCurve(terms_of([found], times, model.hash), False)
