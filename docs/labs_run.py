"""Run the labs, or write them as notebooks to open.

    python docs/labs_run.py --quick                        every lab with its quick values
    python docs/labs_run.py --full 00 01 --out executed    two of them as they stand; keeps their pictures
    python docs/labs_run.py --write labs-notebooks --language es

Each runs in a folder of its own, which is removed. Exit code 1 at the first cell that fails.
"""

from __future__ import annotations

import argparse
import base64
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from lab_notebooks import DOCS, LANGUAGES, Lab, all_labs, to_open, without_injected

CACHE = DOCS.parent / "build" / "labs"
"""Outputs of runs for the site, found again by the code of a notebook."""
MOST_SECONDS = 3600
"""Of one cell."""


def execute(lab: Lab, *, quick: bool) -> tuple[NotebookNode, float, float]:
    """Run one lab; return the executed notebook, the seconds, and those of the processor, which say what it
    would take with nothing else to do. Raises CellExecutionError.
    """
    notebook = lab.quick() if quick else lab.notebook
    started, worked = time.perf_counter(), _processor_seconds()
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        client = NotebookClient(
            notebook,
            timeout=MOST_SECONDS,
            kernel_name="python3",
            record_timing=False,  # what is kept is found again by its cells, which stay as they are
            extra_arguments=["--log-level=ERROR"],
        )
        client.execute(cwd=folder)
    return notebook, time.perf_counter() - started, _processor_seconds() - worked


def _processor_seconds() -> float:
    """Of the kernels that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def keep(notebook: NotebookNode, name: str, folder: Path) -> None:
    """Write an executed notebook, and each of its pictures as NAME-CELL.png, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    for i, cell in enumerate(notebook.cells):
        for j, output in enumerate(cell.get("outputs", [])):
            if picture := output.get("data", {}).get("image/png"):
                (folder / f"{name}-{i:02}-{j}.png").write_bytes(base64.b64decode(picture))


def remember(notebook: NotebookNode, lab: Lab) -> None:
    """Keep the outputs for the site."""
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    bundle = CacheBundleIn(without_injected(notebook), uri=str(lab.path))
    get_cache(CACHE).cache_notebook_bundle(bundle, overwrite=True, check_validity=False)


def run(labs: Sequence[Lab], *, quick: bool, out: Path | None, for_site: bool) -> bool:
    """Run labs one after the other and say how long each took; return whether all came to their end."""
    all_seconds = all_worked = 0.0
    for lab in labs:
        try:
            notebook, seconds, worked = execute(lab, quick=quick)
        except CellExecutionError as error:
            print(f"{lab.name}: failed\n{error}", flush=True)
            return False
        all_seconds, all_worked = all_seconds + seconds, all_worked + worked
        print(f"{lab.name}: {seconds:.0f} s, {worked:.0f} s of the processor", flush=True)
        if out:
            keep(notebook, lab.name, out)
        if for_site:
            remember(notebook, lab)
    print(f"{len(labs)} labs: {all_seconds:.0f} s, {all_worked:.0f} s of the processor", flush=True)
    return True


def write(labs: Sequence[Lab], folder: Path, language: str) -> None:
    """Write notebooks to open, without outputs. Files that are there already are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for lab in labs:
        target = folder / f"{lab.name}.ipynb"
        if target.exists():
            print(f"{target} is there already, and stays as it is")
        else:
            nbformat.write(to_open(lab, folder, language), target)


def chosen(names: Sequence[str]) -> list[Lab]:
    """Return the labs whose names begin with one of ``names``, or all. Raises SystemExit for none."""
    labs = [lab for lab in all_labs() if not names or lab.name.startswith(tuple(names))]
    if not labs:
        sys.exit(
            f"no lab begins with {' or '.join(names)}: there are {', '.join(lab.name for lab in all_labs())}"
        )
    return labs


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="labs, by how their names begin; all by default")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--quick", action="store_true", help="run with quick values")
    how.add_argument("--full", action="store_true", help="run as the labs stand")
    how.add_argument("--write", type=Path, metavar="DIR", help="write notebooks to open, and run nothing")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep executed notebooks and their pictures")
    parser.add_argument("--site", action="store_true", help="keep the outputs for make docs")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of the notebooks to open")
    asked = parser.parse_args(arguments)
    labs = chosen(asked.names)
    if asked.write:
        write(labs, asked.write, asked.language)
        return 0
    return 0 if run(labs, quick=asked.quick, out=asked.out, for_site=asked.site) else 1


if __name__ == "__main__":
    sys.exit(main())
