"""``--yes-read PATH``: what a person allows to be read because a model names it."""

from __future__ import annotations

from typing import Annotated

import tyro

YesRead = tyro.conf.UseAppendAction[
    Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH", help_behavior_hint="(repeatable)")]
]


def allow_all(places: tuple[str, ...]) -> None:
    from fogcatcher.data.named_places import allow

    for place in places:
        allow(place)
