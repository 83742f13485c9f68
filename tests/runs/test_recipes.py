"""Whole rows are trained as their course writes it; times that learn go on where they were."""

from dataclasses import replace

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.data.options import DataOptions
from fogcatcher.diffusion.objectives import ImportanceTimes, UniformTimes
from fogcatcher.diffusion.schedules import BetaSchedule
from fogcatcher.model.config import Method
from fogcatcher.networks.context_unet import ContextUnet
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from fogcatcher.training.ema import PowerEMA
from fogcatcher.training.fit import Plan, fit, optimizers_of, seconds_per_step
from tests.small_trainings import OBJECTIVE, affine_state, save_pictures


@pytest.fixture
def data(tmp_path) -> str:
    save_pictures(tmp_path / "data", 12)
    return str(tmp_path / "data")


def test_the_course_is_trained_as_in_the_course(data, tmp_path):
    """Its notebook: ContextUnet of 64 features, T = 500, betas 1e-4 to 0.02, Adam, 1e-3 falling in a line,
    batches of 100, contexts silenced one time in ten, and the newest weights draw."""
    options = DataOptions(size=(16, 16))
    run = prepare(Setup(data, tmp_path / "run", steps=10, options=options, preset="course"))
    plan, network = run.config.training, run.state.denoiser.network
    assert isinstance(network, ContextUnet) and run.config.network.width == 64
    assert (plan.batch_size, plan.condition_dropout, plan.attribute_dropout) == (100, 0.1, {})
    rates = [plan.learning_rate_at(step) for step in range(10)]
    assert rates == pytest.approx([1e-3 * (1 - step / 10) for step in range(10)])
    (adam,) = run.state.optimizers
    assert adam.defaults["betas"] == (0.9, 0.999) and adam.defaults["weight_decay"] == 0
    schedule = run.state.denoiser.process.schedule
    assert isinstance(schedule, BetaSchedule)
    betas = schedule.betas
    torch.testing.assert_close(betas, torch.linspace(1e-4, 0.02, 500, dtype=torch.float64))
    assert not run.config.augmentation and run.objective.times.draw == "independent"
    assert run.notes[-3].startswith("preset course: schedule course (T = 500")
    assert run.notes[-2] == (
        "training: network course of width 64, adam at 0.001, falling along a line, "
        "batches of 100, no average"
    )


def test_what_is_chosen_beside_a_whole_row_counts(data, tmp_path):
    run = prepare(
        Setup(data, steps=10, preset="course", schedule="cosine", prediction="v", network="small", width=16,
              batch_size=5, learning_rate=3e-4, optimizer="muon", augment="flip")
    )  # fmt: skip
    plan, method = run.config.training, run.config.method
    assert (method.schedule, method.prediction, method.label) == ("cosine", "v", "t")
    assert (plan.batch_size, plan.learning_rate, plan.optimizer) == (5, 3e-4, "muon")
    assert run.config.network.name == "small" and run.config.augmentation.flip


def test_without_an_average_the_newest_weights_draw():
    plan = Plan(steps=3, ema_gamma=None)
    state = affine_state(plan)
    for _ in range(3):
        with torch.no_grad():
            state.denoiser.get_parameter("network.table").add_(torch.randn(33, 2))
        state.ema.update(state.denoiser)
        newest, drawn = (d.get_parameter("network.table") for d in (state.denoiser, state.ema.denoiser))
        assert torch.equal(newest, drawn)
    assert (
        isinstance(state.ema, PowerEMA)
        and len(optimizers_of(state.denoiser, replace(plan, optimizer="adam"))) == 1
    )


def test_impossible_choices_are_refused_before_anything_is_read(tmp_path):
    """The folder does not exist, and nobody looked."""
    with pytest.raises(UserError, match="eps-prediction and the cosine schedule do not go together"):
        prepare(Setup(str(tmp_path / "nowhere"), schedule="cosine", prediction="eps"))
    with pytest.raises(UserError, match="unknown optimizer 'sgd'"):
        prepare(Setup(str(tmp_path / "nowhere"), optimizer="sgd"))


def test_the_base_is_not_taken_for_another_method(data, tmp_path):
    assert prepare(Setup(data, steps=1)).config.start
    assert prepare(Setup(data, steps=1, schedule="vp")).config.start is None
    assert prepare(Setup(data, steps=1, method_options={"sigma_max": 40})).config.start is None


# --- times that learn ---------------------------------------------------------------------------

LEARNING = {"preset": "ddpm", "times": "importance", "method_options": {"T": 4, "remember": 2}}


def learnt(run) -> torch.Tensor:
    times = run.objective.times
    assert isinstance(times, ImportanceTimes)
    return torch.cat([times.losses, times.seen[:, None].double()], 1)


@pytest.mark.slow
def test_what_times_have_learnt_is_saved(data, tmp_path):
    """A run that was interrupted and went on has the losses and the memory of one that was not."""
    setup = Setup(data, tmp_path / "whole", steps=8, width=16, batch_size=8, **LEARNING)
    whole = prepare(setup)
    losses = [p.loss for p in follow(whole)]
    parted = prepare(replace(setup, out=tmp_path / "parted"))
    steps = follow(parted)
    first = [next(steps).loss for _ in range(5)]
    steps.close()
    again = resume(tmp_path / "parted", data)
    assert torch.equal(learnt(again), learnt(parted)) and learnt(again)[:, -1].sum() == 5 * 8
    assert first + [p.loss for p in follow(again)] == losses
    assert torch.equal(learnt(again), learnt(whole))
    assert (learnt(whole)[:, -1] > 2).all()  # so that the last steps were not drawn evenly


def test_measuring_teaches_the_times_nothing(data, tmp_path):
    """Neither timing steps beforehand nor a check is a step of training."""
    run = prepare(Setup(data, tmp_path / "run", steps=8, width=16, batch_size=8, **LEARNING))
    seconds_per_step(run.state.denoiser, run.batches, run.objective, run.config.training, seconds=0.0)
    assert learnt(run).sum() == 0
    assert run.objective.times.unlearning == UniformTimes(4)
    assert OBJECTIVE.times.unlearning is OBJECTIVE.times and OBJECTIVE.times.memory == {}


def test_a_loss_that_is_no_number_is_not_learnt():
    times = ImportanceTimes(2, remember=1)
    t = torch.tensor([0.5, 1.0], dtype=torch.float64)
    times.weigh(t, torch.tensor([float("nan"), 3.0]))
    assert times.seen.tolist() == [0, 1] and times.losses.tolist() == [[0.0], [3.0]]


def test_importance_of_a_row_that_has_no_table(data, tmp_path):
    run = prepare(Setup(data, tmp_path / "run", steps=2, width=16, batch_size=4, times="importance"))
    assert run.objective.times.memory["seen"].shape == (1000,)
    assert run.config.method == Method(times="importance")
    assert all(p.loss == p.loss for p in fit(run.state, run.batches, run.objective, run.config.training))
