"""How a studio bears fifty pages, and what drawing through it costs:  python benchmarks/studio_load.py

Fifty clients listen to events, ask for lists and put small drawings into the queue, for a minute, against
the program itself on loopback. Told are errors, how late events come, the memory of the service at the start
and at the end, and whether the queue was fair. Before that the same pictures are drawn in turn through the
service and by the same call in this process; the ratio of the medians is what the service costs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fogcatcher.base.lock import owner_of
from fogcatcher.drawing.settings import settings_of
from fogcatcher.model.drawing_files import Asked, draw_files
from fogcatcher.model.model import load
from fogcatcher.studio.database import Database, compact
from fogcatcher.studio.jobs import LANES
from fogcatcher.studio.worker import lane_folder
from fogcatcher.studio.workspace import Workspace

LISTS = ("/api/state", "/api/models", "/api/jobs", "/api/drawings?limit=20", "/api/data", "/api/options")
PAUSE = 0.5
DRAW_EVERY = 40
"""Of the requests of a client one in so many puts a drawing into the queue."""


@dataclass
class Seen:
    """What all clients saw."""

    errors: list[str] = field(default_factory=list)
    requests: int = 0
    late: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)


async def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, bytes]:  # noqa: ANN401
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Fogcatcher: 1\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    answer = await reader.read()
    writer.close()
    top, _, rest = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), rest


async def listen(port: int, seen: Seen) -> None:
    """Hear events, and how late those of jobs come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    known, kind = set[tuple[int, str]](), b""
    with contextlib.suppress(asyncio.CancelledError):
        while line := await reader.readline():
            if line.startswith(b"event: "):
                kind = line[7:].strip()
            if line.startswith(b"data: ") and kind == b"job":
                job = json.loads(line[6:])
                said = {"queued": "created", "running": "started", "done": "ended"}.get(job["state"])
                if said and (job["id"], said) not in known:
                    known.add((job["id"], said))
                    seen.late.append(time.time() - job[said])
                if job["state"] == "failed":
                    seen.errors.append(str(job["error"]))
    writer.close()


async def page(number: int, port: int, until: float, seen: Seen) -> None:
    """One page: lists now and then, a drawing from time to time."""
    listening = asyncio.create_task(listen(port, seen))
    await asyncio.sleep(PAUSE * number / 50)
    count = number
    while time.monotonic() < until:
        count += 1
        start = time.monotonic()
        try:
            path = LISTS[count % len(LISTS)]
            if count % DRAW_EVERY == 0:
                path = "/api/jobs"
                request = {"model": "shipped.sprites", "seeds": [number], "settings": {"steps": 3}}
                status, body = await ask(port, "POST", "/api/jobs", {"kind": "draw", "request": request})
                if status == 201:
                    seen.asked.append(json.loads(body)["id"])
            else:
                status, body = await ask(port, "GET", path)
            if status not in (200, 201):
                seen.errors.append(f"status {status} of {path}: {body[:200]!r}")
        except (OSError, ValueError, IndexError) as error:
            seen.errors.append(repr(error))
        seen.requests += 1
        seen.seconds.append(time.monotonic() - start)
        await asyncio.sleep(PAUSE)
    listening.cancel()
    await listening


def memory_mb(process: int) -> float:
    text = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


@contextlib.contextmanager
def studio(root: Path) -> Iterator[tuple[int, int]]:
    """The program on a folder: its port and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fogcatcher", "studio", str(root), "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    port = int(process.stdout.readline().rstrip().rstrip("/").rpartition(":")[2])
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()
        workspace = Workspace.at(root)
        for lane in LANES:
            owner = owner_of(lane_folder(workspace, lane))
            if owner:
                os.kill(owner.process, signal.SIGTERM)


def done_before(root: Path, count: int) -> None:
    """Make a workspace in which so many jobs were done: lists are longest with as many as are kept."""
    workspace = Workspace.at(root)
    database = Database(workspace.hidden)
    request, progress = {"model": "shipped.sprites", "seeds": [0]}, {"done": 3, "of": 3, "seconds_left": 0.0}
    recipe = {"name": "sprites", "condition": {"kind": "food"}, "settings": dict.fromkeys("abcdefgh", 1.5)}
    pictures = [{"id": f"drawings/none/{k}.png", "size": [16, 16], "recipe": recipe} for k in range(4)]
    values = [compact(one) for one in (request, progress | {"text": None}, {"pictures": pictures})]
    with database.change() as change:
        for number in range(count):
            change.execute(
                "INSERT INTO jobs (kind, lane, title, state, place, created, started, ended, request, "
                "progress, result) VALUES ('draw', 'short', 'draw', 'done', ?, 1, ?, 3, ?, ?, ?)",
                (number, 1 + number / count, *values),
            )
    database.close()


async def load_test(port: int, process: int, clients: int, seconds: float) -> None:
    seen = Seen()
    until = time.monotonic() + seconds
    pages = [asyncio.create_task(page(k, port, until, seen)) for k in range(clients)]
    memory = list[float]()
    for _ in range(4):
        await asyncio.sleep(seconds / 4)
        memory.append(memory_mb(process))
    await asyncio.gather(*pages)
    while True:
        jobs = json.loads((await ask(port, "GET", "/api/jobs"))[1])
        if all(job["state"] == "done" for job in jobs):
            break
        await asyncio.sleep(0.2)
    began = [job["started"] for job in sorted(jobs, key=lambda job: job["id"])]
    errors = f"{len(seen.errors)} errors {seen.errors[:3]}"
    print(f"{clients} clients, {seconds:.0f} s: {seen.requests:,} requests, {errors}")
    print(
        f"  an answer took {statistics.median(seen.seconds) * 1000:.0f} ms, 99% below "
        f"{sorted(seen.seconds)[int(0.99 * len(seen.seconds))] * 1000:.0f} ms"
    )
    print(
        f"  {len(seen.late):,} events of jobs, {statistics.median(seen.late) * 1000:.0f} ms late (median), "
        f"{max(seen.late) * 1000:.0f} ms at most"
    )
    told = ", ".join(f"{size:.0f}" for size in memory)
    print(f"  memory of the service after each quarter of the time: {told} MB")
    print(f"  {len(jobs)} drawings, done in the order they came: {began == sorted(began)}")


async def drawn(port: int, request: dict[str, Any]) -> float:
    """Seconds from asking to hearing that it is done."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    await reader.readuntil(b"event: hello")
    start = time.perf_counter()
    number = json.loads((await ask(port, "POST", "/api/jobs", {"kind": "draw", "request": request}))[1])["id"]
    while True:
        line = await reader.readline()
        if line.startswith(b'data: {"id":%d,' % number):
            state = json.loads(line[6:])["state"]
            if state in ("done", "failed"):
                assert state == "done"
                writer.close()
                return time.perf_counter() - start


def cost(port: int, rounds: int, count: int) -> None:
    model, chosen = load("sprites"), {"steps": 20}
    seeds = list(range(count))
    through, direct = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as name:
        for turn in range(rounds + 1):
            request = {"model": "shipped.sprites", "seeds": seeds, "settings": chosen}
            a = asyncio.run(drawn(port, request))
            start = time.perf_counter()
            draw_files(model, Asked(seeds, None, settings_of(chosen)), Path(name, str(turn)))
            b = time.perf_counter() - start
            if turn:  # the first one loads the model
                through.append(a)
                direct.append(b)
    ratio = statistics.median(through) / statistics.median(direct)
    print(
        f"{count} pictures: {statistics.median(through):.2f} s through the service, "
        f"{statistics.median(direct):.2f} s by the call itself: {ratio:.3f}x (medians of {rounds})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--done", type=int, default=0, help="jobs that were done before")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        done_before(Path(name), asked.done)
        measure(Path(name), asked)


def measure(root: Path, asked: argparse.Namespace) -> None:
    with studio(root) as (port, process):
        cost(port, asked.rounds, asked.count)
        asyncio.run(load_test(port, process, asked.clients, asked.seconds))


if __name__ == "__main__":
    main()
