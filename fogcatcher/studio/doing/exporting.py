"""A model in the form of another program, in exports/."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fogcatcher.exchange.formats import FORMATS, export_files
from fogcatcher.studio import asked
from fogcatcher.studio.work import Doing
from fogcatcher.studio.workspace import as_name


def export(doing: Doing) -> dict[str, Any]:
    """One file; of a folder, a zip of it."""
    request = asked.Export.model_validate(doing.job.request)
    model = doing.work.model(request.model, request.best)
    short = as_name(request.model.removeprefix("shipped."), "model")
    form = FORMATS[request.format]
    name = doing.place("exports", f"{short}{form.ending.replace('.', '-')}")
    target = doing.work.workspace.area("exports") / name
    if not target.exists():
        doing.check()
        folder = doing.folder
        made = folder / f"{short}{form.ending}"
        export_files(model, request.format, made)
        if made.is_dir():
            zip_folder(made, folder / f"{short}{form.ending}.zip")
        doing.check()
        doing.finish(folder, "exports", name)
    return {
        "files": [
            {
                "name": path.name,
                "url": "/files/" + quote(f"exports/{name}/{path.name}"),
                "bytes": path.stat().st_size,
            }
            for path in sorted(target.iterdir())
            if path.is_file()
        ],
        "note": form.help,
    }


def zip_folder(folder: Path, archive: Path) -> None:
    """Write everything below a folder into a zip, the folder's name in front."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder.parent))
