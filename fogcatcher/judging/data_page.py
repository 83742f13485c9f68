"""One HTML page about a data set: it holds all its pictures itself, runs no script and asks for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fogcatcher.data.conditions.conditions import class_name
from fogcatcher.data.inspection import CHANNELS, Column, Findings, summary, verdict
from fogcatcher.data.pictures.twins import MIRRORS, spread
from fogcatcher.data.reading import Dataset
from fogcatcher.data.selection import usual_label
from fogcatcher.drawing import html

CLASSES = 24
PER_CLASS = 15
WITHOUT_CLASSES = 64
MIRRORED = 8
FILES = 200
FEW_COLOURS = 24
"""Up to so many colours, each number has a column of its own."""


def page(
    findings: Findings,
    dataset: Dataset,
    forecast: Mapping[str, str] | None = None,
    controls: Sequence[Mapping[str, object]] = (),
) -> str:
    """Return the page as text; ``dataset`` is the set the findings are about.

    ``forecast``: name -> what will be trained, and how long. ``controls``: what a model will know, a row
    each. Names of files and classes may hold anything: all of it is escaped.
    """
    kind = CHANNELS[findings.channels]
    title = f"{findings.pictures:,} pictures, {findings.width}x{findings.height}, {kind}"
    sections = [
        _figures(findings),
        html.bullets(summary(findings)[1:]),
        html.section("What will be trained", html.table(forecast)) if forecast else "",
        html.section("Controls", html.grid(controls)) if controls else "",
        _classes(findings, dataset),
        _twins(findings, dataset),
        _flips(findings, dataset),
        _colours(findings),
        _sizes(findings),
        _columns(findings, dataset),
        _files("Pictures that cannot be used", findings.skipped),
        _files("Other files, passed over", findings.ignored),
    ]
    return html.document(title, sections)


def _sheet(dataset: Dataset, numbers: Sequence[int]) -> str:
    pictures = dataset.rows[torch.tensor(numbers, dtype=torch.int64)]
    return html.sheet(pictures, [dataset.names[number] for number in numbers])


def _evenly(numbers: Sequence[int], most: int) -> list[int]:
    return [numbers[k] for k in spread(len(numbers), most).tolist()]


# --- the sections -------------------------------------------------------------------------------


def _figures(findings: Findings) -> str:
    """The numbers people look for first."""
    figures = {
        "pictures": f"{findings.pictures:,}",
        "size": f"{findings.width}x{findings.height}",
        "cannot be used": f"{len(findings.skipped):,}",
        "nearly like another": f"{findings.near_pictures:,}",
        "colours, usually": f"{findings.colours.median:,}",
    }
    if findings.pixel_art is not None:
        figures["look like pixel art"] = f"{findings.pixel_art:.0%}"
    cards = "".join(f"<div><dt>{html.text(k)}</dt><dd>{html.text(v)}</dd></div>" for k, v in figures.items())
    return f'<dl class="figures">{cards}</dl>'


def _classes(findings: Findings, dataset: Dataset) -> str:
    """The usual label column: how large its classes are, and what is in them."""
    label = usual_label(dataset.columns)
    if label is None:
        shown = _evenly(range(len(dataset)), WITHOUT_CLASSES)
        return html.section("Pictures", html.note("Spread evenly over the set."), _sheet(dataset, shown))
    members: dict[str, list[int]] = {}
    for number, value in enumerate(dataset.columns[label]):
        if value is not None:
            members.setdefault(class_name(value), []).append(number)
    column = next(column for column in findings.columns if column.name == label)
    named = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    sheets = "".join(
        f"<h3>{html.text(name, 80)} <small>{len(numbers):,}</small></h3>"
        + _sheet(dataset, _evenly(numbers, PER_CLASS))
        for name, numbers in named[:CLASSES]
    )
    notes = html.note(_balance(column)) + (
        html.note(f"The {CLASSES} largest of {len(named):,} are shown.") if len(named) > CLASSES else ""
    )
    bars = html.bars({name: len(numbers) for name, numbers in named})
    return html.section(f"Classes: {label}", notes, bars, sheets)


def _balance(column: Column) -> str:
    missing = f" {column.missing:,} pictures have none." if column.missing else ""
    if column.balance is None:
        return f"{column.distinct:,} different values.{missing}"
    return f"{column.distinct:,} classes; the largest is {column.balance:.3g} times the smallest.{missing}"


def _twins(findings: Findings, dataset: Dataset) -> str:
    if not findings.near:
        return ""
    figures = []
    for pair in findings.near:
        both = dataset.rows[torch.tensor([pair.first, pair.second])]
        images = "".join(html.image(both[k : k + 1], name) for k, name in enumerate(pair.names))
        names = "<br>".join(html.text(name, 60) for name in pair.names)
        figures.append(f'<figure><div class="pair">{images}</div><figcaption>{names}</figcaption></figure>\n')
    note = (
        f"{findings.near_pictures:,} pictures look nearly like another one. Together in training they weigh "
        "more than others; parted by the hold-out they make a model look better than it is."
    )
    return html.section("Near-duplicates", html.note(note), f'<div class="pairs">{"".join(figures)}</div>')


def _flips(findings: Findings, dataset: Dataset) -> str:
    """Each verdict, with pictures beside their mirror images."""
    if not findings.mirrors:
        return ""
    numbers = _evenly(range(len(dataset)), MIRRORED)
    chosen = dataset.rows[torch.tensor(numbers)]
    parts = []
    for axis, score in findings.mirrors.items():
        turned = MIRRORS[axis](chosen)
        pairs = "".join(_beside(chosen, turned, k, dataset.names[number]) for k, number in enumerate(numbers))
        parts.append(f"<h3>{html.text(axis)}</h3>{html.note(verdict(score).capitalize() + '.')}")
        parts.append(f'<div class="mirrors">{pairs}</div>\n')
    return html.section("May pictures be flipped?", *parts)


def _beside(chosen: Tensor, turned: Tensor, k: int, name: str) -> str:
    images = html.image(chosen[k : k + 1], name), html.image(turned[k : k + 1], f"{name}, turned")
    return f'<div class="pair">{"".join(images)}</div>'


def _colours(findings: Findings) -> str:
    shown = sum(findings.colours.used.values())
    swatches = "".join(
        f'<span style="background:{colour}" title="{colour}: {share:.2%} of the pixels"></span>'
        for colour, share in findings.colours.used.items()
    )
    note = (
        f"{findings.colours.distinct:,} different colours in {findings.examined:,} pictures; the "
        f"{len(findings.colours.used)} most used ones cover {shown:.0%} of the visible pixels."
    )
    return html.section(
        "Colours",
        "<h3>Colours per picture</h3>",
        html.histogram(_ranges(findings.colours.pictures)),
        "<h3>Most used</h3>",
        html.note(note),
        f'<div class="swatches">{swatches}</div>',
    )


def _ranges(counts: Mapping[int, int]) -> dict[str, int]:
    """Number -> how often, in ranges: number by number if there are few, else up to 1, 2, 4, 8 ..."""
    if max(counts) <= FEW_COLOURS:
        return {str(number): counts.get(number, 0) for number in range(min(counts), max(counts) + 1)}
    ranges: dict[str, int] = {}
    low, high = 0, 1
    while low <= max(counts):
        name = f"{low + 1}-{high}" if high > low + 1 else str(high)
        ranges[name] = sum(count for number, count in counts.items() if low < number <= high)
        low, high = high, 2 * high
    return ranges


def _sizes(findings: Findings) -> str:
    fitted = ", ".join(f"{what} ({count:,})" for what, count in findings.fitted.items())
    done = f"To make them {findings.width}x{findings.height}: {fitted}." if fitted else "Used as they are."
    return html.section("Sizes", html.note(done), html.bars(findings.sizes))


def _columns(findings: Findings, dataset: Dataset) -> str:
    """All columns but the one whose classes are shown."""
    label = usual_label(dataset.columns)
    rows = [
        {
            "column": column.name,
            "values": f"{column.distinct:,}",
            "missing": f"{column.missing:,}",
            "most common": ", ".join(f"{value} ({count:,})" for value, count in column.common.items()),
        }
        for column in findings.columns
        if column.name != label
    ]
    return html.section("Other columns", html.grid(rows)) if rows else ""


def _files(heading: str, reasons: Mapping[str, str]) -> str:
    if not reasons:
        return ""
    shown = dict(list(reasons.items())[:FILES])
    more = len(reasons) - len(shown)
    return html.section(heading, html.table(shown), html.note(f"and {more:,} more") if more else "")
