"""Schedules against published figures, their own inverses, closed forms, and diffusers."""

import math

import pytest
import torch

from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    Schedule,
    SubVPSchedule,
    VESchedule,
    VPSchedule,
    cosine_betas,
    linear_betas,
    quadratic_betas,
    scaled_linear_betas,
    sigmoid_alpha_bar_betas,
    sigmoid_betas,
    zero_terminal_snr,
)
from tests.every_schedule import PRESERVING, SCHEDULES

NO_SIGNAL_AT_ONE = {"flow", "shifted flow", "cosine", "zero-terminal linear", "zero-terminal scaled linear"}

every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())


def times(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def alpha_bar(betas: torch.Tensor) -> float:
    """alpha_bar_T by the definition."""
    return (1 - betas).prod().item()


@pytest.mark.parametrize(
    ("betas", "digits"),
    [
        (linear_betas(), "4.0358e-05"),
        (linear_betas(4000, 0.1 / 4000, 20 / 4000), "4.2467e-05"),  # both ends times 1000 / T
        (linear_betas(300), "4.806e-02"),
        (cosine_betas(), "2.4288e-09"),
        (cosine_betas(4000), "1.518e-10"),
        (cosine_betas(max_beta=0.9999, min_beta=1e-4), "2.4278e-10"),
        (quadratic_betas(), "7.334e-04"),
        (quadratic_betas(300), "1.145e-01"),
        (sigmoid_betas(), "3.968e-05"),
        (sigmoid_betas(300), "4.78e-02"),
        (sigmoid_alpha_bar_betas(), "3.0e-07"),
        (scaled_linear_betas(), "4.6601e-03"),
    ],
)
def test_alpha_bar_at_the_end_has_the_known_digits(betas: torch.Tensor, digits: str):
    found = BetaSchedule(betas).alpha(times(1.0)).item() ** 2
    assert found == pytest.approx(alpha_bar(betas), rel=1e-9)
    decimals = len(digits.split("e")[0]) - 2
    # The known figures are rounded; one unit of their last digit allows for a half.
    assert abs(found - float(digits)) < 10 ** (int(digits.split("e")[1]) - decimals)


@pytest.mark.parametrize(
    ("betas", "noise_to_signal"),
    [
        (linear_betas(), 157.4),
        (cosine_betas(), 20291),
        (quadratic_betas(), 36.9),
        (scaled_linear_betas(), 14.6),
    ],
)
def test_the_largest_sigma_in_units_of_the_signal(betas: torch.Tensor, noise_to_signal: float):
    found = (-BetaSchedule(betas).log_snr(times(1.0)) / 2).exp().item()
    assert found == pytest.approx(noise_to_signal, rel=2e-3)


def test_tables_begin_and_end_as_published():
    assert linear_betas().sum().item() == pytest.approx(10.05)  # 1000 (1e-4 + 0.02) / 2
    assert quadratic_betas()[[0, -1]].tolist() == pytest.approx([1e-4, 0.02])
    assert scaled_linear_betas()[[0, -1]].tolist() == pytest.approx([8.5e-4, 0.012])
    assert sigmoid_betas()[0].item() == pytest.approx(1.492e-4, rel=1e-3)


def test_cosine_betas_are_capped_at_the_end_only_and_the_tutorial_clips_thirteen_low_ones():
    assert (cosine_betas() == 0.999).nonzero().flatten().tolist() == [999]
    tutorial = cosine_betas(max_beta=0.9999, min_beta=1e-4)
    assert (tutorial == 1e-4).nonzero().flatten().tolist() == list(range(13))
    assert BetaSchedule(tutorial).alpha(times(0.001)).item() ** 2 == pytest.approx(0.9999, abs=1e-12)


def test_sigmoid_alpha_bar_by_hand():
    # Symmetric about the middle: half of the signal's power is left at T / 2, whatever tau.
    for tau in (0.3, 1.0):
        schedule = BetaSchedule(sigmoid_alpha_bar_betas(tau=tau))
        assert schedule.alpha(times(0.5)).item() ** 2 == pytest.approx(0.5)
    found = BetaSchedule(sigmoid_alpha_bar_betas()).alpha(times(0.25)).item() ** 2

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    assert found == pytest.approx((sigmoid(3) - sigmoid(-1.5)) / (sigmoid(3) - sigmoid(-3)))


def test_beta_table_is_exact_at_its_own_steps():
    betas = linear_betas(10, 0.01, 0.3)
    schedule = BetaSchedule(betas)
    t = torch.arange(1, 11, dtype=torch.float64) / 10
    torch.testing.assert_close(schedule.alpha(t) ** 2, torch.cumprod(1 - betas, 0))
    assert schedule.alpha(times(0.0)).item() == 1 and schedule.sigma(times(0.0)).item() == 0


@pytest.mark.parametrize(
    ("betas", "last_but_one"), [(scaled_linear_betas(), 1.968e-7), (linear_betas(), 4.213e-9)]
)
def test_zero_terminal_snr(betas: torch.Tensor, last_but_one: float):
    rescaled = zero_terminal_snr(betas)
    schedule = BetaSchedule(rescaled)
    assert rescaled[0] == betas[0] and rescaled[-1] == 1
    assert schedule.alpha(times(0.999)).item() ** 2 == pytest.approx(last_but_one, rel=5e-4)
    assert schedule.alpha(times(1.0)).item() == 0 and schedule.sigma(times(1.0)).item() == 1
    assert schedule.log_snr(times(1.0)).item() == -math.inf
    assert schedule.t_from_log_snr(times(-math.inf)).item() == 1
    assert schedule.signal_left == 0


def test_nothing_is_nan_in_the_last_step_of_a_zero_terminal_table():
    schedule = BetaSchedule(zero_terminal_snr(linear_betas(10)))
    t = torch.linspace(0.9, 1, 1001, dtype=torch.float64)
    log_snr = schedule.log_snr(t)
    torch.testing.assert_close(schedule.t_from_log_snr(log_snr), t, rtol=0, atol=1e-12)
    assert bool((log_snr.diff() < 0).all()) and not schedule.alpha(t).isnan().any()
    f, g2 = schedule.drift(t[:-1])
    assert bool(f.isfinite().all()) and bool(g2.isfinite().all())


def test_a_table_of_one_step_has_no_zero_terminal_form():
    with pytest.raises(ValueError, match="at least two"):
        zero_terminal_snr(torch.tensor([0.5]))


def test_tables_equal_those_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    stable = {"beta_start": 8.5e-4, "beta_end": 0.012}
    theirs = {
        linear_betas: {"beta_schedule": "linear"},
        scaled_linear_betas: {"beta_schedule": "scaled_linear", **stable},
        cosine_betas: {"beta_schedule": "squaredcos_cap_v2"},
        sigmoid_betas: {"beta_schedule": "sigmoid"},
    }
    for table, options in theirs.items():
        expected = diffusers.DDPMScheduler(1000, **options).betas
        torch.testing.assert_close(table(1000).float(), expected, rtol=1e-5, atol=1e-7)
        if table is not cosine_betas:  # its ends lie too close to 0 for the float32 of theirs
            expected = diffusers.DDPMScheduler(1000, **options, rescale_betas_zero_snr=True).betas
            torch.testing.assert_close(zero_terminal_snr(table(1000)).float(), expected, rtol=1e-3, atol=1e-6)


def test_vp_figures():
    schedule = VPSchedule()
    assert schedule.alpha(times(1.0)).item() == pytest.approx(0.00657159, rel=1e-6)
    assert (-schedule.log_snr(times(1.0)) / 2).exp().item() == pytest.approx(152.17, rel=3e-5)
    # log m = -t^2 19.9 / 4 - 0.1 t / 2
    t = torch.linspace(0, 1, 50, dtype=torch.float64)
    log_m = -(t**2) * 19.9 / 4 - 0.1 * t / 2
    torch.testing.assert_close(schedule.alpha(t), log_m.exp())
    torch.testing.assert_close(SubVPSchedule().alpha(t), log_m.exp())
    torch.testing.assert_close(SubVPSchedule().sigma(t), 1 - (2 * log_m).exp())


def test_a_long_table_of_linear_betas_becomes_vp():
    table, t = BetaSchedule(linear_betas(100_000, 0.1 / 1e5, 20 / 1e5)), times(0.1, 0.5, 1.0)
    torch.testing.assert_close(table.alpha(t), VPSchedule().alpha(t), rtol=2e-3, atol=0)


def test_ve_is_geometric_less_what_it_starts_with():
    schedule = VESchedule(sigma_min=0.01, sigma_max=50)
    assert schedule.sigma(times(0.0)).item() == 0
    assert schedule.sigma(times(1.0)).item() == pytest.approx(math.sqrt(50**2 - 0.01**2), rel=1e-12)
    # half way: the geometric mean
    assert schedule.sigma(times(0.5)).item() ** 2 == pytest.approx(0.01 * 50 - 0.01**2, rel=1e-12)
    # 1e-12 of the way, where the difference of the squares would have lost most of its digits
    tiny = 1e-4 * 2 * math.log(5000) * 1e-12
    assert schedule.sigma(times(1e-12)).item() ** 2 == pytest.approx(tiny, rel=1e-9, abs=0)


def test_shifted_flow():
    t = torch.linspace(0, 1, 50, dtype=torch.float64)
    shifted = 3 * t / (1 + 2 * t)
    torch.testing.assert_close(FlowSchedule(shift=3).sigma(t), shifted)
    torch.testing.assert_close(FlowSchedule(shift=3).alpha(t), 1 - shifted)
    assert bool((FlowSchedule().sigma(t) == t).all()) and bool((FlowSchedule().alpha(t) == 1 - t).all())


def test_flow_and_edm_meet_at_the_same_log_snr():
    # sigma / alpha = t / (1 - t) on the straight line, shift times that on a shifted one
    t = FlowSchedule().t_from_log_snr(times(-2 * math.log(3.0)))
    assert t.item() == pytest.approx(0.75)
    assert FlowSchedule(shift=3).t_from_log_snr(times(-2 * math.log(3.0))).item() == pytest.approx(0.5)
    assert EDMSchedule(80).t_from_log_snr(times(-2 * math.log(40.0))).item() == pytest.approx(0.5)


def test_continuous_cosine_is_the_tangent():
    t = torch.linspace(0.02, 0.98, 49, dtype=torch.float64)
    torch.testing.assert_close(CosineSchedule().log_snr(t), -2 * torch.tan(t * math.pi / 2).log())
    assert CosineSchedule().log_snr(times(0.5)).item() == pytest.approx(0, abs=1e-15)


@every_schedule
def test_log_snr_has_an_inverse_at_all_times_and_both_ends(schedule: Schedule):
    t = torch.cat([torch.linspace(0, 1, 50).double(), times(1e-9, 1e-6, 0.001, 0.999)])
    torch.testing.assert_close(schedule.t_from_log_snr(schedule.log_snr(t)), t, rtol=1e-9, atol=1e-15)


@every_schedule
def test_log_snr_says_what_the_rates_say_and_falls(schedule: Schedule):
    t = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    expected = torch.log(schedule.alpha(t) ** 2 / schedule.sigma(t) ** 2)
    torch.testing.assert_close(schedule.log_snr(t), expected)
    assert bool((schedule.log_snr(t).diff() < 0).all())


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_ends_are_data_and_where_it_should_be_noise_alone(name: str):
    schedule = SCHEDULES[name]
    assert schedule.alpha(times(0.0)).item() == 1 and schedule.sigma(times(0.0)).item() == 0
    assert schedule.log_snr(times(0.0)).item() == math.inf
    assert (schedule.alpha(times(1.0)).item() == 0) == (name in NO_SIGNAL_AT_ONE)


@every_schedule
def test_log_snr_outside_the_schedule_gives_the_nearest_end(schedule: Schedule):
    found = schedule.t_from_log_snr(times(-math.inf, -5000.0, 1000.0, math.inf))
    torch.testing.assert_close(found, times(1, 1, 0, 0), rtol=0, atol=1e-9)


@pytest.mark.parametrize("schedule", PRESERVING.values(), ids=PRESERVING.keys())
def test_variance_is_preserved(schedule: Schedule):
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    torch.testing.assert_close(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2, torch.ones_like(t))


@every_schedule
def test_drift_against_difference_quotients(schedule: Schedule):
    """f = d log alpha / dt and g^2 = d sigma^2 / dt - 2 f sigma^2, inside the steps of a table."""
    t, h = (torch.arange(1, 999, 37, dtype=torch.float64) + 0.4) / 1000, 1e-5
    f, g2 = schedule.drift(t)
    f_expected = (schedule.alpha(t + h).log() - schedule.alpha(t - h).log()) / (2 * h)
    growth = (schedule.sigma(t + h) ** 2 - schedule.sigma(t - h) ** 2) / (2 * h)
    torch.testing.assert_close(f, f_expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(g2, growth - 2 * f_expected * schedule.sigma(t) ** 2, rtol=1e-5, atol=1e-7)


def test_drift_of_the_sdes_of_song_et_al():
    t = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    beta = 0.1 + 19.9 * t
    integral = 0.1 * t + 19.9 * t**2 / 2
    geometric = 0.01 * 5000**t
    expected = {
        VPSchedule(): (-beta / 2, beta),
        SubVPSchedule(): (-beta / 2, beta * (1 - torch.exp(-2 * integral))),
        VESchedule(): (0 * t, 2 * geometric**2 * math.log(5000)),
        EDMSchedule(80): (0 * t, 2 * 6400 * t),
        FlowSchedule(): (-1 / (1 - t), 2 * t / (1 - t)),
    }
    for schedule, (f, g2) in expected.items():
        torch.testing.assert_close(schedule.drift(t), (f, g2))


def test_drift_of_one_time_and_without_gradients():
    with torch.no_grad():
        f, g2 = VPSchedule().drift(torch.tensor(0.5))
    assert (f.item(), g2.item()) == pytest.approx((-5.025, 10.05))
    assert not f.requires_grad and not g2.requires_grad


def test_signal_left():
    assert BetaSchedule(linear_betas(300)).signal_left == pytest.approx(0.219, abs=5e-4)
    assert BetaSchedule(scaled_linear_betas()).signal_left == pytest.approx(0.0682649, rel=1e-6)
    assert BetaSchedule(linear_betas()).signal_left == pytest.approx(math.sqrt(4.03583e-5), rel=1e-5)
    assert EDMSchedule(80).signal_left == pytest.approx(1 / math.sqrt(6401))
    assert FlowSchedule().signal_left == 0


@pytest.mark.parametrize("betas", [[0.1, 1.5], [0.0, 0.1], [-0.1, 0.1], [math.nan]])
def test_bad_betas_are_refused(betas: list[float]):
    with pytest.raises(ValueError, match="between 0 and 1"):
        BetaSchedule(torch.tensor(betas))


@every_schedule
def test_there_is_no_noise_at_the_start_and_it_is_not_minus_zero(schedule):
    sigma = schedule.sigma(times(0.0))
    assert sigma.tolist() == [0.0] and not bool(torch.signbit(sigma).any())
