"""Events for every page that is open: numbered, so that a page that was away hears what it missed."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator

from fogcatcher.studio.database import PREVIEWS_KEPT, Database

EVERY_SECONDS = 0.025
RECENT = 400
"""Events that are kept in memory, for pages that keep up."""
AT_ONCE = 400
BREATH_SECONDS = 10.0
"""A comment is sent so often where nothing happens, so that a broken connection is noticed."""
BEHIND = 60
"""A page that has as many events to read gets no previews but the newest."""

Event = tuple[int, str, bytes]
"""Number, kind, and what is sent."""


class Feed:
    """Reads what workers and service wrote into the database, once for all pages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent = list[Event]()
        self._previews = 0
        """How many of them are previews: each may be some hundred kB, so they are not kept for long."""
        self._newest = self._database.last_event
        self._oldest = self._newest + 1
        """The first that is surely in ``_recent``."""
        self._changed = asyncio.Event()
        self.closed = False
        self.pages = 0

    async def run(self) -> None:
        """Look for new events until ``close``."""
        seen = -1
        while not self.closed:
            version = self._database.version
            if version != seen:
                seen = version
                self._read_all()
            await asyncio.sleep(EVERY_SECONDS)

    def close(self) -> None:
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _read_all(self) -> None:
        while self._read():
            pass

    def _read(self) -> bool:
        rows = self._database.events(self._newest)
        for number, kind, data in rows:
            self._recent.append((number, kind, _encoded(number, kind, data)))
            self._previews += kind == "preview"
            self._newest = number
        if rows:
            self._forget()
            self._wake()
        return bool(rows)

    def _forget(self) -> None:
        """Drop what is old, now and then."""
        if self._previews > 2 * PREVIEWS_KEPT:
            numbers = [number for number, kind, _ in self._recent if kind == "preview"]
            last = numbers[-PREVIEWS_KEPT]
            self._recent = [event for event in self._recent if event[1] != "preview" or event[0] >= last]
            self._previews = PREVIEWS_KEPT
        if len(self._recent) > 2 * RECENT:
            del self._recent[:-RECENT]
            self._oldest = self._recent[0][0]
            self._previews = sum(kind == "preview" for _, kind, _ in self._recent)

    async def follow(self, after: int | None) -> AsyncIterator[bytes]:
        """Yield what a page is sent: a greeting, what it missed, and then whatever happens."""
        self._read_all()
        last = self._newest if after is None else min(after, self._newest)
        missed = after is not None and (after > self._newest or after + 1 < self._database.first_event)
        self.pages += 1
        try:
            greeting = f'{{"last":{self._newest},"missed":{str(missed).lower()}}}'
            yield f"retry: 1000\nid: {last}\nevent: hello\ndata: {greeting}\n\n".encode()
            while not self.closed:
                found = self._after(last)
                if found:
                    last = found[-1][0]
                    yield b"".join(sent for _, _, sent in _worth_sending(found))
                    continue
                try:
                    await asyncio.wait_for(self._changed.wait(), BREATH_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self.pages -= 1

    def _after(self, last: int) -> list[Event]:
        """Some of what came after an event."""
        if last >= self._newest:
            return []
        if last + 1 < self._oldest:
            rows = self._database.events(last, AT_ONCE)
            return [(number, kind, _encoded(number, kind, data)) for number, kind, data in rows]
        start = bisect_right(self._recent, last, key=lambda event: event[0])
        return self._recent[start : start + AT_ONCE]


def _encoded(number: int, kind: str, data: str) -> bytes:
    return f"id: {number}\nevent: {kind}\ndata: {data}\n\n".encode()


def _worth_sending(found: list[Event]) -> list[Event]:
    """Of many events at once, only the last preview: a slow page would never catch up."""
    if len(found) < BEHIND:
        return found
    last = max((number for number, kind, _ in found if kind == "preview"), default=0)
    return [event for event in found if event[1] != "preview" or event[0] == last]
