"""Docstrings as they are written here, for the site: text with ``names``, and formulas that stand apart.

Below the text of a public name stand its equations, each with its line, and the tests that use it.
"""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from collections import defaultdict

from sphinx.application import Sphinx

from extensions.source_pages import address_of
from fogcatcher.explain.equations import Entry, index, proofs_of

_CODE = re.compile(r"(``[^`]+``)")


def as_rst(text: str) -> str:
    """Return a docstring as reStructuredText: nothing in it is markup but ``names`` and indented lines."""
    blocks = re.split(r"\n\s*\n", textwrap.dedent(text).strip())
    return "\n\n".join(_block(block) for block in blocks)


def _block(block: str) -> str:
    if block.startswith("    ") or all(line.startswith("    ") for line in block.splitlines()):
        return "::\n\n" + textwrap.indent(textwrap.dedent(block), "    ")
    text = " ".join(line.strip() for line in block.splitlines())
    said = "".join(part if _CODE.fullmatch(part) else _plain(part) for part in _CODE.split(text))
    return re.sub(r"^([-+>.:]|\d+\.)(?=\s)", r"\\\1", said)  # not the mark of a list


def _plain(text: str) -> str:
    return re.sub(r"([\\*_`|])", r"\\\1", text)


@functools.cache
def _entries() -> dict[tuple[str, str], list[Entry]]:
    known = defaultdict(list)
    for entry in index():
        known[entry.path, entry.name.split(".")[0]].append(entry)
    return dict(known)


def entries_of(thing: object) -> list[Entry]:
    """Return the places of papers that a public class or function computes."""
    module, name = getattr(thing, "__module__", "") or "", getattr(thing, "__qualname__", "")
    return _entries().get((module.replace(".", "/") + ".py", name.split(".")[0]), [])


def _links(entries: list[Entry]) -> list[str]:
    lines = []
    for entry in dict.fromkeys(entries):
        lines += ["", f"- {_plain(entry.told)}: :source:`{entry.path}:{entry.line}`"]
    tests = dict.fromkeys(proof for entry in entries for proof in proofs_of(entry))
    if tests:
        lines += ["", "Tests: " + ", ".join(f"``{test}``" for test in tests)]
    return lines


def _process(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    lines[:] = as_rst("\n".join(lines)).splitlines()
    if what not in ("class", "function"):
        return
    found = entries_of(thing)
    if found:
        lines += ["", "Equations:", *_links(found)]
    if inspect.isclass(thing) or inspect.isfunction(thing):
        path = thing.__module__.replace(".", "/") + ".py"
        line = inspect.getsourcelines(thing)[1]
        if address_of(path):
            lines += ["", f"Source: :source:`{path}:{line}`"]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True}
