"""Judging the models of runs: by the data of their training, into a report on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import UserError
from fogcatcher.data.kinds import read_of_kind
from fogcatcher.data.named_places import data_named
from fogcatcher.data.reading import Dataset, Reading
from fogcatcher.data.splitting import Split, split
from fogcatcher.judging.evaluation import Evaluation
from fogcatcher.judging.evaluation_page import page
from fogcatcher.model.model import Model
from fogcatcher.runs.fingerprint import fingerprint
from fogcatcher.runs.log import CHECKS, read_rows

REPORT, FIGURES = "report.html", "evaluation.json"


def data_of(model: Model, path: str | None = None, progress: Reading | None = None) -> tuple[Dataset, Split]:
    """Return the data that a model is judged by and their parts, as the model was trained on them.

    ``path`` names other data than those. Raises UserError for data without what the model was trained with.
    """
    options = model.config.data.options
    ours = model.config.data
    path = path or data_named(ours.path, ours.folder)
    dataset = read_of_kind(model.config.kind, path, options, progress)
    missing = [a.name for a in model.conditions.attributes if a.name not in dataset.columns]
    if missing:
        raise UserError(
            f"these pictures have no column {missing[0]}, which the model was trained with: "
            "judge it by labelled pictures."
        )
    return dataset, split(dataset, options, model.conditions)


def change_since(model: Model, dataset: Dataset, parts: Split) -> list[str]:
    """Return a sentence where these are not the data that the model was trained on, as they were."""
    then = model.config.data
    if fingerprint(dataset, model.conditions, parts) in (then.fingerprint, ""):
        return []
    return [
        f"note: these are not the data of the training as they were ({len(dataset):,} now, {then.pictures:,} "
        "then): some that count as held out may have been learned"
    ]


def write_evaluation(evaluations: Sequence[Evaluation], runs: Mapping[str, Path], out: Path) -> Path:
    """Write the report and its figures into ``out``; return the path of the page.

    ``runs`` are the folders of those that are runs, by the name of their evaluation: their checks are shown.
    """
    out.mkdir(parents=True, exist_ok=True)
    report = json.dumps([done.to_json() for done in evaluations], indent=1)
    write_text(out / FIGURES, report)
    text = page(list(evaluations), {name: read_rows(folder / CHECKS) for name, folder in runs.items()})
    write_text(out / REPORT, text)
    return out / REPORT
