"""What a drawing costs, told before it is drawn; and what costs much in a stranger's recipe is asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fogcatcher.base.errors import UserError

if TYPE_CHECKING:
    from fogcatcher.diffusion.edits.edit import Edit
    from fogcatcher.drawing.settings import Settings
    from fogcatcher.model.cost import Cost
    from fogcatcher.model.model import Model

SAID, ASKED = 60.0, 300.0
"""Seconds from which a recipe says what it takes, and asks."""


def say_cost(model: Model, settings: Settings, pictures: int, edit: Edit | None = None) -> None:
    """Print what a drawing takes, where a person may not reckon with it."""
    from fogcatcher.model.cost import cost_of, is_costly

    if is_costly(model, settings, pictures, edit):
        print(cost_of(model, settings, pictures, edit).in_words, flush=True)


def agree(cost: Cost, yes: bool) -> None:
    """Say what it takes to draw a recipe, and go on only where that is short or somebody says yes.

    Raises UserError where nobody does.
    """
    if cost.seconds > SAID:
        print(cost.in_words, flush=True)
    if yes or cost.seconds <= ASKED:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(f"{cost.in_words}. It was not drawn: add --yes if you want that.")
    try:
        said = input("Draw it? [y/N] ")
    except EOFError:
        said = ""
    if said.strip().lower() not in ("y", "yes"):
        raise UserError("nothing was drawn.")
