"""What is asked for is checked before it waits, as far as that takes no time; and how long it may take."""

from __future__ import annotations

from collections.abc import Sequence

from fogcatcher.base.errors import UserError, named, unknown_name
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.drawing.settings import NAMES
from fogcatcher.model.build import build_grid, build_sampler
from fogcatcher.model.choose_network import NETWORKS
from fogcatcher.model.config import RunConfig
from fogcatcher.model.presets import PRESETS
from fogcatcher.runs.choose_method import network_name
from fogcatcher.runs.setup import check_length
from fogcatcher.studio import asked
from fogcatcher.studio.doing.drawing import palette_from, seeds_of, settings_from
from fogcatcher.studio.doing.training import setup_of
from fogcatcher.studio.studio import Studio


def check(studio: Studio, job: asked.AnyJob) -> None:
    """Raises UserError for what cannot be done, in one sentence."""
    match job.request:
        case asked.Train() as request:
            _check_training(studio, request)
        case asked.Edit() as request:
            _check_drawn(studio, request)
            palette_from(request.finish.palette)
            _check_edit(studio, request)
        case asked.Draw() as request:
            _check_drawn(studio, request)
            palette_from(request.finish.palette)
        case asked.Explain() | asked.Grid() as request:
            config, conditions = _pictures_of(studio, request.model)
            conditions.clean(dict(request.conditions or {}))
            _check_settings(config, conditions, request.settings)
            if isinstance(request, asked.Grid):
                _check_axes(request, conditions)
        case asked.Evaluate() as request:
            for id in request.models:
                if not studio.models.place(id).is_run:
                    raise UserError("only models that were trained here can be judged: name runs.")
                _pictures_of(studio, id)
        case asked.Export() as request:
            studio.models.config(request.model)


def _pictures_of(studio: Studio, id: str) -> tuple[RunConfig, ConditionSpec]:
    config, conditions = studio.models.config(id)
    _ = config.pictures  # which says so where a model draws none
    return config, conditions


def _check_drawn(studio: Studio, request: asked.Drawn) -> None:
    config, conditions = _pictures_of(studio, request.model)
    seeds_of(request)
    conditions.clean(dict(request.conditions or {}))
    _check_settings(config, conditions, request.settings)


def _check_settings(config: RunConfig, conditions: ConditionSpec, given: asked.Settings) -> None:
    settings = settings_from(given)
    build_sampler(settings.sampler, settings.step_options)
    build_grid(settings.grid or config.method.grid, config.method)
    if settings.steering.negative is not None:
        conditions.clean(settings.steering.negative)
    known = [attribute.name for attribute in conditions.attributes]
    for name in settings.guidance if isinstance(settings.guidance, dict) else ():
        if name not in known:
            raise unknown_name("condition to guide by", name, known, about="guidance")


def _check_edit(studio: Studio, request: asked.Edit) -> None:
    if request.action not in ("tile", "interpolate") and request.picture is None:
        raise UserError("say which picture is to be changed.", about="picture")
    if request.action == "inpaint" and request.mask is None:
        raise UserError("paint what is to be drawn anew: the mask is missing.", about="mask")
    for given in (request.picture, request.picture_b):
        if given is not None and given.id is not None:
            studio.gallery.path(given.id)


MOST_CELLS = 400


def _check_axes(request: asked.Grid, conditions: ConditionSpec) -> None:
    axes: Sequence[asked.AxisOf] = [axis for axis in (request.rows, request.columns) if axis is not None]
    valid = [*NAMES, "checkpoint", "ema", "seed", *(attribute.name for attribute in conditions.attributes)]
    valid = [name for name in valid if name != "guide_with"]
    for axis in axes:
        if axis.name not in valid:
            raise unknown_name("axis", axis.name, valid, about="columns")
    if len(axes) == 2 and axes[0].name == axes[1].name:
        raise UserError(f"both axes are called {axes[0].name}: choose another one.")
    cells = len(request.columns.values) * (len(request.rows.values) if request.rows else 1)
    if cells > MOST_CELLS:
        raise UserError(f"the table would have {cells:,} cells: name fewer values, for at most {MOST_CELLS}.")


def _check_training(studio: Studio, request: asked.Train) -> None:
    check_length(request.minutes, request.steps)
    if (request.data is None) == (request.resume is None):
        raise UserError("say which data to train on, or which model is to go on.", about="data")
    if request.resume is not None:
        if not studio.models.place(request.resume).is_run:
            raise UserError(
                "a model that comes with the program cannot go on: start a new one from it.", about="resume"
            )
        studio.models.config(request.resume)
        return
    path = studio.datasets.path(request.data or "")
    if request.start_from not in ("auto", "none"):
        studio.models.config(request.start_from)
    named("preset", request.preset, PRESETS, about="preset")
    setup = setup_of(request, path, studio.workspace.area("runs"))
    named("network", network_name(setup), NETWORKS, about="network")


def title_of(job: asked.AnyJob) -> str:
    """Return what a job is called in a list."""
    match job.request:
        case asked.Train() as request:
            return request.name or request.resume or request.data or ""
        case asked.Evaluate() as request:
            return ", ".join(request.models)
        case asked.Edit() as request:
            return f"{request.model}: {request.action}"
        case request:
            return request.model
