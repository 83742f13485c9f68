"""The training loop: what it learns, its averages, its order of pictures, and going on after a kill."""

import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import Category, ConditionSpec
from fogcatcher.diffusion.exact import gaussian_denoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import EDMSchedule
from fogcatcher.model.presets import PRESETS
from fogcatcher.runs.follow import follow
from fogcatcher.runs.log import read_rows
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.previews import Preview
from fogcatcher.runs.setup import Setup
from fogcatcher.training.batches import Batches
from fogcatcher.training.checkpoints import load_newest_state, save_state
from fogcatcher.training.ema import PowerEMA
from fogcatcher.training.fit import Plan, fit
from fogcatcher.training.setbacks import Diverged
from tests.small_trainings import OBJECTIVE, affine_state, grey_data, losses_of, save_pictures, table


@pytest.mark.slow
def test_training_finds_the_exact_denoiser():
    """On independent Gaussian pixels the best denoiser is known; the EMA of a short run comes close."""
    plan = Plan(steps=600, batch_size=64, learning_rate=0.02, weight_decay=0.0)
    state = affine_state(plan)
    for _ in fit(state, Batches(grey_data(), {}), OBJECTIVE, plan):
        pass
    exact = gaussian_denoiser(Process(EDMSchedule()), torch.full((1, 8, 8), 0.2), 0.3)
    for sigma in (0.1, 0.3, 1.0, 3.0):
        t = torch.full((16,), sigma / 80, dtype=torch.float64)
        x0 = 0.2 + 0.3 * torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(1))
        x_t = x0 + sigma * torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            error = (state.ema.denoiser(x_t, t) - exact(x_t, t)).square().mean().sqrt().item()
        assert error < 0.03  # a tenth of the data's deviation


def test_ema_of_constant_weights_stays_bit_equal_and_follows_the_power_function():
    denoiser = affine_state(Plan(steps=1)).denoiser
    with torch.no_grad():
        table(denoiser).normal_(generator=torch.Generator().manual_seed(0))
    ema = PowerEMA(denoiser, 6.94)
    for _ in range(50):
        ema.update(denoiser)
    assert table(ema.denoiser).equal(table(denoiser))
    # Weights w_n = n: their average under t^gamma over [0, N] is N (gamma + 1) / (gamma + 2).
    denoiser, ema = denoiser.double(), PowerEMA(denoiser.double(), 6.94)
    for n in range(1, 5001):
        with torch.no_grad():
            table(denoiser).fill_(n)
        ema.update(denoiser)
    assert table(ema.denoiser)[0, 0].item() / 5000 == pytest.approx(7.94 / 8.94, rel=1e-3)


@pytest.mark.parametrize("n", [1, 3, 20, 64, 100])
def test_every_pass_shows_every_picture_once(n: int):
    batches = Batches(torch.zeros(n, 1, 8, 8, dtype=torch.uint8), {}, seed=5)
    steps = 3 * n
    order = torch.cat([batches.indices(step, 64) for step in range(steps)])
    assert len(order) == steps * 64
    for number in range(len(order) // n):
        assert order[number * n : (number + 1) * n].sort().values.equal(torch.arange(n))
    again = Batches(batches.data, {}, seed=5)
    assert again.indices(steps - 1, 64).equal(order[-64:])  # needs no history
    if n > 3:
        assert not Batches(batches.data, {}, seed=6).indices(0, 64).equal(order[:64])


def test_learning_rate_rises_holds_and_falls_along_a_cosine_at_the_end():
    plan = Plan(steps=1000, learning_rate=1.0, warmup=50, fall=0.4)
    rates = [plan.learning_rate_at(step) for step in range(1000)]
    assert rates[:50] == [(step + 1) / 51 for step in range(50)]
    assert set(rates[50:601]) == {1.0} and plan.falls_from == 600
    # (1 + cos(pi p)) / 2 at p = 1/4, 1/2, 3/4
    assert [rates[step] for step in (700, 800, 900)] == pytest.approx([0.8535534, 0.5, 0.1464466])
    assert 0 < rates[-1] < 2e-5


def test_the_learning_rate_of_a_step_before_the_fall_does_not_depend_on_how_many_follow():
    short, long = Plan(steps=300), Plan(steps=1234)
    assert all(
        short.learning_rate_at(step) == long.learning_rate_at(step) for step in range(short.falls_from)
    )
    assert short.learning_rate_at(short.falls_from + 1) < long.learning_rate_at(short.falls_from + 1)


def test_a_plan_that_goes_on_rises_and_falls_again_and_leaves_what_was():
    first = Plan(steps=200, warmup=10)
    both = replace(first, steps=500, ends=(200,))
    rates = [both.learning_rate_at(step) for step in range(500)]
    assert rates[:200] == [first.learning_rate_at(step) for step in range(200)]
    second = Plan(steps=300, warmup=10)
    assert rates[200:] == [second.learning_rate_at(step) for step in range(300)]
    assert both.falls_from == 200 + second.falls_from


def test_a_fall_of_all_steps_is_the_cosine_of_older_runs_to_the_bit():
    plan = Plan(steps=997, learning_rate=2.5e-3, warmup=99, fall=1.0)
    for step in range(997):
        rise = min(1.0, (step + 1) / 100)
        assert plan.learning_rate_at(step) == 2.5e-3 * rise * (1 + math.cos(math.pi * step / 997)) / 2


def test_progress_comes_after_the_step_and_the_ema():
    plan = Plan(steps=3, batch_size=4)
    state = affine_state(plan)
    before = table(state.denoiser).detach().clone()
    progress = next(fit(state, Batches(grey_data(8), {}), OBJECTIVE, plan))
    assert (progress.step, state.step, state.ema.updates) == (1, 1, 1)
    assert not table(state.denoiser).equal(before)
    assert table(state.ema.denoiser).equal(table(state.denoiser))  # beta_1 = 0


def test_steps_whose_loss_is_no_number_leave_the_weights_and_the_fifth_in_a_row_ends():
    plan = Plan(steps=9, batch_size=4)
    state = affine_state(plan)
    with torch.no_grad():
        table(state.denoiser)[:] = float("nan")
    before = table(state.denoiser).detach().clone()
    steps = fit(state, Batches(grey_data(8), {}), OBJECTIVE, plan)
    assert [next(steps).skipped for _ in range(5)] == ["the loss is nan"] * 5
    with pytest.raises(Diverged, match="5 steps in a row, up to 5"):
        next(steps)
    torch.testing.assert_close(table(state.denoiser), before, equal_nan=True)


def test_checkpoint_brings_back_everything(tmp_path):
    plan = Plan(steps=20, batch_size=8)
    batches = Batches(grey_data(30), {})
    straight, broken = affine_state(plan), affine_state(plan)
    losses = [p.loss for p in fit(straight, batches, OBJECTIVE, plan)]
    for progress in fit(broken, batches, OBJECTIVE, plan):
        if progress.step == 8:
            break
    save_state(broken, tmp_path)
    fresh = affine_state(plan)
    assert load_newest_state(fresh, tmp_path) == []
    assert [p.loss for p in fit(fresh, batches, OBJECTIVE, plan)] == losses[8:]
    assert table(fresh.denoiser).equal(table(straight.denoiser))
    assert table(fresh.ema.denoiser).equal(table(straight.ema.denoiser))


def test_a_torn_checkpoint_is_passed_over_with_a_notice(tmp_path):
    plan = Plan(steps=20, batch_size=8)
    state = affine_state(plan)
    for progress in fit(state, Batches(grey_data(30), {}), OBJECTIVE, plan):
        if progress.step in (4, 9):
            save_state(state, tmp_path)
    newest = sorted(tmp_path.glob("step-*"))[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    fresh = affine_state(plan)
    (notice,) = load_newest_state(fresh, tmp_path)
    assert fresh.step == 4 and newest.name in notice


# --- whole runs, on folders ---------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 3, 20])
@pytest.mark.slow
def test_a_data_set_smaller_than_the_batch_trains_the_asked_steps(tmp_path, n):
    save_pictures(tmp_path / "data", n)
    run = prepare(Setup(str(tmp_path / "data"), tmp_path / "run", steps=5, width=16))
    assert [p.step for p in follow(run)] == [1, 2, 3, 4, 5]
    assert read_rows(tmp_path / "run" / "metrics.jsonl")[-1]["step"] == 5
    assert (tmp_path / "run" / "model.safetensors").exists()


COMMAND = [sys.executable, "-m", "fogcatcher", "train"]


@pytest.mark.parametrize("kind", [[], ["--preset", "ddgan"], ["--upscale", "2"]], ids=str)
@pytest.mark.slow
def test_kill_and_resume_goes_on_to_the_bit(tmp_path, kind):
    """kill -9 somewhere in the middle, --resume, and every logged loss is that of an unbroken run."""
    save_pictures(tmp_path / "data", 20)
    settings = ["--steps", "60", "--size-of-model", "tiny", "--batch-size", "8", *kind]
    whole, broken = tmp_path / "whole" / "run", tmp_path / "broken" / "run"  # recipes carry the last name
    subprocess.run([*COMMAND, str(tmp_path / "data"), "--out", str(whole), *settings], check=True)
    often = ["--checkpoint-seconds", "0"]
    training = subprocess.Popen([*COMMAND, str(tmp_path / "data"), "--out", str(broken), *settings, *often])
    deadline = time.monotonic() + 60
    while max(losses_of(broken), default=0) < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    training.send_signal(signal.SIGKILL)
    training.wait()
    assert 20 <= max(losses_of(broken)) < 60
    again = [*COMMAND, str(tmp_path / "data"), "--out", str(broken), "--resume"]
    said = subprocess.run(again, check=True, capture_output=True, text=True).stdout
    assert "resumed at step" in said
    assert losses_of(broken) == losses_of(whole)
    assert list(losses_of(broken)) == list(range(10, 61, 10))  # no line twice
    assert (whole / "model.safetensors").read_bytes() == (broken / "model.safetensors").read_bytes()
    assert (whole / "samples/preview.png").read_bytes() == (broken / "samples/preview.png").read_bytes()


def test_a_kill_between_the_last_checkpoint_and_the_weights_loses_nothing(tmp_path):
    """What can be drawn with is that of the checkpoint again."""
    save_pictures(tmp_path / "data", 4)
    weights = tmp_path / "run" / "model.safetensors"
    steps = follow(prepare(Setup(str(tmp_path / "data"), tmp_path / "run", steps=2, width=16)))
    next(steps)
    before = weights.read_bytes()
    list(steps)
    after = weights.read_bytes()
    weights.write_bytes(before)
    list(follow(resume(tmp_path / "run", str(tmp_path / "data"))))
    assert weights.read_bytes() == after != before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.slow
def test_being_asked_to_stop_saves_and_exits_with_0(tmp_path, number):
    save_pictures(tmp_path / "data", 20)
    run = tmp_path / "run"
    training = subprocess.Popen(
        [*COMMAND, str(tmp_path / "data"), "--out", str(run), "--steps", "100000", "--size-of-model", "tiny"],
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not losses_of(run) and time.monotonic() < deadline:
        time.sleep(0.02)
    training.send_signal(number)
    said, _ = training.communicate(timeout=30)
    assert training.returncode == 0 and "go on with the same command and --resume" in said
    reached = max(losses_of(run))
    assert resume(run, str(tmp_path / "data")).state.step == reached


@pytest.mark.slow
def test_run_directory_says_what_it_is(tmp_path):
    save_pictures(tmp_path / "data", 20)
    run = prepare(Setup(str(tmp_path / "data"), tmp_path / "run", steps=3, width=16))
    list(follow(run))
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["kind"]["width"] == 12 and config["kind"]["height"] == 10
    assert config["training"]["steps"] == 3
    conditions = json.loads((tmp_path / "run" / "conditions.json").read_text())
    assert conditions == ConditionSpec((Category("label", ("cold", "warm")),)).to_json()
    written = {p.name for p in (tmp_path / "run").iterdir()}
    assert {"README.md", "state", "samples", "metrics.jsonl"} <= written
    assert not list((tmp_path / "run").rglob("*.part"))


@pytest.mark.slow
def test_a_time_becomes_a_number_of_steps_before_the_run_starts(tmp_path):
    save_pictures(tmp_path / "data", 20)
    run = prepare(Setup(str(tmp_path / "data"), tmp_path / "run", minutes=2, width=16, batch_size=4))
    steps = run.config.training.steps
    assert steps > 1 and run.state.step == 0 and not (tmp_path / "run").exists()
    assert f"2 minutes are about {steps:,} steps" in " ".join(run.notes)
    # The timed steps left no trace: the first loss is that of a run of as many --steps.
    again = prepare(Setup(str(tmp_path / "data"), tmp_path / "again", steps=steps, width=16, batch_size=4))
    assert next(follow(run)).loss == next(follow(again)).loss


@pytest.mark.slow
def test_resuming_on_other_pictures_is_refused(tmp_path):
    save_pictures(tmp_path / "data", 4)
    list(follow(prepare(Setup(str(tmp_path / "data"), tmp_path / "run", steps=2, width=16))))
    save_pictures(tmp_path / "data", 5)
    with pytest.raises(UserError, match=r"is not what .* was trained on"):
        resume(tmp_path / "run", str(tmp_path / "data"))


@pytest.mark.parametrize("method", [name for name in PRESETS if name != "ddgan"])
@pytest.mark.slow
def test_every_method_starts_at_the_loss_of_an_answer_of_zero(tmp_path, method):
    """A new network answers zero: the loss is the mean square of the method's own target, about 1."""
    save_pictures(tmp_path / "data", 20)
    setup = Setup(
        str(tmp_path / "data"), tmp_path / "run", steps=30, network="small", width=16, preset=method
    )
    run = prepare(setup)
    losses = [p.loss for p in fit(run.state, run.batches, run.objective, run.config.training)]
    variance = run.config.pictures.sigma_data**2
    mean_square = (run.dataset.rows[:].double() / 127.5 - 1).square().mean().item()
    bounds = {
        "default": (1, mean_square / variance),
        "edm": (1, mean_square / variance),  # unit variance, but the data have a mean as well
        "v_cosine": (min(1, mean_square), max(1, mean_square)),  # alpha^2 + sigma^2 E[x0^2]
        "flow": (1 + mean_square, 1 + mean_square),
        "annotated": (
            0.40,
            0.40,
        ),  # E[huber(z)] = E[z^2 / 2; |z| < 1] + E[|z| - 1/2; |z| > 1] of a unit normal
        "iddpm": (1, 1.6),  # and some of the bound
        "sr3": (0.80, 0.80),  # E|z| = sqrt(2 / pi)
    }
    low, high = bounds.get(method, (1, 1))  # eps
    assert 0.8 * low < losses[0] < 1.2 * high
    assert sum(losses[-5:]) / 5 < 0.9 * losses[0]


@pytest.mark.slow
def test_a_kill_while_a_preview_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    """The disk takes half a picture, then the process dies: what was there is still whole."""
    save_pictures(tmp_path / "data", 4)
    run = prepare(Setup(str(tmp_path / "data"), tmp_path / "run", steps=2, width=16))
    list(follow(run))
    before = {p.name: p.read_bytes() for p in (tmp_path / "run" / "samples").iterdir()}

    def die_halfway(self: Image.Image, path: Path, **options: object) -> None:
        path.write_bytes(b"\x89PNG half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", die_halfway)
    preview = Preview(tmp_path / "run" / "samples", run.config.training, run.conditions, run.dataset.rows[:1])
    with pytest.raises(KeyboardInterrupt):
        preview.add(2, run.model)
    monkeypatch.undo()
    assert {name: (tmp_path / "run" / "samples" / name).read_bytes() for name in before} == before
    preview.add(2, run.model)
