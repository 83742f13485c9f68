"""The index of equations: the directive ``equations``, made of what ``fogcatcher learn`` knows."""

from __future__ import annotations

import itertools

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from fogcatcher.explain.equations import Entry, index


class Equations(SphinxDirective):
    """A table for each paper: place, name, line and formula."""

    def run(self) -> list[nodes.Node]:
        made: list[nodes.Node] = []
        for paper, entries in itertools.groupby(index(), key=lambda entry: entry.paper):
            section = nodes.section(ids=[nodes.make_id(paper)])
            section += nodes.title(text=paper)
            section += _table(list(entries))
            made.append(section)
        return made


def _table(entries: list[Entry]) -> nodes.table:
    group = nodes.tgroup(cols=3)
    group += [nodes.colspec(colwidth=width) for width in (20, 35, 45)]
    group += nodes.thead("", _row([_said(text) for text in ("place", "code", "formula")]))
    body = nodes.tbody()
    for entry in entries:
        body += _row([_said(entry.place), _line(entry), _formulas(entry)])
    group += body
    return nodes.table("", group)


def _row(cells: list[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", cell) for cell in cells))


def _said(text: str) -> nodes.paragraph:
    return nodes.paragraph(text, text)


def _line(entry: Entry) -> nodes.paragraph:
    link = nodes.reference("", "", nodes.literal(text=entry.name), refuri=f"source:{entry.path}:{entry.line}")
    return nodes.paragraph("", "", link)


def _formulas(entry: Entry) -> nodes.paragraph:
    lines: list[nodes.Node] = []
    for formula in entry.formulas[:3]:
        lines += [nodes.literal(text=formula), nodes.Text(" ")]
    return nodes.paragraph("", "", *lines)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("equations", Equations)
    return {"parallel_read_safe": True}
