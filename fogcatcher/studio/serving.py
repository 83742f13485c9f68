"""Starting a studio: one on a folder, its workers kept alive, the link printed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from fogcatcher.base.disk import open_to_append
from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.lock import InUse, locked, owner_of
from fogcatcher.studio.app import create_app
from fogcatcher.studio.guard import LOCAL
from fogcatcher.studio.jobs import LANES
from fogcatcher.studio.studio import Studio
from fogcatcher.studio.worker import lane_folder
from fogcatcher.studio.workspace import Workspace

PORT = 8631
TRIED = 20
"""Ports that are tried where nobody asked for one."""
LOG = "worker.log"
LARGEST_LOG = 5_000_000
SOONEST, LATEST = 0.2, 5.0
"""Seconds until a worker that died is started again; the longer, the more often it dies at once."""


def serve(
    folder: Path,
    port: int | None = None,
    host: str | None = None,
    browser: bool = True,
    told: Callable[[str], None] = print,
) -> None:
    """Serve a studio on ``folder`` until somebody ends it.

    Without ``host`` only this machine can reach it; with one, whoever knows the token in the link. Raises
    UserError where another studio has the folder, or the port is taken.
    """
    workspace = Workspace.at(folder)
    listening = _listening(host or LOCAL[0], port)
    token = None if host is None else secrets.token_urlsafe(24)
    link = _link(host or LOCAL[0], listening.getsockname()[1], token)
    try:
        with locked(workspace.hidden, f"studio at {link.partition('?')[0]}"[:100]):
            _serve(workspace, listening, token, link, browser, told)
    except InUse as error:
        where = error.owner.command.removeprefix("studio at ") if error.owner else "an address of its own"
        raise UserError(
            f"a studio on {folder} is open already: {where}; use that one, or close it."
        ) from error
    finally:
        listening.close()


def _serve(
    workspace: Workspace,
    listening: socket.socket,
    token: str | None,
    link: str,
    browser: bool,
    told: Callable[[str], None],
) -> None:
    shutil.rmtree(workspace.hidden / "uploads", ignore_errors=True)  # of a service that was killed
    studio = Studio(workspace)
    app = create_app(studio, token)
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        lifespan="on",
    )
    server = Server(config, studio)
    keeper = Keeper(workspace)
    keeper.start()
    told(f"the studio on {workspace.root}: {link}")
    told("Ctrl-C ends it.")
    if browser:
        threading.Timer(0.5, _open, [link]).start()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        keeper.stop()
    running = studio.jobs.running
    if running:
        told(f"{running} of its jobs go on without the page; fogcatcher studio shows them again.")


class Server(uvicorn.Server):
    """Ends at once: pages that listen are sent away first."""

    def __init__(self, config: uvicorn.Config, studio: Studio) -> None:
        super().__init__(config)
        self._studio = studio

    def handle_exit(self, sig: int, frame: object) -> None:
        self._studio.feed.close()
        super().handle_exit(sig, frame)  # type: ignore[arg-type]


class Keeper:
    """Starts a worker for every lane, and again when one dies."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._keep, args=[lane], daemon=True) for lane in LANES]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Workers that do something go on; those without work end by themselves."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, lane: str) -> None:
        wait, mine = SOONEST, None
        folder = lane_folder(self._workspace, lane)
        while not self._ended.is_set():
            if mine is not None and mine.poll() is None:
                self._ended.wait(SOONEST)
                continue
            if owner_of(folder) is None:
                began = time.monotonic()
                mine = start_worker(self._workspace, lane)
                while mine.poll() is None and not self._ended.wait(SOONEST):
                    pass
                wait = SOONEST if time.monotonic() - began > LATEST else min(2 * wait, LATEST)
            self._ended.wait(wait)


def start_worker(workspace: Workspace, lane: str) -> subprocess.Popen[bytes]:
    """Start the worker of a lane, in a session of its own: what ends the service does not end it."""
    log = workspace.hidden / LOG
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.unlink()
    with open_to_append(log) as file:
        return subprocess.Popen(
            [sys.executable, "-m", "fogcatcher.studio.worker", str(workspace.root), lane],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )


def _listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens at the port; where nobody asked for one, at the first that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = [port] if port is not None else [*range(PORT, PORT + TRIED), 0]
    for each in ports:
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, each))
            found.listen(128)
            return found
        except (OSError, OverflowError) as error:
            found.close()
            if each == ports[-1]:
                why = getattr(error, "strerror", None) or error
                said = Message(
                    "nothing can listen at {host}, port {port} ({why}): choose another {@port}.",
                    host=host,
                    port=each,
                    why=why,
                )
                raise UserError(said) from error
    raise AssertionError


def _link(host: str, port: int, token: str | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def _open(link: str) -> None:
    with contextlib.suppress(Exception):
        webbrowser.open(link)
