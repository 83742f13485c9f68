"""The folder that a studio is about: what the command line writes, and a hidden folder of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fogcatcher.base.errors import Message, UserError

BUILT_IN = "builtin"
"""What a page calls the built-in sprites."""
NAME = r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,79}"
SERVED = {
    ".png": "image/png",
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".json": "application/json",
    ".jsonl": "text/plain; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".hex": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".zip": "application/zip",
    ".safetensors": "application/octet-stream",
    ".onnx": "application/octet-stream",
    ".pt2": "application/octet-stream",
}
"""Kinds of files that a page may have, and what they are sent as."""
AREAS = ("data", "runs", "drawings", "exports")
DEEPEST = 12
PICTURES = (".png", ".gif", ".jpg", ".jpeg", ".webp", ".bmp")


class NotThere(UserError):
    """There is no such thing in the workspace."""


@dataclass(frozen=True)
class Workspace:
    """One folder, and the names of all in it."""

    root: Path
    """Absolute, without links."""

    @staticmethod
    def at(folder: Path) -> Workspace:
        """Make the folder, and those in it, where they are missing.

        Raises UserError where something else is there, and OSError where nothing can be written.
        """
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file: give the folder to work in.")
        folder.mkdir(parents=True, exist_ok=True)
        workspace = Workspace(folder.resolve())
        for name in (*AREAS, "bin", ".studio"):
            (workspace.root / name).mkdir(exist_ok=True)
        return workspace

    @property
    def hidden(self) -> Path:
        """What has no file elsewhere: the queue, favourites, presets; half-done work; locks."""
        return self.root / ".studio"

    def area(self, name: str) -> Path:
        return self.root / name

    def folders(self, area: str) -> Iterator[Path]:
        """The visible folders of an area, by name; a link is none."""
        for path in sorted((self.root / area).iterdir()):
            seen = is_text(path.name) and not path.name.startswith(".")
            if seen and path.is_dir() and not path.is_symlink():
                yield path

    def folder(self, area: str, name: str) -> Path:
        """Return the folder of this name. Raises NotThere where there is none."""
        path = self.root / area / name
        if not is_name(name) or path.is_symlink() or not path.is_dir():
            raise NotThere(
                Message(
                    "there is nothing called '{name}' in {area}: has it been deleted or renamed?",
                    name=shown(name),
                    area=area,
                )
            )
        return path

    def file(self, path: str) -> Path:
        """Return a file that a page may have, by its path below the workspace.

        Raises NotThere for what is none: outside, hidden, a link, of another kind, or missing.
        """
        parts = path.split("/")
        plain = all(
            part and not part.startswith(".") and "\\" not in part and "\0" not in part for part in parts
        )
        if plain and 2 <= len(parts) <= DEEPEST and parts[0] in AREAS:
            found = self.root.joinpath(*parts)
            if found.suffix.lower() in SERVED and _is_plain(self.root, parts):
                return found
        raise NotThere("there is no such file in the workspace.")

    def free(self, area: str, name: str) -> str:
        """Return ``name``; with -2, -3 ... where that is taken."""
        names = (name if i == 1 else f"{name}-{i}" for i in range(1, 100_000))
        return next(each for each in names if not (self.root / area / each).exists())


def _is_plain(root: Path, parts: list[str]) -> bool:
    """Whether no part of the path is a link, and the last one is a plain file."""
    path = root
    try:
        for part in parts:
            path = path / part
            if path.is_symlink():
                return False
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def is_text(name: str) -> bool:
    """Whether a name of a file is UTF-8, as addresses are."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_name(text: str) -> bool:
    """Whether a folder may be called so."""
    return re.fullmatch(NAME, text) is not None and not text.endswith((".", " "))


def as_name(text: str, otherwise: str) -> str:
    """Return a text as the name of a folder: what else is in it becomes a hyphen."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", text.strip())[:60].strip("-.")
    return name if name and is_name(name) else otherwise


def shown(text: str) -> str:
    """Return a text that somebody sent, short and printable."""
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= 80 else text[:79] + "…"
