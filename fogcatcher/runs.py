"""One training run on disk: what is built, logged, previewed and saved, and how it goes on."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import fogcatcher
from fogcatcher.data import builtin
from fogcatcher.data.conditions import ConditionSpec, categories_of
from fogcatcher.data.reading import Dataset, choose_column, read_dataset
from fogcatcher.data.spec import spec_of
from fogcatcher.errors import UserError
from fogcatcher.model import WEIGHTS, Model, best_device
from fogcatcher.objectives import Objective
from fogcatcher.previews import Preview
from fogcatcher.recipes.build import METHODS, build_denoiser, build_objective, named
from fogcatcher.recipes.config import DataConfig, NetworkConfig, RunConfig, read_config, write_json
from fogcatcher.training.batches import Batches
from fogcatcher.training.checkpoints import load_newest_state, save_state, write_atomically
from fogcatcher.training.fit import Plan, Progress, TrainingState, fit, seconds_per_step

LOG_EVERY = 10
CHECKPOINT_SECONDS = 20.0
DEFAULT_MINUTES = 10.0
RESERVE = 0.05
"""Share of a time budget kept for checkpoints and previews."""


@dataclass
class Run:
    """A run that is ready to train."""

    folder: Path
    config: RunConfig
    conditions: ConditionSpec
    dataset: Dataset
    state: TrainingState
    batches: Batches
    objective: Objective
    notes: list[str] = field(default_factory=list)
    """Sentences a person should read before training starts."""

    @property
    def model(self) -> Model:
        """The model as it is now: the averaged weights."""
        return Model(self.state.ema.denoiser, self.config, self.conditions)


@dataclass(frozen=True)
class Setup:
    """What a person may choose about a new run."""

    data: str
    out: Path | None = None
    minutes: float | None = None
    steps: int | None = None
    size: tuple[int, int] | None = None
    column: str | None = None
    seed: int = 0
    method: str = "edm"
    width: int = 32
    batch_size: int = 32


def open_dataset(data: str, size: tuple[int, int] | None = None, column: str | None = None) -> Dataset:
    """Return the data set at a path, or the built-in one for "sprites" where no such folder exists."""
    if data == builtin.NAME and not Path(data).exists():
        return choose_column(builtin.sprite_dataset(), column)
    return read_dataset(Path(data), size, column)


def default_folder(data: str) -> Path:
    """runs/NAME after the data's folder."""
    return Path("runs", re.sub(r"[^\w.-]+", "-", Path(data).resolve().name) or "run")


def prepare(setup: Setup) -> Run:
    """Read the data and build everything for a new run; nothing is written yet.

    A time budget becomes a number of steps here, after a few timed ones. Raises UserError for wrong
    input.
    """
    _check(setup)
    dataset = open_dataset(setup.data, setup.size, setup.column)
    conditions = categories_of(dataset.labels)
    pictures = spec_of(dataset.pictures)
    config = RunConfig(
        pictures=pictures,
        method=named("method", setup.method, METHODS),
        network=NetworkConfig.for_pictures(pictures.height, pictures.width, setup.width),
        training=Plan(steps=setup.steps or 1, batch_size=setup.batch_size, seed=setup.seed),
        data=DataConfig(setup.data, setup.column, len(dataset), _fingerprint(dataset)),
    )
    run = _assemble(setup.out or _free_folder(setup.data), config, conditions, dataset)
    if setup.steps is None:
        seconds = 60 * (setup.minutes if setup.minutes is not None else DEFAULT_MINUTES)
        per_step = seconds_per_step(run.state.denoiser, run.batches, run.objective, config.training)
        steps = max(1, int(seconds * (1 - RESERVE) / per_step))
        run.notes.append(f"{seconds / 60:g} minutes are {steps:,} steps here ({per_step * 1000:.0f} ms each)")
        run = replace(run, config=replace(config, training=replace(config.training, steps=steps)))
    return run


def resume(folder: Path, data: str) -> Run:
    """Take up the run in ``folder`` at its newest complete checkpoint.

    Its own config counts. Raises UserError when there is nothing to go on from.
    """
    config, _ = read_config(folder)
    height, width = config.pictures.height, config.pictures.width
    dataset = open_dataset(data, (height, width), config.data.column)
    if _fingerprint(dataset) != config.data.fingerprint:
        raise UserError(
            f"{data} is not what {folder} was trained on ({len(dataset)} pictures now, "
            f"{config.data.pictures} then): give the same data, or start a new run with another --out."
        )
    run = _assemble(folder, config, categories_of(dataset.labels), dataset)
    try:
        run.notes += load_newest_state(run.state, folder / "state")
    except FileNotFoundError as error:
        raise UserError(
            f"there is no checkpoint to resume from in {folder}: start again without --resume."
        ) from error
    run.notes.append(f"resumed at step {run.state.step:,} of {config.training.steps:,}")
    return run


def follow(run: Run, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> Generator[Progress]:
    """Train the run, yielding after each step; keep log, previews and checkpoints on disk.

    When the reader stops iterating, everything done so far is saved.
    """
    _open_folder(run)
    log = MetricsLog(run.folder / "metrics.jsonl", run.state.step)
    preview = Preview(run.folder / "samples", run.config.training.steps, run.conditions)
    if run.state.step == 0:
        _save(run)
        preview.add(0, run.model)
    saved_at, saved_step = time.monotonic(), run.state.step
    try:
        for progress in fit(run.state, run.batches, run.objective, run.config.training):
            log.add(progress)
            if preview.is_due(progress.step):
                preview.add(progress.step, run.model)
            if log.is_flushed and time.monotonic() - saved_at >= checkpoint_seconds:
                _save(run)
                saved_at, saved_step = time.monotonic(), run.state.step
            yield progress
    finally:
        log.flush()
        if run.state.step > saved_step:
            _save(run)


def train(
    data: str | Path,
    out: str | Path | None = None,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    size: int | tuple[int, int] | None = None,
    condition: str | None = None,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Train a model on a folder of pictures (or "sprites") and return its run directory."""
    shape = (size, size) if isinstance(size, int) else size
    run = prepare(Setup(str(data), Path(out) if out else None, minutes, steps, shape, condition, seed))
    for step in follow(run):
        if progress:
            progress(step)
    return run.folder


# --- parts --------------------------------------------------------------------------------------


def _check(setup: Setup) -> None:
    if setup.minutes is not None and setup.steps is not None:
        raise UserError("give --minutes or --steps, not both.")
    if setup.steps is not None and setup.steps < 1:
        raise UserError(f"--steps must be at least 1, not {setup.steps}.")
    if setup.minutes is not None and not (setup.minutes > 0 and math.isfinite(setup.minutes)):
        raise UserError(f"--minutes must be more than 0, not {setup.minutes:g}.")
    if setup.size is not None and min(setup.size) < 8:
        raise UserError(f"--size must be at least 8, not {min(setup.size)}.")
    if setup.width < 16 or setup.width % 16:
        raise UserError(f"--width must be a multiple of 16, not {setup.width}.")
    if setup.batch_size < 1:
        raise UserError(f"--batch-size must be at least 1, not {setup.batch_size}.")
    if setup.out is not None and (setup.out / "config.json").exists():
        raise UserError(f"{setup.out} already holds a run: add --resume to go on, or choose another --out.")


def _free_folder(data: str) -> Path:
    """The default folder of the data; with -2, -3 ... where that is taken."""
    first = default_folder(data)
    folders = (first if i == 1 else first.with_name(f"{first.name}-{i}") for i in range(1, 10_000))
    return next(folder for folder in folders if not folder.exists())


def _fingerprint(dataset: Dataset) -> str:
    digest = hashlib.sha256(dataset.pictures.numpy().tobytes())
    digest.update(json.dumps(dataset.labels).encode())
    return digest.hexdigest()[:16]


def _assemble(folder: Path, config: RunConfig, conditions: ConditionSpec, dataset: Dataset) -> Run:
    denoiser = build_denoiser(config, conditions).to(best_device())
    wishes = [{name: column[i] for name, column in dataset.labels.items()} for i in range(len(dataset))]
    batches = Batches(dataset.pictures, conditions.encode(wishes), config.training.seed)
    state = TrainingState.start(denoiser, config.training)
    return Run(folder, config, conditions, dataset, state, batches, build_objective(config.method))


def _open_folder(run: Run) -> None:
    """Make the run directory. config.json comes last, so that a folder with one is complete."""
    (run.folder / "samples").mkdir(parents=True, exist_ok=True)
    conditions, config = run.conditions.to_json(), run.config.to_json()
    write_atomically(run.folder / "conditions.json", lambda part: write_json(part, conditions))
    write_atomically(run.folder / "README.md", lambda part: part.write_text(_card(run), encoding="utf-8"))
    write_atomically(run.folder / "config.json", lambda part: write_json(part, config))


def _save(run: Run) -> None:
    save_state(run.state, run.folder / "state")
    run.model.save_weights(run.folder)


def _card(run: Run) -> str:
    config, lines = run.config, []
    for attribute in run.conditions.attributes:
        lines.append(f"- `{attribute.name}`: {', '.join(attribute.classes)}")
    shape = f"{config.pictures.width}x{config.pictures.height}, {config.pictures.channels} channels"
    return f"""# {run.folder.name}

A diffusion model of small pictures ({shape}), trained with fogcatcher {fogcatcher.__version__} on
{config.data.pictures:,} pictures for {config.training.steps:,} steps. Draw with it:

    fogcatcher sample {run.folder} -n 64

Conditions:

{chr(10).join(lines) or "- none"}

`{WEIGHTS}` holds the averaged weights, `config.json` all settings, `metrics.jsonl` the losses.
"""


class MetricsLog:
    """``metrics.jsonl``: one line for every ten steps, with their mean loss."""

    def __init__(self, path: Path, step: int) -> None:
        """Open the log of a run at ``step``; lines of later steps, from before a crash, are dropped."""
        self._path = path
        self._pending: list[Progress] = []
        self._since = time.monotonic()
        kept = [row for row in read_metrics(path) if row["step"] <= step]
        text = "".join(json.dumps(row) + "\n" for row in kept)
        write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))

    @property
    def is_flushed(self) -> bool:
        return not self._pending

    def add(self, progress: Progress) -> None:
        self._pending.append(progress)
        if progress.step % LOG_EVERY == 0:
            self.flush()

    def flush(self) -> None:
        """Write what is pending as one line."""
        if not self._pending:
            return
        last, count, now = self._pending[-1], len(self._pending), time.monotonic()
        row = {
            "step": last.step,
            "loss": sum(p.loss for p in self._pending) / count,
            "gradient_norm": max(p.gradient_norm for p in self._pending),
            "learning_rate": last.learning_rate,
            "seconds_per_step": round((now - self._since) / count, 5),
        }
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._pending, self._since = [], now


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the rows of a ``metrics.jsonl``; a last line cut short by a crash is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
