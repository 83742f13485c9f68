"""A folder is one process's at a time, until that process ends in whatever way."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fogcatcher.base import lock
from fogcatcher.base.errors import UserError
from fogcatcher.base.lock import LOCK, InUse, check_free, locked, owner_of

HOLD = """
import sys, pathlib
from fogcatcher.base.lock import locked
with locked(pathlib.Path(sys.argv[1]), "train"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder until it is told to end."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline().strip() == b"held"
    yield child
    child.kill()
    child.communicate()


def test_the_second_is_refused_and_told_who_is_first(tmp_path, holder):
    owner = owner_of(tmp_path)
    assert owner and (owner.process, owner.machine) == (holder.pid, socket.gethostname())
    said = f"{tmp_path} is in use by process {holder.pid} on {owner.machine} (train, since {owner.since} UTC)"
    for act in (lambda: check_free(tmp_path), lambda: locked(tmp_path, "train").__enter__()):
        with pytest.raises(InUse) as refused:
            act()
        assert str(refused.value).startswith(said) and refused.value.owner == owner
    holder.communicate(b"")
    assert owner_of(tmp_path) is None and not list(tmp_path.iterdir())


def test_a_killed_process_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK).exists() and owner_of(tmp_path) is None
    with locked(tmp_path, "train") as mine:
        assert owner_of(tmp_path) == mine and mine.process == os.getpid()
    assert not list(tmp_path.iterdir())


def test_one_process_is_not_two(tmp_path):
    """Threads of a server train beside each other."""
    with locked(tmp_path / "new", "train"), pytest.raises(InUse), locked(tmp_path / "new", "train"):
        pass
    with locked(tmp_path / "new", "train"):
        pass


def test_a_lock_that_its_owner_removes_at_that_moment_is_not_taken(tmp_path, monkeypatch):
    """Else one process would hold a file that is gone, and another one the new file."""
    removed, locks = [], lock._locks

    def removes(descriptor, path, shared=False):
        if not removed:
            removed.append(path.unlink())
        return locks(descriptor, path, shared)

    monkeypatch.setattr(lock, "_locks", removes)
    with locked(tmp_path, "train") as mine:
        assert removed and owner_of(tmp_path) == mine


@pytest.mark.parametrize(("alive", "free"), [(True, False), (False, True)])
def test_without_locks_of_the_file_system_a_living_process_counts(tmp_path, monkeypatch, alive, free):
    import fcntl

    def none(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    if not alive:
        child.kill()
        child.wait()
    fact = {"process": child.pid, "machine": socket.gethostname(), "since": "now", "command": "train"}
    (tmp_path / LOCK).write_text(json.dumps(fact))
    assert (owner_of(tmp_path) is None) == free
    child.communicate(b"\n")


def test_a_lock_of_a_stranger_is_neither_followed_nor_waited_for(tmp_path):
    folder, precious = tmp_path / "run", tmp_path / "precious"
    folder.mkdir()
    precious.write_text("mine")
    (folder / LOCK).symlink_to(precious)
    with pytest.raises(OSError, match=LOCK), locked(folder, "train"):
        pass
    assert precious.read_text() == "mine" and owner_of(folder) is None
    (folder / LOCK).unlink()
    os.mkfifo(folder / LOCK)
    with pytest.raises(UserError, match="not a plain file"), locked(folder, "train"):
        pass
    assert owner_of(folder) is None


@pytest.mark.parametrize("said", ["", "{", "[]", '{"process": 1}', '{"process": "\\u001b[31m"}'])
def test_a_lock_that_says_nothing_still_holds(tmp_path, said):
    with locked(tmp_path, "train"):
        Path(tmp_path, LOCK).write_text(said)
        assert owner_of(tmp_path) is None
        with pytest.raises(InUse, match="by another process"), locked(tmp_path, "train"):
            pass
