"""``--yes-read PATH``: what a person allows to be read because a model names it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from fogcatcher.model.model import Model

YesRead = tyro.conf.UseAppendAction[
    Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH", help_behavior_hint="(repeatable)")]
]


def allow_all(places: tuple[str, ...]) -> None:
    from fogcatcher.data.named_places import allow

    for place in places:
        allow(place)


def data_of(model: Model) -> str:
    """Return where the data of a model lay. Raises UserError unless a person has named that place."""
    from fogcatcher.data import builtin
    from fogcatcher.data.named_places import check_named

    path = model.config.data.path
    if path != builtin.NAME or Path(path).exists():
        check_named(path, "the data")
    return path
