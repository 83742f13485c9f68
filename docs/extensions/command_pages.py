"""A page for every command: its help, as the program prints it, and a run whose output a test checks.

The pages are written into ``docs/commands`` (left out of git) before Sphinx reads.
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

from extensions.runs import EXAMPLES, WITHOUT_A_RUN
from fogcatcher.cli.main import Command, main

DOCS = Path(__file__).parents[1]
PAGES = DOCS / "commands"
FILES = (
    "Three dots stand for what differs from machine to machine. `my-sprites` holds 12 built-in sprites in "
    "sub-folders by kind, `mask.png` is white in its lower half, `painted` holds six pictures with their "
    "masks, and `ddpm-tiny` is an untrained model of diffusers."
)


def command_names() -> list[str]:
    """Return the names of all commands, in the order of the help."""
    return [get_args(one)[1].name for one in get_args(Command)]


def help_of(*command: str) -> str:
    """Return what the program prints for --help."""
    said = io.StringIO()
    with _columns(86), contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
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
    if name in WITHOUT_A_RUN:
        return f"{text}\n{WITHOUT_A_RUN[name]}\n"
    run = (EXAMPLES / f"{name}.txt").read_text(encoding="utf-8").strip()
    text += f"\n## A run\n\n```console\n{run}\n```\n\n{FILES}\n"
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
