"""The queue: what is to be done, is being done and was done. Every change of a job is told to who listens."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.read_json import parsed
from fogcatcher.studio.database import Database, compact, now, tell
from fogcatcher.studio.to_json import parts_of
from fogcatcher.studio.workspace import NotThere

LANES = ("long", "short")
"""Each has a worker of its own, so that drawing goes on while a model trains."""
LANE_OF = {"train": "long", "evaluate": "long"}
LIVE = ("running", "pausing")
WAITING = ("queued", "paused")
DONE = ("done", "failed", "cancelled")
MOST_WAITING = 200
MOST_KEPT = 500
"""Jobs that are done are forgotten when there are more; their files stay."""
MOST_STARTS = 30
"""A job whose worker died as often, without getting anywhere, would kill the next one too."""


class Full(UserError):
    """Too much is waiting."""


@dataclass
class Job:
    """One row of the queue."""

    id: int
    kind: str
    title: str
    state: str
    wish: str
    """cancel, stop or pause, where somebody asked for it and it has not happened yet."""
    request: dict[str, Any]
    created: float
    started: float | None = None
    ended: float | None = None
    progress: dict[str, Any] | None = None
    error: str | None = None
    result: dict[str, Any] | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    """What the worker has to know when it takes the job up again."""
    starts: int = 0
    position: int | None = None

    def to_json(self) -> dict[str, Any]:
        hidden = ("wish", "notes", "starts")
        return {name: value for name, value in vars(self).items() if name not in hidden}


@lru_cache(4 * MOST_KEPT)
def _tree(text: str) -> dict[str, Any]:
    """What a text of the database holds; of jobs that are over it is asked for again and again."""
    return parsed(text)


def _job(row: sqlite3.Row, position: int | None = None) -> Job:
    fields: list[str] = row.keys()
    tree = {name: row[name] for name in fields if name not in ("place", "lane")}
    for name in ("request", "progress", "result", "notes"):
        tree[name] = dict(_tree(tree[name])) if tree[name] is not None else None
    return Job(**tree, position=position)


class Jobs:
    """The queue of one workspace."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def all(self) -> list[Job]:
        """All that are kept, the newest last."""
        places = self._places()
        rows = self.database.rows("SELECT * FROM jobs ORDER BY id")
        return [_job(row, places.get(row["id"])) for row in rows]

    def get(self, number: int) -> Job:
        """Raises NotThere."""
        row = self.database.row("SELECT * FROM jobs WHERE id = ?", (number,))
        if row is None:
            raise NotThere(f"there is no job {number}.")
        return _job(row, self._places().get(number) if row["state"] == "queued" else None)

    def _places(self) -> dict[int, int]:
        """Number -> place among those that wait in its lane, from 0."""
        rows = self.database.rows("SELECT id, lane FROM jobs WHERE state = 'queued' ORDER BY lane, place")
        found, before = dict[int, int](), dict[str, int]()
        for row in rows:
            found[row["id"]] = before.get(row["lane"], 0)
            before[row["lane"]] = found[row["id"]] + 1
        return found

    @property
    def running(self) -> int:
        row = self.database.row("SELECT count(*) FROM jobs WHERE state IN ('running', 'pausing')")
        return int(row[0]) if row else 0

    # --- what people ask ------------------------------------------------------------------------

    def add(self, kind: str, title: str, request: Mapping[str, Any]) -> Job:
        """Raises Full where too much is waiting."""
        with self.database.change() as change:
            waiting = change.execute(
                "SELECT count(*) FROM jobs WHERE state IN ('queued', 'paused')"
            ).fetchone()[0]
            if waiting >= MOST_WAITING:
                raise Full(
                    Message(
                        "{count} jobs are waiting already: let some finish, or cancel them.", count=waiting
                    )
                )
            last = change.execute("SELECT coalesce(max(place), 0) FROM jobs").fetchone()[0]
            number = change.execute(
                "INSERT INTO jobs (kind, lane, title, state, place, request, created) VALUES (?,?,?,?,?,?,?)",
                (kind, LANE_OF.get(kind, "short"), title, "queued", last + 1, compact(request), now()),
            ).lastrowid
            change.execute(
                "DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND id <= ?",
                ((number or 0) - MOST_KEPT,),
            )
            self._tell(change, number or 0)
        return self.get(number or 0)

    def cancel(self, number: int) -> Job:
        return self._ask(number, "cancel", {"queued": "cancelled", "paused": "cancelled"})

    def stop(self, number: int) -> Job:
        """Of a training: save what is there and end."""
        return self._ask(number, "stop", {"paused": "done", "queued": "cancelled"})

    def pause(self, number: int) -> Job:
        return self._ask(number, "pause", {"queued": "paused"})

    def _ask(self, number: int, wish: str, at_once: Mapping[str, str]) -> Job:
        """Wish something of a job that is being done; of one that is not, do it ``at_once``."""
        with self.database.change() as change:
            state = self._state(change, number)
            if state in LIVE:
                state = "pausing" if wish == "pause" else state
                change.execute("UPDATE jobs SET wish = ?, state = ? WHERE id = ?", (wish, state, number))
            elif state in at_once:
                ended = now() if at_once[state] in DONE else None
                change.execute(
                    "UPDATE jobs SET state = ?, ended = ?, result = ? WHERE id = ?",
                    (at_once[state], ended, self._left_by(change, number), number),
                )
            else:
                raise UserError(f"job {number} is {state} already.")
            self._tell(change, number)
        return self.get(number)

    def go_on(self, number: int) -> Job:
        """Let a paused job wait for its turn, before the others."""
        with self.database.change() as change:
            state = self._state(change, number)
            if state == "pausing":
                change.execute("UPDATE jobs SET wish = '', state = 'running' WHERE id = ?", (number,))
            elif state == "paused":
                self._again(change, number)
            else:
                raise UserError(f"job {number} is {state}: only a paused one can go on.")
            self._tell(change, number)
        return self.get(number)

    def retry(self, number: int) -> Job:
        """Do a job again that failed or was cancelled: the same request as a new job."""
        job = self.get(number)
        if job.state not in DONE:
            raise UserError(f"job {number} is {job.state}: only one that is over can be done again.")
        return self.add(job.kind, job.title, job.request)

    def move(self, number: int, before: int | None) -> Job:
        """Put a waiting job before another one, or at the end."""
        with self.database.change() as change:
            if self._state(change, number) != "queued":
                raise UserError(f"job {number} is not waiting, so it has no place to change.")
            places = change.execute(
                "SELECT id, place FROM jobs WHERE state = 'queued' AND id != ? ORDER BY place", (number,)
            ).fetchall()
            if before is None:
                place = max((row["place"] for row in places), default=0.0) + 1
            else:
                index = next((i for i, row in enumerate(places) if row["id"] == before), None)
                if index is None:
                    raise UserError(f"job {before} is not waiting, so nothing can be put before it.")
                below = places[index - 1]["place"] if index else places[index]["place"] - 2
                place = (below + places[index]["place"]) / 2
            change.execute("UPDATE jobs SET place = ? WHERE id = ?", (place, number))
            for row in [*places, {"id": number}]:
                self._tell(change, row["id"])
        return self.get(number)

    @staticmethod
    def _left_by(change: sqlite3.Connection, number: int) -> str | None:
        """What is left of a paused job that ends: the run of a training."""
        row = change.execute("SELECT kind, state, notes FROM jobs WHERE id = ?", (number,)).fetchone()
        name = parsed(row["notes"]).get("name")
        is_there = row["kind"] == "train" and row["state"] == "paused" and name is not None
        return compact({"model": name}) if is_there else None

    def _state(self, change: sqlite3.Connection, number: int) -> str:
        row = change.execute("SELECT state FROM jobs WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise NotThere(f"there is no job {number}.")
        return str(row["state"])

    # --- what workers do ------------------------------------------------------------------------

    def take(self, lane: str) -> Job | None:
        """Return the next job of a lane, which is running now; None where nothing waits."""
        with self.database.change() as change:
            row = change.execute(
                "SELECT id FROM jobs WHERE lane = ? AND state = 'queued' ORDER BY place LIMIT 1", (lane,)
            ).fetchone()
            if row is None:
                return None
            change.execute(
                "UPDATE jobs SET state = 'running', wish = '', started = coalesce(started, ?), ended = NULL, "
                "error = NULL, starts = starts + 1 WHERE id = ?",
                (now(), row["id"]),
            )
            self._tell(change, row["id"])
        return self.get(row["id"])

    def orphans(self, lane: str) -> list[Job]:
        """Jobs that a worker of this lane was doing when it died; asked by the only one that lives."""
        rows = self.database.rows(
            "SELECT * FROM jobs WHERE lane = ? AND state IN ('running', 'pausing') ORDER BY place", (lane,)
        )
        return [_job(row) for row in rows]

    def wish(self, number: int) -> str:
        """Return what somebody asked of a job that is being done."""
        row = self.database.row("SELECT wish FROM jobs WHERE id = ?", (number,))
        return str(row["wish"]) if row else "cancel"

    def note(self, number: int, notes: Mapping[str, Any]) -> None:
        """Keep what must be known to take the job up again."""
        with self.database.change() as change:
            change.execute("UPDATE jobs SET notes = ? WHERE id = ?", (compact(notes), number))

    def advance(self, number: int, progress: Mapping[str, Any], got_on: bool = False) -> None:
        """Say how far a job is. ``got_on``: a kill would no longer lose what was done since its start."""
        with self.database.change() as change:
            change.execute("UPDATE jobs SET progress = ? WHERE id = ?", (compact(progress), number))
            if got_on:
                change.execute("UPDATE jobs SET starts = 1 WHERE id = ?", (number,))
            self._tell(change, number)

    def end(
        self, number: int, state: str, error: str | None = None, result: Mapping[str, Any] | None = None
    ) -> None:
        """A job is over, or paused."""
        with self.database.change() as change:
            change.execute(
                "UPDATE jobs SET state = ?, wish = '', error = ?, result = ?, ended = ? WHERE id = ?",
                (
                    state,
                    error,
                    None if result is None else compact(result),
                    now() if state in DONE else None,
                    number,
                ),
            )
            self._tell(change, number)

    def fail(self, number: int, said: str) -> None:
        """A job has failed, and why; a Message can be said in other languages."""
        self.end(number, "failed", str(said), {"said": parts_of(said)})

    def again(self, number: int) -> None:
        """Let a job whose worker died wait for its turn, before the others."""
        with self.database.change() as change:
            self._again(change, number)
            self._tell(change, number)

    def _again(self, change: sqlite3.Connection, number: int) -> None:
        first = change.execute("SELECT coalesce(min(place), 0) FROM jobs WHERE state = 'queued'").fetchone()[
            0
        ]
        change.execute(
            "UPDATE jobs SET state = 'queued', wish = '', place = ? WHERE id = ?", (first - 1, number)
        )

    def _tell(self, change: sqlite3.Connection, number: int) -> None:
        row = change.execute("SELECT * FROM jobs WHERE id = ?", (number,)).fetchone()
        if row is not None:
            place = None
            if row["state"] == "queued":
                place = change.execute(
                    "SELECT count(*) FROM jobs WHERE lane = ? AND state = 'queued' AND place < ?",
                    (row["lane"], row["place"]),
                ).fetchone()[0]
            tell(change, "job", _job(row, place).to_json())
