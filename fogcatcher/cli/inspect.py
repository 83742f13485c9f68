"""``fogcatcher inspect``: what is in a folder, before any training."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.cli.data_arguments import DataArguments
from fogcatcher.cli.flags import in_flags

if TYPE_CHECKING:
    from fogcatcher.runs.record import Run

SHOWN, COLUMNS = 64, 8
MARK = "inspected"
"""Marks the sheets that ``inspect`` wrote, so that only these are ever written over."""


@dataclass
class Inspect(DataArguments):
    """Say what a folder holds, and what would be trained: nothing is written unless you ask for a page.

    Example:  fogcatcher inspect my-sprites --html report.html
    """

    json: bool = False
    """Print the whole report as JSON, every skipped file with its reason, and nothing else."""
    html: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Also write the report as a page with pictures and plots, in one file."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE.png", help_behavior_hint="")] = None
    """Also write a sheet of up to 64 pictures, spread over the set, just as the model will see them."""
    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """List every skipped file."""

    def run(self) -> None:
        from fogcatcher.base.disk import write_text
        from fogcatcher.cli.bars import reading_bar
        from fogcatcher.data.inspection import describe, inspect_dataset
        from fogcatcher.data.kinds import KINDS
        from fogcatcher.data.pictures.spec import PictureSpec
        from fogcatcher.data.reading import check_bad
        from fogcatcher.drawing.ours import check_own
        from fogcatcher.judging.data_page import page
        from fogcatcher.runs.forecast import forecast
        from fogcatcher.runs.prepare import prepare
        from fogcatcher.runs.setup import Setup

        options = self.options()
        if self.sheet:
            _check_sheet(self.sheet)
        if self.html:
            check_own(self.html)
        with reading_bar() as progress:
            # A folder with many bad files is just what one wants to see; the complaint comes at the end.
            setup = Setup(
                self.data, steps=1, options=replace(options, max_bad=1.0), conditions=self.condition
            )
            run = prepare(setup, progress)
        findings = None
        kind, plan, controls = run.config.kind.drawn, forecast(run), run.conditions.to_json()
        if isinstance(kind, PictureSpec):
            findings = inspect_dataset(run.dataset)
            findings = replace(findings, notes=tuple(map(in_flags, findings.notes)))
            report, lines = findings.to_json(), describe(findings, self.verbose, in_flags)
        elif self.html:
            raise UserError(f"--html makes a page about pictures; these are {kind.name}.")
        else:
            report = run.dataset.report()
            lines = KINDS[kind.name].describe(run.dataset, self.verbose, in_flags)
        if self.json:
            print(json.dumps({**report, "conditions": controls, "forecast": plan.to_json()}, indent=1))
        else:
            for line in [*lines, *map(in_flags, run.notes)]:
                print(line)
            for what, said in plan.rows().items():
                print(f"{what}: {said}")
        if self.html and findings:
            write_text(self.html, page(findings, run.dataset, plan.rows(), controls))
            if not self.json:
                print(f"the report with pictures: {self.html}")
        if self.sheet:
            _write_sheet(run, self.sheet)
            if not self.json:
                print(f"what the model will see: {self.sheet}")
        check_bad(run.dataset, options.max_bad, kind.name)


def _check_sheet(path: Path) -> None:
    """Raises UserError for a name that is none of a PNG, and for a file that is not such a sheet."""
    from fogcatcher.data.pictures.sheets import is_marked

    if path.suffix.lower() != ".png":
        raise UserError(f"--sheet {path} is no name for a picture: end it in .png.")
    if path.exists() and not is_marked(path, MARK):
        raise UserError(f"{path} is there already, and is no sheet of inspect: name another file.")


def _write_sheet(run: Run, path: Path) -> None:
    """Write some of the rows, spread over the set, in one picture."""
    from fogcatcher.base.disk import write_atomically
    from fogcatcher.data.pictures.sheets import save_png, sheet
    from fogcatcher.data.pictures.twins import spread

    rows = run.dataset.rows[spread(len(run.dataset), SHOWN)]
    image = sheet(run.config.kind.shown(rows), COLUMNS)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(
        path, lambda part: save_png(image, part, {MARK: len(rows), "sheet": {"columns": COLUMNS}})
    )
