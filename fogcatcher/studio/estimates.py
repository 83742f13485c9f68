"""How long a job may take: as long as one like it took last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogcatcher.drawing.settings import USUAL
from fogcatcher.studio.database import Database

USUAL_COUNT = 8


def estimate(database: Database, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the seconds that a job may take, and that in words; None where none like it was done yet."""
    if kind == "train" and request.get("minutes") is not None:
        seconds: float | None = 60 * request["minutes"]
    else:
        pace = database.pace(_name(kind, request))
        seconds = None if pace is None else pace * _amount(kind, request)
    return {"seconds": seconds, "text": "" if seconds is None else _in_words(seconds)}


def learn(database: Database, kind: str, request: Mapping[str, Any], seconds: float) -> None:
    """Remember how long a job took."""
    database.learn_pace(_name(kind, request), seconds / _amount(kind, request))


def _name(kind: str, request: Mapping[str, Any]) -> str:
    """What jobs have in common that take as long for the same amount."""
    about = request.get("model") or request.get("resume") or request.get("data") or request.get("models")
    return f"{kind} {request.get('action', '')} {about}"


def _amount(kind: str, request: Mapping[str, Any]) -> float:
    """How much is to be done: steps of pictures, steps of training, or one thing."""
    if kind in ("draw", "edit"):
        steps = (request.get("settings") or {}).get("steps") or USUAL.steps
        return steps * len(request.get("seeds") or range(request.get("count") or USUAL_COUNT))
    if kind == "train":
        return float(request.get("steps") or 1)
    return 1.0


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {seconds / 60:.0f} minutes"
