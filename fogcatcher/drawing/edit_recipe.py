"""Edits in recipes: a JSON object with the kind, the settings, and every picture as a PNG in base64.

So a PNG that an edit has made says how to make it again:

    made = read_file_recipe(path).pictures[0]
    edit = edit_from_json(made.edit)
    model.sample(seeds=[made.seed], condition=made.condition, edit=edit, settings=made.settings)
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import fields

import torch
from torch import Tensor

from fogcatcher.base.errors import UserError, named
from fogcatcher.base.typed_json import typed, typed_fields
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.pictures.picture_files import Unreadable, decode
from fogcatcher.data.pictures.sheets import MODES, to_image
from fogcatcher.diffusion.edits.edit import Edit
from fogcatcher.diffusion.edits.kinds import EDITS

CHANNELS = {"L": [0], "LA": [0, 3], "RGB": [0, 1, 2], "RGBA": [0, 1, 2, 3]}
"""Which of red, green, blue and alpha make up a picture of this mode."""
assert set(CHANNELS) == set(MODES.values())
RENAMED = {"recolour": "recolor"}
"""What earlier versions called a kind of edit, and what it is called now."""


def edit_recipe(edit: Edit, row: int) -> dict[str, object] | None:
    """Return what the recipe of this picture of the batch says of the edit; None for the one that changes
    nothing."""
    return None if type(edit) is Edit else edit_to_json(edit.part(slice(row, row + 1)))


def edit_to_json(edit: Edit) -> dict[str, object]:
    """Return an edit as JSON: its ``kind`` and its fields."""
    kind = next(name for name, known in EDITS.items() if type(edit) is known)
    settings = fields(edit)  # type: ignore[arg-type]
    return {"kind": kind, **{field.name: _to_json(getattr(edit, field.name)) for field in settings}}


def kind_of_edit(row: Mapping[str, object]) -> type[Edit]:
    """Return the class of the edit of a recipe. Raises UserError for one that this version does not know."""
    written = str(row.get("kind"))
    return named("kind of edit", RENAMED.get(written, written), EDITS)


def edit_from_json(row: Mapping[str, object]) -> Edit:
    """Return the edit of a recipe. Raises UserError as ``kind_of_edit``, and for what cannot be."""
    kind = kind_of_edit(row)
    try:
        values = {name: _from_json(name, value) for name, value in row.items() if name != "kind"}
        return typed_fields(kind, values)
    except (ValueError, TypeError, Unreadable) as error:
        raise UserError(f"the edit in this recipe cannot be read ({error}).") from error


def _to_json(value: object) -> object:
    if not isinstance(value, Tensor):
        return list(value) if isinstance(value, tuple) else value
    file = io.BytesIO()
    to_image(value).save(file, format="PNG")
    return {"png": base64.b64encode(file.getvalue()).decode("ascii")}


def _from_json(name: str, value: object) -> object:
    """A picture, a wish, or the value as it is."""
    if isinstance(value, Mapping) and set(value) == {"png"}:
        mode, rgba = decode(base64.b64decode(str(value["png"]), validate=True))[0]
        channels = CHANNELS.get(mode, CHANNELS["RGBA"])
        return torch.from_numpy(rgba[..., channels].transpose(2, 0, 1)[None].copy())
    return typed(value, Mapping[str, Wish], name) if isinstance(value, Mapping) else value
