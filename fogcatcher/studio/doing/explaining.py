"""How a model draws, as a page; and the same seeds with many settings, as a table."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fogcatcher.base.errors import UserError
from fogcatcher.data.for_model import read_for_model
from fogcatcher.drawing.settings import NAMES, STEP_BY_STEP
from fogcatcher.explain.comparing import Axis, Request, compare
from fogcatcher.explain.files import PAGE, explain_files, save_table
from fogcatcher.studio import asked
from fogcatcher.studio.doing.drawing import settings_from
from fogcatcher.studio.pictures import given_file
from fogcatcher.studio.work import Doing
from fogcatcher.studio.workspace import as_name


def explain(doing: Doing) -> dict[str, Any]:
    """A page in a folder of exports/."""
    request = asked.Explain.model_validate(doing.job.request)
    model = doing.work.model(request.model, request.best)
    short = request.model.removeprefix("shipped.")
    name = doing.place("exports", as_name(f"explained-{short}", "explained"))
    if not (doing.work.workspace.area("exports") / name).exists():
        folder, own = doing.folder, None
        if request.picture is not None:
            file = given_file(doing.work.workspace, request.picture, doing.sent / "picture.png")
            own = read_for_model(file, model.config.pictures, model.config.data.options).rows[:1]
        explain_files(
            model,
            short,
            folder,
            picture=own,
            seed=request.seed,
            condition=request.conditions or None,
            settings=settings_from(request.settings, STEP_BY_STEP),
            progress=doing.progress,
        )
        doing.check()
        doing.finish(folder, "exports", name)
    return {"folder": f"exports/{name}", "page": "/files/" + quote(f"exports/{name}/{PAGE}")}


def compare_settings(doing: Doing) -> dict[str, Any]:
    """A table of pictures in a folder of exports/."""
    request = asked.Grid.model_validate(doing.job.request)
    place = doing.work.models.place(request.model)
    name = doing.place("exports", as_name(f"grid-{request.model.removeprefix('shipped.')}", "grid"))
    if not (doing.work.workspace.area("exports") / name).exists():
        axes = [axis_of(axis) for axis in (request.rows, request.columns) if axis is not None]
        base = Request(
            place.name,
            "best" if request.best else "newest",
            settings=settings_from(request.settings),
            condition=dict(request.conditions or {}),
            seeds=tuple(request.seeds),
        )
        cells = compare(base, axes, doing.progress)
        folder = doing.folder
        save_table(cells, axes, folder)
        doing.check()
        doing.finish(folder, "exports", name)
    return {
        "folder": f"exports/{name}",
        "picture": "/files/" + quote(f"exports/{name}/grid.png"),
        "page": None,
    }


def axis_of(axis: asked.AxisOf) -> Axis:
    """Return an axis as the library takes it. Raises UserError for values of another type than it has."""
    values: list[object] = list(axis.values)
    if axis.name in ("steps", "seed"):
        if not all(isinstance(value, int | float) and value == int(value) for value in values):
            raise UserError(f"{axis.name} takes whole numbers.", about=axis.name)
        values = [int(value) for value in values]  # type: ignore[arg-type]
    elif axis.name == "interval":
        if not all((isinstance(value, list) and len(value) == 2) or value is None for value in values):
            raise UserError("an interval is a list of two noise levels.", about=axis.name)
        values = [value and tuple(float(part) for part in value) for value in values]  # type: ignore[union-attr]
    elif axis.name in NAMES and axis.name in ("sampler", "grid", "limit"):
        if not all(isinstance(value, str) or value is None for value in values):
            raise UserError(f"{axis.name} takes names.", about=axis.name)
    elif axis.name in ("eta", "rescale", "classifier", "ema") and not all(
        isinstance(value, int | float) for value in values
    ):
        raise UserError(f"{axis.name} takes numbers.", about=axis.name)
    return Axis(axis.name, values)
