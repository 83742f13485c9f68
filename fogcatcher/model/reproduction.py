"""Drawing a picture again from the recipe inside its PNG, and comparing the two pixel by pixel."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from numpy.typing import NDArray
from PIL import Image

from fogcatcher.base.devices import computed_by
from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.tensor_files import file_hash
from fogcatcher.base.version import __version__
from fogcatcher.data.pictures.picture_files import Unreadable, read_picture
from fogcatcher.data.pictures.sheets import PREVIEW_COLUMNS, preview_names, sheet
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.diffusion.edits.edit import Edit
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.edit_recipe import edit_from_json, kind_of_edit
from fogcatcher.drawing.recipe import FileRecipe, PictureRecipe, read_file_recipe
from fogcatcher.drawing.sheet_forms import Columns, Laid, PreviewRow, SheetForm
from fogcatcher.model.config import BEST, CONFIG, WEIGHTS
from fogcatcher.model.cost import Cost, OneCall, cost_of, one_call, together
from fogcatcher.model.model import SHIPPED, Model, folder_of, load
from fogcatcher.training.post_hoc import AVERAGES

Rgba = UInt8[np.ndarray, "_ _ 4"]
Mask = Bool[np.ndarray, "_ _"]
RUNS = Path("runs")
ROUNDING = 2
"""Differences up to so many levels of 255 come from rounding."""


@dataclass(frozen=True)
class Comparison:
    """A file beside the same picture drawn again."""

    image: Image.Image
    """What was drawn now."""
    drawing: Drawing
    """The pictures of it."""
    sheet: SheetForm | None
    """How they lie in it; None for a single one."""
    pixels: int
    """How many pixels were compared."""
    different: int
    """How many of them are not the same to the byte."""
    furthest: int
    """The largest difference, of 255 levels."""
    reasons: list[str]
    """What may be why, if any differ; else what should be known about the comparison."""

    @property
    def in_words(self) -> str:
        if not self.different:
            return "; ".join([f"the same {self.pixels:,} pixels", *self.reasons])
        told = (
            f"{self.different:,} of {self.pixels:,} pixels differ, by at most {self.furthest} of 255 levels"
        )
        return f"{told}: {'; '.join(self.reasons)}"

    def save(self, path: Path) -> None:
        """Write what was drawn now, with its recipe."""
        self.drawing.write(self.image, path, self.drawing.recipe_of_all(self.sheet))


def reproduce(
    path: Path,
    model: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    agree: Callable[[Cost], None] = lambda cost: None,
) -> Comparison:
    """Draw the pictures of a PNG again, as its recipe says, and compare.

    ``model`` is as for ``load``; without it the one with the weights of the recipe is looked for in runs/ and
    among those that come with the program. ``agree`` hears what it takes before anything is drawn, and raises
    where that is too much. Raises UserError when the file carries no usable recipe, when no
    such model is found, or when it cannot draw what the recipe says.
    """
    recipe = read_file_recipe(path)
    try:
        pixels = read_picture(path)
    except Unreadable as error:
        raise UserError(f"{path} {error}.") from error
    one_of_each = {made.model: made for made in recipe.pictures}
    drawn_by = {hash: find_model(made, model) for hash, made in one_of_each.items()}
    _check_size(recipe, drawn_by, pixels)
    agree(_cost(recipe.pictures, drawn_by))
    drawing = _draw(recipe.pictures, drawn_by, progress).finished(recipe.finish)
    image, about = _as_file(recipe, drawing, pixels)
    far = _differences(pixels, image, about)
    notes = []
    if far is None:
        sizes = [f"{width}x{height}" for height, width in (pixels.shape[:2], about.shape)]
        notes = [f"the file is {sizes[0]}, and its recipe gives {sizes[1]}"]
        far = np.full(int(about.sum()), 255)
    if far.any():
        notes += _reasons(recipe, drawn_by, int(far.max()))
    if isinstance(recipe.sheet, PreviewRow):
        step = recipe.sheet.due[recipe.sheet.row]
        notes.append(f"compared was the row of step {step:,}; the weights of earlier rows are not kept")
    return Comparison(
        image, drawing, recipe.sheet, len(far), int((far > 0).sum()), int(far.max(initial=0)), notes
    )


# --- the model ----------------------------------------------------------------------------------


def find_model(made: PictureRecipe, given: str | None = None) -> Model:
    """Return the model with the weights of a recipe; a ``given`` one even if its weights are others.

    Raises UserError when there is none.
    """
    if given is not None:
        return _with_hash(folder_of(given), made) or load(given)
    if made.model == "unsaved":
        raise UserError(
            Message("this picture was drawn by a model that was not saved: name one with {@model}.")
        )
    places = [*sorted(RUNS.glob("*/")), *sorted(SHIPPED.glob("*/"))]
    for folder in places:
        model = _with_hash(folder, made) if (folder / CONFIG).is_file() else None
        if model:
            return model
    named = Message(" (its folder was called {name})", name=made.name) if made.name else ""
    raise UserError(
        Message(
            "no model with weights {weights}{named} is in runs/ or comes with the program: "
            "say where it is with {@model}.",
            weights=made.model,
            named=named,
        )
    )


def _with_hash(folder: Path, made: PictureRecipe) -> Model | None:
    for best, name in ((False, WEIGHTS), (True, BEST)):
        if (folder / name).is_file() and file_hash(folder / name) == made.model:
            return load(folder, best)
    if made.ema is not None and (folder / AVERAGES).is_dir():
        with contextlib.suppress(UserError):  # this run may not carry that length
            model = load(folder, ema=made.ema)
            return model if model.hash == made.model else None
    return None


# --- drawing again ------------------------------------------------------------------------------


def _check_size(recipe: FileRecipe, drawn_by: dict[str, Model], pixels: Rgba) -> None:
    """A small file must not ask for more pictures than it can show."""
    smallest = min(math.prod(model.config.kind.drawn.shape[1:]) for model in drawn_by.values())
    if len(recipe.pictures) * smallest > pixels.shape[0] * pixels.shape[1]:
        raise UserError(
            Message(
                "this file is too small for the pictures of its recipe: it was made smaller after it was "
                "drawn, or {@model} names one of another size."
            )
        )


SEVERAL_SIZES = "the pictures of this recipe have several sizes, which no sheet of this program has."


def _draw(
    pictures: Sequence[PictureRecipe],
    drawn_by: dict[str, Model],
    progress: Callable[[int, int], None] | None,
) -> Drawing:
    """All of them in one drawing, each at its place in a batch as large as its own was."""
    batches = list(_batches(pictures))
    drawings = []
    for number, batch in enumerate(batches):
        drawings.append(_draw_batch(batch, drawn_by[batch[0].model]))
        if progress:
            progress(number + 1, len(batches))
    first = drawings[0]
    if len({drawing.rows.shape[1:] for drawing in drawings}) > 1:
        raise UserError(SEVERAL_SIZES)
    return replace(
        first,
        rows=torch.cat([drawing.rows for drawing in drawings]),
        raw=torch.cat([drawing.raw for drawing in drawings]),
        made=[made for drawing in drawings for made in drawing.made],
    )


def _cost(pictures: Sequence[PictureRecipe], drawn_by: dict[str, Model]) -> Cost:
    """What drawing them takes, each batch whole. Of batches that are alike one call is measured once."""
    measured, costs = dict[tuple[str, str, object], OneCall](), list[Cost]()
    for batch in _batches(pictures):
        made, edit, model = batch[0], _edit_of(batch), drawn_by[batch[0].model]
        alike = (made.model, repr(made.settings), type(edit))
        if alike not in measured:
            measured[alike] = one_call(model, made.settings, made.batch[1], edit)
        costs.append(cost_of(model, made.settings, made.batch[1], edit, measured[alike]))
    return together(costs)


def _batches(pictures: Sequence[PictureRecipe]) -> Iterator[list[PictureRecipe]]:
    """Neighbours that were drawn together: alike in all but seed and condition, at rising places."""
    batch: list[PictureRecipe] = []
    for made in pictures:
        alike = batch and _in_common(made) == _in_common(batch[-1])
        if batch and not (alike and made.batch[0] > batch[-1].batch[0]):
            yield batch
            batch = []
        batch.append(made)
    if batch:
        yield batch


def _in_common(made: PictureRecipe) -> PictureRecipe:
    """What is the same of all pictures of a batch."""
    edit = made.edit
    if edit is not None:
        own = kind_of_edit(edit).own
        edit = {name: value for name, value in edit.items() if name not in own}
    return replace(made, seed=0, condition={}, edit=edit, batch=(0, made.batch[1]))


def _draw_batch(batch: Sequence[PictureRecipe], model: Model) -> Drawing:
    """Draw a batch of the size it had, with what is missing of it filled up, and return what was asked for.

    The last bits of a picture depend on its place in the batch, but not on the others there.
    """
    rows = [batch[0]] * batch[0].batch[1]
    for made in batch:
        rows[made.batch[0]] = made
    drawing = model.sample(
        seeds=[made.seed for made in rows],
        condition=[made.condition for made in rows],
        edit=_edit_of(rows),
        settings=batch[0].settings,
    )
    places = [made.batch[0] for made in batch]
    return replace(
        drawing,
        rows=drawing.rows[places],
        raw=drawing.raw[places],
        made=[drawing.made[place] for place in places],
    )


def _edit_of(batch: Sequence[PictureRecipe]) -> Edit | None:
    """Return the edit that these pictures were made by; None for those drawn anew."""
    first, *others = [edit_from_json(made.edit) for made in batch if made.edit is not None] or [None]
    try:
        return first and first.joined([edit for edit in others if edit])
    except ValueError as error:
        raise UserError(SEVERAL_SIZES) from error


# --- comparing ----------------------------------------------------------------------------------


def _as_file(recipe: FileRecipe, drawing: Drawing, pixels: Rgba) -> tuple[Image.Image, Mask]:
    """Return what the file should show, and which of its pixels the recipe is about."""
    form = recipe.sheet
    if isinstance(form, PreviewRow):
        return _preview(form, drawing.pictures, drawing.said if form.named else [])
    if isinstance(form, Atlas):
        image = form.image(drawing.images)
    elif isinstance(form, Laid):
        image = drawing.laid(form.columns, form.repeats)
    elif isinstance(form, Columns):
        image = drawing.sheet(form.columns or _columns_of(drawing, pixels))
    else:
        image = drawing.images[0]
    return image, np.ones((image.height, image.width), bool)


def _columns_of(drawing: Drawing, pixels: Rgba) -> int:
    """The number of columns that gives a sheet of this size, for recipes that do not say it; usually 8."""
    tried = (8, *range(1, len(drawing.pictures) + 1))
    size = (pixels.shape[1], pixels.shape[0])
    return next((columns for columns in tried if drawing.sheet(columns).size == size), 8)


def _preview(form: PreviewRow, pictures: Pictures, heads: list[str]) -> tuple[Image.Image, Mask]:
    """The sheet with this row alone, and where that row lies: where white pictures would show."""

    def with_row(row: Pictures) -> Image.Image:
        blank = torch.zeros_like(row)
        rows = [row if number == form.row else blank for number in range(len(form.due))]
        return sheet(torch.cat(rows), PREVIEW_COLUMNS, rows=preview_names(form.due), heads=heads)

    white = np.asarray(with_row(torch.full_like(pictures, 255)))
    return with_row(pictures), (white != np.asarray(with_row(torch.zeros_like(pictures)))).any(-1)


def _differences(pixels: Rgba, image: Image.Image, about: Mask) -> NDArray[np.int64] | None:
    """Return how far each pixel that the recipe is ``about`` is off, in levels; None for another size."""
    again = np.asarray(image.convert("RGBA"))
    if again.shape != pixels.shape:
        return None
    return np.abs(again.astype(np.int64) - pixels).max(-1)[about]


def _reasons(recipe: FileRecipe, drawn_by: dict[str, Model], furthest: int) -> list[str]:
    """What may be why the pictures differ."""
    made = recipe.pictures[0]
    found = []
    for hash, model in drawn_by.items():
        if model.hash != hash:
            found.append(f"the picture was drawn by weights {hash}, and these are {model.hash}")
    if made.version != __version__:
        found.append(f"it was drawn by fogcatcher {made.version}, and this is {__version__}")
    if made.computed_by != computed_by(drawn_by[made.model].device):
        before = made.computed_by or "an older version, which did not say by what"
        found.append(f"it was computed by {before}, which rounds in other ways")
    if not found:
        found.append(
            "rounding" if furthest <= ROUNDING else "the pixels or the recipe were changed after it was drawn"
        )
    return found
