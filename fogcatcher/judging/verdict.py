"""What the figures come to, in words: between what real pictures get and what spoiled ones get."""

from __future__ import annotations

from collections.abc import Iterator

from fogcatcher.judging.evaluation import Evaluation
from fogcatcher.judging.metrics.scores import Score

HARDLY = 0.65
"""Told apart so seldom, drawn rows hardly differ from real ones."""


def place(score: Score) -> str:
    """Return between which of the ceilings a figure lies: "between slight grain and colour noise"."""
    sign = 1 if score.better == "lower" else -1
    ordered = sorted(score.ceilings, key=lambda name: sign * score.ceilings[name])
    milder = [name for name in ordered if sign * score.ceilings[name] <= sign * score.value]
    worse = [name for name in ordered if sign * score.ceilings[name] > sign * score.value]
    if not worse:
        return f"no better than {milder[-1]}" if milder else ""
    return f"between {milder[-1]} and {worse[0]}" if milder else f"better than {worse[0]}"


def main_distance(done: Evaluation) -> Score | None:
    """Return the figure that a verdict rests on: the Frechet distance, or of few rows the kernel distance."""
    scores = {s.name.partition("(")[0]: s for comparison in done.comparisons[:1] for s in comparison.scores}
    return scores.get("FD") or scores.get("KD")


def verdict(done: Evaluation) -> Iterator[str]:
    """Yield what to conclude, the most important sentence first."""
    score = main_distance(done)
    if score is not None:
        yield f"{_word(done, score)}: {score.name} lies {_where(score)}"
    if done.told_apart:
        yield done.told_apart.in_words


def _word(done: Evaluation, score: Score) -> str:
    damages = [c for name, c in score.ceilings.items() if "shuffled" in name or "noise" in name]
    grain = score.ceilings.get("slight grain")
    if grain is None:
        return "compared"
    if score.value >= min(damages):
        return "not usable"
    if score.value >= grain:
        return "rough"
    hardly = done.told_apart is None or done.told_apart.accuracy <= HARDLY
    return "good" if hardly else "fair"


def _where(score: Score) -> str:
    ends = ", ".join(f"{name} {value:.3g}" for name, value in score.ceilings.items())
    return f"{place(score)} ({score.value:.3g}; real {score.floor:.3g}, {ends})"
