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

from fogcatcher.cli.data_arguments import DataArguments
from fogcatcher.errors import UserError

if TYPE_CHECKING:
    from fogcatcher.runs import Run, Setup


@dataclass
class Train(DataArguments):
    """Train a model on pictures. Ctrl-C once saves and stops; --resume goes on.

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
    batch_size: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Pictures per step. Default: 32; 64 for large networks."""
    checkpoint_seconds: float = 20.0
    """Save about this often; a kill loses at most what was done since."""
    stop_early: bool = False
    """Stop when the loss of held-out pictures no longer falls, or when training pictures are copied."""
    resume: bool = False
    """Go on with the run in --out from its newest checkpoint; its own settings count."""
    dry_run: bool = False
    """Say what would happen, time a few steps, and write nothing."""
    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """List every skipped file."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import command_name
        from fogcatcher.cli.bars import reading_bar
        from fogcatcher.runs import default_folder, forecast, prepare, resume

        with reading_bar() as progress:
            if self.resume:
                run = resume(self.out or default_folder(self.data), self.data, progress)
            else:
                run = prepare(self.setup(), progress)
        describe_run(run, self.verbose)
        if self.dry_run:
            for what, said in forecast(run).rows().items():
                print(f"{what}: {said}")
            print("nothing was written")
        else:
            follow_on_screen(run, self.checkpoint_seconds, self.stop_early)
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
        )


def describe_run(run: Run, verbose: bool = False) -> None:
    """Print what was read and what will be trained."""
    from fogcatcher.data.inspection import describe, facts

    for line in [*describe(facts(run.dataset), verbose), *run.notes]:
        print(line)
    plan = run.config.training
    millions = sum(p.numel() for p in run.state.denoiser.parameters()) / 1e6
    print(f"network: {millions:.2f} M parameters; {plan.steps:,} steps of {plan.batch_size} pictures")


def follow_on_screen(run: Run, checkpoint_seconds: float = 20.0, stop_early: bool = False) -> None:
    """Train with a progress bar; Ctrl-C once finishes the step, saves and returns."""
    from fogcatcher.cli.arguments import command_name
    from fogcatcher.cli.bars import TrainingBar
    from fogcatcher.monitor import best_of
    from fogcatcher.runs import follow
    from fogcatcher.training.fit import Diverged

    print(f"run directory: {run.folder} (samples/preview.png fills in as it goes)", flush=True)
    bar = TrainingBar(run.state.step, run.config.training.steps, run.config.training.batch_size)
    steps = follow(run, checkpoint_seconds, stop_early)
    try:
        with stop_request() as stop:
            for progress in steps:
                bar.add(progress)
                if run.checks and run.checks[-1].step == progress.step:
                    bar.say(run.checks[-1].in_words)
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
    if run.stopped:
        print(f"stopped at step {run.state.step:,}, because {run.stopped}")
    elif run.state.step < run.config.training.steps:
        print(f"stopped at step {run.state.step:,} and saved; go on with the same command and --resume")
    else:
        print(f"trained {run.state.step:,} steps at {bar.images_per_second:,.0f} images/s: {run.folder}")
    best = best_of(run.checks)
    if best and best is not run.checks[-1]:
        print(
            f"the held-out loss was lowest at step {best.step:,}; those weights are kept too: "
            f"{command_name()} sample {run.folder} --best"
        )


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
