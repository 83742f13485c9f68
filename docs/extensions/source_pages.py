"""Links into the source lead to pages with its lines, which need no network.

A link of Markdown to ``../fogcatcher/x.py#L79`` works where the project is shown as files. On the site it
leads to line 79 of a page made of that file. The role ``source`` says the same in docstrings.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

PROJECT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\((?P<up>(?:\.\./)+)(?P<path>[\w./-]+)(?:#L(?P<line>\d+))?\)")


def address_of(path: str) -> str | None:
    """Return the name of the page of a file of the project, or None where there is no such file."""
    return f"source/{path}" if (PROJECT / path).is_file() else None


def _read(app: Sphinx, docname: str, content: list[str]) -> None:
    """Write links out of docs/ as the role ``source``, with the words that they have."""
    here = posixpath.dirname(f"docs/{docname}")

    def said(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(here, found["up"] + found["path"]))
        if path.startswith(("docs/", "..")):
            return found[0]
        return f"](source:{path}{':' + found['line'] if found['line'] else ''})"

    content[0] = _LINK.sub(said, content[0])


def _resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html":
        return
    for node in doctree.findall(nodes.reference):
        target = str(node.get("refuri", ""))
        if target.startswith("source:"):
            path, _, line = target.removeprefix("source:").partition(":")
            _lines(app.env).setdefault(docname, set()).add(path)
            page = app.builder.get_relative_uri(docname, f"source/{path}")
            node["refuri"] = page + (f"#L{line}" if line else "")
            node["classes"] = [c for c in node["classes"] if c != "external"]
            node["internal"] = True


def _lines(env: BuildEnvironment) -> dict[str, set[str]]:
    if not hasattr(env, "linked_sources"):
        env.linked_sources = {}  # type: ignore[attr-defined]
    return env.linked_sources  # type: ignore[attr-defined]


def _purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _lines(env).pop(docname, None)


def _role(
    name: str, raw: str, text: str, *_more: object, **_options: object
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    path, _colon, line = text.partition(":")
    if not (PROJECT / path).is_file():
        raise ValueError(f"there is no {path}")
    words = f"{path}, line {line}" if line else path
    return [nodes.reference(raw, words, refuri=f"source:{text}")], []


def page_of(path: str) -> str:
    """Return a file of the project as HTML, every line with its name: L1, L2 ..."""
    text = (PROJECT / path).read_text(encoding="utf-8")
    try:
        lexer = get_lexer_for_filename(path)
        lines = highlight(text, lexer, HtmlFormatter(nowrap=True)).splitlines()
    except ClassNotFound:
        lines = html.escape(text).splitlines()
    shown = (
        f'<span class="line" id="L{i}"><a class="number" href="#L{i}">{i}</a>{line or " "}</span>'
        for i, line in enumerate(lines, start=1)
    )
    return f'<h1>{path}</h1>\n<div class="highlight"><pre class="source">{"".join(shown)}</pre></div>'


def _pages(app: Sphinx) -> Iterator[tuple[str, dict[str, str], str]]:
    for path in sorted(set[str]().union(*_lines(app.env).values())):
        if not (PROJECT / path).is_file():
            raise ValueError(f"a page of docs/ links to {path}, which is not there")
        yield f"source/{path}", {"title": path, "body": page_of(path)}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _read)
    app.connect("doctree-resolved", _resolve)
    app.connect("env-purge-doc", _purge)
    app.connect("html-collect-pages", _pages)
    app.add_role("source", _role)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
