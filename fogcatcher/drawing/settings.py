"""How pictures are drawn: sampler, steps, guidance, and what else steers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import Wish

Limit = Literal["clip", "dynamic", "none"]
"""How the denoiser's answers are kept within the range of pictures, if at all."""


OF_THE_SAME_RUN = r"\d*\.\d+|\d+"
"""The form of a weaker model of the same run: a length of its average, or one of its steps."""


@dataclass(frozen=True)
class Steering:
    """What guidance does besides its scale; docs/steering.md shows each. Nothing, by default.

    Raises UserError for numbers that cannot be.
    """

    negative: Mapping[str, Wish] | None = None
    """What to lead away from, instead of from saying nothing."""
    interval: Sequence[float] | None = None
    """Guide only where low < sigma / alpha <= high: parts of noise for one of signal."""
    rescale: float = 0.0
    """0 to 1: how far the contrast of guided answers goes back to that of unguided ones."""
    guide_with: str | None = None
    """Autoguidance, by a weaker model: a length of the average ("0.2"), a step of the run ("500"), a run."""
    classifier: float = 0.0
    """Scale of the guidance by the classifier in RUN/classifier."""

    def __post_init__(self) -> None:
        if self.interval is not None:
            low, high = self.interval[0], self.interval[-1]
            if len(self.interval) != 2 or not (0 <= low < high < math.inf):
                raise UserError(
                    "a guidance interval needs two noise levels sigma / alpha, 0 or more and rising, "
                    f"such as 0.2,2, not {low:g},{high:g}."
                )
        if not 0 <= self.rescale <= 1:
            raise UserError(f"rescale must be from 0 (off) to 1, not {self.rescale:g}.")
        if not math.isfinite(self.classifier):
            raise UserError(f"the scale of classifier guidance must be a number, not {self.classifier:g}.")
        if self.guide_with is not None and self.negative is not None:
            raise UserError(
                "a weaker model and a negative condition both say what to lead away from: give one of them."
            )


@dataclass(frozen=True)
class Settings:
    """How pictures are drawn; part of every recipe."""

    sampler: str
    steps: int
    guidance: float | Mapping[str, float]
    grid: str
    eta: float | None
    limit: Limit
    steering: Steering = Steering()

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as arguments of ``Model.sample``, whose parameters have these names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
