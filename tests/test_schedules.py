"""Schedules against published figures, their own inverses and closed forms."""

import math

import pytest
import torch

from fogcatcher.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    Schedule,
    cosine_betas,
    linear_betas,
)

SCHEDULES = [
    EDMSchedule(),
    FlowSchedule(),
    CosineSchedule(),
    BetaSchedule(linear_betas(1000)),
    BetaSchedule(cosine_betas(1000)),
]


def times(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_alpha_bar_of_linear_betas():
    schedule = BetaSchedule(linear_betas(1000))
    assert schedule.alpha(times(1.0)).item() ** 2 == pytest.approx(4.03583e-5, rel=1e-5)
    # sum of betas = 1000 (1e-4 + 0.02) / 2
    assert schedule.betas.sum().item() == pytest.approx(10.05)
    # sigma / alpha at the end, in EDM's units
    assert (schedule.sigma(times(1.0)) / schedule.alpha(times(1.0))).item() == pytest.approx(157.4, rel=1e-3)


def test_alpha_bar_of_cosine_betas():
    for steps, alpha_bar in ((1000, 2.4288e-9), (4000, 1.518e-10)):
        end = BetaSchedule(cosine_betas(steps)).alpha(times(1.0)).item() ** 2
        assert end == pytest.approx(alpha_bar, rel=1e-3)


def test_linear_betas_of_300_steps_leave_signal():
    assert BetaSchedule(linear_betas(300)).alpha(times(1.0)).item() ** 2 == pytest.approx(0.04806, rel=1e-3)


def test_beta_table_is_exact_at_its_own_steps():
    betas = linear_betas(10, 0.01, 0.3)
    alpha_bar = torch.cumprod(1 - betas, 0)
    schedule = BetaSchedule(betas)
    t = torch.arange(1, 11, dtype=torch.float64) / 10
    torch.testing.assert_close(schedule.alpha(t) ** 2, alpha_bar)
    assert schedule.alpha(times(0.0)).item() == 1 and schedule.sigma(times(0.0)).item() == 0


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_log_snr_has_an_inverse(schedule: Schedule):
    t = torch.linspace(0.001, 0.999, 997, dtype=torch.float64)
    torch.testing.assert_close(schedule.t_from_log_snr(schedule.log_snr(t)), t, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_log_snr_says_what_the_rates_say_and_falls(schedule: Schedule):
    t = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    expected = torch.log(schedule.alpha(t) ** 2 / schedule.sigma(t) ** 2)
    torch.testing.assert_close(schedule.log_snr(t), expected)
    assert bool((schedule.log_snr(t).diff() < 0).all())


@pytest.mark.parametrize("schedule", SCHEDULES[2:], ids=lambda s: type(s).__name__)
def test_variance_is_preserved(schedule: Schedule):
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    torch.testing.assert_close(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2, torch.ones_like(t))


def test_log_snr_outside_the_schedule_gives_the_nearest_end():
    far = times(-1000.0, 1000.0)
    for schedule in SCHEDULES:
        found = schedule.t_from_log_snr(far)
        assert found[0].item() == pytest.approx(1, abs=1e-9)
        assert found[1].item() == pytest.approx(0, abs=1e-9)


def test_flow_and_edm_meet_at_the_same_log_snr():
    # sigma / alpha = t / (1 - t) on the straight line
    t = FlowSchedule().t_from_log_snr(times(-2 * math.log(3.0)))
    assert t.item() == pytest.approx(0.75)
    assert EDMSchedule(80).t_from_log_snr(times(-2 * math.log(40.0))).item() == pytest.approx(0.5)


def test_bad_betas_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        BetaSchedule(torch.tensor([0.1, 1.5]))
