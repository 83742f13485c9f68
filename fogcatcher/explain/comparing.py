"""The same seeds with many settings: a table of cells, each drawn, counted and timed.

axes = [Axis("sampler", ("ddim", "heun")), Axis("steps", (5, 10, 20))]
cells = compare(Request("sprites", seeds=(0, 1, 2)), axes)
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fogcatcher.base.errors import UserError, unknown_name
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.settings import NAMES, USUAL, Settings, choices_of, settings_of
from fogcatcher.model.cost import Cost, cost_of, is_costly, together
from fogcatcher.model.model import Model, load
from fogcatcher.networks.network_calls import counted

CHECKPOINTS = ("newest", "best")
WHICH_WEIGHTS = ("run", "checkpoint", "ema")
"""Fields of ``Request`` that say which weights draw."""


@dataclass(frozen=True)
class Request:
    """Everything that one cell draws."""

    run: str
    checkpoint: str = "newest"
    ema: float | None = None
    settings: Settings = USUAL
    condition: Mapping[str, Wish] = field(default_factory=dict)
    """What to draw; where nothing is said, what each seed asks for by default (``Model.sample``)."""
    seeds: tuple[int, ...] = (0,)

    def told(self) -> dict[str, Any]:
        """Return all of it by name, the settings beside the rest."""
        weights = {name: getattr(self, name) for name in WHICH_WEIGHTS}
        return {**weights, **choices_of(self.settings), "condition": self.condition, "seeds": self.seeds}


@dataclass(frozen=True)
class Axis:
    """One direction of the table: one of WHICH_WEIGHTS, a setting (``drawing.settings.NAMES``), "seed", or a
    condition of the model."""

    name: str
    values: Sequence[object]

    def apply(self, request: Request, value: object) -> Request:
        """Return the request with this value. Raises UserError for a setting that cannot be."""
        if self.name == "seed":
            return replace(request, seeds=(value,))
        if self.name in WHICH_WEIGHTS:
            return replace(request, **{self.name: value})
        if self.name in NAMES:
            return replace(request, settings=settings_of({self.name: value}, request.settings))
        return replace(request, condition={**request.condition, self.name: value})

    def label(self, value: object) -> str:
        """Return the value with its name, for people: "steps: 10"."""
        if isinstance(value, Mapping):
            value = ",".join(f"{name}={_short(entry)}" for name, entry in value.items())
        if isinstance(value, tuple):
            value = " to ".join(_short(part) for part in value)
        return f"{self.name}: {_short(value)}"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Cell:
    """One cell of the table."""

    labels: tuple[str, ...]
    """What was chosen on each axis."""
    request: Request
    drawing: Drawing
    calls: float
    """How often the network looked at each picture; counted."""
    seconds: float
    """Time to draw all pictures of the cell."""

    def facts(self) -> dict[str, object]:
        """Return all settings and figures, ready for JSON."""
        made = self.drawing.made[0]
        told = self.request.told() | {"grid": made.settings.grid, "condition": dict(made.condition)}
        made_by = {"model": made.model, "fogcatcher": made.version}
        return {**told, **made_by, "calls": self.calls, "seconds": round(self.seconds, 3)}


def names_of_axes(model: Model) -> list[str]:
    """Return what an axis of this model may be."""
    own = [*WHICH_WEIGHTS, *NAMES, "seed"]
    return [*own, *(a.name for a in model.conditions.attributes if a.name not in own)]


def compare(
    base: Request,
    axes: Sequence[Axis],
    progress: Callable[[int, int], None] | None = None,
    told: Callable[[Cost], None] = lambda cost: None,
) -> list[Cell]:
    """Draw every combination of the axes' values, the last axis changing fastest.

    All is checked before anything is drawn: each cell takes the first step of its first seed.
    ``progress`` hears how many of all picture-steps are done, and ``told`` before that what they take, where
    one may not reckon with it. Raises UserError for a name or a value that cannot be.
    """
    planned = _plan(base, axes)
    models = _models([request for _, request in planned])
    names = [name for model in models.values() for name in names_of_axes(model)]
    for axis in axes:
        if axis.name not in names:
            raise unknown_name("axis", axis.name, dict.fromkeys(names))
    drawn = [(models[_weights(request)], request.settings, len(request.seeds)) for _, request in planned]
    if costly := [cost_of(*each) for each in drawn if is_costly(*each)]:
        told(together(costly))
    for _, request in planned:
        _try(models[_weights(request)], request)
    total, cells = sum(_work(request) for _, request in planned), list[Cell]()
    for labels, request in planned:
        before = sum(_work(cell.request) for cell in cells)
        advance = _after(before, _work(request), total, progress)
        cells.append(_cell(labels, request, models[_weights(request)], advance))
    return cells


def _plan(base: Request, axes: Sequence[Axis]) -> list[tuple[tuple[str, ...], Request]]:
    planned = []
    for values in itertools.product(*(axis.values for axis in axes)):
        request = base
        for axis, value in zip(axes, values, strict=True):
            request = axis.apply(request, value)
        labels = tuple(axis.label(value) for axis, value in zip(axes, values, strict=True))
        planned.append((labels, request))
    return planned


Weights = tuple[str, str, float | None]


def _weights(request: Request) -> Weights:
    return request.run, request.checkpoint, request.ema


def _models(requests: Sequence[Request]) -> dict[Weights, Model]:
    """Load each model once."""
    models: dict[Weights, Model] = {}
    for request in requests:
        if request.checkpoint not in CHECKPOINTS:
            raise unknown_name("checkpoint", request.checkpoint, CHECKPOINTS)
        if request.checkpoint == "best" and request.ema is not None:
            raise UserError("checkpoint best has no averages: compare it without ema.")
        if _weights(request) not in models:
            models[_weights(request)] = load(request.run, request.checkpoint == "best", request.ema)
    return models


def _try(model: Model, request: Request) -> None:
    """Take the first step of the first seed."""
    usual, asked = choices_of(USUAL), choices_of(request.settings)
    model.check_choices({name: value for name, value in asked.items() if value != usual[name]})
    next(iter(model.states(request.seeds[:1], [request.condition], request.settings)))


def _work(request: Request) -> int:
    return len(request.seeds) * request.settings.steps


def _after(
    before: int, own: int, total: int, progress: Callable[[int, int], None] | None
) -> Callable[[int, int], None] | None:
    """Return the progress of one cell as progress of all."""
    return progress and (lambda done, of: progress(before + own * done // of, total))


def _cell(
    labels: tuple[str, ...],
    request: Request,
    model: Model,
    progress: Callable[[int, int], None] | None,
) -> Cell:
    start = time.perf_counter()
    with counted(model.denoiser.network) as calls:
        drawing = model.sample(
            condition=request.condition or None,
            seeds=request.seeds,
            progress=progress,
            settings=request.settings,
        )
    seconds = time.perf_counter() - start
    return Cell(labels, request, drawing, calls.each(len(request.seeds)), seconds)
