"""What a drawing will take, said before it is drawn: calls of the network, and about how many seconds."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch

from fogcatcher.base.errors import UserError
from fogcatcher.diffusion.edits.edit import Edit
from fogcatcher.drawing.settings import Settings
from fogcatcher.model.build import build_sampler
from fogcatcher.model.model import Model
from fogcatcher.model.sizes import check_canvas
from fogcatcher.networks.network_calls import counted

FEW = 200_000
"""Calls of the network that are no trouble: an epoch of a small set."""
FEW_A_STEP = 4
"""Calls in one step that people reckon with."""
SHORT = 60.0
"""Seconds that are measured with one picture alone."""


@dataclass(frozen=True)
class Cost:
    """What drawings will take in all."""

    sampler: str
    pictures: int
    calls: int
    """Of the network, each picture of a batch counted by itself; where guidance has an interval, at most."""
    seconds: float
    """As long as the first call lasted, times the calls."""

    @property
    def in_words(self) -> str:
        each = f"{self.calls / self.pictures:,.0f} network calls for each of {self.pictures:,} pictures"
        return f"{self.sampler} takes about {each}, {self.calls:,} in all: about {_lasting(self.seconds)}"


def together(costs: Iterable[Cost]) -> Cost:
    """Return what several drawings take, under the name of the costliest; there must be one."""
    costs = list(costs)
    return Cost(
        max(costs, key=lambda cost: cost.calls).sampler,
        sum(cost.pictures for cost in costs),
        sum(cost.calls for cost in costs),
        sum(cost.seconds for cost in costs),
    )


def asks_of(model: Model, settings: Settings, edit: Edit | None = None) -> int:
    """Return how often drawing asks the denoiser for each picture. Raises UserError as ``Model.sample``."""
    edit = edit or Edit()
    times = model.times(settings, edit)
    down = int((times.diff() < 0).sum())
    step = edit.step(model.host(settings), build_sampler(settings.sampler, settings.step_options))
    return step.asks(down) + edit.asks_first(len(times) - 1)


def is_costly(model: Model, settings: Settings, pictures: int, edit: Edit | None = None) -> bool:
    """Whether a drawing should say beforehand what it takes; found without asking the network."""
    step = build_sampler(settings.sampler, settings.step_options)
    return step.asks(1000) > FEW_A_STEP * 1000 or asks_of(model, settings, edit) * pictures > FEW


@dataclass(frozen=True)
class OneCall:
    """What one answer of the steered denoiser takes for each picture."""

    network_calls: int
    """More than one with guidance."""
    seconds: float


def cost_of(
    model: Model, settings: Settings, pictures: int, edit: Edit | None = None, call: OneCall | None = None
) -> Cost:
    """Return what ``pictures`` take by what one ``call`` takes, which is measured where it is not given.

    Raises UserError as ``Model.sample``.
    """
    call = call or one_call(model, settings, pictures, edit)
    asks = asks_of(model, settings, edit) * pictures
    return Cost(settings.sampler, pictures, call.network_calls * asks, call.seconds * asks)


def one_call(model: Model, settings: Settings, pictures: int, edit: Edit | None = None) -> OneCall:
    """Measure it with one picture, and where ``pictures`` would take long so with a whole batch."""
    edit = edit or Edit()
    call = _measured(model, settings, edit, 1)
    rows = min(pictures, model.at_once(edit))
    if rows > 1 and call.seconds * asks_of(model, settings, edit) * pictures > SHORT:
        call = _measured(model, settings, edit, rows)
    return call


def _measured(model: Model, settings: Settings, edit: Edit, rows: int) -> OneCall:
    settings = replace(settings, steering=replace(settings.steering, interval=None))
    shape = model.shape(edit)
    check_canvas(model.denoiser, model.config.kind, shape)
    try:
        steered = model.steered([{}] * rows, settings)
        denoiser = edit.part(slice(0, rows)).denoiser(model.host(settings), steered)
    except ValueError as error:  # an edit that does not suit this model says so
        raise UserError(f"{error}.") from error
    x = torch.zeros(rows, *shape, device=model.device)
    t = torch.full((rows,), 0.5, dtype=torch.float64)
    lasted = []
    with torch.no_grad(), counted(model.denoiser.network) as calls:
        for _ in range(2):  # the first time takes longer
            start = time.perf_counter()
            denoiser(x, t).sum().item()  # .item() waits for the device
            lasted.append(time.perf_counter() - start)
    return OneCall(round(calls.each(2 * rows)), min(lasted) / rows)


def _lasting(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:,.0f} min" if seconds < 5400 else f"{seconds / 3600:,.0f} h"
