"""One training run on disk: what is built, logged, previewed and saved, and how it goes on."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fogcatcher.data.column_types import choose_controls
from fogcatcher.data.conditions import ConditionSpec, Tags
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import Dataset, Reading, read_dataset
from fogcatcher.data.spec import spec_of
from fogcatcher.data.splitting import Split, split
from fogcatcher.disk import remove_leftovers, write_atomically
from fogcatcher.errors import UserError
from fogcatcher.finishing import palette_of, write_training_palette
from fogcatcher.guidance import ConditionDropout
from fogcatcher.loggers import Logger
from fogcatcher.memory import peak_memory_mb
from fogcatcher.model import best_device
from fogcatcher.model_card import model_card, usage_of
from fogcatcher.monitor import reason_to_stop
from fogcatcher.processes import ALONE, Processes, joined
from fogcatcher.recipes.build import (
    PRESETS,
    build_denoiser,
    build_objective,
    named,
    wanted_of,
    warnings_of,
)
from fogcatcher.recipes.config import (
    DataConfig,
    NetworkConfig,
    RunConfig,
    read_config,
    write_config,
    write_json,
)
from fogcatcher.recipes.networks import LARGE_BATCH_FROM, choose_network, learning_rate_of, parameters_of
from fogcatcher.run_record import Companion, Record, Run
from fogcatcher.training.augmentation import choose
from fogcatcher.training.batches import Batches
from fogcatcher.training.checkpoints import KEPT, load_newest_state, save_state
from fogcatcher.training.fit import Plan, Progress, TrainingState, fit, seconds_per_step
from fogcatcher.training.precision import precision_on
from fogcatcher.training.setbacks import Diverged

CHECKPOINT_SECONDS = 20.0
DEFAULT_MINUTES = 10.0
PREVIEW = "samples/preview.png"
RESERVE = 0.05
"""Share of a time budget kept for checkpoints and previews."""


@dataclass(frozen=True)
class Setup:
    """What a person may choose about a new run."""

    data: str
    out: Path | None = None
    minutes: float | None = None
    steps: int | None = None
    options: DataOptions = field(default_factory=DataOptions)
    conditions: tuple[str, ...] = ()
    text_encoder: str | None = None
    augment: str = "auto"
    seed: int = 0
    preset: str = "default"
    network: str = "small"
    size_of_model: str | None = None
    """tiny, small, medium, large, or a number of parameters such as 3M; None is the network's own."""
    width: int | None = None
    """Of the network, instead of a size."""
    batch_size: int | None = None
    """None is what suits the network."""
    precision: str = "auto"
    """float32, bfloat16, or auto: bfloat16 on GPUs that have it."""


@dataclass(frozen=True)
class Devices:
    """On what a run is trained; the result is the same to rounding."""

    processes: Processes = ALONE
    micro_batch: int | None = None
    """Most pictures that one process passes through the network at once; None is its whole share."""
    shard: bool = False
    """Each process keeps only its part of weights, averages and optimisers."""

    def check(self, batch_size: int, network: str = "small") -> None:
        """Raises UserError when a batch, or a network, cannot be divided so."""
        count = self.processes.count
        if self.micro_batch is not None and self.micro_batch < 1:
            raise UserError(f"--micro-batch must be at least 1, not {self.micro_batch}.")
        if batch_size < count:
            raise UserError(
                f"a batch of {batch_size} cannot be divided among {count} processes: "
                f"start fewer, or give --batch-size {count} or more."
            )
        if self.shard and count == 1:
            raise UserError("--shard divides a model among processes: start several with torchrun.")
        if self.shard and batch_size % count:
            raise UserError(
                f"--shard needs equal shares: {batch_size} pictures cannot be divided evenly among {count} "
                f"processes; start a number that divides {batch_size}."
            )
        if self.shard and network == "edm2":
            raise UserError(
                "--shard does not go with edm2, which sets the norm of its weights while it computes, where "
                "each process has only a copy: leave out --shard, or choose another --network."
            )


ONE_DEVICE = Devices()


def default_folder(data: str) -> Path:
    """runs/NAME after the data's folder."""
    return Path("runs", re.sub(r"[^\w.-]+", "-", Path(data).resolve().name) or "run")


def prepare(setup: Setup, progress: Reading | None = None, devices: Devices = ONE_DEVICE) -> Run:
    """Read the data and build everything for a new run; nothing is written yet.

    A time budget becomes a number of steps here, after a few timed ones. Raises UserError for wrong
    input. ``progress`` hears how far the reading is.
    """
    _check(setup)
    with devices.processes.first_of_each_machine_first():
        dataset = read_dataset(setup.data, setup.options, progress)
    controls = choose_controls(dataset.columns, setup.conditions, setup.text_encoder)
    pictures = spec_of(dataset.pictures)
    parts = split(dataset, setup.options)
    augmentation, said = choose(setup.augment, dataset.pictures, len(parts.train))
    config = RunConfig(
        pictures=pictures,
        method=named("preset", setup.preset, PRESETS),
        network=NetworkConfig(),
        training=Plan(
            steps=setup.steps or 1,
            precision=precision_on(best_device(), setup.precision),
            seed=setup.seed,
            attribute_dropout=controls.dropout,
            single_dropout=tuple(a.name for a in controls.spec.attributes if isinstance(a, Tags)),
        ),
        data=DataConfig(
            setup.data,
            setup.conditions,
            len(dataset),
            _fingerprint(dataset, controls.spec, parts),
            setup.options,
        ),
        augmentation=augmentation,
    )
    config = _with_network(config, controls.spec, setup)
    folder = setup.out or _free_folder(setup.data)
    run = _assemble(folder, config, controls.spec, dataset, parts, devices)
    run.notes += [*controls.notes, *said, *warnings_of(config.method)]
    if setup.steps is None:
        minutes = setup.minutes if setup.minutes is not None else DEFAULT_MINUTES
        per_step = _seconds_per_step(run, 3.0)
        steps = _steps_in(minutes, per_step)
        run.notes.append(f"{minutes:g} minutes are {steps:,} steps here ({per_step * 1000:.0f} ms each)")
        run = replace(run, config=replace(config, training=replace(config.training, steps=steps)))
    return run


def resume(folder: Path, data: str, progress: Reading | None = None, devices: Devices = ONE_DEVICE) -> Run:
    """Take up the run in ``folder`` at its newest complete checkpoint, on any number of devices.

    Its own config counts. Raises UserError when there is nothing to go on from.
    """
    config, conditions = read_config(folder)
    with devices.processes.first_of_each_machine_first():
        dataset = read_dataset(data, config.data.options, progress)
    parts = split(dataset, config.data.options)
    if _fingerprint(dataset, conditions, parts) != config.data.fingerprint:
        raise UserError(
            f"{data} is not what {folder} was trained on ({len(dataset)} pictures now, "
            f"{config.data.pictures} then): give the same data, or start a new run with another --out."
        )
    run = _assemble(folder, config, conditions, dataset, parts, devices)
    try:
        run.notes += load_newest_state(run.state, folder / "state")
    except FileNotFoundError as error:
        raise UserError(
            f"there is no checkpoint to resume from in {folder}: start again without --resume."
        ) from error
    if devices.micro_batch:
        run.state.setbacks = replace(run.state.setbacks, micro_batch=devices.micro_batch)
    run.gather()
    run.notes.append(f"resumed at step {run.state.step:,} of {config.training.steps:,}")
    return run


@dataclass(frozen=True)
class Forecast:
    """What a run will cost on this machine, from a few timed steps."""

    parameters: int
    steps: int
    batch_size: int
    seconds_per_step: float
    memory_mb: float
    disk_mb: float
    steps_by_default: int
    """How many steps the default time allows."""

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    def rows(self) -> dict[str, str]:
        """Return what to tell a person: what -> how much."""
        images = self.batch_size / self.seconds_per_step
        minutes = f"{DEFAULT_MINUTES:g} minutes are {self.steps_by_default:,} steps"
        if self.steps > 1:
            minutes = (
                f"{self.steps * self.seconds_per_step / 60:.1f} minutes for {self.steps:,} steps; {minutes}"
            )
        return {
            "network": f"{self.parameters / 1e6:.2f} M parameters",
            "speed": f"{images:,.0f} images/s, {1 / self.seconds_per_step:.1f} steps/s",
            "time": minutes,
            "memory": f"{self.memory_mb:,.0f} MB at most",
            "disk": f"{self.disk_mb:.0f} MB",
        }


def forecast(run: Run) -> Forecast:
    """Time a few steps of a copy of the run; nothing is written."""
    plan, parameters = run.config.training, list(run.state.denoiser.parameters())
    per_step = _seconds_per_step(run, 1.0)
    weights_mb = sum(p.numel() * p.element_size() for p in parameters) / 2**20
    return Forecast(
        parameters=sum(p.numel() for p in parameters),
        steps=plan.steps,
        batch_size=plan.batch_size,
        seconds_per_step=per_step,
        memory_mb=peak_memory_mb(),
        # Two states of raw weights, two averages and optimiser, the history of the averages, and the model.
        disk_mb=26 * weights_mb,
        steps_by_default=_steps_in(DEFAULT_MINUTES, per_step),
    )


def _seconds_per_step(run: Run, seconds: float) -> float:
    return seconds_per_step(
        run.written.denoiser,
        run.batches,
        run.objective,
        run.config.training,
        seconds,
        run.processes,
        run.state.in_parts,
    )


def _steps_in(minutes: float, seconds_per_step: float) -> int:
    return max(1, int(60 * minutes * (1 - RESERVE) / seconds_per_step))


def follow(
    run: Run,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    stop_early: bool = False,
    keep: int = KEPT,
    loggers: Sequence[Logger] = (),
) -> Generator[Progress]:
    """Train the run, yielding after each step; keep log, previews, checks and checkpoints on disk.

    ``loggers`` hear every row of the logs.

    The weights of the lowest held-out loss are kept as ``best.safetensors``, and the newest ``keep``
    checkpoints. With ``stop_early`` training ends when a check finds that more of it does harm. When the
    reader stops iterating, everything done so far is saved.

    What goes wrong is told by ``run.incidents`` and ``incidents.jsonl``. After five steps in a row without a
    finite loss or gradient the run goes back to its newest checkpoint at half the learning rate. A full disk
    does not end training. Raises Diverged after three such returns, and UserError when the last save fails.
    """
    processes = run.processes
    # Nothing is written before every process has read what is there.
    processes.wait()
    record = _record(run, checkpoint_seconds, keep, loggers)
    try:
        while True:
            try:
                for progress in fit(run.state, run.batches, run.objective, run.config.training, processes):
                    if run.state.in_parts and processes.first(record.wants(progress.step)):
                        run.gather()
                    record.add(progress)
                    yield progress
                    if stop_early and progress.step in record.monitor.due:
                        run.stopped = reason_to_stop(run.checks)
                        if processes.first(bool(run.stopped)):
                            return
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


def _record(run: Run, checkpoint_seconds: float, keep: int, loggers: Sequence[Logger]) -> Record | Companion:
    """Make the run directory, in the first process."""
    if run.processes.is_first:
        _open_folder(run)
        return Record(run, checkpoint_seconds, keep, loggers)
    run.gathered = None
    return Companion(run)


def train(
    data: str | Path,
    out: str | Path | None = None,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    size: int | tuple[int, int] | None = None,
    conditions: str | Sequence[str] = (),
    augment: str = "auto",
    preset: str = "default",
    network: str = "small",
    size_of_model: str | None = None,
    options: DataOptions | None = None,
    seed: int = 0,
    stop_early: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Train a model on pictures (a path as for ``read_dataset``) and return its run directory.

    ``conditions`` names columns, NAME or NAME:TYPE; ``options`` says how pictures are read and chosen.
    ``preset`` is a row of docs/methods.md; ``network`` and ``size_of_model`` are those of docs/networks.md:
    tiny, small, medium, large, or a number of parameters such as "3M". ``stop_early`` ends training when a
    check finds that more of it does harm.
    """
    options = options or DataOptions()
    if size is not None:
        options = replace(options, size=(size, size) if isinstance(size, int) else size)
    asked = (conditions,) if isinstance(conditions, str) else tuple(conditions)
    out = Path(out) if out else None
    setup = Setup(
        str(data),
        out,
        minutes,
        steps,
        options,
        asked,
        augment=augment,
        seed=seed,
        preset=preset,
        network=network,
        size_of_model=size_of_model,
    )
    with joined() as processes:
        run = prepare(setup, devices=Devices(processes))
        for step in follow(run, stop_early=stop_early):
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
    if setup.batch_size is not None and setup.batch_size < 1:
        raise UserError(f"--batch-size must be at least 1, not {setup.batch_size}.")
    if setup.out is not None and (setup.out / "config.json").exists():
        raise UserError(f"{setup.out} already holds a run: add --resume to go on, or choose another --out.")


def _with_network(config: RunConfig, conditions: ConditionSpec, setup: Setup) -> RunConfig:
    """The config with the network that was asked for, and the learning rate and batch that suit it."""
    wanted = wanted_of(config, conditions)
    network = choose_network(setup.network, setup.size_of_model, wanted, setup.width)
    large = parameters_of(replace(wanted, config=network)) > LARGE_BATCH_FROM
    batch_size = setup.batch_size or (64 if large else config.training.batch_size)
    plan = replace(config.training, batch_size=batch_size, learning_rate=learning_rate_of(network))
    return replace(config, network=network, training=plan)


def _free_folder(data: str) -> Path:
    """The default folder of the data; with -2, -3 ... where that is taken."""
    first = default_folder(data)
    folders = (first if i == 1 else first.with_name(f"{first.name}-{i}") for i in range(1, 10_000))
    return next(folder for folder in folders if not folder.exists())


def _fingerprint(dataset: Dataset, conditions: ConditionSpec, parts: Split) -> str:
    """A hash of all that training sees."""
    digest = hashlib.sha256(f"{dataset.digest} {conditions.to_json()}".encode())
    for a in conditions.attributes:
        digest.update(json.dumps(dataset.columns[a.name]).encode())
    digest.update(parts.train.numpy().tobytes())
    return digest.hexdigest()[:16]


def _assemble(
    folder: Path,
    config: RunConfig,
    conditions: ConditionSpec,
    dataset: Dataset,
    parts: Split,
    devices: Devices,
) -> Run:
    plan = config.training
    devices.check(plan.batch_size, config.network.name)
    denoiser = build_denoiser(config, conditions)
    batches = Batches(
        dataset.pictures,
        conditions.encode_pictures(dataset.columns),
        plan.seed,
        parts.train,
        ConditionDropout(plan.condition_dropout, plan.attribute_dropout, plan.single_dropout),
        config.augmentation,
    )
    gathered = None
    if devices.shard:
        gathered = TrainingState.start(denoiser, plan)
        state = TrainingState.start_in_parts(denoiser, plan, devices.processes)
    else:
        state = TrainingState.start(denoiser.to(best_device()), plan)
    state.setbacks = replace(state.setbacks, micro_batch=devices.micro_batch)
    objective = build_objective(config.method, config.pictures.sigma_data)
    return Run(
        folder,
        config,
        conditions,
        dataset,
        parts,
        state,
        batches,
        objective,
        processes=devices.processes,
        gathered=gathered,
    )


def _open_folder(run: Run) -> None:
    """Make the run directory. config.json comes last, so that a folder with one can be resumed."""
    (run.folder / "samples").mkdir(parents=True, exist_ok=True)
    for folder in (run.folder, *(path for path in run.folder.iterdir() if path.is_dir())):
        remove_leftovers(folder)
    if run.state.step == 0:
        save_state(run.written, run.folder / "state")
        run.model.save_weights(run.folder)
    held_out = [run.dataset.names[i] for i in run.parts.held_out.tolist()]
    report = {**run.dataset.report(), "held_out": held_out}
    write_atomically(run.folder / "data_report.json", lambda part: write_json(part, report))
    palette = palette_of(run.dataset.pictures)
    if palette:
        write_training_palette(palette, run.folder)
    card = model_card(run.config, run.conditions, usage_of(str(run.folder)), run.folder.name, PREVIEW)
    write_atomically(run.folder / "README.md", lambda part: part.write_text(card, encoding="utf-8"))
    write_config(run.folder, run.config, run.conditions)
