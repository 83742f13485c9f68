"""The recipe inside a PNG, read as if a stranger had written it.

Types and sizes are checked, and no path in it is ever used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import LARGEST_NUMBER, typed, typed_fields
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.drawing.finishing import Finish
from fogcatcher.drawing.settings import OF_THE_SAME_RUN, Settings, Steering
from fogcatcher.drawing.sheets import RECIPE_KEY, read_recipe

MOST_PICTURES = 10_000
MOST_IN_BATCH = 256
DEEPEST = 8
LONGEST_TEXT = 10_000
LONGEST_PNG = 4_000_000
"""In base64: the pictures that an edit started from."""
MOST_STEPS = 10_000
MOST_REPEATS = 10


@dataclass(frozen=True)
class PictureRecipe:
    """How one picture was drawn."""

    seed: int
    condition: Mapping[str, Wish]
    settings: Mapping[str, object]
    """The fields of ``drawing.Settings`` that were written; an older version knew fewer."""
    model: str
    """Hash of the weights."""
    name: str
    """What their folder was called."""
    ema: float | None
    """Relative length of the average, where it was not the usual one."""
    version: str
    computed_by: str
    batch: tuple[int, int]
    """(place in the batch, size of the batch)"""
    edit: Mapping[str, object] | None
    """What was done to a picture instead of drawing a new one; None for nothing."""


@dataclass(frozen=True)
class PreviewRow:
    """One row of the preview of a run: the only one that the recipe is about."""

    due: tuple[int, ...]
    row: int


@dataclass(frozen=True)
class Laid:
    """Tiles in so many columns, each repeated both ways."""

    columns: int
    repeats: int


@dataclass(frozen=True)
class FileRecipe:
    """All that a PNG says about how it was made."""

    pictures: list[PictureRecipe]
    finish: Finish
    sheet: int | Atlas | Laid | PreviewRow | None
    """How the pictures lie in the file: None for a single one, the columns of a labelled sheet, with 0 where
    an older version did not say, or another form."""
    written: Mapping[str, object]
    """``sheet`` as the file says it."""


def read_file_recipe(path: Path) -> FileRecipe:
    """Raises UserError when the file is no PNG, or its recipe is missing or cannot be right."""
    tree = _read_tree(path)
    try:
        _check_plain(tree)
        return _file_recipe(tree)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"the recipe in {path} cannot be used: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _read_tree(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"there is no file {path}: check the spelling, or give the full path.")
    if not path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n"):
        raise UserError(f"{path} is no PNG, so it carries no recipe: give a picture as the program wrote it.")
    try:
        tree = read_recipe(path)
    except (ValueError, OSError, SyntaxError, RecursionError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is damaged, or its recipe is ({type(error).__name__}).") from error
    if tree is None:
        raise UserError(
            f"{path} carries no recipe: it was not drawn by this program, was written with --no-metadata, "
            "or another program took the text out."
        )
    if not {"seed", "pictures"} & set(tree):
        raise UserError(f"the recipe in {path} ('{RECIPE_KEY}') is not that of a drawn picture.")
    return tree


# --- from JSON, checked -------------------------------------------------------------------------


def _file_recipe(tree: dict[str, Any]) -> FileRecipe:
    finish = tree.get("finish", {})
    if not isinstance(finish, dict):
        raise ValueError("'finish' is no object")
    finish = typed_fields(Finish, finish)
    if "pictures" not in tree:
        return FileRecipe([_picture(tree)], finish, None, {})
    pictures = tree["pictures"]
    if not isinstance(pictures, list) or not 1 <= len(pictures) <= MOST_PICTURES:
        raise ValueError(f"'pictures' is no list of 1 to {MOST_PICTURES:,}")
    written = tree.get("sheet", {"columns": 0})
    return FileRecipe([_picture(row) for row in pictures], finish, _sheet(written), written)


def _sheet(tree: object) -> int | Atlas | Laid | PreviewRow:
    if not isinstance(tree, dict):
        raise ValueError("'sheet' is no object")
    columns = _whole(tree, "columns", 0 if len(tree) == 1 else 1, MOST_PICTURES)
    if "due" in tree:
        due = typed(tree["due"], tuple[int, ...], "due")
        return PreviewRow(due, _whole(tree, "row", 0, len(due) - 1))
    if "repeats" in tree:
        return Laid(columns, _whole(tree, "repeats", 1, MOST_REPEATS))
    if tree.get("atlas"):
        return Atlas(columns, typed(tree.get("power_of_two", False), bool, "power_of_two"))
    return columns


def _picture(tree: object) -> PictureRecipe:
    if not isinstance(tree, dict):
        raise ValueError("a picture is no object")
    hints = get_type_hints(Settings)
    settings = {
        f.name: typed(tree[f.name], hints[f.name], f.name) for f in fields(Settings) if f.name in tree
    }
    steps = settings.get("steps", 1)
    if not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"'steps' is not 1 to {MOST_STEPS:,}")
    steering = settings.get("steering")
    led_by = steering.guide_with if isinstance(steering, Steering) else None
    if led_by is not None and not re.fullmatch(OF_THE_SAME_RUN, led_by):
        raise ValueError(f"it was guided by another run, {led_by!r}: draw it again with --guide-with")
    model = typed(tree["model"], str, "model")
    if not re.fullmatch("[0-9a-f]{12}|unsaved", model):
        raise ValueError("'model' is no hash of weights")
    batch = tree.get("batch", [0, 1])
    place, size = batch if isinstance(batch, list) and len(batch) == 2 else (None, None)
    return PictureRecipe(
        seed=_whole(tree, "seed", 0, 2**63 - 1),
        condition=typed(tree["condition"], Mapping[str, Wish], "condition"),
        settings=settings,
        model=model,
        name=typed(tree.get("name", ""), str, "name"),
        ema=typed(tree.get("ema"), float | None, "ema"),
        version=typed(tree.get("fogcatcher", "unknown"), str, "fogcatcher"),
        computed_by=typed(tree.get("computed_by", ""), str, "computed_by"),
        batch=(
            _whole({"batch": place}, "batch", 0, MOST_IN_BATCH - 1),
            _whole({"batch": size}, "batch", (place or 0) + 1, MOST_IN_BATCH),
        ),
        edit=typed(tree.get("edit"), Mapping[str, object] | None, "edit"),
    )


def _check_plain(value: object, depth: int = 0) -> None:
    """Raises ValueError unless numbers are of a usual size, and texts short and printable."""
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        for key, entry in value.items():
            _check_plain(key, depth + 1)
            is_png = key == "png" and isinstance(entry, str) and len(entry) <= LONGEST_PNG
            if not (is_png and re.fullmatch(r"[A-Za-z0-9+/=]*", entry)):
                _check_plain(entry, depth + 1)
    elif isinstance(value, list):
        for entry in value:
            _check_plain(entry, depth + 1)
    elif isinstance(value, str):
        # What is not printable could drive the terminal that an error is shown on.
        if len(value) > LONGEST_TEXT or not re.sub(r"[\n\t]", "", value).isprintable():
            raise ValueError("a text in it is too long, or not printable")
    elif isinstance(value, float) and not (math.isfinite(value) and abs(value) <= LARGEST_NUMBER):
        raise ValueError("a number in it is too large, or none")


def _whole(tree: Mapping[str, object], name: str, least: int, most: int) -> int:
    value = tree[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"'{name}' is no whole number from {least:,} to {most:,}")
    return value
