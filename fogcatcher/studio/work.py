"""How a job is done: what it may ask of its worker, and which function does which kind."""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from fogcatcher.data.pictures.sheets import to_image
from fogcatcher.model.model import Model, load
from fogcatcher.studio import bin as deleted
from fogcatcher.studio.database import Database
from fogcatcher.studio.datasets import png_of
from fogcatcher.studio.jobs import Job, Jobs
from fogcatcher.studio.models import Models
from fogcatcher.studio.workspace import Workspace

ENDS = ("cancel", "stop", "pause")
TOLD_EVERY = 0.1
"""Seconds between two notices of how far a job is."""
SHOWN = 16
"""Pictures of a preview."""


class Ended(Exception):
    """Somebody asked to end the job: cancel, stop or pause."""

    def __init__(self, wish: str) -> None:
        super().__init__(wish)
        self.wish = wish


@dataclass
class Doing:
    """A job that is being done."""

    job: Job
    work: Work
    _told: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    @property
    def folder(self) -> Path:
        """An empty folder for what is half done; it is put in its place when it is whole."""
        return self._emptied("made")

    @property
    def sent(self) -> Path:
        """An empty folder for pictures that came with the request."""
        return self._emptied("sent")

    def _emptied(self, name: str) -> Path:
        path = self.work.half_done(self.job) / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def check(self) -> None:
        """Raises Ended where somebody asked for it."""
        wish = self.work.jobs.wish(self.job.id)
        if wish in ENDS:
            raise Ended(wish)

    def progress(self, done: int, of: int, text: str | None = None) -> None:
        """Say how far it is, not too often. Raises Ended as ``check``."""
        self.check()
        now = time.monotonic()
        if now - self._told < TOLD_EVERY and done < of:
            return
        self._told = now
        left = (now - self._began) * (of - done) / done if 0 < done <= of else None
        self.tell({"done": done, "of": of, "seconds_left": left, "text": text})

    def tell(self, progress: Mapping[str, Any], got_on: bool = False) -> None:
        self.work.jobs.advance(self.job.id, progress, got_on)

    def note(self, **notes: Any) -> None:  # noqa: ANN401 - JSON
        """Keep what must be known when a kill has come in between."""
        self.job.notes |= notes
        self.work.jobs.note(self.job.id, self.job.notes)

    def preview(self, step: int, of: int, pictures: Tensor) -> None:
        """Show pictures, (N, C, H, W) uint8, as they are now."""
        shown = [_small(pictures[i : i + 1]) for i in range(min(SHOWN, len(pictures)))]
        self.work.database.tell("preview", {"job": self.job.id, "step": step, "of": of, "pictures": shown})

    def place(self, area: str, name: str) -> str:
        """Return a free name in an area that is this job's from now on, also after a kill."""
        known = self.job.notes.get("name")
        if known is None:
            self.note(name=(known := self.work.workspace.free(area, name)))
        return str(known)

    def finish(self, made: Path, area: str, name: str) -> Path:
        """Put what is whole in its place, at once."""
        target = self.work.workspace.area(area) / name
        if not target.exists():
            made.replace(target)
        return target


Do = Callable[[Doing], dict[str, Any]]
"""From a job to its result."""


class Work:
    """What the jobs of one worker have in common."""

    def __init__(self, workspace: Workspace, database: Database, jobs: Jobs) -> None:
        self.workspace, self.database, self.jobs = workspace, database, jobs
        self.models = Models(workspace)
        self._loaded: tuple[object, Model] | None = None

    def model(self, id: str, best: bool = False) -> Model:
        """Return a model; the last one is kept. Raises UserError where there is none."""
        place = self.models.place(id)
        status = (place.folder / ("best.safetensors" if best else "model.safetensors")).stat()
        which = (id, best, status.st_mtime_ns, status.st_size)
        if self._loaded is None or self._loaded[0] != which:
            self._loaded = None  # two at once might not fit
            self._loaded = (which, load(place.name, best))
        return self._loaded[1]

    def half_done(self, job: Job) -> Path:
        return self.workspace.hidden / "work" / f"job-{job.id}"

    def do(self, job: Job, how: Do) -> dict[str, Any]:
        """Return the result of a job. Raises Ended, and UserError for what cannot be done."""
        try:
            return how(Doing(job, self))
        finally:
            shutil.rmtree(self.half_done(job), ignore_errors=True)

    def ended(self, job: Job, wish: str) -> None:
        """Somebody ended the job before it was done."""
        shutil.rmtree(self.half_done(job), ignore_errors=True)
        name = job.notes.get("name")
        if job.kind == "train" and name is not None:
            self._training_ended(job, wish, str(name))
        elif wish == "pause":
            self.jobs.end(job.id, "paused")
        else:
            self.jobs.end(job.id, "cancelled")

    def _training_ended(self, job: Job, wish: str, name: str) -> None:
        folder = self.workspace.area("runs") / name
        is_there = (folder / "config.json").is_file()
        if wish == "pause":
            self.jobs.end(job.id, "paused")
        elif wish == "stop" and is_there:
            self.jobs.end(job.id, "done", result={"model": name})
        elif not is_there:
            if not job.request.get("resume"):
                shutil.rmtree(folder, ignore_errors=True)
            self.jobs.end(job.id, "cancelled")
        elif job.request.get("resume"):
            self.jobs.end(job.id, "cancelled", result={"model": name})
        else:
            undo = deleted.put(self.workspace, f"runs/{name}")
            self.jobs.end(job.id, "cancelled", result={"undo": undo})

    def failed(self, job: Job, said: str) -> None:
        shutil.rmtree(self.half_done(job), ignore_errors=True)
        self.jobs.fail(job.id, said)


def _small(picture: Tensor) -> str:
    """One picture as a data URL: quick rather than small."""
    return "data:image/png;base64," + base64.b64encode(png_of(to_image(picture), 1)).decode("ascii")
