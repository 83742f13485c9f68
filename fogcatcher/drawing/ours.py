"""Files that are there already are replaced where this program made them, and nobody else's."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from PIL import Image

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.read_json import plain_bytes
from fogcatcher.data.pictures.sheets import DRAWN_BY, SHEET_NAME, read_recipe

NAME = b"fogcatcher"
"""Stands in every page, table and atlas."""
ANSWERS = ("name", "class", "next", "margin", "label")
"""The first columns of a table of answers, which says no more of its maker."""
MOST_BYTES = 2**28


def check_ours(folder: Path, names: Collection[str]) -> None:
    """Raises UserError where one of these names is taken in ``folder`` by what this program did not make.

    A name may lead into a folder of this one.
    """
    if folder.is_dir():
        for name in sorted(names):
            check_own(folder / name)


def check_own(path: Path) -> None:
    """Raises UserError where something is at this path that this program did not make."""
    if (path.exists() or path.is_symlink()) and not _is_ours(path):
        raise UserError(
            Message(
                "{path} was not drawn by this program, or without a recipe, and would be replaced: "
                "choose another {@out}, or move it away.",
                path=path,
            )
        )


def _is_ours(path: Path) -> bool:
    try:
        match path.suffix.lower():
            case ".png":
                return path.is_file() and read_recipe(path) is not None
            case ".gif":
                with Image.open(path) as image:
                    return image.info.get("comment") == DRAWN_BY
            case ".npy":  # holds numbers and nothing else; the sheet beside it shows them
                return path.is_file() and _is_ours(path.with_name(SHEET_NAME))
        content = plain_bytes(path, MOST_BYTES).lower()
        return NAME in content or content.startswith(",".join(ANSWERS).encode())
    except (UserError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
