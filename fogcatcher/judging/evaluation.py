"""An honest judge of one run: how good, how varied, how much of it is copied, and how sure that is.

``judge`` measures rows that anything has drawn; ``evaluate`` draws them with a model and adds what only a
model can be asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from fogcatcher.base.processes import ALONE, Processes
from fogcatcher.base.version import __version__
from fogcatcher.data.conditions.conditions import Category, ConditionSpec, Wish
from fogcatcher.data.kind import Extractor, Kind
from fogcatcher.data.labels import Value
from fogcatcher.data.pictures.spec import Pictures, PictureSpec
from fogcatcher.data.reading import Dataset
from fogcatcher.data.splitting import Split
from fogcatcher.drawing.settings import AS_THE_DATA
from fogcatcher.drawing.settings import Settings as DrawingSettings
from fogcatcher.drawing.to_disk import AT_ONCE
from fogcatcher.judging.followed import Followed, all_followed
from fogcatcher.judging.losses import Level, Rows, losses
from fogcatcher.judging.metrics import features, memorisation
from fogcatcher.judging.metrics.kernel import mmd2
from fogcatcher.judging.metrics.membership import Membership
from fogcatcher.judging.metrics.memorisation import Memorisation
from fogcatcher.judging.metrics.neighbours import K, outliers, precision_recall
from fogcatcher.judging.metrics.rows import Features
from fogcatcher.judging.metrics.scores import Comparison, compare
from fogcatcher.judging.metrics.two_sample import FEWEST, STEPS, TwoSample, two_sample_test
from fogcatcher.model.model import Model

SAMPLES = 1000
PIXELS = 8
"""A side of what is looked at for copies: enough to tell pictures apart, and cheap."""
MOST_TRAINING = 20_000
"""So many training pictures are searched for copies."""
QUICK_TRAINING = 4000
JUDGES = 4000
"""So many training pictures vote on the class of a sample."""
STEPS_OF_CURVE = (5, 10, 20, 40)
CURVE_SAMPLES = 256

TELLING_STEPS = STEPS
"""Of each of the two networks of that test."""
MOST_TOLD_APART = 1000
"""So many real and so many drawn pictures take part in the two-sample test."""

Some = UInt8[Tensor, "_ C H W"]
"""Any number of pictures of one shape: what was drawn, or curves of it."""


@dataclass(frozen=True)
class Watch:
    """Who hears what is being done, and how many calls of how many of it are."""

    told: Callable[[str], None] = lambda what: None
    progress: Callable[[int, int], None] = lambda done, of: None


SILENT = Watch()


@dataclass(frozen=True)
class Settings:
    """What is measured, and how pictures are drawn for it."""

    samples: int = SAMPLES
    drawing: DrawingSettings = AS_THE_DATA
    seed: int = 0
    quick: bool = False
    """Leave out intervals, losses and the curve over steps."""
    force: bool = False
    """Give a Frechet distance of any number of pictures."""

    def to_json(self) -> dict[str, Any]:
        """Return all of it, how pictures are drawn beside the rest."""
        rest = {name: value for name, value in vars(self).items() if name != "drawing"}
        return self.drawing.to_recipe() | rest


@dataclass(frozen=True)
class ClassFigures:
    """One class of the main condition, alone."""

    name: str
    real: int
    fake: int
    kernel_distance: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of one run."""

    run: str
    kind: str
    """The name of the kind of data."""
    model: str
    """The hash of its weights; "" of rows that something else has drawn."""
    settings: Settings
    comparisons: tuple[Comparison, ...]
    told_apart: TwoSample | None
    """None of too few, and of what is no pictures."""
    apart_by_class: Mapping[str, float]
    """Class of the main condition -> how often they are told apart within it."""
    followed: tuple[Followed, ...]
    """Each condition: whether what was asked for is drawn."""
    by_class: tuple[ClassFigures, ...]
    """Classes with too few pictures are left out."""
    memorisation: Memorisation | None
    searched: int
    """Training pictures searched for copies."""
    held_out: int
    levels: tuple[Level, ...]
    membership: Membership | None
    curve: Mapping[int, float]
    """Sampling steps -> kernel distance."""
    seconds: float
    drawn: Features = field(repr=False)
    """Of the samples, by the first look."""
    samples: Pictures = field(repr=False)
    training: Some = field(repr=False)
    """The nearest training picture of each sample; no rows where there was nothing to compare with."""
    strange: Some = field(repr=False)
    """Drawn pictures that lie outside of the real ones, the furthest first."""
    missed: Some = field(repr=False)
    """Real pictures that no drawn one is near, the furthest first."""

    def to_json(self) -> dict[str, Any]:
        """Return every figure, without pictures."""
        copied = self.memorisation
        return {
            "fogcatcher": __version__,
            "run": self.run,
            "kind": self.kind,
            "model": self.model,
            "settings": self.settings.to_json(),
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
            "told_apart": self.told_apart
            and {
                "accuracy": self.told_apart.accuracy,
                "low": self.told_apart.low,
                "high": self.told_apart.high,
                "within": dict(self.apart_by_class),
            },
            "followed": [asdict(each) for each in self.followed],
            "by_class": [asdict(figures) for figures in self.by_class],
            "memorisation": copied
            and {
                "verdict": copied.verdict,
                "copied": copied.copied,
                "expected": copied.expected,
                "p": copied.p,
                "nearer": copied.nearer,
                "relative": copied.relative,
                "training_pictures_searched": self.searched,
                "held_out_pictures": self.held_out,
                "repeated": [asdict(picture) for picture in copied.repeated],
            },
            "membership": self.membership and {**asdict(self.membership), "verdict": self.membership.verdict},
            "levels": [asdict(level) for level in self.levels],
            "curve": {str(steps): distance for steps, distance in self.curve.items()},
            "seconds": self.seconds,
        }


def judge(
    name: str,
    kind: Kind,
    samples: Tensor,
    dataset: Dataset,
    parts: Split,
    settings: Settings,
    looks: tuple[Extractor, ...] = (),
    watch: Watch = SILENT,
) -> Evaluation:
    """Measure rows that anything has drawn against those of a data set, parted for training.

    ``looks`` are feature extractors, by default the built-in one.
    """
    start, generator = time.perf_counter(), torch.Generator().manual_seed(settings.seed)
    order = in_order(parts, settings.seed)
    real = dataset.rows[order[: 2 * len(samples)]]
    looks = looks or (usual_look(kind),)
    comparisons = []
    for look in looks:
        watch.told(f"comparing them with {len(real):,} training {kind.name} ({look.name})")
        comparison = compare(
            real, samples, look, generator, kind=kind, force=settings.force, intervals=not settings.quick
        )
        comparisons.append(comparison)
    told_apart = None
    if isinstance(kind, PictureSpec) and min(len(real), len(samples)) >= FEWEST:
        watch.told("training a network to tell them from real ones")
        sides = real[:MOST_TOLD_APART], samples[:MOST_TOLD_APART]
        told_apart = two_sample_test(*sides, generator, TELLING_STEPS, watch.progress)
    watch.told("looking for copies")
    searched = order[: QUICK_TRAINING if settings.quick else MOST_TRAINING]
    copied = None
    if len(parts.held_out):
        held_out = dataset.rows[parts.held_out]
        copied = copies(kind, samples, dataset.rows[searched], held_out, generator)
    drawn = looks[0](samples)
    strange, missed = _outliers(samples, drawn, real, looks[0](real))
    return Evaluation(
        name,
        kind.name,
        "",
        settings,
        tuple(comparisons),
        told_apart,
        {},
        (),
        (),
        copied,
        len(searched),
        len(parts.held_out),
        (),
        None,
        {},
        time.perf_counter() - start,
        drawn,
        kind.shown(samples),
        kind.shown(dataset.rows[searched[copied.nearest]] if copied else samples[:0]),
        kind.shown(strange),
        kind.shown(missed),
    )


def evaluate(
    name: str,
    model: Model,
    dataset: Dataset,
    parts: Split,
    settings: Settings,
    looks: tuple[Extractor, ...] = (),
    watch: Watch = SILENT,
    processes: Processes = ALONE,
) -> Evaluation:
    """Measure a model against its own data set, parted as in its training.

    Several ``processes`` divide the drawing; each then measures all of it, and finds the same.

    Samples are asked for what the training pictures are, so that classes are as frequent as there.
    ``looks`` are feature extractors, by default the built-in one.
    """
    start, kind = time.perf_counter(), model.config.kind.drawn
    order = in_order(parts, settings.seed)
    looks = looks or (usual_look(kind),)
    watch.told(f"drawing {settings.samples:,} {kind.name}")
    asked = order[torch.arange(settings.samples) % len(order)]
    samples = draw(model, dataset, asked, settings, processes, watch)
    done = judge(name, kind, samples, dataset, parts, settings, looks, watch)
    done = replace(done, model=model.hash)
    if model.conditions.attributes:
        watch.told("looking whether what was asked for is drawn")
        done = _with_conditions(done, model.conditions, dataset, parts, asked, order, looks[0])
    if not settings.quick and len(parts.held_out):
        watch.told(f"measuring the loss on training and held-out {kind.name}")
        levels, tells = losses(model, dataset, order, parts.held_out, settings.seed)
        done = replace(done, levels=levels, membership=tells)
    if not settings.quick and len(order) > 1:
        watch.told("drawing with fewer and more steps")
        real = looks[0](dataset.rows[order[:SAMPLES]])
        curve = dict(_curve(model, dataset, asked, real, looks[0], settings, processes, watch))
        done = replace(done, curve=curve)
    return replace(done, seconds=time.perf_counter() - start)


def in_order(parts: Split, seed: int) -> Rows:
    """Return the training rows, each once, in a random order."""
    training = parts.train.unique()
    return training[torch.randperm(len(training), generator=torch.Generator().manual_seed(seed))]


def draw(
    model: Model,
    dataset: Dataset,
    asked: Rows,
    settings: Settings,
    processes: Processes = ALONE,
    watch: Watch = SILENT,
) -> Tensor:
    """Return one drawn row for each of these rows, asked for what is known of that row."""
    wishes = [wish_of(model.conditions, dataset.columns, row) for row in asked.tolist()]
    first = settings.seed * 1_000_000
    drawn = torch.zeros(len(wishes), *model.config.kind.drawn.shape, dtype=dataset.rows[:0].dtype)
    for part in processes.dealt(len(wishes), AT_ONCE):

        def progress(done: int, of: int, part: slice = part) -> None:
            watch.progress(part.start * of + (part.stop - part.start) * done, len(wishes) * of)

        drawn[part] = model.sample(
            condition=wishes[part],
            settings=settings.drawing,
            seeds=range(first + part.start, first + part.stop),
            edit=model.redrawing(dataset.rows[asked[part]]),
            progress=progress,
        ).rows
    processes.sum([drawn])
    return drawn


def usual_look(kind: Kind) -> Extractor:
    """Return the features by which rows of this kind are judged."""
    return kind.look() or features.builtin()


def copies(
    kind: Kind, samples: Tensor, training: Tensor, held_out: Tensor, generator: torch.Generator
) -> Memorisation:
    """Return how many samples are copies: of pictures also flipped or moved ones, of all else equal ones."""
    if isinstance(kind, PictureSpec):
        return memorisation.measure(samples, training, held_out, features.Pixels(PIXELS), generator)

    def values(rows: Tensor) -> Features:
        return kind.to_model(rows).double().flatten(1)

    found = memorisation.measure(samples, training, held_out, values, generator, lambda rows: (rows,))
    return replace(found, kind=kind.name)


def wish_of(conditions: ConditionSpec, columns: Mapping[str, list[Value]], row: int) -> dict[str, Wish]:
    """Return what is known of a picture as a wish."""
    return {a.name: columns[a.name][row] for a in conditions.attributes}


def _curve(
    model: Model,
    dataset: Dataset,
    asked: Rows,
    real: Features,
    look: Extractor,
    settings: Settings,
    processes: Processes,
    watch: Watch,
) -> Iterator[tuple[int, float]]:
    for steps in STEPS_OF_CURVE:
        asked_less = replace(settings, drawing=replace(settings.drawing, steps=steps))
        rows = draw(model, dataset, asked[:CURVE_SAMPLES], asked_less, processes, watch)
        yield steps, mmd2(real, look(rows))


def _outliers(samples: Tensor, drawn: Features, real: Tensor, rows: Features) -> tuple[Tensor, Tensor]:
    """Drawn pictures outside of the real ones, and real ones that were missed, the furthest first.

    ``drawn`` and ``rows`` are the features of both.
    """
    n = min(len(samples), len(real))
    if n <= K:
        return samples[:0], real[:0]
    found = outliers(rows[:n], drawn[:n])
    strange, missed = (figures.argsort(descending=True, stable=True) for figures in found)
    return samples[strange[found.strange[strange] > 1]], real[missed[found.missed[missed] >= 1]]


def _with_conditions(
    done: Evaluation,
    conditions: ConditionSpec,
    dataset: Dataset,
    parts: Split,
    asked: Rows,
    order: Rows,
    look: Extractor,
) -> Evaluation:
    """Add what can be said of conditions: each followed or not, and the classes of the main one apart."""
    codes = conditions.encode_pictures(dataset.columns)
    judges, held_out = order[:JUDGES], parts.held_out[:JUDGES]
    drawn, rows, others = done.drawn, look(dataset.rows[judges]), look(dataset.rows[held_out])
    generator = torch.Generator().manual_seed(done.settings.seed)
    found = all_followed(
        conditions.attributes, codes, (rows, judges), (drawn, asked), (others, held_out), generator
    )
    done = replace(done, followed=found)
    main = conditions.main
    if not isinstance(main, Category):
        return done
    numbers, n = codes[main.name], min(2 * len(drawn), len(judges))
    done = replace(done, by_class=_by_class(main, numbers, asked, drawn, judges[:n], rows[:n]))
    if not done.told_apart:
        return done
    classes = torch.where(numbers.sum(1) > 0, numbers.argmax(1), -1)
    sides = classes[order[: len(done.told_apart.real)]], classes[asked[: len(done.told_apart.drawn)]]
    within = {str(main.classes[k]): rate for k, (rate, _) in done.told_apart.within(*sides).items()}
    return replace(done, apart_by_class=within)


def _by_class(
    main: Category, numbers: Tensor, asked: Rows, drawn: Features, real: Rows, rows: Features
) -> tuple[ClassFigures, ...]:
    """The figures that few pictures allow, for each class of the main condition.

    ``numbers`` tells the class of every picture, one-hot; ``drawn`` and ``rows`` are the features of the
    pictures drawn for the rows ``asked`` and of the real pictures ``real``.
    """
    found = []
    for number, name in enumerate(main.classes):
        a, b = rows[numbers[real, number] > 0], drawn[numbers[asked, number] > 0]
        if min(len(a), len(b)) > K:
            alike = precision_recall(a, b)
            found.append(ClassFigures(str(name), len(a), len(b), mmd2(a, b), alike.precision, alike.recall))
    return tuple(found)
