"""The labs as notebooks: text files of MyST whose code stands once, for every language.

A lab is ``docs/labs/NN-name.md``. Its first code cell is tagged ``parameters``, and holds plain assignments
with the full values; the metadata ``quick`` of that cell has the same names with values for a quick run. Text
in another language comes from the catalogues in ``docs/locale``.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat
from babel.messages.pofile import read_po
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from myst_nb.core.read import read_myst_markdown_notebook
from nbformat import NotebookNode

DOCS = Path(__file__).parent
LABS = DOCS / "labs"
LOCALE = DOCS / "locale"
LANGUAGES = ("en", "es", "pt")
PARAMETERS = "parameters"
INJECTED = "injected-parameters"
ANSWER = "answer"
_LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)")


@dataclass(frozen=True)
class Lab:
    """One lab and where it stands."""

    path: Path

    @property
    def name(self) -> str:
        """NN-name."""
        return self.path.stem

    @property
    def notebook(self) -> NotebookNode:
        """The notebook with its full values and the text that stands there."""
        return read_myst_markdown_notebook(self.path.read_text(encoding="utf-8"), path=self.path)

    @property
    def code(self) -> list[str]:
        """Its cells of code, in order."""
        return [cell.source for cell in self.notebook.cells if cell.cell_type == "code"]

    def quick(self) -> NotebookNode:
        """Return the notebook with the quick values set in a cell after the full ones.

        Raises ValueError where the names of the two differ.
        """
        notebook = self.notebook
        place, cell = _parameters(notebook)
        values = dict(cell.metadata.get("quick", {}))
        if values.keys() != full_values(cell.source).keys():
            raise ValueError(f"{self.name}: quick values {sorted(values)} are not those of its parameters")
        lines = "\n".join(f"{name} = {value!r}" for name, value in values.items())
        extra = nbformat.v4.new_code_cell(lines, metadata={"tags": [INJECTED]})
        notebook.cells.insert(place + 1, extra)
        return notebook


def all_labs() -> list[Lab]:
    """Return every lab, by its number."""
    return [Lab(path) for path in sorted(LABS.glob("[0-9][0-9]-*.md"))]


def _parameters(notebook: NotebookNode) -> tuple[int, NotebookNode]:
    code = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    if not code or PARAMETERS not in code[0][1].metadata.get("tags", []):
        raise ValueError(f"the first cell of code must be tagged {PARAMETERS}")
    return code[0]


def full_values(source: str) -> dict[str, object]:
    """Return the names and values of a cell of plain assignments. Raises ValueError for anything else."""
    values: dict[str, object] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            raise ValueError(f"the cell of parameters holds only assignments: {ast.unparse(node)}")
        values[node.targets[0].id] = ast.literal_eval(node.value)
    return values


def without_injected(notebook: NotebookNode) -> NotebookNode:
    """Return an executed notebook with the cells of the lab alone, as the site shows it."""
    shown = deepcopy(notebook)
    shown.cells = [cell for cell in shown.cells if INJECTED not in cell.metadata.get("tags", [])]
    return shown


# --- other languages ----------------------------------------------------------------------------


def catalogue_of(page: str, language: str) -> dict[str, str]:
    """Return what each message of a page ("labs/00-two-pixels") is in a language; nothing where it is not."""
    path = LOCALE / language / "LC_MESSAGES" / f"{page}.po"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string and not m.fuzzy}


def translated(notebook: NotebookNode, said: Mapping[str, str]) -> NotebookNode:
    """Return the notebook with the messages of its text replaced; what is not in ``said`` stays as it is."""
    other = deepcopy(notebook)
    for cell in other.cells:
        if cell.cell_type == "markdown":
            cell.source = _translated_text(cell.source, said)
    return other


def messages(text: str) -> list[str]:
    """Return what is to be translated of a text in Markdown, as Sphinx finds it: what each heading,
    paragraph, item and cell of a table says, on one line."""
    return [
        _in_one_line(token.content) for token in _tokens(text) if token.type == "inline" and token.content
    ]


def formulas(text: str) -> list[str]:
    """Return the formulas of a text that stand apart."""
    return [token.content.strip() for token in _tokens(text) if token.type == "math_block"]


def _tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin).parse(text)


def _in_one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines())


def _translated_text(text: str, said: Mapping[str, str]) -> str:
    lines = text.splitlines()
    for token in reversed(_tokens(text)):
        if token.type != "inline" or not token.map:
            continue
        first, last = token.map
        if lines[first].lstrip().startswith("|"):
            lines[first] = _row(lines[first], said)
        elif new := said.get(_in_one_line(token.content)):
            # What stands before, such as the mark of an item, stays.
            before = lines[first][: lines[first].index(token.content.splitlines()[0])]
            lines[first:last] = [before + new]
    return "\n".join(lines)


def _row(line: str, said: Mapping[str, str]) -> str:
    """A row of a table, cell by cell."""
    cells = (cell.strip() for cell in re.split(r"(?<!\\)\|", line))
    return " | ".join(said.get(cell, cell) for cell in cells).strip()


# --- notebooks to open --------------------------------------------------------------------------


def to_open(lab: Lab, folder: Path, language: str = "en") -> NotebookNode:
    """Return the notebook in a language, with links as they are from ``folder``."""
    notebook = translated(lab.notebook, catalogue_of(f"labs/{lab.name}", language))
    for cell in notebook.cells:
        cell.metadata.pop("quick", None)
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(lambda found: _moved(found[1], lab.path.parent, folder), cell.source)
    return notebook


def _moved(link: str, old: Path, new: Path) -> str:
    target = (old / link).resolve()
    if target.parent == LABS.resolve() and target.suffix == ".md" and target.name != "index.md":
        return f"{target.stem}.ipynb"
    return os.path.relpath(target, new.resolve()).replace(os.sep, "/")
