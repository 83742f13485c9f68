"""All figures about two sets of rows at once, each with what it means: interval, floor and ceilings.

The ceilings are what sets get that no good model draws: real pictures with their pixels shuffled or shaken,
one picture repeated, pure chance. A figure that lies among them is a bad one, whatever its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from fogcatcher.base.errors import Message
from fogcatcher.data.kind import Extractor, Kind
from fogcatcher.data.pictures.spec import PictureSpec, spec_of
from fogcatcher.judging.metrics.bootstrap import jackknife_intervals
from fogcatcher.judging.metrics.colours import (
    colour_count_distance,
    colour_counts,
    paint_of,
    palette_distance,
    soft_alpha,
)
from fogcatcher.judging.metrics.damage import DAMAGES
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.judging.metrics.kernel import mmd2
from fogcatcher.judging.metrics.neighbours import density_coverage, precision_recall
from fogcatcher.judging.metrics.rows import Features
from fogcatcher.judging.metrics.seeing import RULE, Pictures
from fogcatcher.judging.metrics.wasserstein import mean_wasserstein, sliced_wasserstein

ROWS_PER_DIMENSION = 10
"""A Frechet distance of fewer rows says more about their number than about the pictures."""
LEAST = 8
"""So few pictures can be compared at all."""
REPEATS = 100
PARTINGS = 4
ONE_REPEATED, CHANCE = "one, repeated", "chance"
MOST_PICTURES = 4096
"""So many are looked at pixel by pixel: their colours alone would be millions."""
OF_COLOURS = ("palette", "colours per picture", "soft alpha")
"""Figures that do not rank models by how good they are."""
SHARES = ("precision", "recall", "coverage")

Better = Literal["lower", "higher"]
OnRows = Callable[[Features, Features], Sequence[float]]
OnPictures = Callable[[Pictures, Pictures], float]
Names = tuple[str, ...]
"""Of the figures that one pass gives."""


@dataclass(frozen=True)
class Score:
    """One figure of generated pictures, between what real pictures get and what spoiled ones get."""

    name: str
    value: float
    low: float | None
    """The ends of a 95 % interval; None where none was asked for."""
    high: float | None
    floor: float
    """What other real pictures get, as many of them."""
    ceilings: Mapping[str, float]
    """What spoiled pictures get, the least spoiled first: their names in words -> the figure."""
    better: Better


@dataclass(frozen=True)
class Comparison:
    """The figures of one pair of sets."""

    features: str
    """Name and hash of what was compared with, and how pictures are resized for it."""
    real: int
    fake: int
    scores: tuple[Score, ...]
    refused: str = ""
    """Why there is no Frechet distance, if there is none."""


@dataclass(frozen=True)
class Sets:
    """Sets of equally many rows to compare with the real ones, (N, C, ...)."""

    real: Tensor
    fake: Tensor
    other: Tensor
    """Real ones that stand aside, for the floor."""
    ceilings: Mapping[str, Tensor]

    def map(self, change: Callable[[Tensor], Tensor]) -> Sets:
        """Return the same sets, each changed; equal rows are changed once."""
        ceilings = {name: change(rows) for name, rows in self.ceilings.items()}
        return Sets(change(self.real), change(self.fake), change(self.other), ceilings)

    @staticmethod
    def parted(real: Tensor, fake: Tensor, kind: Kind, generator: torch.Generator) -> Iterator[Sets]:
        """Part the real rows into random halves, each at most as many as there are generated ones.

        Where the real ones are too few for that, several partings let each of them and each generated one
        count: figures are then means over them.
        """
        n = min(len(fake), len(real) // 2)
        for number in range(1 if n == len(fake) else PARTINGS):
            order = torch.randperm(len(real), generator=generator)
            drawn = fake if n == len(fake) else fake[torch.randperm(len(fake), generator=generator)]
            other = real[order[n : 2 * n]]
            # What is certain not to be near does not depend on which half it is measured by.
            ceilings = _spoiled(other, kind, generator) if number == 0 else {}
            yield Sets(real[order[:n]], drawn[:n], other, ceilings)


def _spoiled(real: Tensor, kind: Kind, generator: torch.Generator) -> dict[str, Tensor]:
    damages = DAMAGES if isinstance(kind, PictureSpec) else {}
    damaged = {name: damage(real, generator) for name, damage in damages.items()}
    same, chance = kind.mean(real).expand_as(real), kind.nonsense(len(real), generator)
    return {**damaged, ONE_REPEATED: same, CHANCE: chance}


def compare(
    real: Tensor,
    fake: Tensor,
    look: Extractor,
    generator: torch.Generator,
    *,
    kind: Kind | None = None,
    force: bool = False,
    intervals: bool = True,
) -> Comparison:
    """Return every figure for generated against real rows of a ``kind`` of data; None is pictures.

    Half of the real pictures stand aside for the floor, so all figures are at min(generated, real / 2)
    pictures; of few, several halves, so that each picture counts. ``force`` gives a Frechet distance of any
    number.
    Raises UserError for too few pictures.
    """
    kind = kind or spec_of(real)
    parted = list(Sets.parted(real, fake, kind, generator))
    n = len(parted[0].real)
    if n < LEAST:
        return Comparison(
            _named(look, kind), n, n, (), f"{n} {kind.name} on either side are too few to compare"
        )
    rows = [sets.map(look) for sets in parted]
    dimensions, pictures = rows[0].real.shape[1], min(len(real), len(fake))
    enough = pictures >= ROWS_PER_DIMENSION * dimensions
    figures = _on_rows(look.name, generator)
    if not (enough or force):
        del figures[f"FD({look.name})",]
    scores: list[Score] = []
    for names, (on_rows, better) in figures.items():
        scores += _scores(names, on_rows, rows, better, generator, intervals)
    some = [sets.map(lambda pictures: pictures[:MOST_PICTURES]) for sets in parted[:1]]
    on_rows_themselves = _on_pictures(generator) if isinstance(kind, PictureSpec) else {}
    for name, on_pictures in on_rows_themselves.items():
        scores += _scores((name,), _alone(on_pictures), some, "lower", generator, False)
    refused = "" if enough else _too_few(pictures, dimensions, kind, force)
    return Comparison(_named(look, kind), n, n, tuple(scores), refused)


def _too_few(n: int, dimensions: int, kind: Kind, force: bool) -> str:
    enough = ROWS_PER_DIMENSION * dimensions
    if force:
        return Message(
            "the Frechet distance of {n} {kind} in {dimensions} dimensions says more about their number than "
            "about them: {enough} are enough",
            n=n,
            kind=kind.name,
            dimensions=dimensions,
            enough=enough,
        )
    return Message(
        "no Frechet distance: {n} {kind} in {dimensions} dimensions would say more about their number "
        "than about them, {enough} are needed ({@force:True} gives it all the same)",
        n=n,
        kind=kind.name,
        dimensions=dimensions,
        enough=enough,
    )


def _named(look: Extractor, kind: Kind) -> str:
    """The features, and the rule by which pictures are brought to the size that these are made for."""
    return f"{look.name} {look.hash}" + (f"; {RULE}" if isinstance(kind, PictureSpec) else "")


def _on_rows(name: str, generator: torch.Generator) -> dict[Names, tuple[OnRows, Better]]:
    """The figures on features: names -> how, and which way is better."""
    return {
        (f"FD({name})",): (_alone(lambda a, b: frechet(gaussian(a), gaussian(b))), "lower"),
        (f"KD({name})",): (_alone(mmd2), "lower"),
        ("precision", "recall"): (precision_recall, "higher"),
        ("density", "coverage"): (density_coverage, "higher"),
        (f"SW({name})",): (_alone(lambda a, b: sliced_wasserstein(a, b, generator)), "lower"),
        (f"W1({name})",): (_alone(mean_wasserstein), "lower"),
    }


def _alone(figure: Callable[[Tensor, Tensor], float]) -> Callable[[Tensor, Tensor], Sequence[float]]:
    """A figure as the only one of its pass."""
    return lambda a, b: (figure(a, b),)


def _on_pictures(generator: torch.Generator) -> dict[str, OnPictures]:
    return {
        "palette": lambda a, b: palette_distance(paint_of(a), paint_of(b), generator),
        "colours per picture": lambda a, b: colour_count_distance(colour_counts(a), colour_counts(b)),
        "soft alpha": lambda a, b: abs(soft_alpha(a) - soft_alpha(b)),
    }


def _scores(
    names: Names,
    figures: Callable[[Tensor, Tensor], Sequence[float]],
    parted: Sequence[Sets],
    better: Better,
    generator: torch.Generator,
    interval: bool,
) -> list[Score]:
    """The scores of one pass, means over the partings; the interval and the ceilings are of the first."""
    first = parted[0]
    values = [figures(sets.real, sets.fake) for sets in parted]
    floors = [figures(sets.real, sets.other) for sets in parted]
    ceilings = {name: figures(first.real, rows) for name, rows in first.ceilings.items()}
    found: Sequence[tuple[float, float]] = ()
    if interval:
        found = jackknife_intervals(figures, first.real, first.fake, generator, repeats=REPEATS)
    scores = []
    for k, name in enumerate(names):
        value, floor = (sum(f[k] for f in of_each) / len(parted) for of_each in (values, floors))
        score = Score(name, value, None, None, floor, {what: f[k] for what, f in ceilings.items()}, better)
        if interval:
            low, high = (end + value - values[0][k] for end in found[k])
            ends = (max(low, 0.0), min(high, 1.0)) if name in SHARES else (low, high)
            score = replace(score, low=ends[0], high=ends[1])
        scores.append(score)
    return scores
