"""Models: shipped ones, and runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from fogcatcher.base.errors import UserError
from fogcatcher.base.lock import owner_of
from fogcatcher.studio import bin as deleted
from fogcatcher.studio.routes.asks import Asks
from fogcatcher.studio.thumbs import thumb_of
from fogcatcher.studio.workspace import NAME

router = APIRouter()
Id = Annotated[str, Path(pattern=f"^{NAME}$")]


@router.get("/api/models")
def models(studio: Asks) -> list[dict[str, Any]]:
    """All of them."""
    return studio.models.all()


@router.get("/api/models/{id}")
def model(studio: Asks, id: Id) -> dict[str, Any]:
    """One of them, with all that is known."""
    return studio.models.details(id)


@router.get("/api/models/{id}/log")
def log(studio: Asks, id: Id, after: Annotated[int, Query(ge=-1, lt=2**62)] = -1) -> dict[str, Any]:
    """What was logged after a step."""
    return studio.models.log(id, after)


@router.get("/api/models/{id}/thumb.png", include_in_schema=False)
def thumb(studio: Asks, id: Id) -> Response:
    """Its newest pictures."""
    with studio.heavy:
        content = thumb_of(studio.models.place(id))
    return Response(content, media_type="image/png", headers={"cache-control": "max-age=3600"})


@router.delete("/api/models/{id}")
def delete(studio: Asks, id: Id) -> dict[str, str]:
    """Move a run into the bin."""
    place = studio.models.place(id)
    if not place.is_run:
        raise UserError("this model comes with the program and stays.")
    if owner_of(place.folder):
        raise UserError("this model is being trained: stop that first.")
    return {"undo": deleted.put(studio.workspace, place.name)}
