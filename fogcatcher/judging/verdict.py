"""What the figures come to, in words: between what real pictures get and what spoiled ones get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fogcatcher.judging.metrics.damage import GRAIN, NOISE
from fogcatcher.judging.metrics.scores import OF_COLOURS, Comparison, Score
from fogcatcher.judging.metrics.two_sample import TwoSample

HARDLY = 0.65
"""Told apart so seldom, drawn rows hardly differ from real ones."""


def place(score: Score) -> str:
    """Return between which of the ceilings a figure lies: "between slight grain and colour noise"."""
    if score.name in OF_COLOURS:
        return "a statistic of colours, not of quality"
    sign = 1 if score.better == "lower" else -1
    ordered = sorted(score.ceilings, key=lambda name: sign * score.ceilings[name])
    milder = [name for name in ordered if sign * score.ceilings[name] <= sign * score.value]
    worse = [name for name in ordered if sign * score.ceilings[name] > sign * score.value]
    if not worse:
        return f"no better than {milder[-1]}" if milder else ""
    return f"between {milder[-1]} and {worse[0]}" if milder else f"better than {worse[0]}"


def main_distance(comparisons: Sequence[Comparison]) -> Score | None:
    """Return the figure that a verdict rests on: the Frechet distance, or of few rows the kernel distance."""
    scores = {s.name.partition("(")[0]: s for comparison in comparisons[:1] for s in comparison.scores}
    return scores.get("FD") or scores.get("KD")


def verdict(comparisons: Sequence[Comparison], told_apart: TwoSample | None) -> Iterator[str]:
    """Yield what to conclude, the most important sentence first."""
    score = main_distance(comparisons)
    if score is not None:
        yield f"{_word(score, told_apart)}: {score.name} is {_where(score)}"
    if told_apart:
        yield told_apart.in_words


def _word(score: Score, told_apart: TwoSample | None) -> str:
    """Looked at by eye: ten minutes of 32 px came out as confetti, just short of colour noise."""
    grain, noise = (score.ceilings.get(name) for name in (GRAIN, NOISE))
    if grain is None or noise is None:
        return "compared"
    if score.value >= (grain + noise) / 2:
        return "not usable"
    if score.value >= grain:
        return "rough"
    hardly = told_apart is None or told_apart.accuracy <= HARDLY
    return "good" if hardly else "fair"


def _where(score: Score) -> str:
    ends = ", ".join(f"{name} {value:.3g}" for name, value in score.ceilings.items())
    return f"{place(score)} ({score.value:.3g}; real {score.floor:.3g}, {ends})"
