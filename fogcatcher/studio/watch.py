"""Notices what the command line, or anybody else, changes in the workspace, and tells the pages."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from fogcatcher.studio.database import Database
from fogcatcher.studio.workspace import Workspace

EVERY_SECONDS = 0.7
TOLD_OF = {"data": "data", "runs": "models", "drawings": "drawings"}
IN_A_RUN = ("config.json", "metrics.jsonl", "checks.jsonl", "model.safetensors", "samples/preview.png")


class Watcher:
    """A thread that looks at names and times now and then."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        database = Database(self._workspace.hidden)
        seen = {area: _signature(self._workspace.root / area, area) for area in TOLD_OF}
        while not self._ended.wait(EVERY_SECONDS):
            for area, event in TOLD_OF.items():
                now = _signature(self._workspace.root / area, area)
                if now != seen[area]:
                    seen[area] = now
                    database.tell(event, {})
        database.close()


def _signature(folder: Path, area: str) -> int:
    """Another number whenever something in the area has changed."""
    return hash(tuple(_times(folder, area)))


def _times(folder: Path, area: str) -> Iterator[tuple[str, int]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            with contextlib.suppress(OSError):
                yield entry.name, entry.stat(follow_symlinks=False).st_mtime_ns
            for name in IN_A_RUN if area == "runs" else ():
                with contextlib.suppress(OSError):
                    yield name, os.stat(Path(entry.path, name)).st_mtime_ns
