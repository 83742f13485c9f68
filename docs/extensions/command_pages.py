"""A page for every command: its help, as the program prints it, and a run whose output a test checks.

The pages are written into ``docs/commands`` (left out of git) before Sphinx reads. Runs are ``docs/examples/
NAME.txt``: lines that begin with ``$`` are typed, the rest is what comes out, where ... may be anything.
"""

from __future__ import annotations

import contextlib
import io
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from sphinx.application import Sphinx

from fogcatcher.cli.main import Command, main

DOCS = Path(__file__).parents[1]
PAGES = DOCS / "commands"
EXAMPLES = DOCS / "examples"


def command_names() -> list[str]:
    """Return the names of all commands, in the order of the help."""
    return [get_args(one)[1].name for one in get_args(Command)]


def help_of(*command: str) -> str:
    """Return what the program prints for --help."""
    said = io.StringIO()
    with _columns(100), contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    return "\n".join(line.rstrip() for line in said.getvalue().splitlines())


@contextlib.contextmanager
def _columns(width: int) -> Iterator[None]:
    """The width of the terminal that the help is laid out for, without colours."""
    before = {name: os.environ.get(name) for name in ("COLUMNS", "NO_COLOR")}
    os.environ |= {"COLUMNS": str(width), "NO_COLOR": "1"}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def page(name: str) -> str:
    """Return the page of one command, in Markdown."""
    text = f"# fogcatcher {name}\n\n```text\n{help_of(name)}\n```\n"
    example = EXAMPLES / f"{name}.txt"
    if example.exists():
        text += f"\n## A run\n\n```console\n{example.read_text(encoding='utf-8').strip()}\n```\n"
    return text


def overview(names: list[str]) -> str:
    """Return the page that leads to all of them."""
    listed = "\n".join(names)
    said = """\
    # Commands

    Every command, with all its options as `fogcatcher COMMAND --help` prints them, and a run. The output of
    each run is checked by a test.
    """
    return textwrap.dedent(said) + f"\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"


def _write(app: Sphinx) -> None:
    names = command_names()
    PAGES.mkdir(exist_ok=True)
    pages = {"index": overview(names)} | {name: page(name) for name in names}
    for name, text in pages.items():
        file = PAGES / f"{name}.md"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True}
