"""A page of HTML that holds everything itself, runs no script and asks for nothing.

Texts may hold anything: all of them are escaped here.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from fogcatcher.base.printable import printable
from fogcatcher.data.conditions.conditions import class_name
from fogcatcher.data.pictures.sheets import to_image
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.pictures.store import has_alpha

PICTURE_SIDE = 64
"""Pictures are shown about so many pixels wide, each of theirs a whole number of the page's."""
BARS = 24
LONGEST_CELL = 200

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
.chart { display: block; width: 100%; max-width: 46rem; height: auto }
.chart line { stroke: var(--line) } .chart .axis { stroke: var(--soft) }
.chart text { fill: var(--soft); font-size: 12px }
.chart polyline { fill: none; stroke-width: 2 } .chart .s0 { stroke: var(--bar); fill: var(--bar) }
.chart .s1 { stroke: #d0873a; fill: #d0873a } .chart .s2 { stroke: #4f9d69; fill: #4f9d69 }
.chart .s3 { stroke: #b0548f; fill: #b0548f } .chart .s4 { stroke: #3aa6b0; fill: #3aa6b0 }
.chart text[class] { stroke: none }
.scale { font-size: .75rem; white-space: nowrap }
.swatches { display: flex; flex-wrap: wrap; gap: 4px }
.swatches span { width: 2.4rem; height: 2.4rem; border-radius: .35rem; border: 1px solid var(--line) }
@media (max-width: 32rem) { .bars th { width: 7.5rem } .bars td.count { width: 4.5rem } }
"""


def document(title: str, sections: Iterable[str], style: str = "") -> str:
    """Return the whole page; sections that are empty are left out. ``style`` is CSS of its own."""
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="generator" content="fogcatcher">'
        '<link rel="icon" href="data:,">'
        f"<title>{text(title)}</title><style>{STYLE}{style}</style>"
    )
    body = "\n".join([f"<h1>{text(title)}</h1>", *filter(None, sections)])
    return (
        f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n'
        f"<body><main>\n{body}\n</main></body>\n</html>\n"
    )


def text(value: object, longest: int | None = None) -> str:
    """Anything as text that is safe between tags and within quotes."""
    return escape(printable(str(value), longest), quote=True)


def section(heading: str, *parts: str) -> str:
    return f"<section><h2>{text(heading)}</h2>\n{''.join(parts)}</section>"


def note(said: str) -> str:
    return f'<p class="note">{text(said)}</p>\n'


def bullets(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{text(line)}</li>\n" for line in lines) + "</ul>"


def table(rows: Mapping[str, str]) -> str:
    cells = "".join(f'<tr><th scope="row">{text(k)}</th><td>{text(v)}</td></tr>\n' for k, v in rows.items())
    return f'<div class="wide"><table class="rows">{cells}</table></div>'


def grid(rows: Sequence[Mapping[str, object]]) -> str:
    """A table of rows that need not all have the same entries."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    lines = [
        "".join(f"<td>{text(joined(row.get(name, '')), LONGEST_CELL)}</td>" for name in names) for row in rows
    ]
    body = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return f'<div class="wide"><table class="rows"><tr>{head}</tr>{body}</table></div>'


def joined(value: object) -> str:
    return ", ".join(map(class_name, value)) if isinstance(value, (list, tuple)) else class_name(value)


def bars(counts: Mapping[str, int], total: int | None = None) -> str:
    """Horizontal bars with their names and counts; what is not among the first ``BARS`` becomes one row."""
    shown = dict(list(counts.items())[:BARS])
    rest = (sum(counts.values()) if total is None else total) - sum(shown.values())
    if rest > 0:
        shown["all others"] = rest
    longest = max(shown.values(), default=1)
    rows = "".join(
        f'<tr><th scope="row">{text(name, 40)}</th><td>'
        '<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{100 * count / longest:.2f}" height="1"/>'
        f'</svg></td><td class="count">{count:,}</td></tr>\n'
        for name, count in shown.items()
    )
    return f'<table class="bars">{rows}</table>'


def histogram(bins: Mapping[str, int]) -> str:
    """Columns side by side, each with its range below and its count on pointing at it."""
    tallest = max(bins.values(), default=1)
    columns = "".join(
        f'<div><svg class="column" viewBox="0 0 1 100" preserveAspectRatio="none"><title>{text(name)}: '
        f'{count:,}</title><rect y="{100 - 100 * count / tallest:.2f}" width="1" '
        f'height="{100 * count / tallest:.2f}"/></svg><span class="scale">{text(name)}</span></div>\n'
        for name, count in bins.items()
    )
    return f'<div class="histogram">{columns}</div>'


Points = Sequence[tuple[float, float]]


def chart(
    series: Mapping[str, Points], x: str, y: str, *, joined: bool = True, dots: bool = True, ends: Points = ()
) -> str:
    """Up to five series of (x, y) with their names: joined by lines, as points (``dots``), or both; a single
    point is always one.

    The axes reach from the smallest to the largest value, of ``ends`` too, and the upright one on to the next
    round number.
    """
    every = [point for points in series.values() for point in points] + list(ends)
    (left, right), (low, high) = (_span([point[i] for point in every]) for i in (0, 1))
    across, up = _ticks(left, right), _ticks(low, high, beyond=True)
    low, high = min(low, up[0]), max(high, up[-1])

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return (
            60 + 500 * (point[0] - left) / (right - left),
            210 - 190 * (point[1] - low) / (high - low),
        )

    parts = []
    for value in across:
        at = place((value, low))[0]
        parts.append(f'<line x1="{at:.1f}" y1="210" x2="{at:.1f}" y2="214"/>')
        parts.append(f'<text x="{at:.1f}" y="228" text-anchor="middle">{_rounded(value)}</text>')
    for value in up:
        at = place((left, value))[1]
        parts.append(f'<line x1="60" y1="{at:.1f}" x2="560" y2="{at:.1f}"/>')
        parts.append(f'<text x="54" y="{at + 4:.1f}" text-anchor="end">{_rounded(value)}</text>')
    parts.append('<line class="axis" x1="60" y1="210" x2="560" y2="210"/>')
    parts.append(f'<text x="310" y="243" text-anchor="middle">{text(x)}</text>')
    parts.append(f'<text x="60" y="10">{text(y)}</text>')
    for number, (name, points) in enumerate(series.items()):
        placed = [place(point) for point in points]
        if joined:
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
            parts.append(f'<polyline class="s{number}" style="fill:none" points="{path}"/>')
        for (a, b), (value, figure) in zip(placed, points, strict=True) if dots or len(points) == 1 else ():
            said = f"<title>{text(name)}: {value:.4g}, {figure:.4g}</title>"
            parts.append(f'<circle class="s{number}" cx="{a:.1f}" cy="{b:.1f}" r="4">{said}</circle>')
        if len(series) > 1:
            parts.append(f'<text class="s{number}" x="572" y="{32 + 18 * number}">{text(name, 24)}</text>')
    return f'<svg class="chart" viewBox="0 0 700 248" role="img">{"".join(parts)}</svg>\n'


def _ticks(low: float, high: float, beyond: bool = False) -> list[float]:
    """Three to six round numbers between two, or just beyond them."""
    power = 10.0 ** math.floor(math.log10(high - low))
    step = next(s for s in (power / 5, power / 2, power, 2 * power) if (high - low) / s < 6.01)
    first, last = low / step, high / step
    least = math.floor(first + 1e-9) if beyond else math.ceil(first - 1e-9)
    most = math.ceil(last - 1e-9) if beyond else math.floor(last + 1e-9)
    return [k * step for k in range(least, most + 1)]


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value + 0.0:.4g}"


def _span(values: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest value, a little apart if they are equal."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def image(picture: Pictures, name: str, side: int = PICTURE_SIDE) -> str:
    """One picture, (1, C, H, W), enlarged by a whole number to about ``side``; ``name`` shows on pointing."""
    _, channels, height, width = picture.shape
    zoom = max(1, round(side / max(height, width)))
    file = io.BytesIO()
    to_image(picture).save(file, format="PNG")
    clear = ' class="clear"' if has_alpha(channels) else ""
    return (
        f'<img{clear} src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}" '
        f'width="{width * zoom}" height="{height * zoom}" alt="{text(name, 80)}" title="{text(name, 80)}">'
    )


def sheet(pictures: Pictures, names: Sequence[str]) -> str:
    """Pictures, (N, C, H, W), side by side; there may be more names than pictures."""
    images = (image(pictures[k : k + 1], names[k]) for k in range(len(pictures)))
    return f'<div class="sheet">{"".join(images)}</div>\n'
