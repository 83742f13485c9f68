"""Drawn pictures, newest first, each with how it was made; and what is made of several of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.sheets import read_recipe
from fogcatcher.studio.database import Database, now
from fogcatcher.studio.datasets import quoted
from fogcatcher.studio.to_json import as_json
from fogcatcher.studio.workspace import NotThere, Workspace, is_text

MOST_KNOWN = 4000
"""Pictures whose size and recipe are kept in memory, about 2 kB each."""
NOT_SINGLE = ("sheet.png", "strip.png", "laid.png", "grid.png")


class Gallery:
    """The pictures in drawings/."""

    def __init__(self, workspace: Workspace, database: Database) -> None:
        self.workspace, self.database = workspace, database

    def page(self, before: float | None, favourite: bool, limit: int) -> dict[str, Any]:
        """Return the newest pictures made before a time."""
        liked = self._liked()
        found: list[tuple[float, str, Path]] = []
        for folder in self.workspace.folders("drawings"):
            for path, created in _singles(folder):
                id = f"drawings/{folder.name}/{path.name}"
                if (before is None or created < before) and (not favourite or id in liked):
                    found.append((created, id, path))
        found.sort(key=lambda entry: (-entry[0], entry[1]))
        chosen = found[:limit]
        # A page ends between two times, so that the next one begins after all of this one.
        while len(found) > len(chosen) and found[len(chosen)][0] == chosen[-1][0]:
            chosen.append(found[len(chosen)])
        pictures = [self._picture(path, id, created, id in liked) for created, id, path in chosen]
        return {"pictures": pictures, "more": len(found) > len(chosen)}

    def of_folder(self, folder: Path) -> list[dict[str, Any]]:
        """Return the pictures of one drawing, by name."""
        liked, found = self._liked(), []
        for path, created in sorted(_singles(folder)):
            id = path.relative_to(self.workspace.root).as_posix()
            found.append(self._picture(path, id, created, id in liked))
        return found

    def _liked(self) -> set[str]:
        return {row["picture"] for row in self.database.rows("SELECT picture FROM favourites")}

    def _picture(self, path: Path, id: str, created: float, favourite: bool) -> dict[str, Any]:
        try:
            status = path.stat()
            size, recipe = _read(path, status.st_mtime_ns, status.st_size)
        except OSError:  # deleted just now
            size, recipe = [0, 0], None
        return {
            "id": id,
            "url": "/files/" + quoted(path, self.workspace),
            "size": size,
            "recipe": recipe,
            "favourite": favourite,
            "created": created,
        }

    def path(self, id: str) -> Path:
        """Return the file of a picture. Raises NotThere."""
        path = self.workspace.file(id)
        if path.suffix.lower() != ".png":
            raise NotThere("this is no picture of the workspace.")
        return path

    def like(self, id: str, favourite: bool) -> None:
        """Raises NotThere."""
        self.path(id)
        with self.database.change() as change:
            if favourite:
                change.execute("INSERT OR IGNORE INTO favourites VALUES (?, ?)", (id, now()))
            else:
                change.execute("DELETE FROM favourites WHERE picture = ?", (id,))


def _singles(folder: Path) -> Iterator[tuple[Path, float]]:
    """The pictures of a folder that stand for themselves, and when each was made; no links."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".png") and entry.name not in NOT_SINGLE and _is_plain(entry):
                with contextlib.suppress(OSError):  # deleted just now
                    yield folder / entry.name, entry.stat().st_mtime


def _is_plain(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and is_text(entry.name) and entry.is_file(follow_symlinks=False)


@lru_cache(MOST_KNOWN)
def _read(path: Path, changed: int, length: int) -> tuple[list[int], Any]:
    """The size and the recipe of a file as it was at a time; of a damaged one what can be read."""
    size = [0, 0]
    try:
        with Image.open(path) as image:
            size = list(image.size)
        return size, as_json(read_recipe(path))
    except (OSError, UserError, SyntaxError, ValueError, Image.DecompressionBombError):
        return size, None
