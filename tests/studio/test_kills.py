"""Workers and services that are killed at any moment: no job is lost, none is done twice, states are true."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors.torch import load_file

from fogcatcher.base.lock import owner_of
from fogcatcher.runs.log import read_rows
from fogcatcher.studio.jobs import LANES
from fogcatcher.studio.worker import lane_folder
from fogcatcher.studio.workspace import Workspace
from tests.studio.service import Client, serving

ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}
TRAIN = {
    "data": "builtin",
    "limit": 40,
    "name": "run",
    "size_of_model": "tiny",
    "start_from": "none",
    "seed": 5,
}


@contextmanager
def program(root: Path):
    """The command itself; yields its process and a client of it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fogcatcher", "studio", str(root), "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
        env=ALONE,
    )
    assert process.stdout
    line = process.stdout.readline()
    try:
        yield process, Client(int(line.rstrip().rstrip("/").rpartition(":")[2]), root)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def end_workers(root: Path) -> None:
    workspace = Workspace.at(root)
    for lane in LANES:
        owner = owner_of(lane_folder(workspace, lane))
        if owner:
            os.kill(owner.process, signal.SIGKILL)


def test_a_drawing_is_cancelled_within_a_step_and_leaves_nothing(studio):
    number = studio.job("draw", model="shipped.sprites", count=64, settings={"steps": 1000})
    events = studio.events()
    events.until("preview", lambda data: data["job"] == number and data["step"] >= 2)
    before = {path.name for path in (studio.root / "drawings").iterdir()}
    studio.post(f"/api/jobs/{number}/cancel")
    heard = events.until("job", lambda job: job["id"] == number and job["state"] == "cancelled")
    events.close()
    steps = [data["step"] for _, kind, data in heard if kind == "preview" and data["job"] == number]
    asked = next(i for i, (_, kind, job) in enumerate(heard) if kind == "job" and job["id"] == number)
    assert asked >= 0 and (not steps or steps[-1] < 1000)
    assert {path.name for path in (studio.root / "drawings").iterdir()} == before
    assert not list((studio.root / ".studio/work").glob(f"job-{number}*"))
    assert studio.get(f"/api/jobs/{number}")["result"] is None


@pytest.mark.slow
def test_a_training_pauses_goes_on_stops_and_is_cancelled(studio):
    def steps_seen(number, least):
        events = studio.events()
        events.until("training", lambda data: data["step"] >= least)
        events.close()

    number = studio.job("train", **TRAIN | {"name": "paused"}, steps=100_000)
    steps_seen(number, 2)
    studio.post(f"/api/jobs/{number}/pause")
    assert studio.wait(number)["state"] == "paused"
    row = studio.get("/api/models/paused")
    assert row["state"] == "paused" and row["step"] >= 2
    drawn = studio.job("draw", model="paused", seeds=[1], settings={"steps": 2})
    assert len(studio.done(drawn)["pictures"]) == 1
    studio.post(f"/api/jobs/{number}/continue")
    steps_seen(number, row["step"] + 2)
    studio.post(f"/api/jobs/{number}/stop")
    assert studio.wait(number)["state"] == "done"
    rows = read_rows(studio.root / "runs/paused/metrics.jsonl")
    assert [r["step"] for r in rows] == sorted({r["step"] for r in rows})

    number = studio.job("train", **TRAIN | {"name": "unwanted"}, steps=100_000)
    steps_seen(number, 1)
    studio.post(f"/api/jobs/{number}/cancel")
    job = studio.wait(number)
    assert job["state"] == "cancelled" and not (studio.root / "runs/unwanted").exists()
    studio.post(f"/api/bin/{job['result']['undo']}/restore")
    assert studio.get("/api/models/unwanted")["state"] == "paused"


def test_what_waits_can_be_moved_cancelled_and_done_again(tmp_path):
    with serving(tmp_path, workers=False) as client:
        a, b, c = (client.job("draw", model="shipped.sprites", seeds=[k]) for k in range(3))
        client.post(f"/api/jobs/{c}/move", {"before": a})
        client.post(f"/api/jobs/{a}/move", {"before": None})
        places = {job["id"]: job["position"] for job in client.get("/api/jobs")}
        assert places == {c: 0, b: 1, a: 2}
        assert client.post(f"/api/jobs/{b}/cancel")["state"] == "cancelled"
        assert client.post(f"/api/jobs/{a}/pause")["state"] == "paused"
        assert client.post(f"/api/jobs/{a}/continue")["position"] == 0
        again = client.post(f"/api/jobs/{b}/retry")
        assert again["state"] == "queued" and again["request"] == client.get(f"/api/jobs/{b}")["request"]
        assert client.refused("POST", f"/api/jobs/{b}/cancel")[0] == 400
        assert client.refused("POST", "/api/jobs/99/cancel")[0] == 404


@pytest.mark.slow
def test_a_second_studio_on_a_folder_says_so(tmp_path):
    with program(tmp_path) as (_, client):
        second = subprocess.run(
            [sys.executable, "-m", "fogcatcher", "studio", str(tmp_path), "--no-browser"],
            capture_output=True,
            text=True,
            env=ALONE,
            timeout=120,
        )
        assert second.returncode == 2 and second.stderr.count("\n") == 1
        assert f"http://127.0.0.1:{client.port}/" in second.stderr and "open already" in second.stderr
    end_workers(tmp_path)


KILLS = 6
"""More of them, 40, are a minute's work of benchmarks/studio_kills.py."""


@pytest.mark.slow
def test_kills_lose_nothing_and_repeat_nothing(tmp_path):
    killed_at_random(tmp_path, KILLS, seed=1)


def killed_at_random(tmp_path: Path, kills: int, seed: int) -> None:
    """Kill workers and services at random while a training and ten drawings wait; then look at everything."""
    root, chance = tmp_path / "killed", random.Random(seed)
    workspace = Workspace.at(root)
    with program(root) as (_, client):
        steps = 30
        train = client.job("train", **TRAIN, steps=steps)
        drawings = [
            client.job("draw", model="shipped.sprites", seeds=[k, k + 100], settings={"steps": 3})
            for k in range(10)
        ]
    done = 0
    while done < kills:
        with program(root) as (process, client):
            while done < kills:
                time.sleep(chance.uniform(0.2, 4.0))
                done += 1
                victim = chance.choice(["service", *LANES])
                if victim == "service":
                    process.kill()
                    break
                owner = owner_of(lane_folder(workspace, victim))
                if owner:
                    os.kill(owner.process, signal.SIGKILL)
    with program(root) as (_, client):
        assert [job["id"] for job in client.get("/api/jobs")] == [train, *drawings]
        folders = [client.done(number, 300)["folder"] for number in drawings]
        assert client.done(train, 300) == {"model": "run"}
    end_workers(root)
    assert len(set(folders)) == 10
    assert sorted(f"drawings/{path.name}" for path in (root / "drawings").iterdir()) == sorted(folders)
    for number, folder in enumerate(folders):
        names = {path.name for path in (root / folder).iterdir()}
        assert names == {f"{number:05d}.png", f"{number + 100:05d}.png", "sheet.png"}
    assert sorted(path.name for path in (root / "runs").iterdir()) == ["run"]
    with program(tmp_path / "unbroken") as (_, client):  # on as many threads, or the last bits would differ
        client.done(client.job("train", **TRAIN, steps=steps), 300)
    end_workers(tmp_path / "unbroken")
    for name in ("model.safetensors",):
        broken, whole = (load_file(where / "runs/run" / name) for where in (root, tmp_path / "unbroken"))
        assert all(bool((broken[key] == value).all()) for key, value in whole.items())
