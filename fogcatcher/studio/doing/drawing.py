"""Drawing: the request of a page becomes that of the library, which writes the files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.palettes import BUILT_IN
from fogcatcher.diffusion.edits.edit import Edit
from fogcatcher.diffusion.sampling.samplers import State
from fogcatcher.drawing.asked_finish import AskedFinish
from fogcatcher.drawing.settings import Settings, settings_of
from fogcatcher.model.drawing_files import Asked, draw_files
from fogcatcher.model.model import Model
from fogcatcher.studio import asked
from fogcatcher.studio.gallery import Gallery
from fogcatcher.studio.work import Doing
from fogcatcher.studio.workspace import as_name

USUAL_COUNT = 8


def draw(doing: Doing) -> dict[str, Any]:
    """New pictures in a folder of drawings/."""
    request = asked.Draw.model_validate(doing.job.request)
    model = doing.work.model(request.model, request.best)
    wanted = asked_of(request)
    name = doing.place("drawings", as_name(request.model.removeprefix("shipped."), "drawing"))
    if not (doing.work.workspace.area("drawings") / name).exists():
        folder = doing.folder
        draw_files(
            model, wanted, folder, progress=doing.progress, watch=watcher(doing, model, wanted.settings)
        )
        doing.check()
        doing.finish(folder, "drawings", name)
    return result(doing, name)


def asked_of(request: asked.Draw) -> Asked:
    """Return what a page asked for as the library takes it. Raises UserError for what cannot be."""
    return Asked(
        seeds_of(request),
        conditions_of(request),
        settings_from(request.settings),
        finish_from(request.finish, request.atlas),
        gif=request.gif,
    )


def conditions_of(request: asked.Drawn) -> dict[str, Any] | None:
    """The wish for all pictures; None, or nothing at all, draws each class in turn."""
    return dict(request.conditions) if request.conditions is not None else None


def seeds_of(request: asked.Drawn) -> list[int]:
    """Raises UserError where seeds and number do not agree."""
    if request.seeds is None:
        return list(range(request.count or USUAL_COUNT))
    if request.count not in (None, len(request.seeds)):
        raise UserError(f"{request.count} pictures were asked for, with {len(request.seeds)} seeds.")
    return list(request.seeds)


def settings_from(given: asked.Settings, base: Settings | None = None) -> Settings:
    """Return the settings of a drawing: those that were given, and else the usual ones."""
    chosen = {name: value for name, value in given.model_dump().items() if value is not None}
    return settings_of(chosen, base or Settings())


def finish_from(given: asked.Finish, atlas: bool = False) -> AskedFinish:
    """Return how pictures are finished. Raises UserError for a palette that is none."""
    return AskedFinish(
        palette_from(given.palette),
        given.colours_each,
        given.hard_alpha,
        given.strays,
        given.indexed,
        given.zoom,
        atlas,
    )


def palette_from(text: str | None) -> str:
    """Return the name of a palette. Raises UserError for any other; a page names no files."""
    text = text or "none"
    if text in ("none", "train", *BUILT_IN) or (text.isascii() and text.isdigit()):
        return text
    names = ", ".join(BUILT_IN)
    raise UserError(f"there is no such palette: choose none, train, {names}, or a number.")


def watcher(
    doing: Doing, model: Model, settings: Settings, edit: Edit | None = None
) -> Callable[[State], None]:
    """Return what shows the denoiser's answer after every step, and ends the job where that is asked."""
    of, kind = len(model.times(settings, edit)) - 1, model.config.kind

    def watch(state: State) -> None:
        doing.check()
        doing.preview(state.i, of, kind.shown(kind.from_model(state.x0_hat[:16])))

    return watch


def result(doing: Doing, name: str) -> dict[str, Any]:
    """What a page is told of the pictures that were drawn."""
    work = doing.work
    folder = work.workspace.area("drawings") / name
    return {
        "folder": f"drawings/{name}",
        "pictures": Gallery(work.workspace, work.database).of_folder(folder),
        "sheet": f"/files/{quote(f'drawings/{name}/sheet.png')}",
    }
