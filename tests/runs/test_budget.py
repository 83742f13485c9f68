"""A time budget is kept, whatever else the machine does; and steps stay what their number says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from fogcatcher.base.errors import UserError
from fogcatcher.runs.budget import CORRECTIONS, Budget
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from fogcatcher.training.fit import Plan


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def played(
    plan: Plan, asked: float, step: Callable[[float], float], between: float = 0.0, at_end: float = 0.0
) -> tuple[float, Plan]:
    """How long a run takes whose steps take ``step(time)`` seconds, and every twentieth ``between`` more."""
    clock = Clock()
    budget, done = Budget(asked, at_end=at_end, clock=clock), 0
    while done < plan.steps:
        seconds = step(clock.now)
        clock.now += seconds
        budget.add(seconds)
        done += 1
        if done % 20 == 0:
            clock.now += between
        if done % max(1, plan.steps // CORRECTIONS) == 0:
            plan = replace(plan, steps=budget.steps(plan, done))
    return clock.now + at_end, plan


@pytest.mark.parametrize("asked", [60.0, 180.0, 600.0])
@pytest.mark.parametrize("guess", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("between", [0.0, 1.0])
def test_the_time_is_kept_from_a_wrong_guess_and_with_work_between_steps(asked, guess, between):
    took, _ = played(Plan(steps=int(guess * asked / 0.1)), asked, lambda now: 0.1, between)
    assert took == pytest.approx(asked, rel=0.05)


def test_what_is_done_after_the_last_step_is_kept_free():
    took, _ = played(Plan(steps=400), 60.0, lambda now: 0.5, at_end=7.0)
    assert took == pytest.approx(60, rel=0.03)


@pytest.mark.parametrize("turned", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_time_is_kept_where_the_machine_becomes_busy_or_quiet(turned, factor):
    took, _ = played(Plan(steps=6000), 600.0, lambda now: 0.1 if now < 600 * turned else 0.1 * factor)
    assert took == pytest.approx(600, rel=0.05)


def test_the_number_of_steps_stands_once_the_rate_falls():
    plan = Plan(steps=100, fall=0.3)
    clock = Clock()
    budget = Budget(1000.0, clock=clock)
    for _ in range(70):
        clock.now += 1.0
        budget.add(1.0)
    assert budget.steps(plan, 69) == 69 + 930
    assert budget.steps(plan, plan.falls_from) == 100


@pytest.fixture
def few(tmp_path):
    np.save(tmp_path / "few.npy", np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), np.uint8))
    return tmp_path / "few.npy"


def setup(data: Path, name: str, **choices: object) -> Setup:
    return Setup(str(data), data.with_name(name), size_of_model="tiny", **choices)  # type: ignore[arg-type]


def weights(folder: Path) -> dict[str, object]:
    return {
        name: tensor.numpy().tobytes() for name, tensor in load_file(folder / "model.safetensors").items()
    }


@pytest.mark.slow
def test_a_timed_run_given_again_by_its_steps_has_the_same_weights(few):
    run = prepare(setup(few, "timed", minutes=0.12))
    list(follow(run))
    steps = json.loads((run.folder / "config.json").read_text())["training"]["steps"]
    assert steps == run.state.step
    again = prepare(setup(few, "again", steps=steps))
    list(follow(again))
    assert weights(run.folder) == weights(again.folder)


@pytest.mark.slow
def test_a_finished_run_goes_on_for_so_many_steps_more(few):
    run = prepare(setup(few, "run", steps=20))
    list(follow(run))
    more = resume(run.folder, str(few), steps=10)
    assert (more.config.training.steps, more.config.training.ends) == (30, (20,))
    list(follow(more))
    assert more.state.step == 30


@pytest.mark.slow
def test_an_interrupted_run_goes_to_its_planned_end_whatever_is_asked(few):
    half = prepare(setup(few, "half", steps=20))
    steps = follow(half)
    for _ in range(5):
        next(steps)
    steps.close()
    later = resume(half.folder, str(few), steps=25)
    assert (later.config.training.steps, later.config.training.ends) == (20, ())
    list(follow(later))
    whole = prepare(setup(few, "whole", steps=20))
    list(follow(whole))
    assert weights(half.folder) == weights(whole.folder)


@pytest.mark.slow
def test_going_on_asks_for_a_length_that_can_be(few):
    run = prepare(setup(few, "run", steps=2))
    list(follow(run))
    with pytest.raises(UserError, match="not both"):
        resume(run.folder, str(few), minutes=1, steps=1)
    with pytest.raises(UserError, match="steps must be a whole number from 1"):
        resume(run.folder, str(few), steps=0)
    with pytest.raises(UserError, match=r"minutes must be a number from 0\.000001"):
        resume(run.folder, str(few), minutes=-1)
