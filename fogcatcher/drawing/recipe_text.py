"""A recipe as the line of text that other programs show for a picture: the PNG text "parameters".

    kind=food
    Steps: 20, Sampler: dpmpp_2m, Schedule type: karras, CFG scale: 2, Seed: 7, Size: 16x16, ...

The form is that of AUTOMATIC1111's web UI: what was asked for, then one last line of NAME: VALUE, with quotes
around values that hold a comma, a colon or a new line. The whole recipe is the JSON beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from fogcatcher.drawing.recipe import PictureRecipe


def parameters_text(recipe: PictureRecipe, size: Sequence[int]) -> str:
    """Return the text for a picture drawn at this (width, height).

    Guidance per attribute is told as "Guidance", since a CFG scale is one number.
    """
    how = recipe.settings
    one_scale = isinstance(how.guidance, int | float)
    said: dict[str, object] = {
        "Steps": how.steps,
        "Sampler": how.sampler,
        "Schedule type": how.grid,
        "CFG scale": how.guidance if one_scale else None,
        "Guidance": None if one_scale else _in_words(how.guidance),
        "Seed": None if recipe.noise_given else recipe.seed,
        "Size": "x".join(map(str, size)),
        "Model hash": recipe.model,
        "Model": recipe.name or None,
        "Training step": recipe.step,
        "Eta": how.eta,
        "Sampler options": _in_words(how.sampler_options),
        "Version": f"fogcatcher {recipe.version}",
    }
    line = ", ".join(f"{name}: {_quoted(value)}" for name, value in said.items() if value is not None)
    condition = _in_words(recipe.condition)
    return f"{condition}\n{line}" if condition else line


def _in_words(wish: object) -> str | None:
    """ "kind=hero:1,food:0.6, size=3" on one line; None for nothing."""
    if not isinstance(wish, Mapping):
        return None
    words = [f"{name}={_value(value)}" for name, value in wish.items() if value is not None]
    return " ".join(", ".join(words).split()) or None


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{_value(weight)}" for name, weight in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _quoted(value: object) -> str:
    text = _value(value)
    return json.dumps(text, ensure_ascii=False) if set(text) & set(',:\n"') else text
