"""What every figure asks of its two sets of rows."""

from __future__ import annotations

from jaxtyping import Float64, Shaped
from torch import Tensor

from fogcatcher.base.errors import UserError

Features = Float64[Tensor, "_ D"]
"""One row per picture. In single precision rounding would spoil Frechet distances and kernels."""

Rows = Shaped[Tensor, "_ *S"]
"""One row per picture, features or the picture itself."""


def require_rows(real: Rows, fake: Rows, least: int, figure: str) -> None:
    """Raise UserError when a set has fewer than ``least`` rows, or a number that is not finite."""
    if min(len(real), len(fake)) < least:
        raise UserError(
            f"{figure} needs {least} or more pictures in each set, but there are {len(real):,} real and "
            f"{len(fake):,} generated ones: give more."
        )
    if not (real.isfinite().all() and fake.isfinite().all()):
        raise UserError(f"{figure} needs finite numbers, but some features are not: check what made them.")
