"""A PNG of the program that is dropped on the page: how it was made, as a request that makes it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from fogcatcher.data.pictures.palettes import BUILT_IN
from fogcatcher.drawing.recipe import FileRecipe, PictureRecipe, read_file_recipe
from fogcatcher.drawing.settings import Settings, Steering
from fogcatcher.model.config import WEIGHTS
from fogcatcher.model.model import file_hash
from fogcatcher.studio.models import Models

MOST_SEEDS = 1024
FINISH = ("hard_alpha", "zoom", "colours_each", "strays", "indexed")


class Recipes:
    """Finds the model that drew a picture by the hash of its weights."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._hashes: dict[tuple[str, int, int], str] = {}

    def read(self, file: Path) -> dict[str, Any]:
        """Return how a PNG was made. Raises UserError for one that does not say, or nothing of use."""
        recipe = read_file_recipe(file)
        first = recipe.pictures[0]
        model = self._model(first.model)
        kind, request, note = _request(recipe, first)
        if model is None:
            name = first.name or "a model"
            note = f"its model ({name}, {first.model}) is not in this workspace, or was trained on since."
        if model is not None:
            request["model"] = model
        return {
            "recipe": recipe.to_json(),
            "model": model,
            "kind": kind,
            "request": request,
            "note": note,
        }

    def _model(self, hash: str) -> str | None:
        for place in self._models.places():
            path = place.folder / WEIGHTS
            try:
                status = path.stat()
                key = (place.id, status.st_mtime_ns, status.st_size)
                if key not in self._hashes:
                    self._hashes[key] = file_hash(path)
            except OSError:
                continue
            if self._hashes[key] == hash:
                return place.id
        return None


def _request(recipe: FileRecipe, first: PictureRecipe) -> tuple[str, dict[str, Any], str | None]:
    """The kind of job, its request and what to say of it."""
    note = None
    wishes = [dict(made.condition) for made in recipe.pictures]
    same = all(wish == wishes[0] for wish in wishes)
    request: dict[str, Any] = {
        "conditions": wishes[0] if same else None,
        "seeds": [made.seed for made in recipe.pictures][:MOST_SEEDS],
        "settings": _settings(first.settings),
        "finish": {name: getattr(recipe.finish, name) for name in FINISH},
    }
    palette = next((name for name, known in BUILT_IN.items() if known.hex == recipe.finish.palette), None)
    if palette:
        request["finish"]["palette"] = palette
    elif recipe.finish.palette:
        note = "it was held to a palette of its own, which has to be chosen again."
    if first.edit is None:
        return "draw", request, note
    changed = _edit(first.edit)
    if changed is None:
        return "draw", request, "it lies between two pictures, which have to be chosen again."
    return "edit", request | changed, note


def _settings(settings: Settings) -> dict[str, Any]:
    """All that a form shows."""
    said = {f.name: getattr(settings, f.name) for f in fields(Settings) if f.name not in ("steering",)}
    said |= {f.name: getattr(settings.steering, f.name) for f in fields(Steering)}
    return {name: value for name, value in said.items() if value not in (None, {})}


def _edit(edit: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = str(edit.get("kind"))
    picture = edit.get("known") or edit.get("picture") or edit.get("small")
    png = picture.get("png") if isinstance(picture, Mapping) else None
    numbers = ("method", "jump", "resamples", "weight", "strength", "noise")
    options = {name: edit[name] for name in numbers if name in edit}
    kind = {"recolour": "recolor"}.get(kind, kind)
    if kind == "tile":
        return {"action": "tile"}
    if kind not in ("inpaint", "vary", "recolor", "enlarge") or png is None:
        return None
    changed: dict[str, Any] = {"action": kind, "picture": {"png": png}, "options": options}
    mask = edit.get("mask")
    if kind == "inpaint" and isinstance(mask, Mapping):
        changed["mask"] = mask.get("png")
    return changed
