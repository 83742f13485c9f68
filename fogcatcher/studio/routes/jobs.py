"""The queue."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from fogcatcher.studio import asked
from fogcatcher.studio.checking import check, title_of
from fogcatcher.studio.estimates import estimate
from fogcatcher.studio.routes.asks import Asks

router = APIRouter()
Number = Annotated[int, Path(ge=1, lt=2**62)]
Act = Literal["cancel", "stop", "pause", "continue", "retry"]


@router.get("/api/jobs")
def jobs(studio: Asks) -> list[dict[str, Any]]:
    """All that are kept, the newest last."""
    return [job.to_json() for job in studio.jobs.all()]


@router.get("/api/jobs/{number}")
def job(studio: Asks, number: Number) -> dict[str, Any]:
    """One of them."""
    return studio.jobs.get(number).to_json()


@router.post("/api/jobs", status_code=201)
def add(studio: Asks, job: asked.AnyJob) -> dict[str, Any]:
    """Put something into the queue."""
    check(studio, job)
    added = studio.jobs.add(job.kind, title_of(job), job.request.model_dump(mode="json"))
    return added.to_json()


@router.post("/api/estimate")
def how_long(studio: Asks, job: asked.AnyJob) -> dict[str, Any]:
    """Say how long it will take, where that is known."""
    check(studio, job)
    return estimate(studio.database, job.kind, job.request.model_dump(mode="json"))


@router.post("/api/jobs/{number}/move")
def move(studio: Asks, number: Number, where: asked.Move) -> dict[str, Any]:
    """Change the order of what waits."""
    return studio.jobs.move(number, where.before).to_json()


@router.post("/api/jobs/{number}/{act}")
def act(studio: Asks, number: Number, act: Act) -> dict[str, Any]:
    """Cancel, stop and save, pause, continue, or do again."""
    jobs = studio.jobs
    done = {
        "cancel": jobs.cancel,
        "stop": jobs.stop,
        "pause": jobs.pause,
        "continue": jobs.go_on,
        "retry": jobs.retry,
    }
    return done[act](number).to_json()
