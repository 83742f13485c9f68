"""How pictures are drawn: sampler, steps, guidance, and what else steers.

What may be chosen is said here once, with what is usual. Commands, comparisons and judges hold a ``Settings``
and make it by ``settings_of``, so that a new field of it arrives wherever pictures are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any, Literal, TypedDict, get_args

from fogcatcher.base.errors import UserError, known_name
from fogcatcher.base.numbers import check_fields
from fogcatcher.base.typed_json import Length, Range
from fogcatcher.data.values import Wish

Limit = Literal["clip", "dynamic", "none"]
"""How the denoiser's answers are kept within the range of pictures, if at all."""


MOST_STEPS = 10_000
"""Of a drawing, and what a recipe may ask for."""
Strays = Annotated[int, Range(0, 64)]
ColoursEach = Annotated[int, Range(0, 256)]
Zoom = Annotated[int, Range(1, 100)]
Steps = Annotated[int, Range(1, MOST_STEPS)]
Share = Annotated[float, Range(0, 1)]
Interval = Annotated[Sequence[float], Length(2, 2)]
OF_THE_SAME_RUN = r"\d*\.\d+|\d+"
"""The form of a weaker model of the same run: a length of its average, or one of its steps."""


@dataclass(frozen=True)
class Steering:
    """What guidance does besides its scale; docs/steering.md shows each. Nothing, by default.

    Raises UserError for numbers that cannot be.
    """

    negative: Mapping[str, Wish] | None = None
    """What to lead away from, instead of from saying nothing."""
    interval: Interval | None = None
    """Guide only where low < sigma / alpha <= high: parts of noise for one of signal."""
    rescale: Share = 0.0
    """0 to 1: how far the contrast of guided answers goes back to that of unguided ones."""
    guide_with: str | None = None
    """Autoguidance, by a weaker model: a length of the average ("0.2"), a step of the run ("500"), a run."""
    classifier: float = 0.0
    """Scale of the guidance by the classifier in RUN/classifier."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.interval is not None:
            low, high = self.interval
            if not 0 <= low < high:
                raise UserError(
                    "a guidance interval needs two noise levels sigma / alpha, 0 or more and rising, "
                    f"such as 0.2,2, not {low:g},{high:g}."
                )
        if self.guide_with is not None and self.negative is not None:
            raise UserError(
                "a weaker model and a negative condition both say what to lead away from: give one of them."
            )


@dataclass(frozen=True)
class Settings:
    """How pictures are drawn; part of every recipe.

    Raises UserError for values that cannot be with any model.
    """

    sampler: str = "dpmpp_2m"
    """How to step: a name of ``diffusion/sampling/table.py``."""
    steps: Steps = 20
    guidance: float | Mapping[str, float] = 2.0
    """How strongly to follow the condition: one scale, or attribute -> scale (1 for those not named)."""
    grid: str | None = None
    """How the steps are spaced; None is the way of the model."""
    eta: float | None = None
    """The option ``eta`` of a sampler that has it."""
    limit: Limit = "clip"
    """Cut answers off at the range of pictures, scale them into it ("dynamic" thresholding), or neither."""
    steering: Steering = Steering()
    sampler_options: Mapping[str, float] = field(default_factory=dict)
    """Numbers of the sampler's step itself, by name; those not named are as the sampler has them."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.eta is not None and "eta" in self.sampler_options:
            raise UserError("eta is given twice: once by itself and once among the options of the sampler.")

    @property
    def step_options(self) -> dict[str, float]:
        """All that is set of the sampler's step, ``eta`` too."""
        return {**self.sampler_options} | ({} if self.eta is None else {"eta": self.eta})

    def to_recipe(self) -> dict[str, Any]:
        """Return the fields as recipes have them: without options of the sampler where there are none."""
        tree = asdict(self)
        if not self.sampler_options:
            del tree["sampler_options"]
        return tree


class Choices(TypedDict, total=False):
    """The fields of ``Settings`` as arguments of a function, any of them; a test compares the two."""

    sampler: str
    steps: int
    guidance: float | Mapping[str, float]
    grid: str | None
    eta: float | None
    limit: Limit
    steering: Steering
    sampler_options: Mapping[str, float]


USUAL = Settings()
AS_THE_DATA = Settings(guidance=1.0)
"""For judging: more guidance is prettier and less varied."""
STEP_BY_STEP = Settings(sampler="ddim", steps=12)
"""For showing how drawing goes."""


def choices_of(settings: Settings) -> dict[str, Any]:
    """Return name -> value of all that is chosen, what steers beside the rest: what ``settings_of`` takes."""
    values = {f.name: getattr(settings, f.name) for f in fields(Settings)}
    steering: Steering = values.pop("steering")
    return values | {f.name: getattr(steering, f.name) for f in fields(Steering)}


NAMES = tuple(choices_of(USUAL))
"""All that can be chosen, by name."""


def settings_of(choices: Mapping[str, Any], base: Settings = USUAL) -> Settings:
    """Return ``base`` with fields of ``Settings`` chosen anew, and fields of its steering by their own names.

    Raises UserError for values that cannot be.
    """
    values, steering = dict(choices), choices.get("steering", base.steering)
    if "limit" in values:
        values["limit"] = known_name("limit", str(values["limit"]), get_args(Limit))
    of_steering = {f.name: values.pop(f.name) for f in fields(Steering) if f.name in values}
    return replace(base, **{**values, "steering": replace(steering, **of_steering)})
