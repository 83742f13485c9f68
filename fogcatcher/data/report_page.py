"""One HTML page about a data set: it holds all its pictures itself, runs no script and asks for nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import torch
from torch import Tensor

from fogcatcher.data.conditions import class_name
from fogcatcher.data.files import printable
from fogcatcher.data.inspection import CHANNELS, Column, Findings, summary, verdict
from fogcatcher.data.reading import Dataset
from fogcatcher.data.selection import usual_label
from fogcatcher.data.sheets import to_image
from fogcatcher.data.spec import Pictures
from fogcatcher.data.twins import MIRRORS, spread

PICTURE_SIDE = 64
"""Pictures are shown about so many pixels wide, each of theirs a whole number of the page's."""
CLASSES = 24
PER_CLASS = 15
WITHOUT_CLASSES = 64
MIRRORED = 8
BARS = 24
FILES = 200
LONGEST_CELL = 200
FEW_COLOURS = 24
"""Up to so many colours, each number has a column of its own."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf8; --card: #fff; --ink: #23252d; --soft: #6b6f7b;
  --line: #e3e1db; --bar: #4f6fb5; --check-a: #e9e8e4; --check-b: #d8d6d0 }
@media (prefers-color-scheme: dark) { :root { --paper: #16171c; --card: #1f2128; --ink: #e4e5ea;
  --soft: #9a9eab; --line: #31343e; --bar: #7b9be0; --check-a: #3a3d48; --check-b: #2d2f38 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1rem 4rem }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1.2rem }
h2 { font-size: 1.25rem; margin: 2.8rem 0 .4rem }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere }
h3 small, p.note, .figures dt, figcaption, .scale, td.count { color: var(--soft); font-weight: normal }
p { max-width: 46rem; margin: .4rem 0 }
ul { max-width: 50rem; margin: .4rem 0; padding-left: 1.1rem }
li { margin: .25rem 0; overflow-wrap: anywhere }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .7rem }
.figures, figure { margin: 0 }
.figures div, figure { background: var(--card); border: 1px solid var(--line); border-radius: .6rem }
.figures div { padding: .7rem .9rem }
.figures dt { font-size: .85rem } .figures dd { margin: 0; font-size: 1.35rem; font-weight: 600 }
.sheet { display: flex; flex-wrap: wrap; gap: 6px }
img { display: block; image-rendering: pixelated }
img.clear { background: repeating-conic-gradient(var(--check-a) 0 25%, var(--check-b) 0 50%) 0 0 / 16px 16px }
figure { padding: .6rem }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .7rem }
.pair { display: flex; gap: 6px; align-items: center }
figcaption { font-size: .8rem; margin-top: .4rem; overflow-wrap: anywhere }
.mirrors { display: flex; flex-wrap: wrap; gap: 10px 22px }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .92rem; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; overflow-wrap: break-word }
th[scope=row] { overflow-wrap: anywhere; min-width: 8rem }
.rows th, .rows td { border-top: 1px solid var(--line) }
.bars th { font-weight: normal; width: 12rem }
.bars td.count { width: 6rem; padding-right: 0; text-align: right }
.bar { display: block; width: 100%; height: 1.1rem } .bar rect, .column rect { fill: var(--bar) }
.histogram { display: flex; gap: 3px; align-items: flex-end; max-width: 46rem }
.histogram div { flex: 1; min-width: 0; text-align: center }
.column { display: block; width: 100%; height: 8rem }
.scale { font-size: .75rem; white-space: nowrap }
.swatches { display: flex; flex-wrap: wrap; gap: 4px }
.swatches span { width: 2.4rem; height: 2.4rem; border-radius: .35rem; border: 1px solid var(--line) }
@media (max-width: 32rem) { .bars th { width: 7.5rem } .bars td.count { width: 4.5rem } }
"""


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
        _list(summary(findings)[1:]),
        _section("What will be trained", _table(forecast)) if forecast else "",
        _section("Controls", _grid(controls)) if controls else "",
        _classes(findings, dataset),
        _twins(findings, dataset),
        _flips(findings, dataset),
        _colours(findings),
        _sizes(findings),
        _columns(findings, dataset),
        _files("Pictures that cannot be used", findings.skipped),
        _files("Other files, passed over", findings.ignored),
    ]
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{_text(title)}</title><style>{STYLE}</style>"
    )
    body = "\n".join([f"<h1>{_text(title)}</h1>", *filter(None, sections)])
    return (
        f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n'
        f"<body><main>\n{body}\n</main></body>\n</html>\n"
    )


# --- the parts of a page ------------------------------------------------------------------------


def _text(value: object, longest: int | None = None) -> str:
    """Anything as text that is safe between tags and within quotes."""
    return escape(printable(str(value), longest), quote=True)


def _section(heading: str, *parts: str) -> str:
    return f"<section><h2>{_text(heading)}</h2>\n{''.join(parts)}</section>"


def _note(text: str) -> str:
    return f'<p class="note">{_text(text)}</p>\n'


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(line)}</li>\n" for line in lines) + "</ul>"


def _table(rows: Mapping[str, str]) -> str:
    cells = "".join(f'<tr><th scope="row">{_text(k)}</th><td>{_text(v)}</td></tr>\n' for k, v in rows.items())
    return f'<div class="wide"><table class="rows">{cells}</table></div>'


def _grid(rows: Sequence[Mapping[str, object]]) -> str:
    """A table of rows that need not all have the same entries."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in names)
    lines = [
        "".join(f"<td>{_text(_joined(row.get(name, '')), LONGEST_CELL)}</td>" for name in names)
        for row in rows
    ]
    body = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return f'<div class="wide"><table class="rows"><tr>{head}</tr>{body}</table></div>'


def _joined(value: object) -> str:
    return ", ".join(map(class_name, value)) if isinstance(value, (list, tuple)) else class_name(value)


def _bars(counts: Mapping[str, int], total: int | None = None) -> str:
    """Horizontal bars with their names and counts; what is not among the first ``BARS`` becomes one row."""
    shown = dict(list(counts.items())[:BARS])
    rest = (sum(counts.values()) if total is None else total) - sum(shown.values())
    if rest > 0:
        shown["all others"] = rest
    longest = max(shown.values(), default=1)
    rows = "".join(
        f'<tr><th scope="row">{_text(name, 40)}</th><td>'
        '<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{100 * count / longest:.2f}" height="1"/>'
        f'</svg></td><td class="count">{count:,}</td></tr>\n'
        for name, count in shown.items()
    )
    return f'<table class="bars">{rows}</table>'


def _histogram(bins: Mapping[str, int]) -> str:
    """Columns side by side, each with its range below and its count on pointing at it."""
    tallest = max(bins.values(), default=1)
    columns = "".join(
        f'<div><svg class="column" viewBox="0 0 1 100" preserveAspectRatio="none"><title>{_text(name)}: '
        f'{count:,}</title><rect y="{100 - 100 * count / tallest:.2f}" width="1" '
        f'height="{100 * count / tallest:.2f}"/></svg><span class="scale">{_text(name)}</span></div>\n'
        for name, count in bins.items()
    )
    return f'<div class="histogram">{columns}</div>'


def _image(picture: Pictures, name: str) -> str:
    """One picture, (1, C, H, W), enlarged by a whole number; ``name`` shows on pointing at it."""
    _, channels, height, width = picture.shape
    zoom = max(1, round(PICTURE_SIDE / max(height, width)))
    file = io.BytesIO()
    to_image(picture).save(file, format="PNG")
    clear = ' class="clear"' if channels in (2, 4) else ""
    return (
        f'<img{clear} src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}" '
        f'width="{width * zoom}" height="{height * zoom}" alt="{_text(name, 80)}" title="{_text(name, 80)}">'
    )


def _sheet(dataset: Dataset, numbers: Sequence[int]) -> str:
    pictures = dataset.pictures[torch.tensor(numbers, dtype=torch.int64)]
    images = (_image(pictures[k : k + 1], dataset.names[number]) for k, number in enumerate(numbers))
    return f'<div class="sheet">{"".join(images)}</div>\n'


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
    cards = "".join(f"<div><dt>{_text(k)}</dt><dd>{_text(v)}</dd></div>" for k, v in figures.items())
    return f'<dl class="figures">{cards}</dl>'


def _classes(findings: Findings, dataset: Dataset) -> str:
    """The usual label column: how large its classes are, and what is in them."""
    label = usual_label(dataset.columns)
    if label is None:
        shown = _evenly(range(len(dataset)), WITHOUT_CLASSES)
        return _section("Pictures", _note("Spread evenly over the set."), _sheet(dataset, shown))
    members: dict[str, list[int]] = {}
    for number, value in enumerate(dataset.columns[label]):
        if value is not None:
            members.setdefault(class_name(value), []).append(number)
    column = next(column for column in findings.columns if column.name == label)
    named = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    sheets = "".join(
        f"<h3>{_text(name, 80)} <small>{len(numbers):,}</small></h3>"
        + _sheet(dataset, _evenly(numbers, PER_CLASS))
        for name, numbers in named[:CLASSES]
    )
    notes = _note(_balance(column)) + (
        _note(f"The {CLASSES} largest of {len(named):,} are shown.") if len(named) > CLASSES else ""
    )
    bars = _bars({name: len(numbers) for name, numbers in named})
    return _section(f"Classes: {label}", notes, bars, sheets)


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
        both = dataset.pictures[torch.tensor([pair.first, pair.second])]
        images = "".join(_image(both[k : k + 1], name) for k, name in enumerate(pair.names))
        names = "<br>".join(_text(name, 60) for name in pair.names)
        figures.append(f'<figure><div class="pair">{images}</div><figcaption>{names}</figcaption></figure>\n')
    note = (
        f"{findings.near_pictures:,} pictures look nearly like another one. Together in training they weigh "
        "more than others; parted by the hold-out they make a model look better than it is."
    )
    return _section("Near-duplicates", _note(note), f'<div class="pairs">{"".join(figures)}</div>')


def _flips(findings: Findings, dataset: Dataset) -> str:
    """Each verdict, with pictures beside their mirror images."""
    if not findings.mirrors:
        return ""
    numbers = _evenly(range(len(dataset)), MIRRORED)
    chosen = dataset.pictures[torch.tensor(numbers)]
    parts = []
    for axis, score in findings.mirrors.items():
        turned = MIRRORS[axis](chosen)
        pairs = "".join(_beside(chosen, turned, k, dataset.names[number]) for k, number in enumerate(numbers))
        parts.append(f"<h3>{_text(axis)}</h3>{_note(verdict(score).capitalize() + '.')}")
        parts.append(f'<div class="mirrors">{pairs}</div>\n')
    return _section("May pictures be flipped?", *parts)


def _beside(chosen: Tensor, turned: Tensor, k: int, name: str) -> str:
    images = _image(chosen[k : k + 1], name), _image(turned[k : k + 1], f"{name}, turned")
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
    return _section(
        "Colours",
        "<h3>Colours per picture</h3>",
        _histogram(_ranges(findings.colours.pictures)),
        "<h3>Most used</h3>",
        _note(note),
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
    return _section("Sizes", _note(done), _bars(findings.sizes))


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
    return _section("Other columns", _grid(rows)) if rows else ""


def _files(heading: str, reasons: Mapping[str, str]) -> str:
    if not reasons:
        return ""
    shown = dict(list(reasons.items())[:FILES])
    more = len(reasons) - len(shown)
    return _section(heading, _table(shown), _note(f"and {more:,} more") if more else "")
