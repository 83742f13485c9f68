"""Progress bars, silent where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from tqdm import tqdm

from fogcatcher.training.fit import Progress


@contextmanager
def sampling_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar for ``Model.sample(progress=...)``; it appears only when drawing takes a while."""
    with tqdm(total=1, unit="call", delay=2, leave=False, disable=not sys.stderr.isatty()) as bar:
        yield partial(_advance, bar)


def _advance(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)


@contextmanager
def reading_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar for ``read_dataset(progress=...)``; it appears only when reading takes a while."""
    with tqdm(total=1, unit="picture", delay=2, leave=False, disable=not sys.stderr.isatty()) as bar:

        def advance(done: int, total: int) -> None:
            # Thousands a second: the screen need not know each.
            if done % 64 == 0 or done == total:
                _advance(bar, done, total)

        yield advance


@contextmanager
def judging_bar() -> Iterator[tuple[Callable[[str], None], Callable[[int, int], None]]]:
    """What is being done, a line each, and a bar for what takes a while: two functions to call."""
    with tqdm(total=1, unit="call", leave=False, disable=not sys.stderr.isatty()) as bar:

        def told(what: str) -> None:
            bar.clear()
            print(f"  {what} ...", flush=True)
            bar.reset(total=1)

        yield told, partial(_advance, bar)


class TrainingBar:
    """Steps, images per second, loss and time left; a plain line now and then where there is no screen."""

    LINE_EVERY_SECONDS = 15.0

    def __init__(self, done: int, steps: int, batch_size: int) -> None:
        self._bar = tqdm(total=steps, initial=done, unit="step", disable=not sys.stderr.isatty())
        self._steps, self._batch_size = steps, batch_size
        self._start = self._line_at = time.monotonic()
        self._done = 0
        self._loss: float | None = None
        self._said = 0

    @property
    def images_per_second(self) -> float:
        return self._done * self._batch_size / max(time.monotonic() - self._start, 1e-9)

    def add(self, progress: Progress, steps: int) -> None:
        """After a step of now so many ``steps`` in all."""
        self._done += 1
        self._steps = self._bar.total = steps
        if not progress.skipped:
            self._loss = progress.loss if self._loss is None else 0.98 * self._loss + 0.02 * progress.loss
        loss = "none yet" if self._loss is None else f"{self._loss:.4f}"
        told = f"{self.images_per_second:,.0f} images/s, loss {loss}"
        self._bar.set_postfix_str(told, refresh=False)
        self._bar.update(progress.step - self._bar.n)
        now = time.monotonic()
        if self._bar.disable and now - self._line_at >= self.LINE_EVERY_SECONDS:
            self._line_at = now
            left = (self._steps - progress.step) * (now - self._start) / self._done
            print(f"step {progress.step:,}: {told}, {left:.0f} s left", file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._bar.clear()
        print(line, flush=True)

    def say_new(self, lines: Sequence[str]) -> None:
        """Print those of a growing list that have not been printed yet."""
        for line in lines[self._said :]:
            self.say(line)
        self._said = len(lines)

    def close(self) -> None:
        self._bar.close()
