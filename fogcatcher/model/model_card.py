"""The model card: README.md of a folder that goes to other people or to a hub."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fogcatcher.base.printable import printable
from fogcatcher.base.version import __version__
from fogcatcher.data.conditions.column_types import in_words
from fogcatcher.data.conditions.conditions import (
    Attribute,
    Category,
    ConditionSpec,
    Number,
    Tags,
    Text,
)
from fogcatcher.data.conditions.encoded import Encoded
from fogcatcher.model.config import Method, RunConfig, Start
from fogcatcher.model.privacy import last_name

LICENCE = "unknown"
MOST_NAMES = 40
LONGEST = 200
SIGN = re.compile(r"[^\w ,.:;()'/+-]|_(?=_)|(?<=_)_")
"""What Markdown, or HTML in it, could take for a mark."""


def model_card(
    config: RunConfig,
    conditions: ConditionSpec,
    usage: str,
    title: str = "A diffusion model of small pictures",
    sheet: str | None = None,
    licence: str = LICENCE,
    tags: Sequence[str] = (),
    library: str = "fogcatcher",
) -> str:
    """Return the text of a card: facts for a hub, a picture, how to draw, what can be asked, the method.

    ``usage`` is Python; ``sheet`` is the file of a picture beside the card; ``licence`` is that of the
    weights, which whoever trained them decides. Nothing in it tells where the pictures lay.
    """
    parts = [
        _front_matter(
            {"license": licence, "library_name": library, "tags": ["fogcatcher", "diffusion", *tags]}
        ),
        f"# {_text(title)}",
        f"It draws {config.kind.in_words}. It was trained with fogcatcher {__version__} on "
        f"{config.data.pictures:,} {config.kind.drawn.name} for {config.training.steps:,} steps.",
        f"![{config.kind.drawn.name.capitalize()} that it drew]({sheet})" if sheet else "",
        f"## Use\n\n```python\n{usage.strip()}\n```",
        _what_can_be_asked(conditions.attributes),
        _how_it_was_made(config.method, config.start),
        f"## Licence\n\nLicence of the weights: {licence}."
        + (
            " Fill it in here and in the first lines of this file before you share them."
            * (licence == LICENCE)
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def usage_of(place: str) -> str:
    """Return how to draw with the model of a run directory, or of a name on a hub."""
    return (
        f"import fogcatcher\n\nmodel = fogcatcher.load({json.dumps(place)})\n"
        'model.sample(64).sheet().save("sheet.png")'
    )


def _front_matter(facts: Mapping[str, Any]) -> str:
    """The block of YAML that hubs read; JSON is YAML."""
    facts = {**facts, "pipeline_tag": "unconditional-image-generation"}
    return "\n".join(["---", *(f"{key}: {json.dumps(value)}" for key, value in facts.items()), "---"])


def _what_can_be_asked(attributes: Sequence[Attribute]) -> str:
    if not attributes:
        return ""
    shown = [replace(a, encoder=last_name(a.encoder)) if isinstance(a, Encoded) else a for a in attributes]
    lines = [f"- {_text(in_words(attribute))}{_names(attribute)}" for attribute in shown]
    return "## What can be asked\n\n" + "\n".join(lines)


def _names(attribute: Attribute) -> str:
    match attribute:
        case Category(_, names) | Tags(_, names) | Text(_, names):
            shown = ", ".join(_code(name) for name in names[:MOST_NAMES])
            return f": {shown}{', ...' * (len(names) > MOST_NAMES)}"
        case _:
            return ""


def _how_it_was_made(method: Method, start: Start | None) -> str:
    said = (
        f"## Method\n\nSchedule `{method.schedule}`, prediction `{method.prediction}`, sampling times "
        f"`{method.grid}`."
    )
    if not start:
        return said
    share = start.taken / max(1, start.taken + start.new)
    return (
        f"{said} It started with {share:.0%} of its weights from {_code(start.name)} ({_text(start.hash)}; "
        f"licence: {_text(start.licence)})."
    )


def _text(name: str) -> str:
    """A name as it looks in Markdown, where signs could be marks, or HTML."""
    return SIGN.sub(lambda sign: f"&#{ord(sign[0])};", printable(name, LONGEST))


def _code(name: str) -> str:
    """A name set as code."""
    shown = printable(name, LONGEST)
    plain = shown.strip() and not SIGN.search(shown)
    return f"`{shown}`" if plain else f"<code>{_text(shown)}</code>"


def example(attribute: Attribute) -> object:
    """Return something that can be asked of an attribute; None where nothing short can be said."""
    match attribute:
        case Category(_, names) | Text(_, names):
            return names[0]
        case Tags(_, names):
            return [names[0]]
        case Number(_, low, high):
            return (low + high) / 2
        case _ if attribute.kind == "colour":
            return "#20c0ff"
    return None
