"""``fogcatcher classify``: what is in a picture, by a model that was only trained to draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.numbers import Seed
from fogcatcher.cli.ranges import Count

if TYPE_CHECKING:
    from fogcatcher.applications.zero_shot import Verdicts
    from fogcatcher.data.reading import Dataset

SHOWN = 16
"""Pictures that get a line of their own."""
WIDEST_TABLE = 12
"""Classes in a table; with more, the most frequent mistakes are listed."""


@dataclass
class Classify:
    """Say what is in pictures: the class that a trained model finds easiest to clean of noise.

    Nothing is trained. With labels beside the pictures (sub-folders, metadata) it also says how often
    it is right.

    Example:  fogcatcher classify runs/my-sprites new-pictures --out classes.csv
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
    """Run directory of a model with conditions, or "sprites"."""
    pictures: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PICTURES", help_behavior_hint="")]
    """One picture, or anything that train reads: a folder, an archive, arrays."""
    attribute: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """Which attribute to tell; NAME:TAG asks for one tag. Default: the model's first category."""
    pairs: Annotated[Count, tyro.conf.arg(metavar="N")] = 100
    """Noises to try on a picture at most; classes that are clearly behind get fewer."""
    seed: Seed = 0
    """Seed of the noise."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE.csv", help_behavior_hint="")] = None
    """Write the answers for all pictures into this file."""

    def run(self) -> None:
        from fogcatcher.applications.zero_shot import candidates, classify
        from fogcatcher.cli.bars import reading_bar, sampling_bar
        from fogcatcher.data.for_model import read_for_model
        from fogcatcher.drawing.ours import check_own
        from fogcatcher.model.model import load

        if self.out:
            check_own(self.out)
        model = load(self.model)
        wishes = candidates(model, self.attribute)
        with reading_bar() as progress:
            options = model.config.data.options
            dataset = read_for_model(self.pictures, model.config.pixels, options, progress)
        with sampling_bar() as progress:
            found = classify(model, dataset.rows[:], self.attribute, self.pairs, self.seed, progress=progress)
        labels = _labels(dataset, next(iter(wishes[0])), found.classes)
        for line in [*_lines(dataset, found), *_summary(dataset, found), *_judged(found, labels)]:
            print(line)
        if self.out:
            _write_csv(self.out, dataset, found, labels)
            print(f"all answers: {self.out}")


def _labels(dataset: Dataset, attribute: str, classes: Sequence[str]) -> list[str]:
    """The class that the data set names for each picture; "" where it names none."""
    from fogcatcher.data.conditions.conditions import class_name, tags_of

    values = dataset.columns.get(attribute) or dataset.columns.get("label") or [None] * len(dataset)
    if classes[-1] == f"-{classes[0]}":
        return ["" if v is None else classes[0] if classes[0] in tags_of(v) else classes[1] for v in values]
    return [class_name(v) if v is not None and class_name(v) in classes else "" for v in values]


def _lines(dataset: Dataset, found: Verdicts) -> list[str]:
    answers = zip(found.choice.tolist(), found.runner_up.tolist(), found.margin.tolist(), strict=True)
    rows = [(name, *answer) for name, answer in zip(dataset.names, answers, strict=True)]
    wide = max(len(name) for name in dataset.names[:SHOWN])
    lines = [
        f"{name:{wide}}  {found.classes[a]}  ({margin:.1f} standard errors ahead of {found.classes[b]})"
        for name, a, b, margin in rows[:SHOWN]
    ]
    return [*lines, f"... and {len(rows) - SHOWN:,} more"] if len(rows) > SHOWN else lines


def _summary(dataset: Dataset, found: Verdicts) -> list[str]:
    from fogcatcher.data.pictures.found_sheets import told

    counts = Counter(found.classes[a] for a in found.choice.tolist())
    said = ", ".join(f"{name} x {count:,}" for name, count in counts.most_common(WIDEST_TABLE))
    more = ", ..." if len(counts) > WIDEST_TABLE else ""
    lines = [
        f"{len(dataset):,} pictures: {said}{more}",
        f"{found.calls / len(dataset):,.0f} network calls a picture, for {len(found.classes)} classes",
    ]
    lines += told(dataset.ignored)
    if dataset.skipped:
        name, reason = next(iter(dataset.skipped.items()))
        lines.append(f"{len(dataset.skipped):,} files could not be read; {name}, for one, {reason}")
    return lines


def _judged(found: Verdicts, labels: Sequence[str]) -> list[str]:
    """Accuracy and confusions, where there are labels."""
    pairs = Counter(
        (label, found.classes[a]) for label, a in zip(labels, found.choice.tolist(), strict=True) if label
    )
    known = pairs.total()
    if not known:
        return []
    right = sum(count for (label, answer), count in pairs.items() if label == answer)
    lines = [f"right: {right:,} of {known:,} labelled pictures ({right / known:.1%})"]
    names = [name for name in found.classes if any(name in pair for pair in pairs)]
    if len(names) > WIDEST_TABLE:
        wrong = Counter({pair: count for pair, count in pairs.items() if pair[0] != pair[1]})
        return lines + [f"{a} taken for {b}: {count:,}" for (a, b), count in wrong.most_common(WIDEST_TABLE)]
    cell = max(len(name) for name in (*names, "labelled", f"{known:,}")) + 2
    lines.append("labelled".ljust(cell) + "".join(name.rjust(cell) for name in names) + "   <- answer")
    for a in names:
        cells = (f"{pairs[a, b]:,}" if pairs[a, b] else "." for b in names)
        lines.append(a.ljust(cell) + "".join(text.rjust(cell) for text in cells))
    return lines


def _write_csv(path: Path, dataset: Dataset, found: Verdicts, labels: Sequence[str]) -> None:
    """One row per picture; pictures that equal another have its answer."""
    import csv

    from fogcatcher.base.disk import NAMES, write_atomically
    from fogcatcher.drawing.ours import ANSWERS

    rows = {
        name: [found.classes[a], found.classes[b], f"{margin:.2f}", label, *(f"{x:.6g}" for x in behind)]
        for name, a, b, margin, label, behind in zip(
            dataset.names,
            found.choice.tolist(),
            found.runner_up.tolist(),
            found.margin.tolist(),
            labels,
            found.behind.tolist(),
            strict=True,
        )
    }
    rows |= {name: rows[first] for name, first in dataset.duplicates.items()}

    def write(part: Path) -> None:
        with open(part, "w", newline="", encoding="utf-8", errors=NAMES) as file:
            table = csv.writer(file)
            table.writerow([*ANSWERS, *(f"behind {c}" for c in found.classes)])
            table.writerows([name, *row] for name, row in rows.items())

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, write)
