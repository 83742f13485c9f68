"""The data sets of a workspace, and what is in one before any training."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.builtin import COUNT
from fogcatcher.data.inspection import Findings, describe, inspect_dataset
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.sheets import to_image
from fogcatcher.data.pictures.spec import Pictures, PictureSpec
from fogcatcher.runs.forecast import forecast
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from fogcatcher.studio.asked import Reading
from fogcatcher.studio.to_json import as_json
from fogcatcher.studio.workspace import BUILT_IN, PICTURES, Workspace, is_text

MOST_PIXELS = 1.3e8
"""That are looked at before any training: 30,000 pictures of 64x64, 2,000 of 250x250; some minutes' work."""
MOST_COUNTED = 200_000
SEEN = 20
"""Pictures that are shown as a model will see them."""
LONGEST_LIST = 500
THUMBS = 8


class DataSets:
    """All data sets that a workspace can train on."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def all(self) -> list[dict[str, Any]]:
        return [self.built_in(), *map(self._row, self.workspace.folders("data"))]

    def get(self, name: str) -> dict[str, Any]:
        """Raises NotThere."""
        return self.built_in() if name == BUILT_IN else self._row(self.workspace.folder("data", name))

    @staticmethod
    def built_in() -> dict[str, Any]:
        return {
            "name": BUILT_IN,
            "pictures": COUNT,
            "bytes": 0,
            "created": 0.0,
            "builtin": True,
            "thumbs": [f"/shipped/{BUILT_IN}/{number}.png" for number in range(THUMBS)],
        }

    def _row(self, folder: Path) -> dict[str, Any]:
        count, size, some = 0, 0, list[Path]()
        for path in _files(folder):
            size += path.stat().st_size
            if path.suffix.lower() in PICTURES:
                count += 1
                if is_text(path.name):
                    some.append(path)
        step = max(1, len(some) // THUMBS)
        return {
            "name": folder.name,
            "pictures": count,
            "bytes": size,
            "created": folder.stat().st_mtime,
            "builtin": False,
            "thumbs": ["/files/" + quoted(path, self.workspace) for path in some[::step][:THUMBS]],
        }

    def path(self, name: str) -> str:
        """Return what the library is told, as seen from the workspace. Raises NotThere."""
        if name == BUILT_IN:
            return "sprites"
        self.workspace.folder("data", name)
        return f"data/{name}"

    def _check_pixels(self, name: str, asked: Reading) -> None:
        """Raises UserError where all pictures at the size that is asked for would keep it busy for long."""
        if asked.size is None:
            return
        width, height = (asked.size, asked.size) if isinstance(asked.size, int) else asked.size
        count = min(self.get(name)["pictures"], asked.limit or MOST_COUNTED)
        if count * width * height > MOST_PIXELS:
            raise UserError(
                Message(
                    "{count:,} pictures of {width}x{height} are too many to look at: choose a smaller size, "
                    "or at most {most:,} of them.",
                    count=count,
                    width=width,
                    height=height,
                    most=max(1, int(MOST_PIXELS / width / height)),
                ),
                about="size",
            )

    def inspect(self, name: str, asked: Reading) -> dict[str, Any]:
        """Return the report, and what a model would see. Raises UserError for what cannot be read."""
        path = self.path(name)
        self._check_pixels(name, asked)
        path = path if name == BUILT_IN else str(self.workspace.root / path)
        setup = Setup(
            path, steps=1, options=options_of(asked, max_bad=1.0), conditions=tuple(asked.conditions)
        )
        run = prepare(setup)
        if not isinstance(run.config.kind.drawn, PictureSpec):
            raise UserError(f"these are {run.config.kind.drawn.name}: train on them with the command line.")
        found = inspect_dataset(run.dataset)
        rows = run.dataset.rows
        chosen = rows[torch.linspace(0, len(rows) - 1, min(SEEN, len(rows))).round().long()]
        plan = forecast(run)
        report = {
            "lines": [line for line in describe(found) if line],
            "notes": [str(note) for note in run.notes],
            "pictures": found.pictures,
            "size": [found.width, found.height],
            "columns": _columns(found, run.dataset.columns),
            "conditions": run.conditions.to_json(),
            "skipped": [
                {"file": file, "reason": reason}
                for file, reason in list(found.skipped.items())[:LONGEST_LIST]
            ],
            "seen": {"url": data_url(_strip(chosen)), "pictures": len(chosen)},
            "forecast": plan.rows(),
            "seconds_per_step": plan.seconds_per_step,
            "findings": found.to_json(),
        }
        return as_json(report)


def _strip(pictures: Pictures) -> Image.Image:
    """(N, C, H, W) beside each other, pixel by pixel and without gaps: the page enlarges them."""
    return to_image(pictures.permute(1, 2, 0, 3).flatten(2)[None])


def options_of(asked: Reading, **more: Any) -> DataOptions:  # noqa: ANN401 - fields of DataOptions
    """Return what a page said about reading, as the library takes it. Raises UserError for what cannot be."""
    size = asked.size
    return DataOptions(
        size=None if size is None else (size, size) if isinstance(size, int) else (size[1], size[0]),
        where=asked.where or None,
        classes=tuple(asked.classes),
        limit=asked.limit,
        trim=asked.trim,
        **more,
    )


def _columns(found: Findings, columns: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    rows = []
    for column in found.columns:
        values = [value for value in columns[column.name] if value is not None]
        kind = type(values[0]).__name__ if values else "str"
        words = {"str": "text", "float": "number", "int": "number", "bool": "flag", "list": "list"}
        rows.append(
            {
                "name": column.name,
                "type": words.get(kind, "text"),
                "values": column.common,
                "distinct": column.distinct,
                "missing": column.missing,
            }
        )
    return rows


def _files(folder: Path) -> Iterator[Path]:
    """Every plain file below a folder, by name; links are passed over."""
    left = MOST_COUNTED
    for path in sorted(folder.rglob("*")):
        if left and path.is_file() and not path.is_symlink():
            left -= 1
            yield path


def quoted(path: Path, workspace: Workspace) -> str:
    """Return a path of the workspace as it stands in an address."""
    from urllib.parse import quote

    return quote(path.relative_to(workspace.root).as_posix())


def png_of(image: Image.Image, level: int = 6) -> bytes:
    """Return a PNG, compressed so much: 0 not at all, 9 as well as can be."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=level)
    return file.getvalue()


def data_url(image: Image.Image) -> str:
    return "data:image/png;base64," + base64.b64encode(png_of(image)).decode("ascii")
