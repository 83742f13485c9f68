"""The models that there are: shipped ones, and the runs in the workspace, also those of the command line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.lock import owner_of
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.model.config import BEST, CONFIG, WEIGHTS, RunConfig, read_config
from fogcatcher.model.model import SHIPPED
from fogcatcher.model.privacy import last_name, public_conditions, public_config
from fogcatcher.runs.log import CHECKS, METRICS, read_rows
from fogcatcher.runs.record import INCIDENTS
from fogcatcher.runs.summary import summary, verdict
from fogcatcher.studio.to_json import as_json
from fogcatcher.studio.workspace import NotThere, Workspace, shown

OF_PROGRAM = "shipped."
"""Start of the id of a shipped model; a run's is the name of its folder."""
FIRST = ("sprites", "base-32")
"""Of the shipped ones: what people draw with, and what they start from."""
LONGEST_CARD = 50_000
CHECKPOINT = re.compile(r"step-(\d{1,12})\.safetensors")


@dataclass(frozen=True)
class Place:
    """Where a model lies, and what the library's functions are told to find it."""

    id: str
    folder: Path
    name: str
    """Of a shipped model its name, of a run its path in the workspace."""
    is_run: bool


class Models:
    """All models that a workspace can draw with."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._known: dict[str, tuple[tuple[object, ...], dict[str, Any]]] = {}

    def places(self) -> list[Place]:
        runs = (folder for folder in self.workspace.folders("runs") if (folder / CONFIG).is_file())
        return [*_shipped(), *map(_run, runs)]

    def place(self, id: str) -> Place:
        """Raises NotThere."""
        for place in _shipped() if id.startswith(OF_PROGRAM) else ():
            if place.id == id:
                return place
        try:
            return _run(self.workspace.folder("runs", id))
        except NotThere:
            raise NotThere(
                Message("there is no model called '{name}': has it been deleted or renamed?", name=shown(id))
            ) from None

    def config(self, id: str) -> tuple[RunConfig, ConditionSpec]:
        """Raises UserError for a damaged one."""
        return read_config(self.place(id).folder)

    def all(self) -> list[dict[str, Any]]:
        """What a page lists; a run that cannot be read is there with a note that says why."""
        return [self.row(place) for place in self.places()]

    def row(self, place: Place) -> dict[str, Any]:
        """Return what is told of one model."""
        said = _signature(place.folder)
        known = self._known.get(place.id)
        if known is None or known[0] != said:
            self._known[place.id] = known = (said, _described(place))
        row = dict(known[1])
        if place.is_run and owner_of(place.folder):
            row["state"] = "training"
        return row

    def details(self, id: str) -> dict[str, Any]:
        """Return the row of one model with its card, config, checks and what is to be said of it."""
        place = self.place(id)
        config, _ = read_config(place.folder)
        more = {
            "card": _card(place.folder),
            "config": public_config(config.to_json()),
            "checks": read_rows(place.folder / CHECKS),
            "incidents": _incidents(place.folder),
            "summary": _summary(place.folder),
            "verdict": verdict(read_rows(place.folder / CHECKS)).word if place.is_run else None,
        }
        return as_json({**self.row(place), **more})

    def log(self, id: str, after: int) -> dict[str, Any]:
        """Return what was logged after a step."""
        folder = self.place(id).folder
        rows, checks = read_rows(folder / METRICS), read_rows(folder / CHECKS)
        return as_json(
            {
                "rows": [row for row in rows if row["step"] > after],
                "checks": [row for row in checks if row["step"] > after],
                "incidents": _incidents(folder),
            }
        )


def newest_step(folder: Path) -> int | None:
    """Return the step of the newest checkpoint of a run; None without one."""
    try:
        names = [path.name for path in (folder / "state").iterdir()]
    except OSError:
        return None
    return max((int(match[1]) for name in names if (match := CHECKPOINT.fullmatch(name))), default=None)


def _run(folder: Path) -> Place:
    return Place(folder.name, folder, f"runs/{folder.name}", True)


def _shipped() -> list[Place]:
    folders = sorted(
        path for path in SHIPPED.iterdir() if (path / CONFIG).exists() and (path / WEIGHTS).exists()
    )
    folders.sort(key=lambda folder: FIRST.index(folder.name) if folder.name in FIRST else len(FIRST))
    return [Place(OF_PROGRAM + folder.name, folder, folder.name, False) for folder in folders]


def _signature(folder: Path) -> tuple[object, ...]:
    """Other whenever something of a run has changed that its row tells of."""
    found: list[object] = []
    for name in (CONFIG, METRICS, WEIGHTS, BEST, "samples/preview.png", "state"):
        try:
            status = (folder / name).stat()
            found.append((status.st_mtime_ns, status.st_size))
        except OSError:
            found.append(None)
    return tuple(found)


def _described(place: Place) -> dict[str, Any]:
    folder = place.folder
    row: dict[str, Any] = {
        "id": place.id,
        "name": folder.name,
        "source": "run" if place.is_run else "shipped",
        "size": [0, 0],
        "channels": 0,
        "conditions": [],
        "parameters": 0,
        "step": 0,
        "steps": 0,
        "state": "ready",
        "path": place.name if place.is_run else None,
        "preview": _preview(place),
        "thumb": _thumb(place),
        "data": None,
        "started_from": None,
        "enlarges": 1,
        "created": 0.0,
        "has_best": (folder / BEST).exists(),
        "kind": "pictures",
        "note": None,
    }
    try:
        config, conditions = read_config(folder)
        row |= _of_config(config, conditions)
        row["created"] = (folder / CONFIG).stat().st_mtime
        row["parameters"] = _parameters(folder / WEIGHTS)
        row["step"] = _step(folder, config)
        row["state"] = "paused" if place.is_run and row["step"] < row["steps"] else "ready"
    except (UserError, OSError) as error:
        row["note"] = str(error)
    return row


def _of_config(config: RunConfig, conditions: ConditionSpec) -> dict[str, Any]:
    kind = config.kind.drawn
    is_picture = isinstance(kind, PictureSpec)
    return {
        "size": [kind.width, kind.height] if isinstance(kind, PictureSpec) else list(kind.shape[1:]),
        "channels": kind.shape[0],
        "kind": kind.name,
        "conditions": public_conditions(conditions.to_json()),
        "steps": config.training.steps,
        "data": last_name(config.data.path),
        "started_from": config.start.name if config.start else None,
        "enlarges": config.upscaling.factor if config.upscaling else 1,
        "note": None if is_picture else f"it draws {kind.name}, which the studio does not show yet",
    }


def _step(folder: Path, config: RunConfig) -> int:
    """How far a model is: its newest checkpoint, or its log where it was handed on without any."""
    found = newest_step(folder)
    if found is None:
        rows = read_rows(folder / METRICS)
        found = int(rows[-1]["step"]) if rows else config.training.steps
    return found


def _parameters(path: Path) -> int:
    """How many numbers a file of weights holds, from its header alone."""
    try:
        with safe_open(path, "pt") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return 0


def _preview(place: Place) -> str | None:
    path = place.folder / "samples" / "preview.png"
    try:
        return f"/files/{place.name}/samples/preview.png?t={path.stat().st_mtime_ns}"
    except OSError:
        return None


def newest_strip(folder: Path) -> Path | None:
    """Return the pictures of the newest step that a run drew; None where there are none yet."""
    return max((folder / "samples").glob("step-*.png"), default=None, key=lambda path: path.name)


def _thumb(place: Place) -> str | None:
    """Where its newest pictures are, without labels; another address whenever they are others."""
    strip = newest_strip(place.folder) if place.is_run else None
    if place.is_run and strip is None:
        return None
    return f"/api/models/{place.id}/thumb.png" + (f"?t={strip.stat().st_mtime_ns}" if strip else "")


def _card(folder: Path) -> str:
    try:
        with open(folder / "README.md", encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_CARD)
    except OSError:
        return ""


def _incidents(folder: Path) -> list[str]:
    return [str(row.get("said", "")) for row in read_rows(folder / INCIDENTS)]


def _summary(folder: Path) -> list[str]:
    try:
        return [str(line) for line in summary(folder)]
    except UserError:
        return []
