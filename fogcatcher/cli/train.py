"""``fogcatcher train``: a folder of pictures in, a run directory out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from fogcatcher.base.errors import UserError
from fogcatcher.cli.flags import in_flags
from fogcatcher.cli.train_arguments import TrainArguments

if TYPE_CHECKING:
    from fogcatcher.base.processes import Processes
    from fogcatcher.runs.devices import Devices
    from fogcatcher.runs.loggers import Logger
    from fogcatcher.runs.record import Run
    from fogcatcher.training.fit import Progress


@dataclass
class Train(TrainArguments):
    """Train a model on pictures. Ctrl-C (or SIGTERM) once saves and stops; --resume goes on.

    Labels come from sub-folders, metadata.jsonl or .csv, captions in .txt files, and other usual layouts.

    Example:  fogcatcher train my-sprites --minutes 10 --out runs/first
    """

    def run(self) -> None:
        from fogcatcher.base.processes import joined

        with joined() as processes:
            self._train(processes)

    def _train(self, processes: Processes) -> None:
        from fogcatcher.cli.arguments import command_name
        from fogcatcher.cli.autoencoder_on_screen import StoppedEarly
        from fogcatcher.runs.devices import Devices
        from fogcatcher.runs.follow import follow
        from fogcatcher.runs.forecast import forecast

        try:
            run = self._prepared(Devices(processes, self.micro_batch, self.shard))
        except StoppedEarly:
            return
        describe_run(run, self.verbose)
        if self.dry_run:
            for what, said in forecast(run).rows().items():
                print(f"{what}: {said}")
            print("nothing was written")
        else:
            loggers = loggers_of(run, self.tensorboard, self.wandb) if processes.is_first else []
            steps = follow(run, self.checkpoint_seconds, self.stop_early, self.keep, loggers)
            follow_on_screen(run, steps)
            if run.config.upscaling:
                print(f"make pictures larger with it: {command_name()} upscale {run.folder} PICTURES")
            else:
                print(f"draw with it: {command_name()} sample {run.folder} -n 64")

    def _prepared(self, devices: Devices) -> Run:
        """A new run or one that goes on. Raises StoppedEarly where its autoencoder was not trained to the
        end."""
        from fogcatcher.cli.autoencoder_on_screen import autoencoder_on_screen
        from fogcatcher.cli.bars import reading_bar
        from fogcatcher.cli.drift import ignored
        from fogcatcher.runs.first_stage import stopped_before
        from fogcatcher.runs.prepare import prepare, resume
        from fogcatcher.runs.setup import default_folder

        folder, setup = self.out or default_folder(self.data), self.setup()
        with reading_bar() as progress:
            if self.resume and not stopped_before(folder):
                run = resume(folder, self.data, progress, devices, self.minutes, self.steps)
                run.notes += ignored(self, run)
                return run
            first = (
                None if self.dry_run else partial(autoencoder_on_screen, save_every=self.checkpoint_seconds)
            )
            return prepare(replace(setup, out=folder) if self.resume else setup, progress, devices, first)


def describe_run(run: Run, verbose: bool = False) -> None:
    """Print what was read and what will be trained."""
    from fogcatcher.data.kinds import KINDS

    read = KINDS[run.config.kind.name].describe(run.dataset, verbose, in_flags)
    for line in [*read, *map(in_flags, run.notes)]:
        print(line)
    plan = run.config.training
    millions = sum(p.numel() for p in run.state.denoiser.parameters()) / 1e6
    among = f", divided among {run.processes.count} processes" if run.processes.count > 1 else ""
    steps = f"{plan.steps:,} steps of {plan.batch_size} {run.config.kind.drawn.name}{among}"
    print(f"network: {millions:.2f} M parameters; {steps}")


def loggers_of(run: Run, tensorboard: bool, wandb: bool) -> list[Logger]:
    """Return who else hears the log; of the data's path they hear the last name."""
    from fogcatcher.model.privacy import public_config
    from fogcatcher.runs.loggers import TensorBoard, WeightsAndBiases

    found: list[Logger] = [TensorBoard(run.folder, run.state.step)] if tensorboard else []
    config = public_config(run.config.to_json())
    return found + ([WeightsAndBiases(run.folder, config)] if wandb else [])


def follow_on_screen(run: Run, steps: Generator[Progress]) -> None:
    """Train, as ``follow`` does step by step, with a progress bar.

    Ctrl-C or SIGTERM once finishes the step, saves and returns.
    """
    from fogcatcher.cli.arguments import command_name
    from fogcatcher.cli.bars import TrainingBar
    from fogcatcher.cli.stop_request import stop_request
    from fogcatcher.judging.checks import best_of
    from fogcatcher.runs.summary import summary
    from fogcatcher.training.setbacks import Diverged

    print(f"run directory: {run.folder} (samples/preview.png fills in as it goes)", flush=True)
    bar = TrainingBar(run.state.step, run.config.training.steps, run.config.training.batch_size)
    try:
        with stop_request() as stop, closing(steps):  # closing saves
            for progress in steps:
                bar.add(progress, run.config.training.steps)
                bar.say_new([incident.in_words for incident in run.incidents])
                if run.checks and run.checks[-1].step == progress.step:
                    bar.say(run.checks[-1].in_words)
                if run.processes.any(bool(stop)):
                    break
    except Diverged as error:
        raise UserError(
            f"training went out of hand: {error}. The last checkpoint is whole: "
            f"{run.folder} can be sampled; try again with a new --out and another --seed."
        ) from error
    finally:
        bar.say_new([incident.in_words for incident in run.incidents])
        bar.close()
    if not run.processes.is_first:
        return
    if run.stopped:
        print(f"stopped at step {run.state.step:,}, because {run.stopped}")
    elif run.state.step < run.config.training.steps:
        print(f"stopped at step {run.state.step:,} and saved; go on with the same command and --resume")
    else:
        print(f"trained {run.state.step:,} steps at {bar.images_per_second:,.0f} images/s: {run.folder}")
    for line in summary(run.folder) if run.state.step else []:
        print(in_flags(line))
    best = best_of(run.checks)
    if best and best is not run.checks[-1]:
        print(
            f"the held-out loss was lowest at step {best.step:,}; those weights are kept too: "
            f"{command_name()} sample {run.folder} --best"
        )
