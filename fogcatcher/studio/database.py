"""What has no file: the queue of jobs, events, favourites and presets, in one SQLite file.

Service and workers are processes of their own and meet only here. Each change is one transaction, so a kill
at any instant leaves the one before or the one after (WAL).
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fogcatcher.base.errors import UserError

FILE = "studio.sqlite"
VERSION = 1
EVENTS_KEPT = 4000
PREVIEWS_KEPT = 128
PATIENCE = 20.0
"""Seconds to wait for another process's transaction."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, lane TEXT NOT NULL, title TEXT NOT NULL,
    state TEXT NOT NULL, wish TEXT NOT NULL DEFAULT '', place REAL NOT NULL, request TEXT NOT NULL,
    created REAL NOT NULL, started REAL, ended REAL, progress TEXT, error TEXT, result TEXT,
    notes TEXT NOT NULL DEFAULT '{}', starts INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS waiting ON jobs (lane, state, place);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS kinds ON events (kind, id);
CREATE TABLE IF NOT EXISTS favourites (picture TEXT PRIMARY KEY, since REAL NOT NULL);
CREATE TABLE IF NOT EXISTS presets (name TEXT PRIMARY KEY, request TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS paces (what TEXT PRIMARY KEY, seconds REAL NOT NULL);
"""


class Database:
    """One connection, which the threads of a process take in turn."""

    def __init__(self, hidden: Path) -> None:
        """Raises UserError where the file is damaged, or of a later version."""
        self._lock = threading.RLock()
        path = hidden / FILE
        try:
            self._connection = sqlite3.connect(
                path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._write_ahead()
            self._connection.execute("PRAGMA synchronous=NORMAL")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise UserError(
                    f"{path} was written by a later version of fogcatcher: use that one, or move it away."
                )
            self._connection.executescript(SCHEMA)
            self._connection.execute(f"PRAGMA user_version={VERSION}")
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{path} cannot be used ({error}): move it away; it holds the queue, favourites and presets."
            ) from error

    def _write_ahead(self) -> None:
        """Switch to WAL. Unlike any other statement this one does not wait for another process by itself."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Around a transaction: all of it happens, or nothing."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[object] = ()) -> sqlite3.Row | None:
        found = self.rows(query, values)
        return found[0] if found else None

    @property
    def version(self) -> int:
        """Another number whenever another connection has changed anything."""
        with self._lock:
            return self._connection.execute("PRAGMA data_version").fetchone()[0]

    # --- events ---------------------------------------------------------------------------------

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """Let everybody who listens know."""
        with self.change() as change:
            tell(change, kind, data)

    @property
    def last_event(self) -> int:
        found = self.row("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        return int(found[0]) if found else 0

    @property
    def first_event(self) -> int:
        """The oldest that is kept, of those that are."""
        found = self.row("SELECT min(id) FROM events WHERE kind != 'preview'")
        return int(found[0]) if found and found[0] is not None else self.last_event + 1

    def events(self, after: int, most: int = 500) -> list[tuple[int, str, str]]:
        """Return (number, kind, data as JSON) of what came after an event."""
        found = self.rows("SELECT id, kind, data FROM events WHERE id > ? ORDER BY id LIMIT ?", (after, most))
        return [(row["id"], row["kind"], row["data"]) for row in found]

    # --- how long things take -------------------------------------------------------------------

    def pace(self, what: str) -> float | None:
        """Return the seconds that a unit of something took last, if that is known."""
        found = self.row("SELECT seconds FROM paces WHERE what = ?", (what,))
        return float(found[0]) if found else None

    def learn_pace(self, what: str, seconds: float) -> None:
        with self.change() as change:
            change.execute("INSERT OR REPLACE INTO paces VALUES (?, ?)", (what, seconds))


def tell(change: sqlite3.Connection, kind: str, data: Mapping[str, Any]) -> None:
    """The same as a part of a transaction."""
    number = change.execute("INSERT INTO events (kind, data) VALUES (?, ?)", (kind, compact(data))).lastrowid
    if number and number % 64 == 0:
        change.execute("DELETE FROM events WHERE id <= ?", (number - EVENTS_KEPT,))
        change.execute(
            "DELETE FROM events WHERE kind = 'preview' AND id <= (SELECT id FROM events "
            "WHERE kind = 'preview' ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (PREVIEWS_KEPT,),
        )


def compact(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


def now() -> float:
    return time.time()
