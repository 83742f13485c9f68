"""Judging: how good models are, in a report beside the first of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fogcatcher.judging.evaluation import Evaluation, Settings, Watch
from fogcatcher.judging.evaluation import evaluate as evaluated
from fogcatcher.model.model import Model
from fogcatcher.runs.evaluating import FIGURES, REPORT, data_of, write_evaluation
from fogcatcher.studio import asked
from fogcatcher.studio.to_json import as_json
from fogcatcher.studio.work import Doing
from fogcatcher.studio.workspace import as_name


def evaluate(doing: Doing) -> dict[str, Any]:
    """The report in RUN/evaluation, or in a folder of exports/ where several are compared."""
    request = asked.Evaluate.model_validate(doing.job.request)
    done = list[Evaluation]()
    for id in request.models:
        place = doing.work.models.place(id)
        model = doing.work.model(id, request.best)
        done.append(_measured(doing, place.name, model, request))
    runs = {f"runs/{id}": doing.work.models.place(id).folder for id in request.models}
    folder = doing.folder
    write_evaluation(done, runs, folder)
    doing.check()
    if len(done) == 1:
        target = Path("runs", request.models[0], "evaluation")
        target.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.replace(target / path.name)
    else:
        name = doing.place("exports", as_name("-and-".join(request.models), "compared"))
        target = Path("exports", name)
        shutil.rmtree(target, ignore_errors=True)
        doing.finish(folder, "exports", name)
    return {
        "page": "/files/" + quote(f"{target.as_posix()}/{REPORT}"),
        "file": "/files/" + quote(f"{target.as_posix()}/{FIGURES}"),
        "figures": as_json({each.run: each.to_json() for each in done}),
    }


def _measured(doing: Doing, name: str, model: Model, request: asked.Evaluate) -> Evaluation:
    said = ["reading the pictures"]

    def told(what: str) -> None:
        said[0] = what
        doing.check()
        doing.tell({"done": 0, "of": 0, "seconds_left": None, "text": said[0]})

    def progress(done: int, of: int) -> None:
        doing.progress(done, of, said[0])

    dataset, parts = data_of(model, progress=progress)
    settings = Settings(request.pictures, quick=request.quick)
    return evaluated(name, model, dataset, parts, settings, watch=Watch(told, progress))
