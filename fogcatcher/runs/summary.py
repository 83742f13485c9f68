"""How a run went, in words: improving, standing still or memorising, and by which figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal, TypeGuard

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.read_json import read_json
from fogcatcher.base.typed_json import Range, typed
from fogcatcher.judging.metrics.memorisation import SURE
from fogcatcher.runs.log import CHECKS, METRICS, read_rows

FEWEST_CHECKS = 5
"""Fewer show neither a trend nor how much the figures jump."""
SURE_ERRORS = 2.0
"""A change counts when it is so many times its standard error: by chance once in twenty."""
SMALLEST_LOSS = 0.005
"""... and when it is at least this share of the loss: a smaller one is not seen in pictures."""
SMALLEST_DISTANCE = 0.05
"""The same for the kernel distance, as a share of that of the first check; that of few pictures jumps."""
GAP = 1.1
"""Held-out over training loss, against what it was at the first check, from which on the training pictures
are better known. The first check takes out that the pictures of one side may be harder by chance."""
MEAN_ERROR = 0.6745 * math.sqrt(6)
"""The median of |a - 2 b + c| over the standard deviation, for independent normal a, b, c."""
LONGER = Message("a longer run (more {@minutes}) is likely to be better")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Trend:
    """How a figure changed over the last third of the checks."""

    change: float
    """Last less first, along the line of least squares."""
    counts: bool
    """It is more than noise, and more than a trifle."""

    @property
    def falls(self) -> bool:
        return self.counts and self.change < 0

    @property
    def rises(self) -> bool:
        return self.counts and self.change > 0


Word = Literal["improving", "standing still", "memorising", "getting worse", "too short to tell"]


@dataclass(frozen=True)
class Verdict:
    """What a run is doing, why one may say so, and what to do next."""

    word: Word
    why: str
    advice: str = ""


def summary(folder: Path) -> list[str]:
    """Return how the run in ``folder`` went, one sentence a line, the verdict first.

    Raises UserError where no run has been logged. Lines of a log that are cut short, figures that an older
    version did not measure and figures that are not finite are passed over.
    """
    metrics, checks = read_rows(folder / METRICS), read_rows(folder / CHECKS)
    if not metrics and not checks:
        raise UserError(
            Message(
                "{folder} holds no log of a training run: name the folder given as {@out}.", folder=folder
            )
        )
    found = verdict(checks)
    figures = _figures(checks) or _losses(metrics)
    said = [f"{found.word}: {found.why}", found.advice, *figures, *_speed(metrics, batch_size(folder))]
    return [line for line in said if line]


def verdict(checks: Sequence[Row]) -> Verdict:
    """Judge the rows of ``checks.jsonl``, in this order: copies, too few checks, then the losses."""
    last = checks[-1] if checks else {}
    if last.get("chance") is not None and last["chance"] < SURE and last.get("copied") is not None:
        return Verdict(
            "memorising",
            f"{last['copied']:.1%} of what is drawn are copies of training pictures, more than chance",
            _less_training(checks),
        )
    judged = "held_out_loss" if series(checks, "held_out_loss") else "training_loss"
    loss, training = trend(checks, judged, SMALLEST_LOSS), trend(checks, "training_loss", SMALLEST_LOSS)
    if loss is None or training is None:
        count = len(series(checks, judged))
        why = (
            f"{count} checks, and {FEWEST_CHECKS} are needed for a trend" if count else "nothing was checked"
        )
        return Verdict("too short to tell", why)
    name = judged.replace("held_out", "held-out").replace("_", " ")
    values = [value for _, value in series(checks, judged)]
    said = f"over the last third the {name} {_changed(loss, values[-1])}"
    if judged == "training_loss":
        said += "; no pictures are held out, so memorising would not be seen"
    elif training.falls and (loss.rises or (not loss.falls and (gap(checks) or 1) >= GAP)):
        why = f"{said}, while the training loss {_changed(training, series(checks, 'training_loss')[-1][1])}"
        return Verdict("memorising", why, _less_training(checks))
    if loss.falls:
        return Verdict("improving", said, LONGER)
    distance = trend(checks, "kernel_distance", SMALLEST_DISTANCE, of_first=True)
    if distance is not None and distance.falls and not loss.rises:
        why = f"{said}, but drawn pictures still come nearer to real ones (kernel distance)"
        return Verdict("improving", why, LONGER)
    if loss.rises:
        advice = Message("another {@seed} may help; the best weights are kept ({@best:True})")
        return Verdict("getting worse", said, advice)
    advice = Message("a longer run will hardly help; a larger {@size_of_model} or more pictures may")
    return Verdict("standing still", said, advice)


def series(rows: Sequence[Row], name: str) -> list[tuple[float, float]]:
    """Return (step, figure) of every row that has a finite one."""
    known = [(row["step"], row.get(name)) for row in rows if "step" in row]
    return [(step, float(value)) for step, value in known if _is_finite(value)]


def trend(checks: Sequence[Row], name: str, smallest: float, of_first: bool = False) -> Trend | None:
    """Return how a figure changed over the last third of the checks; None with fewer than FEWEST_CHECKS.

    Its noise is taken from second differences over the last two thirds, which a steady change leaves alone.
    ``smallest`` is the least change that counts, as a share of the last value or of the first.
    """
    points = series(checks, name)
    if len(points) < FEWEST_CHECKS:
        return None
    last = points[-max(3, math.ceil(len(points) / 3)) :]
    centre = sum(x for x, _ in last) / len(last)
    spread = sum((x - centre) ** 2 for x, _ in last)
    slope = sum((x - centre) * y for x, y in last) / spread
    span = last[-1][0] - last[0][0]
    values = [y for _, y in points[-max(FEWEST_CHECKS, math.ceil(2 * len(points) / 3)) :]]
    bends = [abs(a - 2 * b + c) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    error = median(bends) / MEAN_ERROR * span / math.sqrt(spread)
    least = max(SURE_ERRORS * error, smallest * abs(points[0 if of_first else -1][1]))
    return Trend(slope * span, abs(slope * span) > least)


def gap(checks: Sequence[Row]) -> float | None:
    """Return held-out over training loss at the last check, against the first; None where it is not known."""
    training, held_out = dict(series(checks, "training_loss")), dict(series(checks, "held_out_loss"))
    known = [held_out[step] / loss for step, loss in training.items() if step in held_out and loss > 0]
    return known[-1] / known[0] if known else None


def batch_size(folder: Path) -> int | None:
    """Return the pictures per step of the run in ``folder``; None where its config does not say."""
    try:
        tree = read_json(folder / "config.json", Mapping[str, Any])
        return typed(tree["training"]["batch_size"], Annotated[int, Range(1, 10**9)], "batch_size")
    except (FileNotFoundError, UserError, ValueError, KeyError, TypeError):
        return None


def _is_finite(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _changed(found: Trend, last: float) -> str:
    """A change in words, as a share of the value before it."""
    share = abs(found.change) / max(abs(last - found.change), 1e-12)
    if not found.counts:
        return f"did not change by more than its noise (now {last:.4g})"
    return f"{'fell' if found.falls else 'rose'} by {share:.1%} to {last:.4g}"


def _less_training(checks: Sequence[Row]) -> str:
    losses = series(checks, "held_out_loss")
    best = Message(" (step {step:,})", step=min(losses, key=lambda p: p[1])[0]) if losses else ""
    return Message(
        "draw with the weights of the lowest held-out loss{best}, sample {@best:True}; more pictures, "
        "{@augment}, a smaller {@size_of_model} or fewer {@minutes} help",
        best=best,
    )


def _figures(checks: Sequence[Row]) -> list[str]:
    """The last figures, each beside the first or beside what it is to be compared with."""
    lines = []
    held_out, training = series(checks, "held_out_loss"), series(checks, "training_loss")
    if held_out and training:
        ratio = held_out[-1][1] / training[-1][1]
        both = f"{training[-1][1]:.4g} on training pictures, {held_out[-1][1]:.4g} held out"
        lines.append(f"loss: {both} ({ratio:.2f}x)")
    distance, copied = series(checks, "kernel_distance"), series(checks, "copied")
    if distance:
        first, last = distance[0][1], distance[-1][1]
        lines.append(f"kernel distance to real pictures: {first:.4g} at first, {last:.4g} now")
    if copied:
        lines.append(f"copies of training pictures: {copied[-1][1]:.1%} of those drawn")
    return lines + _against_gaussian(checks)


def _against_gaussian(checks: Sequence[Row]) -> list[str]:
    """How far the held-out loss is below that of a denoiser that knows only mean and covariance."""
    levels = checks[-1].get("levels") or () if checks else ()
    shares = {row["sigma"]: row["held_out"] / row["gaussian"] for row in levels if row["gaussian"] > 0}
    if not shares:
        return []
    below = sum(share < 1 for share in shares.values())
    sigma, least = min(shares.items(), key=lambda pair: pair[1])
    if not below:
        return [
            "nothing is learnt yet beyond mean and covariance: at no noise level is the held-out loss below"
        ]
    return [
        f"below the Gaussian baseline (mean and covariance) at {below} of {len(shares)} noise levels; "
        f"at noise {sigma:g} its loss is {least:.0%} of the baseline's"
    ]


def _losses(metrics: Sequence[Row]) -> list[str]:
    """What the log of training alone can say."""
    losses = [loss for _, loss in series(metrics, "loss")]
    if not losses:
        return []
    last = losses[-max(1, len(losses) // 10) :]
    return [f"training loss: {losses[0]:.4g} at first, {sum(last) / len(last):.4g} over the last tenth"]


def _speed(metrics: Sequence[Row], batch: int | None) -> list[str]:
    """Time and images per second: all in all, and while only training, which is the median."""
    timed = series(metrics, "seconds_per_step")
    if not timed:
        return []
    starts = [0.0, *(step for step, _ in timed)]
    seconds = sum((step - start) * each for (step, each), start in zip(timed, starts, strict=False))
    steps, typical = timed[-1][0], median(each for _, each in timed)
    said = f"{steps:,.0f} steps in {_duration(seconds)}"
    if not batch or not seconds or not typical:
        return [said]
    whole = f"{steps * batch / seconds:,.0f} images/s with checks and previews"
    return [f"{said}, {whole}, {batch / typical:,.0f} images/s without"]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
