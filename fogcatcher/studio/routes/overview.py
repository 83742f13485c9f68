"""What is there, what forms need, and events."""

from __future__ import annotations

import os
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from fogcatcher.base.devices import best_device
from fogcatcher.base.version import __version__
from fogcatcher.studio.options import Language, all_options
from fogcatcher.studio.routes.asks import Asks

router = APIRouter()


@router.get("/api/state")
def state(studio: Asks) -> dict[str, Any]:
    """The workspace, and the machine."""
    return {
        "name": studio.workspace.root.name,
        "workspace": str(studio.workspace.root),
        "version": __version__,
        "device": best_device().type,
        "cores": os.cpu_count() or 1,
        "jobs_running": studio.jobs.running,
        "languages": list(get_args(Language)),
    }


@router.get("/api/options")
def options(studio: Asks, language: Language = "en") -> dict[str, Any]:
    """What can be chosen, with what is usual, and help in a language."""
    places = studio.models.places()
    runs = [place.id for place in places if place.is_run]
    shipped = [place.id for place in places if not place.is_run]
    return all_options(runs, shipped, language)


@router.get("/api/events", response_class=StreamingResponse)
async def events(
    studio: Asks,
    after: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Server-sent events; those after a number first, where one is given."""
    known = after
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        known = int(last_event_id[:18])
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(studio.feed.follow(known), media_type="text/event-stream", headers=headers)
