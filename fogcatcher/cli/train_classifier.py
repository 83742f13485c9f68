"""``fogcatcher train-classifier``: a classifier of noisy pictures, to guide the model of a run."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.base.numbers import Seed
from fogcatcher.base.typed_json import Range
from fogcatcher.cli.yes_read import YesRead, allow_all
from fogcatcher.runs.setup import Minutes, Steps

if TYPE_CHECKING:
    from fogcatcher.applications.classifier_training import ClassifierRun
    from fogcatcher.model.model import Model


@dataclass
class TrainClassifier:
    """Train a classifier that tells the classes of a run apart at every noise level, into RUN/classifier.

    Then fogcatcher sample RUN --classifier-guidance 1 follows it. Ctrl-C once saves and stops.

    Example:  fogcatcher train-classifier runs/my-sprites --minutes 3
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
    """Run directory, or a model that comes with the program (then with --out)."""
    data: Annotated[str | None, tyro.conf.arg(metavar="DATA", help_behavior_hint="")] = None
    """The pictures. Default: those that the run was trained on, where they were then."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Copy the model there, and put the classifier beside it. Default: into RUN itself."""
    minutes: Annotated[Minutes, tyro.conf.arg(metavar="M")] = 3.0
    """Time to train; it is turned into a number of steps first."""
    steps: Annotated[Steps | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Number of training steps, instead of a time."""
    width: Annotated[Annotated[int, Range(8, 512)], tyro.conf.arg(metavar="N")] = 32
    """Channels of the first level: the size of the classifier."""
    yes_read: YesRead = ()
    """Read these data, too, where a run that was trained elsewhere names them."""
    seed: Seed = 0
    """Seed of the weights, the order of the pictures and the noise."""

    def run(self) -> None:
        from fogcatcher.base.lock import locked
        from fogcatcher.model.trained_classifier import FOLDER

        self._check()
        allow_all(self.yes_read)
        model, folder = self._model()
        with locked(folder / FOLDER, "train-classifier"):
            self._train(model, folder)

    def _train(self, model: Model, folder: Path) -> None:
        from fogcatcher.applications.classifier_training import prepare, steps_in
        from fogcatcher.cli.arguments import command_name
        from fogcatcher.cli.bars import reading_bar
        from fogcatcher.data.named_places import data_named
        from fogcatcher.data.pictures.found_sheets import told
        from fogcatcher.data.reading import read_dataset

        with reading_bar() as progress:
            config = model.config.data
            dataset = read_dataset(
                self.data or data_named(config.path, config.folder), config.options, progress
            )
        for line in told(dataset.ignored):
            print(line)
        run = prepare(model, dataset, self.width, self.seed)
        steps = self.steps or steps_in(run, self.minutes)
        names = ", ".join(f"{name} ({len(c)} classes)" for name, c in run.classifier.attributes.items())
        print(f"classifier of {names}: {steps:,} steps, {len(run.held_out):,} pictures held out", flush=True)
        train_on_screen(run, steps)
        saved = run.classifier.save(folder)
        tell_accuracy(run)
        print(f"saved: {saved}; draw with it: {command_name()} sample {folder} --classifier-guidance 1")

    def _check(self) -> None:
        if self.width % 8:
            raise UserError(f"--width must be a multiple of 8 up to 512, not {self.width}.")

    def _model(self) -> tuple[Model, Path]:
        """The model, and the run directory that the classifier belongs to."""
        from fogcatcher.model.model import SHIPPED, load

        model = load(self.model)
        assert model.folder is not None
        if self.out is not None:
            if (self.out / "config.json").exists():
                raise UserError(f"{self.out} already holds a run: choose another --out.")
            model.save(self.out)
            return model, self.out
        if model.folder.parent == SHIPPED or not Path(self.model).exists():
            raise UserError(
                f"{self.model} is not a run of yours: add --out DIR, and the model is copied there first."
            )
        return model, model.folder


def train_on_screen(run: ClassifierRun, steps: int) -> None:
    """Train with a progress bar; Ctrl-C or SIGTERM once finishes the step and returns."""
    from fogcatcher.applications.classifier_training import fit
    from fogcatcher.cli.stop_request import stop_request

    with stop_request() as stop:
        for step, _ in _watched(fit(run, steps), steps):
            if stop:
                print(f"stopped at step {step:,}")
                break
    run.classifier.network.eval()


def _watched(progress: Iterator[tuple[int, float]], steps: int) -> Iterator[tuple[int, float]]:
    """The same, with a bar; a plain line now and then where there is no screen."""
    from tqdm import tqdm

    line_at = time.monotonic()
    with tqdm(total=steps, unit="step", disable=not sys.stderr.isatty()) as bar:
        for step, loss in progress:
            bar.update()
            if bar.disable and time.monotonic() - line_at > 15:
                line_at = time.monotonic()
                print(f"step {step:,} of {steps:,}: loss {loss:.3f}", file=sys.stderr, flush=True)
            yield step, loss


def tell_accuracy(run: ClassifierRun) -> None:
    """Print how often the classifier is right about held-out pictures, noise level by noise level."""
    from fogcatcher.applications.classifier_training import accuracy, guess

    found = accuracy(run)
    if not found:
        print("no pictures are held out, so the accuracy cannot be told")
        return
    print("right about held-out pictures, by noise level (sigma / alpha):")
    print(f"{'':12}" + "".join(f"{row.level:>8g}" for row in found) + "   guessing")
    for name, guessed in guess(run).items():
        shares = "".join(f"{row.shares[name]:>8.1%}" for row in found)
        print(f"{name:12}{shares}   {guessed:8.1%}")
