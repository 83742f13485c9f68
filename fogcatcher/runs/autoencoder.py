"""One training of an autoencoder: through the same loop, checkpoints and log as that of a denoiser.

runs/NAME/  autoencoder.safetensors (EMA)   autoencoder.json   training.json   metrics.jsonl
            checks.jsonl                    how well held-out pictures come back, ten times a run
            samples/returned.png            held-out pictures, and below each what came back
            state/step-N.safetensors        raw weights, EMA, optimiser; the newest two
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

import torch

from fogcatcher.base.devices import best_device
from fogcatcher.base.disk import remove_leftovers, write_text
from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.lock import locked
from fogcatcher.base.numbers import Seed, check_fields
from fogcatcher.base.read_json import read_json
from fogcatcher.base.typed_json import Length, Range
from fogcatcher.data.latents.first_stage import FirstStage
from fogcatcher.data.named_places import data_named, from_root, remember
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.sheets import sheet
from fogcatcher.data.pictures.spec import PictureSpec, spec_of
from fogcatcher.data.pictures.store import Pictures
from fogcatcher.data.reading import Dataset, Reading, read_dataset
from fogcatcher.data.splitting import Split, split
from fogcatcher.diffusion.adversarial import Rival
from fogcatcher.judging.reconstruction import Returned, judged, psnr
from fogcatcher.model.autoencoder_files import load_autoencoder, save_autoencoder
from fogcatcher.networks.autoencoder import Autoencoder, AutoencoderShape
from fogcatcher.networks.critic import PatchCritic
from fogcatcher.runs.forecast import DEFAULT_MINUTES, steps_in
from fogcatcher.runs.log import CHECKS, METRICS, MetricsLog, RowLog
from fogcatcher.runs.setup import Batch, Minutes, Rate, Steps, Width, check_length, free_folder
from fogcatcher.training.batches import Batches
from fogcatcher.training.checkpoints import KEPT, checkpoints_in, load_newest_state, save_state
from fogcatcher.training.fit import Plan, Progress, TrainingState, fit, seconds_per_step
from fogcatcher.training.reconstruction import Reconstruction, Sharpening, usual_weight

FACTS, RETURNED = "training.json", "samples/returned.png"
FACTORS = (2, 4, 8, 16)
LATENT_CHANNELS = 4
MULTIPLIERS = (1, 2, 2, 4, 4)
"""Of the width, level by level, the finest first."""
CHECKS_OF_A_RUN = 10
JUDGED = 256
"""So many held-out pictures say how well they come back."""
SHOWN = 10
LEARNING_RATE, CRITIC_RATE = 2.5e-3, 4e-4
Weight = Annotated[float, Range(0, 1e3)]
LatentChannels = Annotated[int, Range(1, 256)]
Codes = Annotated[int, Range(0, 65_536)]


@dataclass(frozen=True)
class AutoencoderSetup:
    """What a person may choose about a new autoencoder."""

    data: str
    out: Path | None = None
    options: DataOptions = field(default_factory=DataOptions)
    factor: Annotated[int, Range(2, 16)] = 4
    """By how much latents are smaller than pictures, side by side: 2, 4, 8 or 16."""
    channels: LatentChannels = LATENT_CHANNELS
    """Of the latents."""
    codes: Codes = 0
    """How many vectors a position of the latents may be; 0: any."""
    weight: Weight | None = None
    """Of the cost of the latents; None is 1e-6, or 1 with codes."""
    sharpen: Weight = 0.0
    """How much a critic of patches counts, against the error of the pixels, in the second half; 0: not at
    all."""
    width: Width = 32
    """Channels of the first level: the size of the network."""
    minutes: Minutes | None = None
    steps: Steps | None = None
    batch_size: Batch = 16
    learning_rate: Rate = LEARNING_RATE
    seed: Seed = 0


@dataclass(frozen=True)
class AutoencoderFacts:
    """What ``training.json`` holds: all that determines a run, but the pictures themselves."""

    format: Annotated[int, Range(1, 1)]
    network: AutoencoderShape
    pictures: PictureSpec
    weight: Weight
    sharpen: Weight
    training: Plan
    data: Annotated[str, Length(0, 4096)]
    options: DataOptions
    digest: Annotated[str, Length(0, 64)]
    """Hash of all pictures."""
    folder: Annotated[str, Length(0, 4096)] = ""
    """Of the data, from the root of that machine's disk."""


@dataclass
class AutoencoderRun:
    """An autoencoder that is ready to train."""

    folder: Path
    facts: AutoencoderFacts
    dataset: Dataset
    parts: Split
    state: TrainingState[Autoencoder]
    batches: Batches
    lesson: Reconstruction
    notes: list[str] = field(default_factory=list)
    known: frozenset[str] = frozenset()
    """The checkpoints that lay in the folder when this was made ready."""

    @property
    def stage(self) -> FirstStage:
        """The autoencoder as it is now: the averaged weights."""
        return FirstStage(self.state.ema.denoiser, self.facts.pictures)

    @property
    def seen(self) -> Pictures:
        """Pictures that tell how well it does: held-out ones, or the first where there are none."""
        held_out = self.parts.held_out[:JUDGED]
        return self.dataset.rows[held_out if len(held_out) else self.parts.train[:JUDGED]]


def prepare_autoencoder(setup: AutoencoderSetup, progress: Reading | None = None) -> AutoencoderRun:
    """Read the data and build everything for a new run; nothing is written yet. Raises UserError."""
    started = time.monotonic()
    check_fields(setup)
    check_length(setup.minutes, setup.steps)
    if setup.factor not in FACTORS:
        raise UserError(f"latents are 2, 4, 8 or 16 times smaller, not {setup.factor}.", about="factor")
    if setup.out is not None and (setup.out / FACTS).exists():
        raise UserError(
            Message(
                "{folder} already holds an autoencoder: add {@resume} to go on, or choose another {@out}.",
                folder=setup.out,
            ),
            about="out",
        )
    remember(setup.data)
    dataset = read_dataset(setup.data, setup.options, progress)
    pictures = spec_of(dataset.rows)
    weight = usual_weight(setup.codes) if setup.weight is None else setup.weight
    plan = Plan(
        setup.steps or 1,
        batch_size=setup.batch_size,
        learning_rate=setup.learning_rate,
        seed=setup.seed,
    )
    facts = AutoencoderFacts(
        1,
        _shape(setup, pictures),
        pictures,
        weight,
        setup.sharpen,
        plan,
        setup.data,
        setup.options,
        dataset.digest,
        from_root(setup.data),
    )
    name = f"{setup.data}-autoencoder"
    run = _assembled(setup.out or free_folder(name), facts, dataset)
    run.stage.check(pictures)
    if setup.steps is None:
        minutes = DEFAULT_MINUTES if setup.minutes is None else setup.minutes
        run.facts = _for_minutes(run, minutes - (time.monotonic() - started) / 60)
        if run.lesson.sharpening:
            run.lesson.sharpening.starts = run.facts.training.steps // 2
        said = f"{minutes:g} minutes are about {run.facts.training.steps:,} steps here"
        run.notes.append(said)
    return run


def _shape(setup: AutoencoderSetup, pictures: PictureSpec) -> AutoencoderShape:
    levels = setup.factor.bit_length()
    widths = tuple(setup.width * multiplier for multiplier in MULTIPLIERS[:levels])
    return AutoencoderShape(pictures.channels, widths, setup.channels, setup.codes)


def _for_minutes(run: AutoencoderRun, minutes: float) -> AutoencoderFacts:
    """The facts with as many steps as these minutes hold, from a few timed ones."""
    per_step = seconds_per_step(run.state.denoiser, run.batches, run.lesson, run.facts.training, 1.0)
    steps = steps_in(max(0.0, minutes), per_step)
    return replace(run.facts, training=replace(run.facts.training, steps=steps))


def resume_autoencoder(folder: Path, data: str, progress: Reading | None = None) -> AutoencoderRun:
    """Take up the run in ``folder`` at its newest complete checkpoint. Raises UserError where there is none,
    and for other data than it was begun with.
    """
    remember(data)
    try:
        facts = read_json(folder / FACTS, AutoencoderFacts)
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no autoencoder in training: it has no {FACTS}.") from error
    dataset = read_dataset(data, facts.options, progress)
    if dataset.digest != facts.digest:
        raise UserError(
            f"{data} is not what {folder} was trained on: give the same pictures, or start anew elsewhere.",
            about="data",
        )
    run = _assembled(folder, facts, dataset)
    try:
        run.notes += load_newest_state(run.state, folder / "state")
    except FileNotFoundError as error:
        said = Message("there is nothing to resume from ({why}): start again without {@resume}.", why=error)
        raise UserError(said) from error
    run.notes.append(f"resumed at step {run.state.step:,} of {facts.training.steps:,}")
    return run


def _assembled(folder: Path, facts: AutoencoderFacts, dataset: Dataset) -> AutoencoderRun:
    plan, parts = facts.training, split(dataset, facts.options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = Autoencoder(facts.network)
    network = network.to(best_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    lesson = _lesson(facts)
    state = TrainingState.start(network, plan)
    state.memory = lesson.memory
    batches = Batches(dataset.rows, {}, plan.seed, parts.train)
    return AutoencoderRun(
        folder, facts, dataset, parts, state, batches, lesson, known=checkpoints_in(folder / "state")
    )


def _lesson(facts: AutoencoderFacts) -> Reconstruction:
    if not facts.sharpen:
        return Reconstruction(facts.weight)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(facts.training.seed)
        critic = PatchCritic(facts.pictures.channels)
    rival = Rival(critic.to(best_device()), CRITIC_RATE)
    return Reconstruction(facts.weight, Sharpening(rival, facts.sharpen, facts.training.steps // 2))


def judged_autoencoder(
    folder: Path, data: str | None = None, progress: Reading | None = None, most: int = 2000
) -> Returned:
    """Say how well an autoencoder gives back pictures that it did not learn from, at most so many.

    ``data`` None is what it learned from, of which the held-out ones are judged. Raises UserError where that
    is not to be found, or no autoencoder is there.
    """
    stage = load_autoencoder(folder)
    try:
        facts = read_json(folder / FACTS, AutoencoderFacts)
    except FileNotFoundError as error:
        raise UserError(f"{folder} does not say what it learned from: it has no {FACTS}.") from error
    place = data_named(facts.data, facts.folder) if data is None else data
    dataset = read_dataset(place, facts.options, progress)
    stage.check(spec_of(dataset.rows))
    held_out = split(dataset, facts.options).held_out if dataset.digest == facts.digest else torch.zeros(0)
    chosen = held_out[:most] if len(held_out) else torch.arange(min(most, len(dataset)))
    return judged(stage, dataset.rows[chosen])


def follow_autoencoder(
    run: AutoencoderRun, checkpoint_seconds: float = 20.0, command: str = "train-autoencoder"
) -> Generator[Progress]:
    """Train the run, yielding after each step; log, checks and checkpoints go to disk.

    When the reader stops iterating, everything done so far is saved. Raises Diverged where the numbers are
    lost, UserError where another process trains in the folder, and OSError where the disk takes no more.
    """
    with locked(run.folder, command):
        if checkpoints_in(run.folder / "state") - run.known:
            raise UserError(f"{run.folder} was trained by another process meanwhile: start again.")
        record = _Record(run, checkpoint_seconds)
        try:
            for progress in fit(run.state, run.batches, run.lesson, run.facts.training):
                record.add(progress)
                yield progress
        finally:
            record.close()


class _Record:
    """What a run leaves on disk as it goes."""

    def __init__(self, run: AutoencoderRun, checkpoint_seconds: float) -> None:
        self._run, self._seconds = run, checkpoint_seconds
        (run.folder / "samples").mkdir(parents=True, exist_ok=True)
        remove_leftovers(run.folder)
        self._log = MetricsLog(run.folder / METRICS, run.state.step)
        self._checks = RowLog(run.folder / CHECKS, run.state.step)
        # Also of what goes on: one killed between its last checkpoint and the weights left older ones.
        self._save()
        # It comes last: a folder with one can be resumed.
        write_text(run.folder / FACTS, json.dumps(asdict(run.facts), indent=2) + "\n")

    def add(self, progress: Progress) -> None:
        """After every step."""
        steps = self._run.facts.training.steps
        if not progress.skipped:
            self._log.add(progress)
        if progress.step * CHECKS_OF_A_RUN // steps > (progress.step - 1) * CHECKS_OF_A_RUN // steps:
            self._check(progress.step)
        if time.monotonic() - self._saved_at >= self._seconds and self._log.is_flushed:
            self._save()

    def _check(self, step: int) -> None:
        run, rows = self._run, self._run.seen
        returned = run.stage.returned(rows)
        self._checks.add({"step": step, "psnr": psnr(rows, returned).mean().item()})
        pairs = torch.cat([rows[:SHOWN], returned[:SHOWN]])
        sheet(pairs, min(SHOWN, len(rows))).save(run.folder / RETURNED)

    def _save(self) -> None:
        run = self._run
        save_state(run.state, run.folder / "state", KEPT)
        save_autoencoder(run.stage, run.folder)
        self._saved_step, self._saved_at = run.state.step, time.monotonic()

    def close(self) -> None:
        """The last save."""
        self._log.flush()
        if self._run.state.step > self._saved_step and self._run.state.whole:
            self._save()
