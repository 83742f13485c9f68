"""The variational bound of a model, term by term, and the file that keeps it: L_T, every L_t, and L_0."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from fogcatcher.base.disk import write_text
from fogcatcher.base.read_json import read_json
from fogcatcher.base.typed_json import Length, Range
from fogcatcher.diffusion.bound import Bound, bound
from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.randomness import Generator
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.model.build import build_grid
from fogcatcher.model.config import Method

FILE = "bits.json"
"""In the folder of the evaluation."""
Bits = Annotated[float, Range(-1e6, 1e6)]
MOST_TERMS = 10_000


@dataclass(frozen=True)
class BoundTerms:
    """Bits per dimension, means over pictures: what each step of the ancestral sampler costs."""

    model: str
    """Hash of the weights."""
    pictures: Annotated[int, Range(1, 10**9)]
    times: Annotated[Sequence[Annotated[float, Range(0, 1)]], Length(2, MOST_TERMS + 1)]
    """Falling, to 0: the grid of the bound."""
    prior: Bits
    """L_T."""
    steps: Annotated[Sequence[Bits], Length(1, MOST_TERMS)]
    """L_t of each step, named after the time it sets out from; the last is L_0."""
    flow: Bits | None = None
    """Bits per dimension by the probability-flow ODE, where they were measured."""

    @property
    def bits(self) -> float:
        """The bound: all terms together."""
        return self.prior + sum(self.steps)


def bound_of(
    denoiser: DenoiserLike, method: Method, x0: Samples, steps: int, generator: Generator
) -> tuple[Bound, list[float]]:
    """Return the bound of the ancestral sampler with so many steps of the method's own grid, and that grid.

    ``x0``, (B, C, H, W), lies on the 256 values of 8-bit pictures. Ho et al. 2020, equation 5.
    """
    times = build_grid(method.grid, method)(denoiser.process.schedule, steps)
    variance = "learned" if method.learns_variance else "small"
    return bound(denoiser, x0, times, generator, variance), times.tolist()


def terms_of(
    bounds: Sequence[Bound], times: Sequence[float], model: str, flow: float | None = None
) -> BoundTerms:
    """Return the means over the pictures of some bounds on one grid."""
    pictures = sum(len(found.prior) for found in bounds)

    def mean(values: Sequence[float]) -> float:
        return math.fsum(values) / pictures / math.log(2)

    rows = zip(*(found.steps.double().sum(1).tolist() for found in bounds), strict=True)
    prior = mean([found.prior.double().sum().item() for found in bounds])
    return BoundTerms(model, pictures, tuple(times), prior, tuple(map(mean, rows)), flow)


def write_terms(terms: BoundTerms, folder: Path) -> Path:
    """Write the file into ``folder``; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FILE, json.dumps(asdict(terms), indent=1))
    return folder / FILE


def read_terms(folder: Path, model: str) -> BoundTerms | None:
    """Return what the file in ``folder`` keeps of the weights with the hash ``model``, or None.

    Raises UserError for a file that is not as it was written.
    """
    try:
        found: BoundTerms = read_json(folder / FILE, BoundTerms)
    except FileNotFoundError:
        return None
    return found if found.model == model and len(found.times) == len(found.steps) + 1 else None
