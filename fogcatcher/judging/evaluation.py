"""An honest judge of one run: how good, how varied, how much of it is copied, and how sure that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from fogcatcher.base.processes import ALONE, Processes
from fogcatcher.base.version import __version__
from fogcatcher.data.conditions.conditions import Category, ConditionSpec, Wish
from fogcatcher.data.kind import Extractor, Kind
from fogcatcher.data.labels import Value
from fogcatcher.data.pictures.spec import Pictures, PictureSpec
from fogcatcher.data.reading import Dataset
from fogcatcher.data.splitting import Split
from fogcatcher.diffusion.baselines import MANY, Baselines, baselines
from fogcatcher.diffusion.tensors import PerSample
from fogcatcher.drawing.settings import AS_THE_DATA
from fogcatcher.drawing.settings import Settings as DrawingSettings
from fogcatcher.drawing.to_disk import AT_ONCE
from fogcatcher.judging.metrics import features, memorisation
from fogcatcher.judging.metrics.kernel import mmd2
from fogcatcher.judging.metrics.membership import Membership, membership
from fogcatcher.judging.metrics.memorisation import Memorisation
from fogcatcher.judging.metrics.neighbours import K, outliers, precision_recall
from fogcatcher.judging.metrics.rows import Features
from fogcatcher.judging.metrics.scores import Comparison, class_accuracy, compare
from fogcatcher.model.model import Model

SAMPLES = 1000
PIXELS = 8
"""A side of what is looked at for copies: enough to tell pictures apart, and cheap."""
MOST_TRAINING = 20_000
"""So many training pictures are searched for copies."""
QUICK_TRAINING = 4000
JUDGES = 4000
"""So many training pictures vote on the class of a sample."""
NOISE_LEVELS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""sigma / alpha at which losses are measured."""
MOST_LOSSES = 512
STEPS_OF_CURVE = (5, 10, 20, 40)
CURVE_SAMPLES = 256

Rows = Int64[Tensor, " _"]
Some = UInt8[Tensor, "_ C H W"]
"""Any number of pictures of one shape: what was drawn, or curves of it."""
Told = Callable[[str], None]


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
class Level:
    """Mean squared error of x0_hat at one noise level."""

    sigma: float
    """Noise over signal."""
    training: float
    held_out: float
    zero: float
    """What an answer of zero gets, on held-out pictures."""
    gaussian: float
    """What a denoiser gets there that knows no more than mean and covariance."""


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
    """The hash of its weights."""
    settings: Settings
    comparisons: tuple[Comparison, ...]
    class_accuracy: tuple[float, float] | None
    """Of the main condition: of the samples, and of held-out pictures by the same judge."""
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
            "class_accuracy": self.class_accuracy,
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


def evaluate(
    name: str,
    model: Model,
    dataset: Dataset,
    parts: Split,
    settings: Settings,
    looks: tuple[Extractor, ...] = (),
    told: Told = lambda what: None,
    processes: Processes = ALONE,
) -> Evaluation:
    """Measure a model against its own data set, parted as in its training.

    Several ``processes`` divide the drawing; each then measures all of it, and finds the same.

    Samples are asked for what the training pictures are, so that classes are as frequent as there.
    ``looks`` are feature extractors, by default the built-in one. ``told`` hears what is being done.
    """
    start, generator = time.perf_counter(), torch.Generator().manual_seed(settings.seed)
    training = parts.train.unique()
    order = training[torch.randperm(len(training), generator=generator)]
    kind = model.config.kind
    told(f"drawing {settings.samples:,} {kind.name}")
    asked = order[torch.arange(settings.samples) % len(order)]
    samples = draw(model, dataset, asked, settings, processes)
    real = dataset.rows[order[: 2 * settings.samples]]
    looks = looks or (usual_look(kind),)
    comparisons = []
    for look in looks:
        told(f"comparing them with {len(real):,} training {kind.name} ({look.name})")
        comparison = compare(
            real, samples, look, generator, kind=kind, force=settings.force, intervals=not settings.quick
        )
        comparisons.append(comparison)
    told("looking for copies")
    searched = order[: QUICK_TRAINING if settings.quick else MOST_TRAINING]
    copied = None
    if len(parts.held_out):
        held_out = dataset.rows[parts.held_out]
        copied = copies(kind, samples, dataset.rows[searched], held_out, generator)
    drawn, rows = looks[0](samples), looks[0](real)
    strange, missed = _outliers(samples, drawn, real, rows)
    by_class, right = _classes(model, dataset, parts.held_out, asked, drawn, order, rows, looks[0])
    levels, tells, curve = (), None, {}
    if not settings.quick and len(parts.held_out):
        told(f"measuring the loss on training and held-out {kind.name}")
        levels, tells = losses(model, dataset, order, parts.held_out, settings.seed)
    if not settings.quick and len(real) > 1:
        told("drawing with fewer and more steps")
        curve = dict(_curve(model, dataset, asked, rows, looks[0], settings, processes))
    return Evaluation(
        name,
        kind.name,
        model.hash,
        settings,
        tuple(comparisons),
        right,
        by_class,
        copied,
        len(searched),
        len(parts.held_out),
        levels,
        tells,
        curve,
        time.perf_counter() - start,
        kind.shown(samples),
        kind.shown(dataset.rows[searched[copied.nearest]] if copied else samples[:0]),
        kind.shown(strange),
        kind.shown(missed),
    )


def draw(
    model: Model, dataset: Dataset, asked: Rows, settings: Settings, processes: Processes = ALONE
) -> Tensor:
    """Return one drawn row for each of these rows, asked for what is known of that row."""
    wishes = [wish_of(model.conditions, dataset.columns, row) for row in asked.tolist()]
    first = settings.seed * 1_000_000
    drawn = torch.zeros(len(wishes), *model.config.kind.shape, dtype=dataset.rows[:0].dtype)
    for part in processes.dealt(len(wishes), AT_ONCE):
        drawn[part] = model.sample(
            condition=wishes[part],
            settings=settings.drawing,
            seeds=range(first + part.start, first + part.stop),
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


def losses(
    model: Model, dataset: Dataset, training: Rows, held_out: Rows, seed: int
) -> tuple[tuple[Level, ...], Membership]:
    """Return the errors by noise level, and whether their sum tells training pictures from held-out ones.

    The same noise falls on the k-th picture of both sets.
    """
    n = min(MOST_LOSSES, len(training), len(held_out))
    sides = (training[:n], held_out[torch.linspace(0, len(held_out) - 1, n).round().long()])
    known, simple = (
        model.conditions.encode_pictures(dataset.columns),
        known_little(model.config.kind, dataset, training, sides[1]),
    )
    found, weighed = [], [torch.zeros(n, dtype=torch.float64) for _ in sides]
    for number, sigma in enumerate(NOISE_LEVELS):
        errors = [errors_at(sigma, model, dataset, rows, known, 100 * seed + number) for rows in sides]
        for total, error in zip(weighed, errors, strict=True):
            # Each level counts by how far it is from its mean, else the noisiest decide alone.
            total += (error / torch.cat(errors).mean()).double()
        here, there = (error.mean().item() for error in errors)
        found.append(Level(sigma, here, there, simple.zero, simple.gaussian(sigma)))
    return tuple(found), membership(weighed[0], weighed[1])


def known_little(kind: Kind, dataset: Dataset, training: Rows, judged: Rows) -> Baselines:
    """Return what denoisers get on the rows ``judged`` that know next to nothing of the training ones."""
    known, others = dataset.rows[training[:MANY]], dataset.rows[judged]
    return baselines(kind.to_model(known), kind.to_model(others))


def errors_at(
    sigma: float, model: Model, dataset: Dataset, rows: Rows, known: Mapping[str, Tensor], seed: int
) -> PerSample:
    """Return the mean squared error of each picture's x0_hat where the noise is ``sigma`` times the signal.

    ``known`` are the conditions of the whole data set. The same seed puts the same noise on the k-th picture.
    """
    schedule, generator = model.denoiser.process.schedule, torch.Generator().manual_seed(seed)
    t = schedule.t_from_noise_ratio(torch.tensor(sigma, dtype=torch.float64))
    device, found = model.device, []
    for part in rows.split(64):
        x0 = model.config.kind.to_model(dataset.rows[part]).to(device)
        noise = torch.randn(x0.shape, generator=generator).to(x0)
        cond = {name: values[part].to(device) for name, values in known.items()}
        with torch.no_grad():
            x0_hat = model.denoiser(model.denoiser.process.corrupt(x0, t, noise), t.expand(len(x0)), cond)
        found.append((x0 - x0_hat).square().flatten(1).mean(1).cpu())
    return torch.cat(found)


def _curve(
    model: Model,
    dataset: Dataset,
    asked: Rows,
    real: Features,
    look: Extractor,
    settings: Settings,
    processes: Processes,
) -> Iterator[tuple[int, float]]:
    for steps in STEPS_OF_CURVE:
        asked_less = replace(settings, drawing=replace(settings.drawing, steps=steps))
        rows = draw(model, dataset, asked[:CURVE_SAMPLES], asked_less, processes)
        yield steps, mmd2(real[:SAMPLES], look(rows))


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


def _classes(
    model: Model,
    dataset: Dataset,
    held_out: Rows,
    asked: Rows,
    drawn: Features,
    order: Rows,
    real: Features,
    look: Extractor,
) -> tuple[tuple[ClassFigures, ...], tuple[float, float] | None]:
    """The figures of each class, and how often the class asked for was drawn; none without classes."""
    main = model.conditions.main
    if not isinstance(main, Category):
        return (), None
    numbers = model.conditions.encode_pictures(dataset.columns)[main.name]
    by_class = _by_class(main, numbers, asked, drawn, order[: len(real)], real)
    return by_class, _class_accuracy(numbers, dataset, asked, drawn, order, held_out, look)


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


def _class_accuracy(
    numbers: Tensor,
    dataset: Dataset,
    asked: Rows,
    drawn: Features,
    training: Rows,
    held_out: Rows,
    look: Extractor,
) -> tuple[float, float] | None:
    """By the five nearest training pictures: of samples, and of held-out pictures. None without any."""
    judges = training[:JUDGES]
    known = numbers[asked].sum(1) > 0
    judges, held = (rows[numbers[rows].sum(1) > 0] for rows in (judges, held_out))
    if not min(len(judges), int(known.sum()), len(held)):
        return None
    labels = numbers.argmax(1)
    rows = look(dataset.rows[judges])
    return (
        class_accuracy(rows, labels[judges], drawn[known], labels[asked[known]]),
        class_accuracy(rows, labels[judges], look(dataset.rows[held]), labels[held]),
    )
