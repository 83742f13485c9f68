"""Events in memory: all of them once and in order; large previews not for long."""

import asyncio

from fogcatcher.studio.database import PREVIEWS_KEPT, Database
from fogcatcher.studio.feed import RECENT, Feed

EACH = 20_000
"""Characters of a preview: sixteen pictures."""


def numbers_sent(feed, after):
    """What a page is sent until it is up to date, as (number, kind)."""

    async def read():
        found = []
        async for chunk in feed.follow(after):
            for event in chunk.decode().strip().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in event.splitlines())
                if fields["event"] != "hello":
                    found.append((int(fields["id"]), fields["event"]))
            if found and found[-1][0] >= feed._newest:
                return found
        raise AssertionError(found)

    return asyncio.run(read())


def test_of_many_previews_only_the_newest_stay_in_memory(tmp_path):
    database = Database(tmp_path)
    feed = Feed(database)
    for number in range(1, 2001):
        database.tell("job" if number % 4 == 0 else "preview", {"text": "x" * EACH})
        if number % 50 == 0:
            feed._read_all()
    held = sum(len(sent) for _, kind, sent in feed._recent if kind == "preview")
    assert held <= (2 * PREVIEWS_KEPT + 50) * (EACH + 200)
    sent = numbers_sent(feed, 1000)
    assert [number for number, kind in sent if kind == "job"] == list(range(1004, 2001, 4))
    assert sent == sorted(set(sent))


def test_a_page_that_is_far_behind_hears_everything_once(tmp_path):
    database = Database(tmp_path)
    feed = Feed(database)
    for number in range(1, 2 * RECENT + 500):
        database.tell("job", {"id": number})
        if number % 100 == 0:
            feed._read_all()
    sent = numbers_sent(feed, 10)
    assert [number for number, _ in sent] == list(range(11, 2 * RECENT + 500))
