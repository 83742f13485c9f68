"""Two processes and one run: the second is refused before it changes anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.base.lock import InUse, locked, owner_of
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.record import Run
from fogcatcher.runs.setup import Setup
from tests.commands import refused
from tests.small_trainings import save_pictures


@pytest.fixture(autouse=True)
def blind(monkeypatch):
    """No previews and no checks, which take longer than these trainings."""
    monkeypatch.setattr("fogcatcher.runs.previews.Preview.add", lambda *arguments: None)
    monkeypatch.setattr("fogcatcher.runs.record.Record._has_time_to_check", lambda *arguments: False)


@pytest.fixture
def data(tmp_path) -> str:
    save_pictures(tmp_path / "data", 8)
    return str(tmp_path / "data")


def small_run(data: str, folder: Path, steps: int = 30) -> Run:
    return prepare(Setup(data, folder, steps=steps, width=16, batch_size=4))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_live_run_is_neither_resumed_nor_begun_again(data, tmp_path, capsys):
    folder = tmp_path / "run"
    steps, late = follow(small_run(data, folder)), small_run(data, folder)
    for _ in range(12):
        next(steps)
    owner, before = owner_of(folder), contents(folder)
    assert owner and (owner.process, owner.command) == (os.getpid(), "train")
    with pytest.raises(InUse):
        next(follow(late))
    said = refused("train", data, "--out", str(folder), "--resume", capsys=capsys)
    assert f"is in use by process {os.getpid()}" in said and "--out" in said
    assert contents(folder) == before
    assert [progress.step for progress in steps] == list(range(13, 31))
    assert owner_of(folder) is None and not (folder / ".fogcatcher.lock").exists()


@pytest.mark.slow
def test_what_another_trained_meanwhile_is_not_undone(data, tmp_path):
    """Made ready at step 12; before it starts, another process goes on to step 30."""
    folder = tmp_path / "run"
    first, never = small_run(data, folder), small_run(data, folder)
    steps = follow(first)
    while next(steps).step < 12:
        pass
    steps.close()
    late = resume(folder, data)
    list(follow(resume(folder, data)))
    before = contents(folder)
    for run in (late, never):
        with pytest.raises(UserError, match="was trained by another process meanwhile"):
            next(follow(run))
    assert contents(folder) == before


def test_a_run_object_is_followed_again(data, tmp_path):
    run = small_run(data, tmp_path / "run", 12)
    steps = follow(run)
    next(steps)
    steps.close()
    assert [progress.step for progress in follow(run)] == list(range(2, 13))


def test_two_classifiers_are_not_trained_into_one_folder(tmp_path, capsys):
    from fogcatcher.model.model import load

    load("sprites").save(tmp_path)
    with locked(tmp_path / "classifier", "train-classifier"):
        said = refused("train-classifier", str(tmp_path), capsys=capsys)
    assert "(train-classifier, since" in said


@pytest.mark.slow
def test_of_two_commands_at_once_one_trains_and_one_says_why_not(data, tmp_path):
    command = [sys.executable, "-m", "fogcatcher", "train", data, "--out", str(tmp_path / "run")]
    options = ["--steps", "20", "--size-of-model", "tiny", "--batch-size", "4"]
    both = [subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [child.communicate()[1] for child in both]
    assert sorted(child.returncode for child in both) == [0, 2]
    (why,) = [text for child, text in zip(both, said, strict=True) if child.returncode]
    assert why.startswith("fogcatcher: ") and why.count("\n") == 1
    assert "is in use by process" in why or "already holds a run" in why or "meanwhile" in why
