"""``fogcatcher train``: a folder of pictures in, a run directory out."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.cli.data_arguments import DataArguments
from fogcatcher.errors import UserError

if TYPE_CHECKING:
    from fogcatcher.loggers import Logger
    from fogcatcher.processes import Processes
    from fogcatcher.runs import Run, Setup


@dataclass
class Train(DataArguments):
    """Train a model on pictures. Ctrl-C (or SIGTERM) once saves and stops; --resume goes on.

    Labels come from sub-folders, metadata.jsonl or .csv, captions in .txt files, and other usual layouts.

    Example:  fogcatcher train my-sprites --minutes 10 --out runs/first
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Run directory. Default: runs/NAME after the data's folder."""
    minutes: Annotated[float | None, tyro.conf.arg(metavar="M", help_behavior_hint="")] = None
    """Time to train; it is turned into a number of steps first. Default: 10."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Number of training steps, instead of a time."""
    text_encoder: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of a sentence-embedding model for columns of text. Default: a small one is trained along."""
    augment: Annotated[str, tyro.conf.arg(metavar="KINDS")] = "auto"
    """Make more of few pictures: shift, flip, flip-vertical, turn, hue, joined by commas; none; or auto (for
    few pictures: shift, and flip if the set allows it). The network is told, so nothing of it leaks."""
    seed: int = 0
    """Seed of the whole run: same seed, same data, same steps, same model."""
    preset: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """A paper's choices of schedule, prediction, training times and loss: ddpm, iddpm, annotated, course,
    score_vp, score_ve, edm, v_cosine, flow; default is what measured best for small pictures."""
    network: Annotated[str, tyro.conf.arg(metavar="NAME")] = "small"
    """small, the fast one for small pictures; or a paper's, as large as there: ddpm, iddpm, adm, ddpmpp,
    ncsnpp, edm2, transformer, course, annotated, thesis."""
    size_of_model: Annotated[str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="")] = None
    """The one dial: tiny, small, medium, large, or a number of parameters such as 3M. Width, depth,
    attention, learning rate and batch follow. Default: the network's own."""
    precision: Annotated[str, tyro.conf.arg(metavar="NAME")] = "auto"
    """How the network computes while it learns: float32; bfloat16; or auto, bfloat16 on GPUs that have it."""
    batch_size: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Pictures per step. Default: 32; 64 for large networks."""
    micro_batch: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Most pictures that pass through the network at once: less memory, the same result to rounding. Default:
    the whole batch, or as many as memory holds."""
    shard: bool = False
    """Under torchrun or accelerate launch: divide weights, averages and optimisers among the processes, for
    models too large for one device."""
    checkpoint_seconds: float = 20.0
    """Save about this often; a kill loses at most what was done since."""
    keep: Annotated[int, tyro.conf.arg(metavar="N")] = 2
    """Keep so many checkpoints, the newest."""
    tensorboard: bool = False
    """Also write the log for TensorBoard, into RUN/tensorboard."""
    wandb: bool = False
    """Also send the figures of the log and the settings to Weights & Biases; no pictures."""
    stop_early: bool = False
    """Stop when the loss of held-out pictures no longer falls, or when training pictures are copied."""
    resume: bool = False
    """Go on with the run in --out from its newest checkpoint; its own settings count."""
    dry_run: bool = False
    """Say what would happen, time a few steps, and write nothing."""
    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """List every skipped file."""

    def run(self) -> None:
        from fogcatcher.processes import joined

        if self.keep < 1:
            raise UserError(f"--keep must be at least 1, not {self.keep}.")
        with joined() as processes:
            self._train(processes)

    def _train(self, processes: Processes) -> None:
        from fogcatcher.cli.arguments import command_name
        from fogcatcher.cli.bars import reading_bar
        from fogcatcher.cli.drift import ignored
        from fogcatcher.runs import Devices, default_folder, forecast, prepare, resume

        devices = Devices(processes, self.micro_batch, self.shard)
        with reading_bar() as progress:
            if self.resume:
                run = resume(self.out or default_folder(self.data), self.data, progress, devices)
                run.notes += ignored(self, run)
            else:
                run = prepare(self.setup(), progress, devices)
        describe_run(run, self.verbose)
        if self.dry_run:
            for what, said in forecast(run).rows().items():
                print(f"{what}: {said}")
            print("nothing was written")
        else:
            loggers = loggers_of(run, self.tensorboard, self.wandb) if processes.is_first else []
            follow_on_screen(run, self.checkpoint_seconds, self.stop_early, self.keep, loggers)
            print(f"draw with it: {command_name()} sample {run.folder} -n 64")

    def setup(self) -> Setup:
        """Return the choices as the library takes them."""
        from fogcatcher.runs import Setup

        return Setup(
            data=self.data,
            out=self.out,
            minutes=self.minutes,
            steps=self.steps,
            options=self.options(),
            conditions=self.condition,
            text_encoder=self.text_encoder,
            augment=self.augment,
            seed=self.seed,
            preset=self.preset,
            network=self.network,
            size_of_model=self.size_of_model,
            batch_size=self.batch_size,
            precision=self.precision,
        )


def describe_run(run: Run, verbose: bool = False) -> None:
    """Print what was read and what will be trained."""
    from fogcatcher.data.inspection import describe, facts

    for line in [*describe(facts(run.dataset), verbose), *run.notes]:
        print(line)
    plan = run.config.training
    millions = sum(p.numel() for p in run.state.denoiser.parameters()) / 1e6
    among = f", divided among {run.processes.count} processes" if run.processes.count > 1 else ""
    print(f"network: {millions:.2f} M parameters; {plan.steps:,} steps of {plan.batch_size} pictures{among}")


def loggers_of(run: Run, tensorboard: bool, wandb: bool) -> list[Logger]:
    """Return who else hears the log; of the data's path they hear the last name."""
    from fogcatcher.loggers import TensorBoard, WeightsAndBiases
    from fogcatcher.privacy import public_config

    found: list[Logger] = [TensorBoard(run.folder, run.state.step)] if tensorboard else []
    config = public_config(run.config.to_json())
    return found + ([WeightsAndBiases(run.folder, config)] if wandb else [])


def follow_on_screen(
    run: Run,
    checkpoint_seconds: float = 20.0,
    stop_early: bool = False,
    keep: int = 2,
    loggers: Sequence[Logger] = (),
) -> None:
    """Train with a progress bar; Ctrl-C or SIGTERM once finishes the step, saves and returns."""
    from fogcatcher.cli.arguments import command_name
    from fogcatcher.cli.bars import TrainingBar
    from fogcatcher.monitor import best_of
    from fogcatcher.run_summary import summary
    from fogcatcher.runs import follow
    from fogcatcher.training.setbacks import Diverged

    print(f"run directory: {run.folder} (samples/preview.png fills in as it goes)", flush=True)
    bar = TrainingBar(run.state.step, run.config.training.steps, run.config.training.batch_size)
    steps = follow(run, checkpoint_seconds, stop_early, keep, loggers)
    try:
        with stop_request() as stop, closing(steps):  # closing saves
            for progress in steps:
                bar.add(progress)
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
        print(line)
    best = best_of(run.checks)
    if best and best is not run.checks[-1]:
        print(
            f"the held-out loss was lowest at step {best.step:,}; those weights are kept too: "
            f"{command_name()} sample {run.folder} --best"
        )


@contextmanager
def stop_request() -> Iterator[list[bool]]:
    """Yield a list that is empty until Ctrl-C or SIGTERM; a second one interrupts at once."""
    asked: list[bool] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
