"""Where each published equation is computed: an index made of the docstrings, which name their sources.

Nothing is imported for it: the files are read. A place (equation, algorithm, section, appendix, table) is one
of the paper that is named with it, or last before it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from fogcatcher.base.errors import UserError

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "fogcatcher"
MOST_TESTS = 3

_NAME = r"[A-Z][\w\u00c0-\u024f-]+"
_PAPER = rf"(?P<paper>{_NAME}(?: (?:&|and) {_NAME}| et al\.)?,? (?:19|20)\d\d)"
_PLACE = (
    r"(?P<kind>[Ee]quations?|[Ee]q\.|[Aa]lgorithms?|alg\.|[Ss]ections?|[Aa]ppendix|[Tt]able|[Pp]roposition)"
    r" (?P<numbers>\(?[A-Z]?[\d.]*\d\)?(?:(?:, | and | to )\(?\d+\)?)*|[A-Z]\b(?:\.\d+)*)"
)
_MENTION = re.compile(f"{_PAPER}|{_PLACE}")
_YEAR = re.compile(r" (19|20)\d\d\b")
_NEXT = re.compile(rf"[^.;]{{0,12}}? of {_PAPER}")
KINDS = {"eq": "equation", "equation": "equation", "alg": "algorithm", "algorithm": "algorithm"}


@dataclass(frozen=True)
class Entry:
    """One place of one paper, and the definition that computes it."""

    paper: str
    place: str
    """What it is and its number, in small letters."""
    name: str
    """Of the class or function; of a file, its name."""
    path: str
    """Below the project's folder."""
    line: int
    formulas: tuple[str, ...]
    """The lines of the docstring that stand apart."""

    @property
    def told(self) -> str:
        return f"{self.paper}, {self.place}"


def index() -> list[Entry]:
    """Return an entry for every place that a docstring of the program names, by paper and place."""
    found = [entry for path in sorted(PACKAGE.rglob("*.py")) for entry in _entries(path)]
    return sorted(found, key=lambda e: (e.paper, e.place.split()[0], _number(e.place), e.path, e.line))


def search(asked: str) -> list[Entry]:
    """Return the entries in which every word of "eq 11", "ho eq 7" or "DDIM" occurs.

    Raises UserError where there is none.
    """
    words = re.sub(r"\beqs?\b\.?|\bequations?\b", "equation", asked.lower()).replace("&", " ").split()
    found = [entry for entry in index() if _has(entry, words)]
    if not found:
        papers = ", ".join(sorted({entry.paper for entry in index()})[:6])
        raise UserError(
            f"nothing in the program names '{asked}': ask for a number (eq 7), a paper ({papers} ...), "
            "or a name such as DDIM."
        )
    return found


def proofs_of(entry: Entry) -> list[str]:
    """Return up to three tests that use the definition, file::name; none where the tests are not at hand."""
    name = re.compile(rf"\b{re.escape(entry.name.split('.')[-1])}\b")
    return list(islice(_tests(name), MOST_TESTS))


def mentions(text: str, paper: str = "") -> Iterator[tuple[str, str]]:
    """Yield (paper, place) for each place that a text names; ``paper`` is the one named last before it."""
    text = " ".join(text.split())
    for mention in _MENTION.finditer(text):
        if mention["paper"]:
            paper = mention["paper"].replace(",", "")
            continue
        of = _NEXT.match(text, mention.end())
        kind = mention["kind"].lower().rstrip(".").removesuffix("s")
        for number in _numbers(mention["numbers"]):
            yield of["paper"] if of else paper, f"{KINDS.get(kind, kind)} {number}"


def _numbers(said: str) -> list[str]:
    """Each of "6 and 7", and all of "3 to 5"."""
    parts = re.findall(r"[A-Z]?[\d.]*\d|[A-Z](?:\.\d+)*", said)
    if " to " in said and len(parts) == 2 and all(part.isdigit() for part in parts):
        return [str(number) for number in range(int(parts[0]), int(parts[1]) + 1)]
    return parts


def _entries(path: Path) -> Iterator[Entry]:
    text = path.read_text(encoding="utf-8")
    if not _YEAR.search(text):
        return
    tree = ast.parse(text)
    where = path.relative_to(PROJECT).as_posix()
    head = ast.get_docstring(tree) or ""
    papers = [m["paper"].replace(",", "") for m in _MENTION.finditer(" ".join(head.split())) if m["paper"]]
    yield from _of(head, path.stem, where, 1, "")
    for name, node in _definitions(tree, ""):
        yield from _of(ast.get_docstring(node) or "", name, where, node.lineno, papers[0] if papers else "")


def _of(docstring: str, name: str, where: str, line: int, paper: str) -> Iterator[Entry]:
    apart = (line for line in docstring.splitlines() if line.startswith("    "))
    formulas = tuple(line.strip() for line in apart if "=" in line)
    for whose, place in dict.fromkeys(mentions(docstring, paper)):
        yield Entry(whose, place, name, where, line, formulas)


def _definitions(tree: ast.AST, above: str) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield above + node.name, node
            yield from _definitions(node, f"{above}{node.name}.")


def _tests(name: re.Pattern[str]) -> Iterator[str]:
    """The tests whose code names something."""
    for path in sorted((PROJECT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in ast.parse(text).body if name.search(text) else ():
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                code = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                if name.search(code):
                    yield f"{path.relative_to(PROJECT).as_posix()}::{node.name}"


def _has(entry: Entry, words: list[str]) -> bool:
    """Numbers are those of the place or the year; other words may be anywhere."""
    numbers = {*entry.place.split(), *entry.paper.split()}
    text = " ".join([entry.paper, entry.place, entry.name, entry.path, *entry.formulas]).lower()
    return all(word in numbers if word[:1].isdigit() else word in text for word in words)


def _number(place: str) -> tuple[str, list[int]]:
    said = place.split()[1]
    return re.sub(r"[\d.]", "", said), [int(part) for part in re.findall(r"\d+", said)]
