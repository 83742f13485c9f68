"""One run, killed 200 times at random instants, also while it saves: is anything lost?

A kill loses something when afterwards no checkpoint or no model can be loaded, or the newest checkpoint is
older than one that was reported as saved. In the end the weights must be those of a run that nobody killed.

OMP_NUM_THREADS=1 python benchmarks/kills.py
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

from fogcatcher.base.errors import UserError
from fogcatcher.model.model import load
from fogcatcher.runs import follow as run_follow
from fogcatcher.runs import log as run_log
from fogcatcher.runs import record as run_record
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.previews import Preview
from fogcatcher.runs.record import Run
from fogcatcher.runs.setup import Setup
from fogcatcher.training.checkpoints import KEPT, load_newest_state, save_state
from fogcatcher.training.fit import TrainingState

KILLS = 200
STEPS = 1000
LONGEST = 1.0
"""Seconds of the longest life, counted from when it begins to train."""


def new_run(folder: Path, data: str) -> Run:
    return prepare(Setup(data, folder, steps=STEPS, width=16, batch_size=2))


def live(folder: Path, data: str, report: Callable[[str], object]) -> None:
    """Train to the end, from wherever the run is; report before and after each checkpoint."""

    def save(state: TrainingState, place: Path, keep: int = KEPT) -> None:
        report(f"saving {state.step}")
        save_state(state, place, keep)
        report(f"saved {state.step}")

    run_follow.save_state = run_record.save_state = save
    # Previews would take longer than most lives; what is lost of one is drawn again.
    Preview.add = lambda *arguments: None  # type: ignore[method-assign]
    run_log.LOG_EVERY = 1  # a checkpoint comes only after a line of the log: now after every step
    exists = (folder / "config.json").exists()
    run = resume(folder, data) if exists else new_run(folder, data)
    report("ready")
    for _ in follow(run, checkpoint_seconds=0):
        pass


def life(folder: Path, data: str, seconds: float | None) -> list[str]:
    """Let a child train for so long, or to its end; return what it reported."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reading)
            live(folder, data, lambda line: os.write(writing, f"{line}\n".encode()))
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        reported = [pipe.readline().strip()]
        if seconds is not None:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        reported += pipe.read().splitlines()
    status = os.waitpid(child, 0)[1]
    if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
        reported.append("failed")
    return reported


def loaded_step(folder: Path, state: TrainingState) -> int:
    """Return the step of the newest checkpoint, and -1 where it, or the model, cannot be loaded."""
    try:
        load_newest_state(state, folder / "state")
        load(folder)
    except (FileNotFoundError, UserError):
        return -1
    return state.step


def tensors(folder: Path) -> list[torch.Tensor]:
    """Return all numbers of the finished run: the model, and weights, averages and optimisers."""
    files = (folder / "model.safetensors", folder / f"state/step-{STEPS:09d}.safetensors")
    return [tensor for file in files for _, tensor in sorted(load_file(file).items())]


def main() -> None:
    torch.set_num_threads(1)
    chance, lost, in_saves, saved = random.Random(0), 0, 0, -1
    with tempfile.TemporaryDirectory() as place:
        data, killed, whole = Path(place, "data"), Path(place, "killed"), Path(place, "whole")
        data.mkdir()
        for i in range(20):
            Image.new("RGB", (8, 8), (12 * i, 0, 200)).save(data / f"{i}.png")
        # Nothing is trained here: a process that has used autograd must not fork.
        state = new_run(whole, str(data)).state
        for _ in range(KILLS):
            reported = life(killed, str(data), chance.uniform(0, LONGEST))
            saved = max([saved, *(int(line[6:]) for line in reported if line.startswith("saved "))])
            in_saves += bool(reported) and reported[-1].startswith("saving ")
            began = (killed / "config.json").exists()
            lost += "failed" in reported or (began and loaded_step(killed, state) < saved)
        print(f"{in_saves} kills inside a save; step {saved} of {STEPS} reached", file=sys.stderr)
        life(killed, str(data), None)
        life(whole, str(data), None)
        equal = all(a.equal(b) for a, b in zip(tensors(killed), tensors(whole), strict=True))
        left = [path for path in killed.rglob(".*") if path.is_file()]
        print(f"{KILLS} kills, {lost} lost, final weights equal: {equal}; leftovers: {len(left)}")


if __name__ == "__main__":
    main()
