"""What stands below a field of a record in the source, so that help need not say it again."""

from __future__ import annotations

import ast
import inspect
import textwrap

from fogcatcher.base.parsing import PARSING


def field_docs(record: type) -> dict[str, str]:
    """Return field -> the text below it, on one line; a field without any is left out."""
    with PARSING:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    assert isinstance(definition, ast.ClassDef)
    said = dict[str, str]()
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            said[field.target.id] = " ".join(str(below.value.value).split())  # type: ignore[attr-defined]
    return said
