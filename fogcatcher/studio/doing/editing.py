"""Editing: a picture of the workspace, or one that was sent, changed by a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.pictures.given_pictures import given_mask, given_picture
from fogcatcher.diffusion.edits.edit import Edit
from fogcatcher.diffusion.edits.inpainting import Inpaint, outpainted
from fogcatcher.diffusion.edits.recoloring import Recolor
from fogcatcher.diffusion.edits.tiling import Tile
from fogcatcher.diffusion.edits.variation import Vary
from fogcatcher.drawing.settings import settings_of
from fogcatcher.model.edit_files import (
    End,
    draw_between,
    edit_files,
    save_between,
    save_tiles,
    usual_settings,
    wish_of_file,
)
from fogcatcher.model.model import Model
from fogcatcher.model.upscale_files import enlarging
from fogcatcher.studio import asked
from fogcatcher.studio.doing.drawing import (
    finish_from,
    result,
    seeds_of,
    settings_from,
    watcher,
)
from fogcatcher.studio.pictures import given_file, png_file
from fogcatcher.studio.work import Doing
from fogcatcher.studio.workspace import as_name

NAMES = {
    "inpaint": "inpainted",
    "outpaint": "outpainted",
    "vary": "varied",
    "interpolate": "between",
    "recolor": "recoloured",
    "tile": "tiles",
    "enlarge": "larger",
}


def edit(doing: Doing) -> dict[str, Any]:
    """Changed pictures in a folder of drawings/."""
    request = asked.Edit.model_validate(doing.job.request)
    model = doing.work.model(request.model, request.best)
    model_name = request.model.removeprefix("shipped.")
    name = doing.place("drawings", as_name(f"{NAMES[request.action]}-{model_name}", "edited"))
    if not (doing.work.workspace.area("drawings") / name).exists():
        folder, sent = doing.folder, doing.sent
        if request.action == "interpolate":
            _between(doing, request, model, sent, folder)
        else:
            _edited(doing, request, model, sent, folder)
        doing.check()
        doing.finish(folder, "drawings", name)
    told = result(doing, name)
    if request.action == "interpolate":
        told["sheet"] = told["sheet"].replace("sheet.png", "strip.png")
    return told


def _edited(doing: Doing, request: asked.Edit, model: Model, sent: Path, out: Path) -> None:
    picture = None
    if request.picture is not None:
        picture = given_file(doing.work.workspace, request.picture, sent / "picture.png")
    change = edit_of(request, model, picture, sent)
    wish: Mapping[str, Wish] | None = request.conditions
    if wish is None and picture is not None:
        wish = wish_of_file(model, picture)
    settings = settings_from(request.settings)
    drawing = edit_files(
        model,
        change,
        wish,
        seeds_of(request),
        out,
        settings=settings,
        finish=finish_from(request.finish),
        progress=doing.progress,
        watch=watcher(doing, model, settings, change),
    )
    if request.action == "tile":
        save_tiles(drawing, out)


def edit_of(request: asked.Edit, model: Model, file: Path | None, sent: Path) -> Edit:
    """Return the edit that was asked for. Raises UserError for what cannot be."""
    how = request.options
    if request.action == "tile":
        return Tile()
    if file is None:
        raise UserError("say which picture is to be changed.", about="picture")
    picture = given_picture(file, model.config.pictures.channels)
    match request.action:
        case "vary":
            return Vary(picture, 0.8 if how.strength is None else how.strength)
        case "recolor":
            return Recolor(picture)
        case "enlarge":
            return enlarging(model, picture, noise=how.noise, exact=not how.noise)
        case "outpaint":
            known, mask = outpainted(picture, how.left, how.right, how.top, how.bottom)
        case _:
            known, mask = (
                picture,
                given_mask(png_file(request.mask or "", sent / "mask.png"), picture, how.invert_mask),
            )
    chosen = {name: getattr(how, name) for name in ("method", "jump", "resamples", "weight")}
    try:
        return Inpaint(known, mask, **{name: value for name, value in chosen.items() if value is not None})
    except ValueError as error:
        raise UserError(f"{error}.") from error


def _between(doing: Doing, request: asked.Edit, model: Model, sent: Path, out: Path) -> None:
    """The way from one picture or seed to another."""
    a, wish_a = _end(doing, request.picture, request.seed_a, model, sent / "a.png", "picture")
    b, wish_b = _end(doing, request.picture_b, request.seed_b, model, sent / "b.png", "picture_b")
    if request.conditions is not None:
        wish_a = wish_b = model.conditions.clean(dict(request.conditions))
    settings = settings_from(request.settings, settings_of(usual_settings([a, b])))
    finish = finish_from(request.finish).finisher(model.config.kind.drawn, model.palette)
    drawing = draw_between(
        model,
        a,
        b,
        (wish_a, wish_b),
        request.options.frames,
        settings,
        progress=doing.progress,
        watch=watcher(doing, model, settings),
    )
    save_between(finish(drawing), out)


def _end(
    doing: Doing, given: asked.GivenPicture | None, seed: int | None, model: Model, file: Path, about: str
) -> tuple[End, Mapping[str, Wish]]:
    """One end of an interpolation, and what it shows."""
    if seed is not None:
        return seed, model.wish_of_seed(seed)
    if given is None:
        raise UserError("an interpolation needs two pictures, or seeds.", about=about)
    path = given_file(doing.work.workspace, given, file)
    return given_picture(path, model.config.pictures.channels), wish_of_file(model, path)
