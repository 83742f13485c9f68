"""A run that trains, and all that it leaves on disk, whatever the disk and the numbers do."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fogcatcher.base.devices import best_device
from fogcatcher.base.disk import appended_whole_or_not, why_not_written
from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.lock import locked
from fogcatcher.base.memory import is_out_of_memory
from fogcatcher.base.processes import ALONE, Processes
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.pictures.sheets import PREVIEW_COLUMNS
from fogcatcher.data.reading import Dataset
from fogcatcher.data.splitting import Split
from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.judging.checks import Check, Monitor, best_of
from fogcatcher.model.config import BEST, CONFIG, RunConfig, write_config
from fogcatcher.model.model import Model
from fogcatcher.runs.budget import Budget
from fogcatcher.runs.log import CHECKS, LOG_EVERY, METRICS, MetricsLog, RowLog
from fogcatcher.runs.loggers import Logger
from fogcatcher.runs.previews import Preview
from fogcatcher.training.batches import Batches
from fogcatcher.training.checkpoints import NotFinite, checkpoints_in, gather, load_newest_state, save_state
from fogcatcher.training.fit import Progress, TrainingState
from fogcatcher.training.post_hoc import AVERAGES, EMAHistory
from fogcatcher.training.setbacks import IN_A_ROW, ROLLBACKS, Diverged, Incident, first_not_finite

INCIDENTS = "incidents.jsonl"
MOST_CHECKING = 0.1
"""Share of the time that checks may take; one that is due beyond it is left out, unless it is the last."""


@dataclass
class Run:
    """A run that is ready to train."""

    folder: Path
    config: RunConfig
    conditions: ConditionSpec
    dataset: Dataset
    parts: Split
    """Which pictures are trained on, and which are held out."""
    state: TrainingState[Denoiser]
    batches: Batches
    objective: Objective
    notes: list[str] = field(default_factory=list)
    """Sentences a person should read before training starts."""
    checks: list[Check] = field(default_factory=list)
    """What was found while training."""
    incidents: list[Incident] = field(default_factory=list)
    """What went wrong while training, and what was done about it."""
    budget: Budget | None = None
    """When training should end, where a time was asked for."""
    seconds_per_step: float | None = None
    """As timed, where a time became a number of steps."""
    stopped: str = ""
    """Why training ended before its last step, where it did so by itself."""
    teacher: Model | None = None
    """The model from which a distilled one learns."""
    processes: Processes = ALONE
    """All that train this run together."""
    known: frozenset[str] = frozenset()
    """The checkpoints that lay in the folder when this was made ready; others are of somebody else."""
    gathered: TrainingState[Denoiser] | None = None
    """The whole state, brought up to date before it is written, where ``state`` is in parts; only the first
    process has it."""

    @property
    def written(self) -> TrainingState[Denoiser]:
        """The state as it goes to disk."""
        return self.gathered or self.state

    @property
    def model(self) -> Model:
        """The model as it is now: the averaged weights."""
        denoiser = self.written.ema.denoiser
        if self.gathered:
            denoiser = copy.deepcopy(denoiser).to(best_device())
        name = {"name": self.folder.resolve().name}
        return Model(denoiser, self.config, self.conditions, origin=name)

    def gather(self) -> None:
        """Bring ``gathered`` up to date. Where the state is in parts, every process must call this."""
        if self.state.in_parts:
            gather(self.state, self.gathered)

    def check_known(self) -> None:
        """Raises UserError where the run was trained by somebody else since this was made ready."""
        if checkpoints_in(self.folder / "state") - self.known:
            raise UserError(
                Message(
                    "{folder} was trained by another process meanwhile: add {@resume} to go on from there, "
                    "or choose another {@out}.",
                    folder=self.folder,
                )
            )

    @property
    def is_whole(self) -> bool:
        """Whether ``written`` is of the latest step."""
        return self.written.step == self.state.step

    def return_to_checkpoint(self, error: Diverged) -> list[str]:
        """Take up the newest checkpoint at half the learning rate; return notices of damaged ones.

        Raises Diverged when that was in vain.
        """
        setbacks = self.state.setbacks
        if setbacks.rollbacks >= ROLLBACKS:
            raise Diverged(f"{error}, also after {ROLLBACKS} returns, each to half the learning rate")
        try:
            notices = load_newest_state(self.state, self.folder / "state")
        except FileNotFoundError as missing:
            raise Diverged(f"{error}, and no checkpoint is there to go back to") from missing
        self.state.setbacks = replace(setbacks, in_a_row=0, rollbacks=setbacks.rollbacks + 1)
        # The first writes there again only when all have read.
        self.processes.wait()
        self.gather()
        return notices


class Record:
    """Writes logs, previews, checks, averages and checkpoints, and goes back where the numbers are lost."""

    def __init__(
        self,
        run: Run,
        checkpoint_seconds: float,
        keep: int,
        open_folder: Callable[[Run], None],
        loggers: Sequence[Logger] = (),
    ) -> None:
        """``open_folder`` makes the run directory, now and again where it is gone."""
        self._open_folder, self._locks = open_folder, contextlib.ExitStack()
        open_folder(run)
        self._run, self._seconds, self._keep, self._loggers = run, checkpoint_seconds, keep, loggers
        self._started, self._checking = time.monotonic(), 0.0
        self._failing: dict[str, str] = {}
        """What could not be done the last time, and why."""
        self._incidents = RowLog(run.folder / INCIDENTS, run.config.training.steps)
        self._open_logs()
        self.monitor = Monitor(run.config.kind, run.dataset, run.parts, run.objective, run.config.training)
        shown = (run.parts.held_out if len(run.parts.held_out) else run.parts.train)[:PREVIEW_COLUMNS]
        real = run.dataset.rows[shown]
        self._preview = Preview(run.folder / "samples", run.config.training, run.conditions, real)
        self._micro_batch = run.state.setbacks.micro_batch
        if run.state.step == 0:
            self._try("the preview", lambda: self._preview.add(0, run.model))
        if run.budget:
            run.budget.at_end = time.monotonic() - self._started
        self._saved_at, self._saved_step = time.monotonic(), run.state.step

    def _open_logs(self) -> None:
        step = self._run.state.step
        self._averages = EMAHistory(self._run.folder / AVERAGES, self._run.config.training, self._run.written)
        self._log = MetricsLog(self._run.folder / METRICS, step, self._loggers)
        self._checked = RowLog(self._run.folder / CHECKS, step, self._loggers)
        self._run.checks[:] = Check.of_rows(self._checked.rows)

    def replan(self) -> None:
        """Take up another number of steps."""
        plan = self._run.config.training
        self.monitor.plan(plan, self._run.state.step)
        self._preview.plan(plan)
        self._averages.plan(plan)
        self._try(
            "the config", lambda: write_config(self._run.folder, self._run.config, self._run.conditions)
        )

    def add(self, progress: Progress) -> None:
        """After every step."""
        step = progress.step
        if step % LOG_EVERY == 0 and not (self._run.folder / CONFIG).exists():
            self._try("the folder", self._make_anew)
        self._tell_of(progress)
        if not progress.skipped:
            self._write_log(lambda: self._log.add(progress))
        if self._preview.is_due(step) and self.is_sound():
            self._try("the preview", lambda: self._preview.add(step, self._run.model))
        if self._has_time_to_check(step) and self.is_sound():
            self._try("the check", lambda: self._check(step))
        if step in self._averages.due and self.is_sound():
            self._try("the averages", self._averages.after_step)
        if self._is_time_to_save() and self._log.is_flushed and not self._run.state.setbacks.in_a_row:
            self.save()

    def _make_anew(self) -> None:
        """Somebody removed the folder of the run, or moved it: what can be is written again, at its place."""
        run = self._run
        self._locks.enter_context(locked(run.folder, "train"))
        (run.folder / AVERAGES).mkdir(exist_ok=True)
        save_state(run.written, run.folder / "state", self._keep)
        run.model.save_weights(run.folder)
        for log in (self._log, self._checked, self._incidents):
            log.write_again()
        self._open_folder(run)
        self.tell(f"the folder {run.folder} was gone, and is made anew: was it moved?")

    def wants(self, step: int) -> bool:
        """Whether weights may be looked at or written after this step, so that they must be whole."""
        drawn = self._preview.is_due(step) or step in self.monitor.due or step in self._averages.due
        return drawn or time.monotonic() - self._saved_at >= self._seconds

    def _is_time_to_save(self) -> bool:
        """Not where the time came only after the others had gone on: then after the next step."""
        return time.monotonic() - self._saved_at >= self._seconds and self._run.is_whole

    def _tell_of(self, progress: Progress) -> None:
        """Skipped steps with the files of their batch, and batches that memory does not hold."""
        run, plan = self._run, self._run.config.training
        if progress.skipped:
            rows = run.batches.indices(progress.step - 1, plan.batch_size).unique().tolist()
            files = tuple(run.dataset.names[row] for row in rows)
            self.tell(f"step {progress.step:,} was skipped: {progress.skipped}", files)
        if run.state.setbacks.micro_batch != self._micro_batch:
            self._micro_batch = run.state.setbacks.micro_batch
            self.tell(
                f"memory does not hold {plan.batch_size} pictures at once: they pass in parts of "
                f"{self._micro_batch}, and the steps stay the same"
            )

    def _has_time_to_check(self, step: int) -> bool:
        spare = MOST_CHECKING * (time.monotonic() - self._started) - self._checking
        return step in self.monitor.due and (spare >= 0 or step == max(self.monitor.due))

    def _check(self, step: int) -> None:
        run, start = self._run, time.monotonic()
        run.checks.append(self.monitor.check(step, run.model))
        self._checking += time.monotonic() - start
        try:
            if best_of(run.checks) is run.checks[-1]:
                run.model.save_weights(run.folder, BEST)
            # The row comes last: were it written without its weights, they would be missing for good.
            with appended_whole_or_not(run.folder / CHECKS):
                self._checked.add(run.checks[-1].to_json())
        except OSError:
            run.checks.pop()
            raise

    def save(self) -> bool:
        """Write checkpoint and model; return whether they are on the disk."""
        run, step = self._run, self._run.state.step
        self._saved_at = time.monotonic()

        def write() -> None:
            save_state(run.written, run.folder / "state", self._keep)
            run.model.save_weights(run.folder)
            self._saved_step = step

        try:
            self._try("the checkpoint", write)
        except NotFinite as error:
            self.tell(f"step {step:,} was not saved: {error}")
        return self._saved_step == step

    def is_sound(self) -> bool:
        """Whether all that would be drawn with and judged is finite."""
        return first_not_finite(self._run.written.ema.denoiser.state_dict().items()) is None

    def go_back(self, error: Diverged) -> None:
        """Take up the newest checkpoint at half the learning rate. Raises Diverged when that was in vain."""
        run, notices = self._run, self._run.return_to_checkpoint(error)
        self._try("the log", self._open_logs)
        rate = f"{run.state.setbacks.rate:g} of the planned learning rate"
        self.tell("; ".join([f"{error}: back to step {run.state.step:,} at {rate}", *notices]))
        self.save()

    def close(self) -> None:
        """The last save. Raises UserError when the disk does not take it."""
        self._write_log(self._log.flush)
        for logger in self._loggers:
            logger.close()
        with self._locks:
            self._save_at_last()

    def _save_at_last(self) -> None:
        run = self._run
        if run.state.step <= self._saved_step or not run.state.whole or not run.is_whole:
            return
        if run.state.setbacks.in_a_row < IN_A_ROW and not self.save() and "the checkpoint" in self._failing:
            raise UserError(
                Message(
                    "{why}: steps {first:,} to {last:,} could not be saved; "
                    "step {saved:,} is whole in {folder}: mend that, and go on with {@resume}.",
                    why=self._failing["the checkpoint"],
                    first=self._saved_step + 1,
                    last=run.state.step,
                    saved=self._saved_step,
                    folder=run.folder,
                )
            )

    def tell(self, said: str, files: tuple[str, ...] = ()) -> None:
        """Keep a sentence for the person, and on disk if it can be."""
        incident = Incident(self._run.state.step, said, files)
        self._run.incidents.append(incident)
        path = self._run.folder / INCIDENTS
        with contextlib.suppress(OSError), appended_whole_or_not(path):
            self._incidents.add(asdict(incident))

    def _write_log(self, act: Callable[[], None]) -> None:
        """Lines of the log are whole or not there; what could not be written goes into a later one."""

        def whole_or_not() -> None:
            with appended_whole_or_not(self._run.folder / METRICS):
                act()

        self._try("the log", whole_or_not)

    def _try(self, what: str, act: Callable[[], None]) -> None:
        """Do it; where disk or memory do not allow it, say so once until it works again, and go on."""
        try:
            act()
        except Exception as error:
            why = _why(error)
            if why is None:
                raise
            if what not in self._failing:
                self.tell(f"{why} for {what}: training goes on, and the next one is tried again")
            self._failing[what] = why
        else:
            if what != "the log" or self._log.is_flushed:
                self._failing.pop(what, None)


def _why(error: Exception) -> str | None:
    """Why something could not be done that training can do without; None for an error of another kind."""
    if is_out_of_memory(error):
        return "memory is too small"
    return why_not_written(error)


class Companion:
    """What the other processes do while the first keeps the record: the same returns, and no file."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.monitor = Monitor(run.config.kind, run.dataset, run.parts, run.objective, run.config.training)

    def replan(self) -> None:
        """As ``Record.replan``."""
        self.monitor.plan(self._run.config.training, self._run.state.step)

    def add(self, progress: Progress) -> None:
        """The first writes it down."""

    def wants(self, step: int) -> bool:
        """The first decides."""
        return False

    def is_sound(self) -> bool:
        """The first looks."""
        return True

    def go_back(self, error: Diverged) -> None:
        """As ``Record.go_back``."""
        self._run.return_to_checkpoint(error)

    def close(self) -> None:
        """The first saves."""
