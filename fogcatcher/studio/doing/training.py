"""Training: a run directory as the command line writes it; begun, taken up again, ended when asked."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.named_places import data_named
from fogcatcher.model.config import CONFIG, read_config
from fogcatcher.runs.autoencoder import AutoencoderRun, follow_autoencoder
from fogcatcher.runs.first_stage import stopped_before
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.record import Run
from fogcatcher.runs.setup import Setup
from fogcatcher.studio import asked
from fogcatcher.studio.datasets import DataSets, options_of
from fogcatcher.studio.models import newest_step
from fogcatcher.studio.work import Doing
from fogcatcher.studio.workspace import as_name
from fogcatcher.training.setbacks import Diverged

CHECKPOINT_SECONDS = 10.0
"""As a kill loses at most what was done since; for a small model that costs a hundredth of the time."""
TOLD_EVERY = 0.25
SMOOTH = 0.98
"""Weight of the past in the loss that is shown."""


def train(doing: Doing) -> dict[str, Any]:
    """Train to the end; what is on disk at any time is a run that can go on."""
    request = asked.Train.model_validate(doing.job.request)
    run = _going_on(doing, request.resume, request) if request.resume else _new(doing, request)
    name = str(doing.job.notes["name"])
    if run is not None:
        doing.check()
        _follow(doing, run, request.stop_early)
    return {"model": name}


def setup_of(request: asked.Train, data: str, out: Path) -> Setup:
    """Return a page's choices as the library takes them. Raises UserError for what cannot be."""
    start = request.start_from
    return Setup(
        data,
        out,
        minutes=request.minutes,
        steps=request.steps,
        options=options_of(request),
        conditions=tuple(request.conditions),
        augment=request.augment,
        seed=request.seed,
        preset=request.preset,
        start_from=start,
        network=request.network,
        size_of_model=request.size_of_model or None,
        batch_size=request.batch_size,
        upscale=request.upscale,
    )


def _new(doing: Doing, request: asked.Train) -> Run | None:
    """A new run; after a kill, the same run at its newest checkpoint; None where that was its end."""
    data = DataSets(doing.work.workspace).path(request.data or "")
    name = doing.place("runs", request.name or as_name(request.data or "run", "run"))
    out = Path("runs", name)
    if (out / CONFIG).is_file():
        return _from_checkpoint(out, data)
    if not stopped_before(out):
        shutil.rmtree(out, ignore_errors=True)  # a kill came before it was whole
    doing.tell({"done": 0, "of": 0, "seconds_left": None, "text": "reading the pictures"})
    start = request.start_from
    if start not in ("auto", "none"):
        start = doing.work.models.place(start).name
    setup = setup_of(request.model_copy(update={"start_from": start}), data, out)
    return prepare(setup, _reading(doing), train_first=partial(_autoencoder, doing))


def _autoencoder(doing: Doing, run: AutoencoderRun) -> None:
    """Train what the model needs first. Raises Ended after the last save, and UserError as ``_follow``."""
    try:
        with closing(follow_autoencoder(run, CHECKPOINT_SECONDS)) as steps:  # closing saves
            for progress in steps:
                doing.progress(progress.step, run.facts.training.steps, "an autoencoder learns first")
    except Diverged as error:
        raise UserError(Message("training went out of hand: {why}; try another seed.", why=error)) from error


def _going_on(doing: Doing, id: str, request: asked.Train) -> Run | None:
    """A run that was there before; None where it has got to its end already, after a kill."""
    folder = doing.work.models.place(id).folder
    config, _ = read_config(folder)
    if "name" not in doing.job.notes:
        doing.note(name=id, at_first=newest_step(folder) or 0)
    out = Path("runs", id)
    step = newest_step(folder)
    if step == config.training.steps and step != doing.job.notes["at_first"]:
        return None
    return resume(
        out,
        data_named(config.data.path, config.data.folder),
        _reading(doing),
        minutes=request.minutes,
        steps=request.steps,
    )


def _from_checkpoint(out: Path, data: str) -> Run | None:
    config, _ = read_config(out)
    if newest_step(out) == config.training.steps:
        return None
    return resume(out, data)


def _reading(doing: Doing) -> Any:  # noqa: ANN401 - a function
    def read(done: int, of: int) -> None:
        doing.progress(done, of, "reading the pictures")

    return read


def _follow(doing: Doing, run: Run, stop_early: bool) -> None:
    """Raises Ended after the last save, and UserError for a run that went out of hand."""
    told, first, start, loss = 0.0, run.state.step, time.monotonic(), None
    saved = newest_step(run.folder)
    steps = follow(run, CHECKPOINT_SECONDS, stop_early)
    try:
        with closing(steps):  # closing saves
            for progress in steps:
                doing.check()
                if not progress.skipped:
                    loss = progress.loss if loss is None else SMOOTH * loss + (1 - SMOOTH) * progress.loss
                now, of = time.monotonic(), run.config.training.steps
                if now - told >= TOLD_EVERY or progress.step == of:
                    told = now
                    left = (now - start) * (of - progress.step) / max(1, progress.step - first)
                    newest = newest_step(run.folder)
                    _tell(doing, run, progress.step, loss, left, newest != saved)
                    saved = newest
    except Diverged as error:
        raise UserError(
            Message(
                "training went out of hand: {why}. The last checkpoint is whole and can be drawn with; "
                "try again with another seed.",
                why=str(error),
            )
        ) from error


def _tell(doing: Doing, run: Run, step: int, loss: float | None, left: float, got_on: bool) -> None:
    of, name = run.config.training.steps, run.folder.name
    doing.tell({"done": step, "of": of, "seconds_left": left, "text": None}, got_on)
    preview = run.folder / "samples" / "preview.png"
    url = None
    if preview.exists():
        url = f"/files/{quote(f'runs/{name}/samples/preview.png')}?t={preview.stat().st_mtime_ns}"
    doing.work.database.tell(
        "training",
        {"model": name, "step": step, "of": of, "loss": loss, "preview": url, "seconds_left": left},
    )
