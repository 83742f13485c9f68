"""``fogcatcher train``: a folder of pictures in, a run directory out."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.errors import UserError

if TYPE_CHECKING:
    from fogcatcher.runs import Run


@dataclass
class Train:
    """Train a model on a folder of pictures. Ctrl-C once saves and stops; --resume goes on.

    Labels come from sub-folders, or from metadata.jsonl or metadata.csv with a file_name column.

    Example:  fogcatcher train my-sprites --minutes 10 --out runs/first
    """

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA", help_behavior_hint="")]
    """Folder of pictures or IDX files, or "sprites" for the built-in set."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Run directory. Default: runs/NAME after the data's folder."""
    minutes: Annotated[float | None, tyro.conf.arg(metavar="M", help_behavior_hint="")] = None
    """Time to train; it is turned into a number of steps first. Default: 10."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Number of training steps, instead of a time."""
    size: Annotated[str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="")] = None
    """Size of the pictures: 16, or 24x32 for width x height. Default: the usual one, up to 64."""
    condition: Annotated[str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="")] = None
    """Column of labels to learn. Default: kind, label, class, category, type, or the sub-folders."""
    seed: int = 0
    """Seed of the whole run: same seed, same data, same steps, same model."""
    method: Annotated[str, tyro.conf.arg(metavar="NAME")] = "edm"
    """Row of the table of methods: edm, ddpm, iddpm, v, flow."""
    width: int = 32
    """Width of the network, the one dial of its size: 16, 32, 48, 64 ..."""
    batch_size: int = 32
    """Pictures per step."""
    checkpoint_seconds: float = 20.0
    """Save about this often; a kill loses at most what was done since."""
    resume: bool = False
    """Go on with the run in --out from its newest checkpoint; its own settings count."""
    dry_run: bool = False
    """Say what would happen, time a few steps, and write nothing."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import command_name, parse_size
        from fogcatcher.runs import Setup, default_folder, prepare, resume

        if self.resume:
            run = resume(self.out or default_folder(self.data), self.data)
        else:
            size = parse_size(self.size) if self.size else None
            run = prepare(
                Setup(
                    data=self.data,
                    out=self.out,
                    minutes=self.minutes,
                    steps=self.steps,
                    size=size,
                    column=self.condition,
                    seed=self.seed,
                    method=self.method,
                    width=self.width,
                    batch_size=self.batch_size,
                )
            )
        describe_run(run)
        if self.dry_run:
            forecast(run)
        else:
            follow_on_screen(run, self.checkpoint_seconds)
            print(f"draw with it: {command_name()} sample {run.folder} -n 64")


def describe_run(run: Run) -> None:
    """Print what was read and what will be trained."""
    from fogcatcher.cli.inspect import describe

    for line in [*describe(run.dataset), *run.notes]:
        print(line)
    plan = run.config.training
    millions = sum(p.numel() for p in run.state.denoiser.parameters()) / 1e6
    print(f"network: {millions:.2f} M parameters; {plan.steps:,} steps of {plan.batch_size} pictures")


def follow_on_screen(run: Run, checkpoint_seconds: float = 20.0) -> None:
    """Train with a progress bar; Ctrl-C once finishes the step, saves and returns."""
    from fogcatcher.cli.bars import TrainingBar
    from fogcatcher.runs import follow
    from fogcatcher.training.fit import Diverged

    print(f"run directory: {run.folder} (samples/preview.png fills in as it goes)", flush=True)
    bar = TrainingBar(run.state.step, run.config.training.steps, run.config.training.batch_size)
    steps = follow(run, checkpoint_seconds)
    try:
        with stop_request() as stop:
            for progress in steps:
                bar.add(progress)
                if stop:
                    break
    except Diverged as error:
        raise UserError(
            f"training went out of hand at {error}. The last checkpoint is whole: "
            f"{run.folder} can be sampled; try again with a new --out and another --seed."
        ) from error
    finally:
        steps.close()  # saves
        bar.close()
    if run.state.step < run.config.training.steps:
        print(f"stopped at step {run.state.step:,} and saved; go on with the same command and --resume")
    else:
        print(f"trained {run.state.step:,} steps at {bar.images_per_second:,.0f} images/s: {run.folder}")


@contextmanager
def stop_request() -> Iterator[list[bool]]:
    """Yield a list that is empty until Ctrl-C is pressed; a second Ctrl-C interrupts at once."""
    pressed: list[bool] = []

    def press(number: int, frame: FrameType | None) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(True)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def forecast(run: Run) -> None:
    """Print speed, time, memory and disk, from a few timed steps; write nothing."""
    from fogcatcher.memory import peak_memory_mb
    from fogcatcher.training.fit import seconds_per_step

    plan = run.config.training
    per_step = seconds_per_step(run.state.denoiser, run.batches, run.objective, plan)
    megabytes = sum(p.numel() * p.element_size() for p in run.state.denoiser.parameters()) / 2**20
    print(f"speed: {plan.batch_size / per_step:,.0f} images/s, {1 / per_step:.1f} steps/s")
    print(f"time: {plan.steps * per_step / 60:.1f} minutes; peak memory: {peak_memory_mb():,.0f} MB")
    print(f"disk: {11 * megabytes:.0f} MB in {run.folder} (nothing was written)")
