"""Several pictures in one file to take home: a sheet, an atlas for engines, an animation, a zip."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from PIL import Image

from fogcatcher.base.disk import write_atomically, write_text
from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.picture_files import Unreadable, read_picture
from fogcatcher.data.pictures.sheets import save_png, save_sprite_gif, sheet
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.studio import asked
from fogcatcher.studio.datasets import png_of
from fogcatcher.studio.workspace import Workspace

MOST_PIXELS = 64_000_000
SECONDS = 0.15
"""A picture of an animation stays so long."""


def pack(workspace: Workspace, paths: Sequence[Path], how: asked.Pack) -> dict[str, Any]:
    """Write them into a new folder of exports/. Raises UserError for several sizes in one sheet."""
    images = [_image(path, how.zoom) for path in paths]
    pixels = sum(image.width * image.height for image in images)
    if pixels > MOST_PIXELS:
        raise UserError(
            "these pictures make too large a file: choose fewer, or a smaller zoom.", about="zoom"
        )
    if how.form != "zip" and len({image.size for image in images}) > 1:
        raise UserError(
            "these pictures are of several sizes: choose those of one size, or a zip.", about="pictures"
        )
    while True:
        folder = workspace.area("exports") / workspace.free("exports", how.form)
        try:
            folder.mkdir()
            break
        except FileExistsError:  # somebody was quicker
            continue
    _WRITERS[how.form](folder, images, paths, how)
    return {
        "files": [
            {
                "name": path.name,
                "url": "/files/" + quote(path.relative_to(workspace.root).as_posix()),
                "bytes": path.stat().st_size,
            }
            for path in sorted(folder.iterdir())
        ]
    }


def _image(path: Path, zoom: int) -> Image.Image:
    try:
        image = Image.fromarray(read_picture(path))
    except Unreadable as error:
        raise UserError(f"{path.name} {error}.") from error
    return image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of the pictures, each once: with that of their folder, where two would be the same."""
    short = [path.name for path in paths]
    if len(set(short)) == len(short):
        return short
    return [f"{number:04d}-{path.parent.name}-{path.name}" for number, path in enumerate(paths)]


def _sheet(folder: Path, images: Sequence[Image.Image], paths: Sequence[Path], how: asked.Pack) -> None:
    pictures = torch.stack([torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in images])
    image = sheet(pictures, min(how.columns, len(images)), zoom=1)
    save_png(image, folder / "sheet.png")


def _atlas(folder: Path, images: Sequence[Image.Image], paths: Sequence[Path], how: asked.Pack) -> None:
    atlas = Atlas(how.columns, how.power_of_two)
    image = atlas.image(images)
    names = _names(paths)
    tree = atlas.to_json(names, images[0].size, [""] * len(names), "atlas.png")
    document = json.dumps(tree, indent=1) + "\n"
    save_png(image, folder / "atlas.png")
    write_text(folder / "atlas.json", document)


def _gif(folder: Path, images: Sequence[Image.Image], paths: Sequence[Path], how: asked.Pack) -> None:
    if len(images) < 2:
        raise UserError("an animation needs at least two pictures.", about="pictures")
    save_sprite_gif(images, folder / "pictures.gif", SECONDS * len(images))


def _zip(folder: Path, images: Sequence[Image.Image], paths: Sequence[Path], how: asked.Pack) -> None:
    def write(part: Path) -> None:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as packed:
            for image, path, name in zip(images, paths, _names(paths), strict=True):
                # As it lies on disk, with its recipe, unless it is enlarged.
                packed.writestr(name, path.read_bytes() if how.zoom == 1 else png_of(image))

    write_atomically(folder / "pictures.zip", write)


_WRITERS = {"sheet": _sheet, "atlas": _atlas, "gif": _gif, "zip": _zip}
