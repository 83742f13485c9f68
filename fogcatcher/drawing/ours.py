"""Files that are there already are replaced where this program drew them, and nobody else's."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.pictures.sheets import read_recipe


def check_ours(folder: Path, names: Collection[str]) -> None:
    """Raises UserError where one of these names is taken in ``folder`` by what this program did not draw."""
    there = sorted(path for path in folder.iterdir() if path.name in names) if folder.is_dir() else []
    for path in there:
        if not _is_ours(path):
            raise UserError(
                Message(
                    "{path} was not drawn by this program, or without a recipe, and would be replaced: "
                    "choose another {@out}, or move it away.",
                    path=path,
                )
            )


def _is_ours(path: Path) -> bool:
    try:
        return path.is_file() and read_recipe(path) is not None
    except UserError:
        return False
