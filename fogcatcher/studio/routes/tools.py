"""What is made at once, without a job."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from fogcatcher.base.errors import UserError
from fogcatcher.base.read_json import parsed
from fogcatcher.explain.source_lines import named_lines
from fogcatcher.studio import asked, packing
from fogcatcher.studio.noise import method_of, noised
from fogcatcher.studio.pictures import given_file
from fogcatcher.studio.routes.asks import Asks
from fogcatcher.studio.uploads import ONE_FILE, one_file

router = APIRouter()
MOST_PRESETS = 200
LONGEST_PRESET = 100_000


@router.get("/api/presets")
def presets(studio: Asks) -> list[dict[str, Any]]:
    """Settings that somebody gave a name."""
    rows = studio.database.rows("SELECT name, request FROM presets ORDER BY name")
    return [{"name": row["name"], "request": parsed(row["request"])} for row in rows]


@router.post("/api/presets")
def keep(studio: Asks, preset: asked.Preset) -> dict[str, Any]:
    """Keep settings under a name."""
    text = json.dumps(preset.request)
    count = studio.database.row("SELECT count(*) FROM presets WHERE name != ?", (preset.name,))
    if len(text) > LONGEST_PRESET or (count and count[0] >= MOST_PRESETS):
        raise UserError(f"at most {MOST_PRESETS} sets of settings are kept, none too long: delete one first.")
    with studio.database.change() as change:
        change.execute("INSERT OR REPLACE INTO presets VALUES (?, ?)", (preset.name, text))
    return {"name": preset.name, "request": preset.request}


@router.delete("/api/presets")
def forget(studio: Asks, name: str) -> dict[str, str]:
    """Forget one of them."""
    with studio.database.change() as change:
        change.execute("DELETE FROM presets WHERE name = ?", (name,))
    return {"name": name}


@router.post("/api/pack", status_code=201)
def pack(studio: Asks, how: asked.Pack) -> dict[str, Any]:
    """Put several pictures into one file."""
    paths = [studio.gallery.path(id) for id in how.pictures]
    with studio.heavy:
        return packing.pack(studio.workspace, paths, how)


@router.post("/api/noise")
def noise(studio: Asks, what: asked.Noise) -> dict[str, Any]:
    """Show a picture on its way into noise."""
    method = studio.models.config(what.model)[0].method if what.model else None
    with tempfile.TemporaryDirectory(dir=studio.workspace.hidden) as folder:
        file = given_file(studio.workspace, what.picture, Path(folder) / "picture.png")
        return {"pictures": noised(method_of(what.preset, method), file, what.times, what.seed)}


@router.get("/api/source")
def source(
    file: Annotated[str, Query(max_length=400)], name: Annotated[str, Query(max_length=200)]
) -> dict[str, Any]:
    """Show where a file of this program defines something, and how."""
    lines = named_lines(file, name)
    return {"file": lines.path, "name": lines.name, "line": lines.line, "code": lines.code}


@router.post("/api/recipe", openapi_extra={"requestBody": ONE_FILE})
async def recipe(studio: Asks, request: Request) -> dict[str, Any]:
    """Say how a PNG of this program was made, as a request that makes it again."""
    async with one_file(studio.workspace, request) as file:
        return await run_in_threadpool(studio.recipes.read, file)
