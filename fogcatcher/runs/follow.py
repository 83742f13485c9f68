"""A run trains, step by step, and leaves everything on disk."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from fogcatcher.base.disk import remove_leftovers, write_text
from fogcatcher.base.lock import locked
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.drawing.finishing import palette_of, write_training_palette
from fogcatcher.judging.checks import reason_to_stop
from fogcatcher.model.autoencoder_files import save_stage_of
from fogcatcher.model.config import (
    write_config,
    write_json,
)
from fogcatcher.model.distilling import TEACHER
from fogcatcher.model.model_card import model_card, usage_of
from fogcatcher.runs.budget import CORRECTIONS
from fogcatcher.runs.loggers import Logger
from fogcatcher.runs.record import Companion, Record, Run
from fogcatcher.training.checkpoints import KEPT, checkpoints_in, save_state
from fogcatcher.training.fit import Progress, fit
from fogcatcher.training.setbacks import Diverged

CHECKPOINT_SECONDS = 20.0
PREVIEW = "samples/preview.png"


def follow(
    run: Run,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    stop_early: bool = False,
    keep: int = KEPT,
    loggers: Sequence[Logger] = (),
    command: str = "train",
) -> Generator[Progress]:
    """Train the run, yielding after each step; keep log, previews, checks and checkpoints on disk.

    ``loggers`` hear every row of the logs. The folder is locked meanwhile, and ``command`` tells others what
    is done in it (``base/lock.py``).

    The weights of the lowest held-out loss are kept as ``best.safetensors``, and the newest ``keep``
    checkpoints. With ``stop_early`` training ends when a check finds that more of it does harm. When the
    reader stops iterating, everything done so far is saved.

    What goes wrong is told by ``run.incidents`` and ``incidents.jsonl``. After five steps in a row without a
    finite loss or gradient the run goes back to its newest checkpoint at half the learning rate. A full disk,
    or whatever else keeps it from writing, does not end training; a folder that is gone is made anew. Raises
    Diverged after three such returns, and UserError when the last save fails, or where another process trains
    in the folder, or has done so since the run was made ready.
    """
    processes = run.processes
    # Nothing is written before every process has read what is there.
    processes.wait()
    with _alone(run, command) if processes.is_first else nullcontext():
        yield from _followed(run, checkpoint_seconds, stop_early, keep, loggers)


@contextmanager
def _alone(run: Run, command: str) -> Iterator[None]:
    """The folder of the run is this process's, and as it was when the run was made ready."""
    with locked(run.folder, command):
        run.check_known()
        yield


def _followed(
    run: Run, checkpoint_seconds: float, stop_early: bool, keep: int, loggers: Sequence[Logger]
) -> Generator[Progress]:
    """As ``follow``, while no other process writes in the folder."""
    processes = run.processes
    record = _record(run, checkpoint_seconds, keep, loggers)
    try:
        while True:
            try:
                for progress in _timed(run):
                    if run.state.in_parts and processes.first(record.wants(progress.step)):
                        run.gather()
                    record.add(progress)
                    yield progress
                    if stop_early and progress.step in record.monitor.due:
                        run.stopped = reason_to_stop(run.checks)
                        if processes.first(bool(run.stopped)):
                            return
                    if _correct(run):
                        record.replan()
                        break
                else:
                    if processes.first(record.is_sound()):
                        return
                    raise Diverged(f"at step {run.state.step}, the last, a weight is not finite")
            except Diverged as error:
                record.go_back(error)
            except GeneratorExit:
                # The reader stops, in every process at the same step: the last save is whole.
                run.gather()
                raise
    finally:
        record.close()
        run.known = checkpoints_in(run.folder / "state")


def _timed(run: Run) -> Iterator[Progress]:
    """The steps of the run's plan; its budget hears how long each took."""
    steps = fit(run.state, run.batches, run.objective, run.config.training, run.processes)
    start = time.monotonic()
    for progress in steps:
        if run.budget:
            run.budget.add(time.monotonic() - start)
        yield progress
        start = time.monotonic()


def _correct(run: Run) -> bool:
    """Give the run as many steps as its time allows now; return whether that changed anything."""
    plan, step = run.config.training, run.state.step
    if run.budget is None or step % max(1, plan.steps // CORRECTIONS):
        return False
    steps = int(run.processes.first(run.budget.steps(plan, step)))
    run.config = replace(run.config, training=replace(plan, steps=steps))
    return steps != plan.steps


def _record(run: Run, checkpoint_seconds: float, keep: int, loggers: Sequence[Logger]) -> Record | Companion:
    """Make the run directory, in the first process."""
    if run.processes.is_first:
        return Record(run, checkpoint_seconds, keep, _open_folder, loggers)
    run.gathered = None
    return Companion(run)


def _open_folder(run: Run) -> None:
    """Make the run directory. config.json comes last, so that a folder with one can be resumed."""
    (run.folder / "samples").mkdir(parents=True, exist_ok=True)
    remove_leftovers(run.folder)
    save_stage_of(run.config.kind, run.folder)
    if run.state.step == 0:
        save_state(run.written, run.folder / "state")
        if run.teacher:
            run.teacher.save(run.folder / TEACHER)
    # Those of a run that was killed between its last checkpoint and these are older than it.
    run.model.save_weights(run.folder)
    held_out = [run.dataset.names[i] for i in run.parts.held_out.tolist()]
    report = {**run.dataset.report(), "held_out": held_out}
    write_json(run.folder / "data_report.json", report)
    palette = palette_of(run.dataset.rows) if isinstance(run.config.kind.drawn, PictureSpec) else None
    if palette:
        write_training_palette(palette, run.folder)
    card = model_card(run.config, run.conditions, usage_of(str(run.folder)), run.folder.name, PREVIEW)
    write_text(run.folder / "README.md", card)
    write_config(run.folder, run.config, run.conditions)
