"""Formulas as MathML, written when the site is built: browsers typeset it, and no script is loaded."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

UNKNOWN = re.compile(r"<m[iotn][^>]*>\\(\w+)")


def mathml(formula: str, display: str) -> str:
    """Return a formula of LaTeX as MathML. Raises ValueError where a command is not known."""
    made = convert(formula, display=display)
    if unknown := UNKNOWN.search(made):
        raise ValueError(f"\\{unknown[1]} is not known, in {formula}")
    return made


def _inline(writer: Any, node: nodes.math) -> None:  # noqa: ANN401
    writer.body.append(f'<span class="math">{mathml(node.astext(), "inline")}</span>')
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:  # noqa: ANN401
    name = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    writer.body.append(f'<div class="math"{name}>{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
