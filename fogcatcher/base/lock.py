"""One process at a time writes in a folder; who it is, everybody may read.

The lock is the operating system's, on a small file in the folder, so it ends with its process however that
ends, a kill and a power cut included. What the file says is for people: whether it is locked counts. On file
systems without locks what it says counts, as far as this machine can know.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.read_json import read_json
from fogcatcher.base.typed_json import Length, Range

LOCK = ".fogcatcher.lock"
PATIENCE = 0.5
"""Seconds after which a lock counts as held: whoever only looks has it for an instant."""
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
"""What locking says where another process was first; anything else: there are no locks here."""
FAR = 2**30
"""Where Windows locks a byte: what is written can then still be read."""
MOST_BYTES = 10_000


@dataclass(frozen=True)
class Owner:
    """Who writes in a folder."""

    process: Annotated[int, Range(1, 2**31)]
    """Its number on its machine."""
    machine: Annotated[str, Length(0, 255)]
    since: Annotated[str, Length(0, 40)]
    """UTC, as in 2026-01-31 23:59."""
    command: Annotated[str, Length(0, 100)]
    """What it does there, in a word: train."""

    @property
    def is_alive(self) -> bool:
        """Whether this machine has such a process; of another machine nobody here can know."""
        if self.machine != socket.gethostname() or os.name != "posix":
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it is there, and another person's
            return True
        return True


class InUse(UserError):
    """Another process writes there; ``owner`` is None where it has not yet said who it is."""

    def __init__(self, folder: Path, owner: Owner | None) -> None:
        who = Message("another process")
        if owner:
            who = Message(
                "process {process} on {machine} ({command}, since {since} UTC)",
                process=owner.process,
                machine=_plain(owner.machine),
                command=_plain(owner.command),
                since=_plain(owner.since),
            )
        said = Message(
            "{folder} is in use by {who}: wait for its end or stop it, or choose another {@out}.",
            folder=folder,
            who=who,
        )
        super().__init__(said)
        self.owner = owner


@contextmanager
def locked(folder: Path, command: str) -> Iterator[Owner]:
    """Be the only process, and the only one of this process, that writes in ``folder``, which is made.

    ``command`` says in a word what is done there. Raises InUse where another was first, and OSError where
    nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, until = folder / LOCK, time.monotonic() + PATIENCE
    while (descriptor := _taken(path)) is None:
        if time.monotonic() > until:
            raise InUse(folder, _said(path))
        time.sleep(PATIENCE / 10)
    now = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    owner = Owner(os.getpid(), socket.gethostname()[:255], now, command)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, (json.dumps(asdict(owner)) + "\n").encode())
        yield owner
    finally:
        # Removed while it is held, where the system allows that; who waits for it looks at its name again.
        with contextlib.suppress(OSError):
            if _is_at(descriptor, path):
                path.unlink()
        os.close(descriptor)


def owner_of(folder: Path) -> Owner | None:
    """Return who writes in ``folder`` now; None where nobody does, or has not yet said who it is."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | _SAFELY)
    except OSError:
        return None
    try:
        is_plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        is_held = is_plain and not _locks(descriptor, folder / LOCK, shared=True)
        return _said(folder / LOCK) if is_held else None
    finally:
        os.close(descriptor)


def check_free(folder: Path) -> None:
    """Raises InUse where another process writes in ``folder``, before much is done in vain."""
    owner = owner_of(folder)
    if owner:
        raise InUse(folder, owner)


_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def _taken(path: Path) -> int | None:
    """The open file of a lock that is now this process's; None where another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _SAFELY, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UserError(f"{path} is not a plain file: remove it.")
        if _locks(descriptor, path) and _is_at(descriptor, path):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _locks(descriptor: int, path: Path, shared: bool = False) -> bool:
    """Lock the open file of this name, if nobody else has; return whether it could be done."""
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(descriptor, FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            return False
        said = _said(path)
        return said is None or said.process == os.getpid() or not said.is_alive
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one of this name: its last owner may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _said(path: Path) -> Owner | None:
    """Whoever wrote the file last."""
    try:
        return read_json(path, Owner, MOST_BYTES)
    except (OSError, UserError):
        return None


def _plain(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]
