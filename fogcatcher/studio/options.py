"""Everything a form needs, from the records of the library: what can be chosen, usual values, help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from fogcatcher.base.field_docs import field_docs
from fogcatcher.base.read_json import read_json
from fogcatcher.data.pictures.palettes import BUILT_IN, MOST_COLOURS
from fogcatcher.diffusion.edits.inpainting import Inpaint, Way
from fogcatcher.diffusion.sampling.table import SAMPLERS
from fogcatcher.drawing.settings import USUAL, Limit, Steering
from fogcatcher.exchange.formats import FORMATS
from fogcatcher.explain.source_lines import source_lines
from fogcatcher.model.build import GRIDS
from fogcatcher.model.choose_network import IMPORTED, NETWORKS, SIZES
from fogcatcher.model.presets import PRESETS
from fogcatcher.runs.forecast import DEFAULT_MINUTES
from fogcatcher.runs.setup import Setup
from fogcatcher.studio.asked import MOST_SEEDS

STEERING = {
    "negative": {"type": "conditions"},
    "interval": {"type": "range", "low": 0.0, "high": 80.0},
    "rescale": {"type": "number", "low": 0.0, "high": 1.0},
    "guide_with": {"type": "text"},
    "classifier": {"type": "number", "low": 0.0, "high": 10.0},
}
"""How a page may ask for each field of ``Steering``."""
METHODS = {
    "repaint": "goes through the noise again and again, so that the new suits the old",
    "replace": "is quickest, and the new heeds the old least",
    "gradient": "pulls the answers towards the known pixels",
}


Language = Literal["en", "es", "pt"]
WORDS = Path(__file__).parent / "words"
"""Tables of other languages: sentences of help, and sentences that are said; what they lack stays English."""


def all_options(runs: list[str], shipped: list[str], language: Language = "en") -> dict[str, Any]:
    """Return it as JSON; ``runs`` and ``shipped`` are the ids of models to start from.

    ``said`` in it are sentences of the service, by the template that comes with each.
    """
    known = _in(language)
    return known | {"train": known["train"] | {"start_from": ["auto", "none", *shipped, *runs]}}


@cache
def _in(language: Language) -> dict[str, Any]:
    if language == "en":
        return _of_library() | {"said": {}}
    table = read_json(WORDS / f"{language}.json", Mapping[str, Mapping[str, str]])
    return _told(_of_library(), table["help"]) | {"said": table["said"]}


def _told(tree: Any, table: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """The same tree, with its help in the language of a table."""
    if isinstance(tree, list):
        return [_told(one, table) for one in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: table.get(one, one) if name == "help" and isinstance(one, str) else _told(one, table)
        for name, one in tree.items()
    }


@cache
def _of_library() -> dict[str, Any]:
    """All of it that no workspace changes."""
    said = field_docs(Steering)
    return {
        "samplers": [_sampler(name) for name in SAMPLERS],
        "grids": list(GRIDS),
        "limits": list(get_args(Limit)),
        "draw": {
            "sampler": USUAL.sampler,
            "limit": USUAL.limit,
            "steps": {"default": USUAL.steps, "low": 1, "high": 200},
            "guidance": {"default": USUAL.guidance, "low": 0.0, "high": 10.0},
            "count": {"default": 8, "low": 1, "high": MOST_SEEDS},
        },
        "steering": [
            {
                "name": f.name,
                "default": getattr(USUAL.steering, f.name),
                "help": said[f.name],
                **STEERING[f.name],
            }
            for f in fields(Steering)
        ],
        "train": {
            "minutes": {"default": DEFAULT_MINUTES, "low": 0.1, "high": 1440.0},
            "sizes_of_model": [{"name": name, "parameters": int(count)} for name, count in SIZES.items()],
            "presets": [{"name": name, "help": method.in_words} for name, method in PRESETS.items()],
            "augment": ["auto", "none", "shift", "flip", "flip-vertical", "turn", "hue"],
            "networks": [
                {"name": name, "help": row.what} for name, row in NETWORKS.items() if name != IMPORTED
            ],
            "batch_size": {"default": None, "low": 1, "high": 1024},
            "seed": Setup.seed,
        },
        "inpaint": {
            "methods": [{"name": name, "help": METHODS[name]} for name in get_args(Way)],
            "jump": {"default": Inpaint.jump, "low": 1, "high": 20},
            "resamples": {"default": Inpaint.resamples, "low": 1, "high": 20},
            "weight": {"default": Inpaint.weight, "low": 0.0, "high": 50.0},
        },
        "vary": {"strength": {"default": 0.8, "low": 0.0, "high": 1.0}},
        "interpolate": {"frames": {"default": 8, "low": 2, "high": 64}},
        "palettes": [
            {"name": name, "colours": [f"#{colour}" for colour in palette.hex]}
            for name, palette in BUILT_IN.items()
        ],
        "colours": {"low": 1, "high": MOST_COLOURS},
        "exports": [{"name": name, "help": form.help} for name, form in FORMATS.items()],
        "zoom": {"default": 1, "low": 1, "high": 32},
    }


def _sampler(name: str) -> dict[str, Any]:
    sampler = SAMPLERS[name]
    step = type(sampler.usual())
    lines = source_lines(step)
    return {
        "name": name,
        "noisy": sampler.noisy,
        "help": (step.__doc__ or "").strip().partition("\n")[0],
        "source": {"file": lines.path, "name": lines.name},
        "options": [
            {
                "name": o.name,
                "default": o.default,
                "low": o.low,
                "high": o.high,
                "help": o.help,
                "whole": o.is_whole,
            }
            for o in sampler.options.values()
        ],
    }
