"""Data sets: upload, look, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from fogcatcher.studio import asked
from fogcatcher.studio import bin as deleted
from fogcatcher.studio.routes.asks import Asks
from fogcatcher.studio.uploads import receive
from fogcatcher.studio.workspace import NAME

router = APIRouter()
Name = Annotated[str, Path(pattern=f"^{NAME}$")]
BODY = {
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                },
                "required": ["files"],
            }
        }
    }
}


@router.get("/api/data")
def all_data(studio: Asks) -> list[dict[str, Any]]:
    """All of them, the built-in sprites first."""
    return studio.datasets.all()


@router.get("/api/data/{name}")
def one(studio: Asks, name: Name) -> dict[str, Any]:
    """One of them."""
    return studio.datasets.get(name)


@router.post("/api/data", status_code=201, openapi_extra={"requestBody": BODY})
async def upload(studio: Asks, request: Request) -> dict[str, Any]:
    """Take files, a folder's with their paths, or one zip."""
    return studio.datasets.get(await receive(studio.workspace, request))


@router.post("/api/data/{name}/inspect")
def inspect(studio: Asks, name: Name, reading: asked.Reading) -> dict[str, Any]:
    """Say what is in it, and what a model would see."""
    with studio.heavy:
        return studio.datasets.inspect(name, reading)


@router.delete("/api/data/{name}")
def delete(studio: Asks, name: Name) -> dict[str, str]:
    """Move it into the bin."""
    folder = studio.workspace.folder("data", name)
    return {"undo": deleted.put(studio.workspace, f"data/{folder.name}")}


@router.post("/api/bin/{number}/restore")
def restore(studio: Asks, number: Annotated[str, Path(pattern="^[0-9a-f]{16}$")]) -> dict[str, str]:
    """Put back what was deleted."""
    return {"path": deleted.restore(studio.workspace, number)}
