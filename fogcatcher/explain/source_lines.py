"""Where a formula stands in the program: file, line and the code itself."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fogcatcher.base.errors import UserError
from fogcatcher.base.parsing import PARSING

PROJECT = Path(__file__).parents[2]
OWN_FILE = re.compile(r"fogcatcher(/[a-z0-9_]{1,60}){1,6}\.py")
"""A file of this package; no way leads out of it."""


@dataclass(frozen=True)
class SourceLines:
    """The definition of a class or a function."""

    name: str
    path: str
    """Below the project's folder: fogcatcher/process.py."""
    line: int
    """The first line, from 1."""
    code: str

    @property
    def computing(self) -> str:
        """The code without its docstrings, which say in words what stands beside it on a page."""
        lines = self.code.splitlines()
        with PARSING:
            tree = ast.parse(self.code)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
                said = node.body[0]
                for i in range(said.lineno - 1, said.end_lineno or said.lineno):
                    lines[i] = ""
        return re.sub(r"\n{2,}(?=    )", "\n", "\n".join(lines)).strip("\n")


def source_lines(thing: type | Callable[..., object]) -> SourceLines:
    """Return where a class or a function is defined. Raises ValueError for what has no Python source."""
    thing = inspect.unwrap(thing)
    file = inspect.getsourcefile(thing)
    if file is None:
        raise ValueError(f"{thing} has no source")
    with PARSING:
        lines, first = inspect.getsourcelines(thing)
    path = Path(file).resolve().relative_to(PROJECT.resolve()).as_posix()
    return SourceLines(thing.__qualname__, path, first, textwrap.dedent("".join(lines)))


def named_lines(path: str, name: str) -> SourceLines:
    """Return where a file of this package, fogcatcher/process.py, defines NAME, CLASS.NAME or a constant.

    Nothing is imported and nothing else is read. Raises UserError where there is no such definition.
    """
    missing = UserError(f"there is no {name} in {path}.")
    if OWN_FILE.fullmatch(path) is None or not (PROJECT / path).is_file():
        raise missing
    text = (PROJECT / path).read_text(encoding="utf-8")
    with PARSING:
        found: ast.AST = ast.parse(text)
    for part in name.split("."):
        inside = [node for node in ast.iter_child_nodes(found) if _name_of(node) == part]
        if not inside:
            raise missing
        found = inside[-1]  # of definitions by overload the last one does the work
    assert isinstance(found, ast.stmt)
    decorators = getattr(found, "decorator_list", [])
    first = min([found.lineno, *(each.lineno for each in decorators)])
    lines = text.splitlines(keepends=True)[first - 1 : found.end_lineno]
    return SourceLines(name, path, first, textwrap.dedent("".join(lines)))


def _name_of(node: ast.AST) -> str | None:
    """What a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return next((target.id for target in targets if isinstance(target, ast.Name)), None)
