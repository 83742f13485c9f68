"""All files of the program: the directive ``modules``, with the first sentence of each and its lines."""

from __future__ import annotations

import ast

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from extensions.source_pages import PROJECT


class Modules(SphinxDirective):
    """A list for each room: file and what its docstring says first."""

    def run(self) -> list[nodes.Node]:
        made: list[nodes.Node] = []
        for room in sorted(
            path for path in (PROJECT / "fogcatcher").iterdir() if (path / "__init__.py").exists()
        ):
            section = nodes.section(ids=[f"room-{room.name}"])
            section += nodes.title(text=room.name)
            listed = nodes.bullet_list()
            for path in sorted(room.rglob("*.py")):
                if path.name == "__init__.py":
                    continue
                head = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
                listed += _item(path.relative_to(PROJECT).as_posix(), " ".join(head.split("\n\n")[0].split()))
            section += listed
            made.append(section)
        return made


def _item(path: str, said: str) -> nodes.list_item:
    words = path.removeprefix("fogcatcher/").removesuffix(".py")
    link = nodes.reference("", words, refuri=f"source:{path}")
    return nodes.list_item("", nodes.paragraph("", "", link, nodes.Text(f": {said}")))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True}
