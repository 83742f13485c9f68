"""All figures about two sets of pictures at once, each with what it means: interval, floor and ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import UInt8
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
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.judging.metrics.kernel import mmd2
from fogcatcher.judging.metrics.nearest import nearest
from fogcatcher.judging.metrics.neighbours import K, density_coverage, precision_recall
from fogcatcher.judging.metrics.rows import Features
from fogcatcher.judging.metrics.seeing import RULE, Pictures
from fogcatcher.judging.metrics.wasserstein import mean_wasserstein, patch_wasserstein, sliced_wasserstein

ROWS_PER_DIMENSION = 10
"""A Frechet distance of fewer rows says more about their number than about the pictures."""
LEAST = 8
"""So few pictures can be compared at all."""
REPEATS = 100
MOST_PICTURES = 4096
"""So many are looked at pixel by pixel: their colours alone would be millions."""
SHARES = ("precision", "recall", "coverage")
DIRECTIONS = 64
"""Of patches: there are so many of them that each direction is exact."""

Drawn = UInt8[Tensor, "M C H W"]
"""As many as there are, of the shape of the real ones."""

Better = Literal["lower", "higher"]
OnRows = Callable[[Features, Features], Sequence[float]]
OnPictures = Callable[[Pictures, Pictures], float]
Names = tuple[str, ...]
"""Of the figures that one pass gives."""


@dataclass(frozen=True)
class Score:
    """One figure of generated pictures, between what real pictures get and what nonsense gets."""

    name: str
    value: float
    low: float | None
    """The ends of a 95 % interval; None where none was asked for."""
    high: float | None
    floor: float
    """What the other half of the real pictures gets, as many of them."""
    noise: float
    """What pictures of random pixels get."""
    constant: float
    """What one picture, the mean of the real ones, gets when it is repeated."""
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
    """Four sets of equally many rows to compare with the real ones, (N, C, ...)."""

    real: Tensor
    fake: Tensor
    other: Tensor
    noise: Tensor
    constant: Tensor

    @staticmethod
    def of(real: Tensor, fake: Tensor, kind: Kind, generator: torch.Generator) -> Sets:
        """Part the real rows into two random halves, each at most as many as there are generated ones."""
        n = min(len(fake), len(real) // 2)
        order = torch.randperm(len(real), generator=generator)
        some = real[order[:n]]
        noise = kind.nonsense(n, generator)
        return Sets(some, fake[:n], real[order[n : 2 * n]], noise, kind.mean(some).expand_as(some))


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
    pictures. ``force`` gives a Frechet distance of any number.
    Raises UserError for too few pictures.
    """
    kind = kind or spec_of(real)
    sets = Sets.of(real, fake, kind, generator)
    n = len(sets.real)
    if n < LEAST:
        return Comparison(
            _named(look, kind), n, n, (), f"{n} {kind.name} on either side are too few to compare"
        )
    rows = {name: look(pictures) for name, pictures in vars(sets).items()}
    dimensions = rows["real"].shape[1]
    enough = n >= ROWS_PER_DIMENSION * dimensions
    figures = _on_rows(look.name, generator)
    if not (enough or force):
        del figures[f"FD({look.name})",]
    scores: list[Score] = []
    for names, (on_rows, better) in figures.items():
        scores += _scores(names, on_rows, rows, better, generator, intervals)
    some = {name: pictures[:MOST_PICTURES] for name, pictures in vars(sets).items()}
    on_rows_themselves = _on_pictures(generator) if isinstance(kind, PictureSpec) else {}
    for name, on_pictures in on_rows_themselves.items():
        scores += _scores((name,), _alone(on_pictures), some, "lower", generator, False)
    return Comparison(
        _named(look, kind), n, n, tuple(scores), "" if enough else _too_few(n, dimensions, kind)
    )


def _too_few(n: int, dimensions: int, kind: Kind) -> str:
    return Message(
        "no Frechet distance: {n} {kind} in {dimensions} dimensions would say more about their number "
        "than about them, {enough} are needed ({@force:True} gives it all the same)",
        n=n,
        kind=kind.name,
        dimensions=dimensions,
        enough=ROWS_PER_DIMENSION * dimensions,
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
    def patches(a: Pictures, b: Drawn) -> float:
        levels = patch_wasserstein(a, b, generator, DIRECTIONS).values()
        return sum(levels) / len(levels)

    return {
        "patches": patches,
        "palette": lambda a, b: palette_distance(paint_of(a), paint_of(b), generator),
        "colours per picture": lambda a, b: colour_count_distance(colour_counts(a), colour_counts(b)),
        "soft alpha": lambda a, b: abs(soft_alpha(a) - soft_alpha(b)),
    }


def _scores(
    names: Names,
    figures: Callable[[Tensor, Tensor], Sequence[float]],
    sets: Mapping[str, Tensor],
    better: Better,
    generator: torch.Generator,
    interval: bool,
) -> list[Score]:
    """The scores of one pass: every set against the real one, and the intervals of the generated one."""
    real = sets["real"]
    ends: Sequence[tuple[float | None, float | None]] = [(None, None)] * len(names)
    if interval:
        found = jackknife_intervals(figures, real, sets["fake"], generator, repeats=REPEATS)
        ends = [
            (max(low, 0.0), min(high, 1.0)) if name in SHARES else (low, high)
            for name, (low, high) in zip(names, found, strict=True)
        ]
    against = zip(*(figures(real, sets[s]) for s in ("fake", "other", "noise", "constant")), strict=True)
    return [
        Score(name, value, low, high, floor, noise, constant, better)
        for name, (low, high), (value, floor, noise, constant) in zip(names, ends, against, strict=True)
    ]


def class_accuracy(real: Features, labels: Tensor, rows: Features, asked: Tensor) -> float:
    """Return the share, 0 to 1, of rows whose nearest real neighbours are mostly of the class asked for.

    ``labels``, (N,), and ``asked``, (M,), are class numbers. It is the vote of the 5 nearest; of equal votes
    the class of the nearer one counts.
    """
    votes = labels[nearest(rows, real, min(K, len(real))).numbers]  # (M, k)
    counts = (votes[:, :, None] == votes[:, None, :]).sum(2)
    # argmax takes the first of equals, which is the nearest.
    return (votes.gather(1, counts.argmax(1, keepdim=True))[:, 0] == asked).double().mean().item()
