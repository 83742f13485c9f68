"""Pictures of what comes with the program: sheets of its models, drawn when asked for, and its sprites."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

from PIL import Image

from fogcatcher.data import sprites
from fogcatcher.data.pictures.sheets import save_png, sheet
from fogcatcher.model.model import file_hash, load
from fogcatcher.studio.datasets import png_of
from fogcatcher.studio.models import Place
from fogcatcher.studio.workspace import NotThere, Workspace

SHOWN, STEPS, COLUMNS = 8, 12, 8
EVERY = 8
_LOCK = threading.Lock()


@cache
def built_in_picture(number: int) -> bytes:
    """Return one of the built-in sprites as a PNG."""
    return png_of(Image.fromarray(_drawn()[number].pixels))


@cache
def _drawn() -> list[sprites.Sprite]:
    return sprites.draw_many(64, 0)


def preview_of(workspace: Workspace, place: Place) -> Path:
    """Return the sheet of a shipped model, drawn when it is first asked for. Raises NotThere for others."""
    if place.is_run:
        raise NotThere("only models that come with the program have a sheet of their own.")
    with _LOCK:
        folder = workspace.page_cache
        folder.mkdir(exist_ok=True)
        path = folder / f"{place.name}-{file_hash(place.folder / 'model.safetensors')}.png"
        if not path.exists():
            model = load(place.name)
            main = model.conditions.main
            classes = len(main.classes) if main else 1
            seeds = [8 * (number % classes) + number // classes for number in range(SHOWN)]
            drawing = model.sample(seeds=seeds, steps=STEPS)
            image = sheet(drawing.pictures, COLUMNS, zoom=max(1, 64 // model.config.pictures.width))
            save_png(image, path)
        return path
