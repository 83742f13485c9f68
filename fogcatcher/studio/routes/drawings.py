"""Drawn pictures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from fogcatcher.studio import asked
from fogcatcher.studio import bin as deleted
from fogcatcher.studio.routes.asks import Asks

router = APIRouter()


@router.get("/api/drawings")
def drawings(
    studio: Asks,
    before: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    favourite: Annotated[int, Query(ge=0, le=1)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 60,
) -> dict[str, Any]:
    """The newest, or those made before a time."""
    return studio.gallery.page(before, bool(favourite), limit)


@router.delete("/api/drawings/{id:path}")
def delete(studio: Asks, id: str) -> dict[str, str]:
    """Move a picture into the bin; ``id`` as pictures have it, or without drawings/."""
    id = id if id.startswith("drawings/") else f"drawings/{id}"
    studio.gallery.path(id)
    return {"undo": deleted.put(studio.workspace, id)}


@router.post("/api/favourites")
def like(studio: Asks, what: asked.Favourite) -> dict[str, Any]:
    """Mark a picture, or no longer."""
    studio.gallery.like(what.id, what.favourite)
    return {"id": what.id, "favourite": what.favourite}
