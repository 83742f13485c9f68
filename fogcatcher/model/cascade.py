"""Cascades: a model draws small pictures, and upscalers, one after another, make them large.

Ho et al. 2022, "Cascaded Diffusion Models". A cascade on disk is one folder: the first model, with the next
one in its folder ``then``, which holds the one after it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.upscale_choices import BETWEEN_MODELS
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.settings import USUAL, Settings
from fogcatcher.drawing.to_disk import Progress
from fogcatcher.model.config import CONFIG
from fogcatcher.model.model import Model, folder_of, load
from fogcatcher.model.upscale_files import enlarge

THEN = "then"
MOST_STAGES = 4


def draw_through(
    stages: Sequence[Model],
    seeds: Sequence[int],
    condition: Mapping[str, Wish] | None = None,
    *,
    noise: float = BETWEEN_MODELS,
    settings: Settings = USUAL,
    progress: Progress | None = None,
) -> Drawing:
    """Draw with the first model and enlarge with the others; the drawing is the last one's.

    Each upscaler is asked for what it understands of the wish, and its recipes hold the small pictures.
    ``noise`` is put on these, 0 to 1; 0 keeps to them exactly. Raises UserError for a later model that is no
    upscaler, and as ``Model.sample``.
    """
    check_stages(stages)
    total, costs = 0, [stage.config.kind.shape[-1] ** 2 for stage in stages]

    def advance(now: int, of: int) -> None:
        if progress:
            part = sum(costs[:total]) + costs[total] * now / max(1, of)
            progress(round(1000 * part / sum(costs)), 1000)

    drawing = stages[0].sample(condition=condition, seeds=seeds, settings=settings, progress=advance)
    for stage in stages[1:]:
        total += 1
        names = {attribute.name for attribute in stage.conditions.attributes}
        wishes = [
            {name: wish for name, wish in made.condition.items() if name in names} for made in drawing.made
        ]
        drawing = enlarge(
            stage,
            drawing.pictures,
            seeds,
            wishes,
            noise=noise,
            exact=not noise,
            settings=settings,
            progress=advance,
        )
    return drawing


def check_stages(stages: Sequence[Model]) -> None:
    """Raises UserError for models that cannot follow each other."""
    if len(stages) > MOST_STAGES:
        raise UserError(f"a cascade has at most {MOST_STAGES} models, not {len(stages)}.")
    for before, stage in itertools.pairwise(stages):
        upscaling = stage.config.upscaling
        if upscaling is None:
            raise UserError(
                Message(
                    "{name} draws without small pictures, so it cannot come after another model: "
                    "train one with {@upscale:'2'}.",
                    name=stage.origin.get("name", "this model"),
                )
            )
        channels, height, width = before.config.pictures.shape
        theirs = stage.config.pictures
        size = (channels, height * upscaling.factor, width * upscaling.factor)
        if size != theirs.shape:
            raise UserError(
                f"a model that draws {before.config.kind.in_words} leads to "
                f"{size[2]} x {size[1]}, and the one after it learned {theirs.in_words}."
            )


def save_cascade(stages: Sequence[Model], folder: Path) -> None:
    """Write models that follow each other into one folder. Raises UserError as ``check_stages``."""
    check_stages(stages)
    for number, stage in reversed(list(enumerate(stages))):  # the first comes last: it makes the folder whole
        stage.save(folder.joinpath(*[THEN] * number))


def load_cascade(run: str) -> list[Model]:
    """Return the model of a folder or name, and those that are to make its pictures large, in their order.

    Raises UserError as ``load``, and as ``check_stages``.
    """
    stages = [load(run), *later_stages(run)]
    check_stages(stages)
    return stages


def later_stages(run: str) -> list[Model]:
    """Return the models that are to make the pictures of this one large; mostly there are none.

    Raises UserError as ``load``.
    """
    stages, folder = list[Model](), folder_of(run) / THEN
    while len(stages) <= MOST_STAGES and (folder / CONFIG).is_file():
        stages.append(load(folder))
        folder = folder / THEN
    return stages
