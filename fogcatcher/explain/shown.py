"""How the page of a model shows things: a section is what is said beside the code that computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fogcatcher.data.pictures.spec import Pictures, PictureSpec
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.drawing import html
from fogcatcher.drawing.html import Points
from fogcatcher.drawing.letters import sentence
from fogcatcher.explain.source_lines import source_lines

LARGE = 80
"""About how wide a picture is shown; never less than 4 times its size."""
INFINITE = "\u221e"

STYLE = """
main { max-width: 90rem }
.beside { display: grid; grid-template-columns: minmax(0, 1fr); gap: .4rem 2.5rem }
@media (min-width: 72rem) { .beside { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) } }
.beside details { margin: .2rem 0 .6rem }
.cards { display: flex; flex-wrap: wrap; gap: .5rem; margin: .8rem 0 }
.cards figure { padding: .5rem }
.pictures { width: auto; margin: .6rem 0 }
.pictures td, .pictures th { padding: .2rem .8rem .5rem 0; font-size: .83rem }
.pictures th { font-weight: normal } .pictures th[scope=row] { min-width: 6rem; max-width: 9rem }
.pictures td span { color: var(--soft) }
.card figcaption:first-child { margin-top: 0 }
.card p { margin: .3rem 0 .1rem; font-size: .8rem; color: var(--soft) }
.card .sheet { display: grid; grid-template-columns: repeat(2, max-content); justify-content: start }
.formula { overflow-x: auto; max-width: 46rem; margin: .6rem 0; padding: .3rem .9rem;
  border-left: 3px solid var(--bar) }
math { font-size: 1.2rem; margin: .3rem 0 }
sub { line-height: 0 }
summary { cursor: pointer; color: var(--soft); font-size: .85rem; overflow-wrap: anywhere }
pre { overflow: auto; max-height: 19rem; font-size: .78rem; line-height: 1.4; margin: .3rem 0;
  padding: .6rem .8rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
  gap: 1rem 2rem }
.numbers { width: auto } .numbers td, .numbers th { padding: .25rem 1.4rem .25rem 0; font-size: .88rem }
.numbers td { font-variant-numeric: tabular-nums } .numbers th { font-weight: normal; color: var(--soft) }
@media (max-width: 32rem) { .chart { width: 36rem; max-width: none } pre { max-height: 13rem }
  math { font-size: 1rem } .formula { padding: .3rem .2rem .3rem .6rem } }
"""


@dataclass(frozen=True)
class Section:
    """One part of the page; its number is its place."""

    heading: str
    text: str


def section(heading: str, said: Iterable[str], code: str, *below: str) -> Section:
    """Sentences and formulas, the code beside them, and what takes the whole width below."""
    beside = f'<div class="beside"><div>{"".join(said)}</div><div>{code}</div></div>\n'
    return Section(heading, beside + "".join(below))


def sentences(said: Iterable[str]) -> str:
    return "".join(map(sentence, said))


class Shown:
    """How this page shows pictures and code."""

    def __init__(self, pictures: PictureSpec) -> None:
        self.pictures = replace(pictures, hard_alpha=False)
        self.least = 4 * max(pictures.height, pictures.width)

    def image(self, x: Samples, said: str, side: int = LARGE) -> str:
        """One picture, (1, C, H, W), of the model's numbers."""
        return self.of_pictures(self.pictures.from_model(x), said, side)

    def of_pictures(self, picture: Pictures, said: str, side: int = LARGE) -> str:
        return html.image(picture, said, max(side, self.least))


def code(*things: type | Callable[..., object]) -> str:
    """The code, open, with its place in the project: in words, for the page may be sent to anybody."""
    parts = []
    for at in map(source_lines, things):
        place = f'{html.text(at.name)} in <span class="path">{html.text(at.path)}:{at.line}</span>'
        parts.append(
            f"<details open><summary>{place}</summary><pre>{html.escape(at.computing)}</pre></details>\n"
        )
    return "".join(parts)


def chart(series: Mapping[str, Points], x: str, y: str, dots: bool = True, ends: Points = ()) -> str:
    """A chart that can be moved sideways where the page is narrow."""
    return f'<div class="wide">{html.chart(series, x, y, dots=dots, ends=ends)}</div>'


def charts(*drawn: str) -> str:
    return f'<div class="charts">{"".join(drawn)}</div>\n'


def cards(drawn: Iterable[str]) -> str:
    return (
        '<div class="cards">'
        + "".join(f'<figure class="card">{card}</figure>\n' for card in drawn)
        + "</div>"
    )


def picture_table(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Pictures in rows with names and columns with heads, all of it ready for the page."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>\n'
        for name, cells in rows
    )
    return f'<div class="wide"><table class="pictures"><tr><th></th>{top}</tr>{body}</table></div>'


def numbers(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of figures; every cell is ready for the page."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f'<div class="wide"><table class="numbers"><tr>{top}</tr>{body}</table></div>'


def figure(value: float) -> str:
    if value == float("inf"):
        return INFINITE
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value + 0.0:.2g}"
