"""A studio on a folder, served in this process, with workers that live as long as the test; and a client."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from fogcatcher.base.lock import locked
from fogcatcher.studio.app import create_app
from fogcatcher.studio.jobs import LANES
from fogcatcher.studio.serving import start_worker
from fogcatcher.studio.studio import Studio
from fogcatcher.studio.workspace import Workspace

OVER = ("done", "failed", "cancelled", "paused")


class Client:
    """Asks as the studio's own page does."""

    def __init__(self, port: int, root: Path) -> None:
        self.port, self.root = port, root

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer."""
        sent = {"X-Fogcatcher": "1", "Host": f"127.0.0.1:{self.port}"} | (headers or {})
        if body is not None and not isinstance(body, bytes):
            body, sent = json.dumps(body).encode(), sent | {"Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        status, _, body = self.ask("GET", path)
        assert status == 200, (path, status, body)
        return json.loads(body)

    def post(self, path: str, body: Any = None, method: str = "POST") -> Any:
        status, _, answer = self.ask(method, path, body)
        assert status in (200, 201), (path, status, answer)
        return json.loads(answer)

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
        """Return status and sentence of something that is a mistake."""
        status, _, answer = self.ask(method, path, body, **more)
        said = json.loads(answer)
        assert 400 <= status < 500 and said["error"][-1] in ".?", (status, answer)
        assert said["error"].count("\n") == 0 and "Traceback" not in said["error"]
        return status, said["error"]

    def upload(self, files: list[tuple[str, bytes]], name: str | None = None) -> tuple[int, Any]:
        body = form(files, name)
        kind = {"Content-Type": "multipart/form-data; boundary=edge"}
        status, _, answer = self.ask("POST", "/api/data", body, kind)
        return status, json.loads(answer)

    def job(self, kind: str, **request: Any) -> int:
        return self.post("/api/jobs", {"kind": kind, "request": request})["id"]

    def wait(self, number: int, seconds: float = 400, states: tuple[str, ...] = OVER) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while True:
            job = self.get(f"/api/jobs/{number}")
            if job["state"] in states:
                return job
            assert time.monotonic() < until, job
            time.sleep(0.03)

    def done(self, number: int, seconds: float = 400) -> Any:
        job = self.wait(number, seconds)
        assert job["state"] == "done", job
        return job["result"]

    def events(self, after: int | None = None, **headers: str) -> "Events":
        return Events(self.port, after, headers)


class Events:
    """What a page hears; iterate over (number, kind, data)."""

    def __init__(self, port: int, after: int | None, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        path = "/api/events" + ("" if after is None else f"?after={after}")
        self._connection.request("GET", path, headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200

    def __iter__(self) -> Iterator[tuple[int, str, Any]]:
        fields: dict[str, str] = {}
        while line := self._answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                fields = {}

    def until(self, kind: str, test: Any = lambda data: True) -> list[tuple[int, str, Any]]:
        """Return all events up to the first of this kind of which ``test`` is true."""
        found = []
        for event in self:
            found.append(event)
            if event[1] == kind and test(event[2]):
                return found
        raise AssertionError(found)

    def close(self) -> None:
        self._connection.close()


def form(files: list[tuple[str, bytes]], name: str | None = None) -> bytes:
    """The body of an upload."""
    parts = []
    if name is not None:
        parts.append(
            b'--edge\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + name.encode() + b"\r\n"
        )
    for path, content in files:
        said = (
            b'--edge\r\nContent-Disposition: form-data; name="files"; filename="' + path.encode() + b'"\r\n'
        )
        parts.append(said + b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n")
    return b"".join([*parts, b"--edge--\r\n"])


@contextmanager
def serving(root: Path, workers: bool = True) -> Iterator[Client]:
    """A studio on ``root``, without limits of pace."""
    studio = Studio(Workspace.at(root))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(studio, a_second=1e6), log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    lock = ExitStack()
    lock.enter_context(locked(studio.workspace.hidden, "test"))  # or idle workers would end
    started = [start_worker(studio.workspace, lane) for lane in LANES if workers]
    try:
        while not server.started:
            time.sleep(0.01)
        yield Client(listening.getsockname()[1], studio.workspace.root)
    finally:
        studio.feed.close()
        server.should_exit = True
        thread.join()
        for worker in started:
            if worker.poll() is None:
                os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        lock.close()
        listening.close()
