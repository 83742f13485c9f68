"""What is checked while a model trains, on models whose worth is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.spec import to_model
from fogcatcher.diffusion.denoiser import Denoiser, PredictX0
from fogcatcher.diffusion.exact import dataset_denoiser
from fogcatcher.judging.checks import CHECKS, Check, Monitor, best_of, reason_to_stop
from fogcatcher.model.model import Model, load
from fogcatcher.runs.follow import follow
from fogcatcher.runs.log import RowLog, read_rows
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from tests.drawn_sprites import sprites

STEPS = 1400
"""About as few as are checked: 0.05 x 3 x 1,400 x 32 passes are 33 pictures in each of 10 checks."""


def check(step: int, held_out: float | None, chance: float | None = 1.0) -> Check:
    return Check(step, 0.1, 0.0, chance, 0.5, held_out)


def test_the_best_check_has_the_lowest_held_out_loss_and_the_first_of_equals():
    assert best_of([]) is None and best_of([check(1, None)]) is None
    checks = [check(1, 0.5), check(2, 0.3), check(3, 0.4), check(4, 0.3)]
    assert best_of(checks) is checks[1]


def test_training_stops_after_three_checks_without_a_lower_loss_or_at_copies():
    falling = [check(step, 1 / step) for step in range(1, 9)]
    assert reason_to_stop(falling) == "" and reason_to_stop([]) == ""
    rising = [check(1, 0.5), check(2, 0.3), *(check(step, 0.4) for step in (3, 4))]
    assert reason_to_stop(rising) == ""
    assert reason_to_stop([*rising, check(5, 0.4)]) == "the held-out loss has not fallen since step 2"
    assert "copies of training pictures" in reason_to_stop([check(1, 0.5), check(2, 0.4, chance=1e-6)])
    assert reason_to_stop([check(1, None), check(2, None), check(3, None), check(4, None)]) == ""


def test_a_log_drops_what_came_after_the_step_it_is_opened_at(tmp_path):
    log = RowLog(tmp_path / "checks.jsonl", 0)
    assert not (tmp_path / "checks.jsonl").exists()
    for step in (10, 20, 30):
        log.add({"step": step})
    with open(tmp_path / "checks.jsonl", "a") as file:
        file.write('{"step": 4')  # a crash cut it short
    assert [row["step"] for row in RowLog(tmp_path / "checks.jsonl", 20).rows] == [10, 20]
    assert [row["step"] for row in read_rows(tmp_path / "checks.jsonl")] == [10, 20]


@pytest.fixture
def run(tmp_path):
    """Of few small pictures, a third of them held out."""
    pictures = sprites(60).permute(0, 2, 3, 1).numpy()[:, ::2, ::2]
    np.savez(tmp_path / "pictures.npz", pictures=pictures)
    options = DataOptions(hold_out=0.33)
    setup = Setup(str(tmp_path / "pictures.npz"), tmp_path / "run", steps=STEPS, options=options)
    return prepare(setup)


def test_checks_stand_at_ten_steps_known_beforehand(run):
    plan = run.config.training
    monitor = Monitor(run.config.kind, run.dataset, run.parts, run.objective, plan)
    assert monitor.due == [140 * k for k in range(1, 11)] and len(monitor.due) == CHECKS
    # Twice as many steps, half-way: what was checked stays, and none comes soon after the last.
    monitor.plan(replace(plan, steps=2 * plan.steps), plan.steps // 2)
    fives, last = [plan.steps * k // 10 for k in (1, 2, 3, 4, 5)], 2 * plan.steps
    assert monitor.due == [*fives, *(last * k // 10 for k in (4, 5, 6, 7, 8, 9, 10))]
    short = Monitor(run.config.kind, run.dataset, run.parts, run.objective, type(plan)(steps=100))
    assert short.due == []


def test_a_model_that_knows_only_its_training_pictures_is_seen(run):
    """The exact denoiser of the training set draws copies, and its loss is low there and high elsewhere."""
    pictures = run.dataset.rows[run.parts.train.unique()]
    exact = dataset_denoiser(run.model.denoiser.process, to_model(pictures))

    class Copyist(Denoiser):
        def forward(self, x_t, t, cond=None):
            return exact(x_t, t)

    network, process, preconditioning = run.state.denoiser.network, exact.process, PredictX0()
    copyist = Model(Copyist(network, process, preconditioning), run.config, run.conditions)
    monitor = Monitor(run.config.kind, run.dataset, run.parts, run.objective, run.config.training)
    learnt = monitor.check(1, copyist)
    untrained = monitor.check(1, run.model)
    assert learnt.copied == 1.0 and learnt.is_copying and untrained.copied == 0.0
    assert learnt.held_out_loss and untrained.held_out_loss
    assert learnt.training_loss < learnt.held_out_loss / 5
    assert learnt.kernel_distance is not None and untrained.kernel_distance is not None
    assert learnt.kernel_distance < untrained.kernel_distance / 5


@pytest.mark.slow
def test_a_run_is_checked_and_keeps_its_best_weights(run, monkeypatch):
    """Checks of known figures: the second is best, and the fifth ends the run on request."""
    found = iter([0.5, 0.3, 0.4, 0.4, 0.4])
    saved = {}

    def scripted(self: Monitor, step: int, model: Model) -> Check:
        saved[step] = {name: value.clone() for name, value in model.denoiser.state_dict().items()}
        return check(step, next(found))

    monkeypatch.setattr(Monitor, "check", scripted)
    monkeypatch.setattr("fogcatcher.judging.checks.CHECKS", 350)  # every fourth step
    monkeypatch.setattr("fogcatcher.judging.checks.FEWEST", 0)
    monkeypatch.setattr("fogcatcher.runs.record.MOST_CHECKING", 1.0)  # a busy machine leaves none out
    *_, last = follow(run, stop_early=True)
    assert last.step == 20 and "since step 8" in run.stopped
    assert [row["held_out_loss"] for row in read_rows(run.folder / "checks.jsonl")] == [
        0.5,
        0.3,
        0.4,
        0.4,
        0.4,
    ]
    kept, newest = load(run.folder, best=True), load(run.folder)
    assert all(value.equal(saved[8][name]) for name, value in kept.denoiser.state_dict().items())
    assert all(value.equal(saved[20][name]) for name, value in newest.denoiser.state_dict().items())
    again = resume(run.folder, run.config.data.path)
    found = iter([0.2])
    steps = follow(again)
    assert next(steps).step == 21 and len(again.checks) == 5
    steps.close()


@pytest.mark.slow
def test_a_run_without_checks_has_no_best_weights(tmp_path):
    np.savez(tmp_path / "pictures.npz", pictures=sprites(4).permute(0, 2, 3, 1).numpy())
    list(follow(prepare(Setup(str(tmp_path / "pictures.npz"), tmp_path / "run", steps=1))))
    with pytest.raises(UserError, match=r"no best\.safetensors"):
        load(tmp_path / "run", best=True)


@pytest.mark.slow
def test_checks_are_printed_and_stand_in_the_report(run, capsys):
    rows = [check(step, 1 / step).to_json() for step in (140, 280)]
    folder = run.folder
    steps = follow(run)
    next(steps)
    steps.close()
    (folder / "checks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    main(["evaluate", str(folder), "--samples", "20", "--steps", "2", "--quick"])
    page = (folder / "evaluation" / "report.html").read_text()
    assert "While training" in page and "held out: 140, 0.007143" in page
