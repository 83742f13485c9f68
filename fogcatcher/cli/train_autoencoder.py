"""``fogcatcher train-autoencoder``: pictures in, small latents out, and back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.numbers import Seed
from fogcatcher.base.typed_json import Range
from fogcatcher.cli.data_arguments import DataArguments
from fogcatcher.cli.flags import in_flags
from fogcatcher.runs.setup import Batch, Minutes, Rate, Seconds, Steps, Width

if TYPE_CHECKING:
    from fogcatcher.runs.autoencoder import AutoencoderRun, AutoencoderSetup


@dataclass
class TrainAutoencoder(DataArguments):
    """Train an autoencoder: it makes pictures small, and large again. Then fogcatcher train DATA --latents
    RUN trains a model in its latents. Ctrl-C once saves and stops; --resume goes on.

    Example:  fogcatcher train-autoencoder photos --factor 4 --minutes 10 --out runs/small
    """

    condition: tyro.conf.Suppress[tuple[str, ...]] = ()
    factor: Annotated[Annotated[int, Range(2, 16)], tyro.conf.arg(metavar="N")] = 4
    """By how much latents are smaller than pictures, side by side: 2, 4, 8 or 16."""
    channels: Annotated[Annotated[int, Range(1, 256)], tyro.conf.arg(metavar="N")] = 4
    """Channels of the latents."""
    codes: Annotated[Annotated[int, Range(0, 65_536)], tyro.conf.arg(metavar="N")] = 0
    """VQ: each position of a latent is one of so many vectors; 0 (KL): any, near to a normal distribution."""
    weight: Annotated[
        Annotated[float, Range(0, 1e3)] | None, tyro.conf.arg(metavar="W", help_behavior_hint="")
    ] = None
    """Weight of the cost of latents against the error of the pixels. Default: 1e-6; with --codes 1."""
    sharpen: Annotated[Annotated[float, Range(0, 1e3)], tyro.conf.arg(metavar="W")] = 0.0
    """How much a critic counts that tells patches of real pictures from returned ones, in the second half:
    0.5 as in the paper, for photographs; 0: not at all."""
    width: Annotated[Width, tyro.conf.arg(metavar="N")] = 32
    """Channels of the first level: the size of the network."""
    minutes: Annotated[Minutes | None, tyro.conf.arg(metavar="M", help_behavior_hint="")] = None
    """Time to train; it is turned into a number of steps first. Default: 10."""
    steps: Annotated[Steps | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Number of training steps, instead of a time."""
    batch_size: Annotated[Batch, tyro.conf.arg(metavar="N")] = 16
    """Pictures per step."""
    learning_rate: Annotated[Rate, tyro.conf.arg(metavar="LR")] = 2.5e-3
    """Highest learning rate."""
    checkpoint_seconds: Annotated[Seconds, tyro.conf.arg(metavar="S")] = 20.0
    """Save at least this often: at most so many seconds are lost to a crash."""
    seed: Seed = 0
    """Seed of the weights, the order of the pictures and the noise."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Run directory. Default: runs/DATA-autoencoder."""
    resume: bool = False
    """Go on with the run in --out."""

    def run(self) -> None:
        from fogcatcher.cli.bars import reading_bar
        from fogcatcher.runs.autoencoder import prepare_autoencoder, resume_autoencoder
        from fogcatcher.runs.setup import default_folder

        with reading_bar() as progress:
            if self.resume:
                folder = self.out or default_folder(f"{self.data}-autoencoder")
                run = resume_autoencoder(folder, self.data, progress)
            else:
                run = prepare_autoencoder(self._setup(), progress)
        self._train(run)

    def _setup(self) -> AutoencoderSetup:
        from fogcatcher.runs.autoencoder import AutoencoderSetup

        return AutoencoderSetup(
            data=self.data,
            out=self.out,
            options=self.options(),
            factor=self.factor,
            channels=self.channels,
            codes=self.codes,
            weight=self.weight,
            sharpen=self.sharpen,
            width=self.width,
            minutes=self.minutes,
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )

    def _train(self, run: AutoencoderRun) -> None:
        from fogcatcher.cli.arguments import command_name
        from fogcatcher.cli.autoencoder_on_screen import StoppedEarly, autoencoder_on_screen
        from fogcatcher.data.inspection import describe_pictures

        for line in describe_pictures(run.dataset, False, in_flags):
            print(line)
        with suppress(StoppedEarly):
            autoencoder_on_screen(run, self.checkpoint_seconds)
        print(f"train in its latents: {command_name()} train {self.data} --latents {run.folder}")
