"""Pictures changed by a model, as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.pictures.sheets import read_recipe, save_gif, sheet
from fogcatcher.diffusion.edits.edit import Edit
from fogcatcher.diffusion.edits.interpolation import Between
from fogcatcher.diffusion.sampling.samplers import State
from fogcatcher.diffusion.tensors import OnePicture
from fogcatcher.drawing.asked_finish import AS_DRAWN, AskedFinish
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.recipe import PictureRecipe
from fogcatcher.drawing.settings import USUAL, Settings
from fogcatcher.drawing.to_disk import Progress
from fogcatcher.model.model import Model

COLUMNS = 8
LAID, STRIP, MOVING = "laid.png", "strip.png", "between.gif"
REPEATS = 3
"""Tiles laid beside each other, each way."""
End = int | OnePicture
"""Where an interpolation begins or ends: the seed of a drawing, or a picture."""


def edit_files(
    model: Model,
    edit: Edit,
    wish: Mapping[str, Wish] | None,
    seeds: Sequence[int],
    out: Path,
    *,
    settings: Settings = USUAL,
    finish: AskedFinish = AS_DRAWN,
    progress: Progress | None = None,
    watch: Callable[[State], None] | None = None,
) -> Drawing:
    """Draw with an edit, one picture for each seed, into ``out``, with a sheet.

    ``progress`` and ``watch`` as for ``Model.sample``. Raises UserError as it does.
    """
    finisher = finish.finisher(model.config.kind.drawn, model.palette)  # a mistake is told before drawing
    finish.check_size(edit.shape(model.config.kind.drawn.shape), len(seeds), COLUMNS)
    drawn = model.sample(
        condition=wish, settings=settings, seeds=seeds, edit=edit, progress=progress, watch=watch
    )
    drawing = finisher(drawn)
    drawing.save_singles(out)
    finish.save_sheet(drawing, out / "sheet.png", COLUMNS)
    return drawing


def save_tiles(drawing: Drawing, out: Path) -> Path:
    """Write all tiles laid beside themselves into one picture; return its path."""
    path = out / LAID
    drawing.save_laid(path, COLUMNS // 2, REPEATS)
    return path


# --- from one picture to another ----------------------------------------------------------------


def usual_settings(ends: Sequence[End]) -> dict[str, object]:
    """Return guidance and sampler for an interpolation: a picture's noise is found by ddim, and a stronger
    guidance would not find it back."""
    pictures = any(not isinstance(end, int) for end in ends)
    return {"guidance": 1.0, "sampler": "ddim"} if pictures else {"guidance": 2.0, "sampler": "dpmpp_2m"}


def draw_between(
    model: Model,
    a: End,
    b: End,
    wishes: tuple[Mapping[str, Wish], Mapping[str, Wish]],
    frames: int,
    settings: Settings,
    *,
    progress: Progress | None = None,
    watch: Callable[[State], None] | None = None,
) -> Drawing:
    """Draw ``frames`` pictures from ``a`` to ``b``, both ends among them.

    ``wishes`` are what the two ends show. Raises UserError for fewer than two frames, and for pictures of two
    sizes.
    """
    if frames < 2:
        raise UserError(
            f"{frames} pictures cannot lead from one to another: it takes at least 2, the two ends."
        )
    pictures = [end for end in (a, b) if not isinstance(end, int)]
    if len(pictures) == 2 and pictures[0].shape != pictures[1].shape:
        raise UserError("the two pictures are of different sizes: nothing lies between them.")
    weights = tuple(i / (frames - 1) for i in range(frames))
    # A sampler that adds noise of its own takes it from the first seed, and at the end from the last.
    seed_a, seed_b = (end if isinstance(end, int) else 0 for end in (a, b))
    return model.sample(
        condition=[model.conditions.between(*wishes, u) for u in weights],
        seeds=[seed_a] * (frames - 1) + [seed_b],
        edit=Between(a, b, weights, *wishes),
        progress=progress,
        watch=watch,
        settings=settings,
    )


def save_between(drawing: Drawing, folder: Path, finish: AskedFinish = AS_DRAWN) -> None:
    """Write the frames of an interpolation, a strip of them, and an animation."""
    pictures = drawing.pictures
    drawing.save_singles(folder, _frame_names(len(pictures)))
    finish.save_sheet(drawing, folder / STRIP, len(pictures))
    save_gif([sheet(pictures[k : k + 1], 1) for k in range(len(pictures))], folder / MOVING)


def files_between(frames: int, finish: AskedFinish = AS_DRAWN) -> set[str]:
    """Return the names of all that ``save_between`` writes."""
    return {f"{name}.png" for name in _frame_names(frames)} | finish.files_of_sheet(STRIP) | {MOVING}


def _frame_names(count: int) -> list[str]:
    return [f"frame-{k:03d}" for k in range(count)]


# --- what a picture shows -----------------------------------------------------------------------


def wish_of_file(model: Model, picture: Path) -> dict[str, Wish]:
    """Return what the recipe of a drawn picture asked for, if this model understands it; else nothing."""
    try:
        made = PictureRecipe.from_json(read_recipe(picture))
        return dict(model.conditions.clean(made.condition))
    except (UserError, ValueError):  # none, or none that can be used
        return {}
