"""Samplers on data whose answer is known: measured order, exact end points, equal paths."""

import itertools
import math
from typing import Any

import pytest
import torch

from fogcatcher.diffusion.exact import MixtureDenoiser, dataset_denoiser, gaussian_denoiser, gaussian_path
from fogcatcher.diffusion.guidance import Clipped
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.sampling.grids import (
    GivenSigmas,
    GivenTimes,
    KarrasGrid,
    LeadingGrid,
    LinspaceGrid,
    LogSNRGrid,
    OpenLinspaceGrid,
    PolyexponentialGrid,
    StraightGrid,
    UniformGrid,
)
from fogcatcher.diffusion.sampling.probability_flow import RK45
from fogcatcher.diffusion.sampling.runge_kutta import DPM2, PNDM, RungeKutta2
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM, Step, sample
from fogcatcher.diffusion.sampling.solvers import LMS, DPMpp2M, DPMpp2S, DPMpp3M, DPMpp3S, Heun, UniPC
from fogcatcher.diffusion.sampling.stochastic import Ancestral, Churn, EulerChurn, PredictorCorrector
from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    Schedule,
    cosine_betas,
    linear_betas,
)

SOLVERS: list[Step] = [
    DDIM(), Heun(), DPMpp2S(), DPMpp2M(), DPMpp3M(), LMS(2), LMS(4), UniPC(1), UniPC(2), UniPC(3, b=1),
    RK45(), RungeKutta2(), DPMpp2M(form="heun", first="2s"), DPMpp3S(), LMS(3, "lambda"), PNDM(), DPM2(),
]  # fmt: skip
NOISY: list[Step] = [
    DDPM(), DDPM("large"), DDIM(0.5), DDIM(1.0), DPMpp2M(1.0), Churn(), PredictorCorrector(snr=0.05),
    EulerChurn(), Ancestral(), Ancestral(DPMpp2S()),
]  # fmt: skip
STEPS = SOLVERS + NOISY
SCHEDULES = [EDMSchedule(), FlowSchedule(), CosineSchedule(), BetaSchedule(linear_betas(1000))]


def marked(steps: list[Step]) -> list[Any]:
    """The adaptive one asks for hundreds of answers, and others are seldom asked for: slow."""
    slow = (RK45, DPMpp3S, PNDM, DPM2, EulerChurn, Ancestral)
    return [pytest.param(step, marks=pytest.mark.slow) if isinstance(step, slow) else step for step in steps]


def name(thing: object) -> str:
    return repr(thing) if type(thing).__repr__ is not object.__repr__ else type(thing).__name__


def run(denoiser, x, times, step, seed: int = 0):
    *_, last = sample(denoiser, x, times, step, torch.Generator().manual_seed(seed))
    return last.x


def gaussian(schedule: Schedule, mean: float = 0.0, std: float = 0.5):
    return gaussian_denoiser(Process(schedule), torch.full((1,), mean, dtype=torch.float64), std)


@pytest.mark.parametrize(
    ("step", "errors", "order"),
    [
        (DDIM(), (1.71e-2, 8.73e-3, 4.40e-3), 0.99),
        (Heun(), (2.32e-3, 5.65e-4, 1.39e-4), 2.02),
        (DPMpp2M(), (2.47e-3, 5.82e-4, 1.41e-4), 2.04),
        (UniPC(1), (4.27e-3, 1.09e-3, 2.74e-4), 1.99),
        (UniPC(2), (8.72e-4, 1.07e-4, 1.31e-5), 3.02),
        (UniPC(3, b=1), (2.70e-4, 1.76e-5, 1.14e-6), 3.95),
    ],
    ids=name,
)
def test_order_of_convergence(step: Step, errors: tuple[float, ...], order: float):
    """Data N(0, 0.5^2), x(80) = 40: the exact answer at 0.002 is 0.2499971."""
    schedule = EDMSchedule(80)
    start = torch.full((1, 1), 40.0, dtype=torch.float64)
    found = []
    for points in (41, 81, 161):
        times = KarrasGrid()(schedule, points)[:-1]
        found.append(abs(run(gaussian(schedule), start, times, step).item() - 0.24999712))
    assert found == pytest.approx(errors, rel=0.005)
    assert math.log2(found[1] / found[2]) == pytest.approx(order, abs=0.02)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=name)
@pytest.mark.parametrize(
    ("step", "order"),
    [
        (DDIM(), 1),
        (Heun(), 2),
        (DPMpp2M(), 2),
        (DPMpp2S(), 2),
        (RungeKutta2(0.4), 2),
        (RungeKutta2(2 / 3), 2),
        (RungeKutta2(1.0), 2),
    ],
    ids=name,
)
@pytest.mark.slow
def test_order_on_every_schedule(schedule: Schedule, step: Step, order: int):
    mean = torch.full((1,), 0.3, dtype=torch.float64)
    start = torch.full((1, 1), 0.9, dtype=torch.float64)
    found = []
    for points in (41, 81, 161):
        times = LogSNRGrid(0.05, 20)(schedule, points)[:-1]
        exact = gaussian_path(start, times[0], times[-1], Process(schedule), mean, 0.5)
        found.append(abs((run(gaussian(schedule, 0.3), start, times, step) - exact).item()))
    assert math.log2(found[1] / found[2]) == pytest.approx(order, abs=0.12)


@pytest.mark.parametrize("schedule", [*SCHEDULES[1:], BetaSchedule(cosine_betas(4000))], ids=name)
@pytest.mark.parametrize("step", marked(SOLVERS), ids=name)
@pytest.mark.slow
def test_uniform_times_from_pure_noise_stay_close_to_the_exact_path(schedule: Schedule, step: Step):
    """Also from where no signal is left (alpha = 0, or 1e-5), with a mean that noise must not hide."""
    x = torch.tensor([[-1.2], [0.3], [1.5]], dtype=torch.float64)
    times = UniformGrid()(schedule, 200)
    x = Process(schedule).prior(times[0], x)
    near_the_end = torch.full((), 1 - 1e-9, dtype=torch.float64)
    mean = torch.full((1,), 0.3, dtype=torch.float64)
    exact = gaussian_path(x, near_the_end, times[-1], Process(schedule), mean, 0.5)
    found = run(gaussian(schedule, 0.3), x, times, step)
    torch.testing.assert_close(found, exact, atol=0.06, rtol=0)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=name)
def test_runge_kutta_with_its_second_slope_at_the_end_is_heun(schedule: Schedule):
    x = torch.randn(8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    times, denoiser = KarrasGrid()(schedule, 8), gaussian(schedule, 0.3)
    expected = run(denoiser, denoiser.process.prior(times[0], x), times, Heun())
    found = run(denoiser, denoiser.process.prior(times[0], x), times, RungeKutta2(1.0))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=name)
def test_ddim_is_euler_in_the_variables_of_edm(schedule: Schedule):
    """With eta = 0: d(x / alpha) = eps_hat d(sigma / alpha)."""
    t, s = torch.tensor([0.7, 0.4], dtype=torch.float64)
    x, denoiser = torch.randn(5, 1, dtype=torch.float64), gaussian(schedule, 0.3)
    eps_hat = (x - schedule.alpha(t) * denoiser(x, t.expand(5))) / schedule.sigma(t)
    width = schedule.sigma(s) / schedule.alpha(s) - schedule.sigma(t) / schedule.alpha(t)
    expected = schedule.alpha(s) * (x / schedule.alpha(t) + width * eps_hat)
    torch.testing.assert_close(run(denoiser, x, torch.stack([t, s]), DDIM()), expected)


@pytest.mark.parametrize("schedule", [*SCHEDULES[:3], BetaSchedule(linear_betas(200))], ids=name)
def test_ddim_with_eta_1_is_ddpm_with_the_small_variance(schedule: Schedule):
    x = torch.randn(64, 3, dtype=torch.float64)
    times = UniformGrid()(schedule, 200)  # unit stride on the table of 200 betas
    one = run(gaussian(schedule), x, times, DDIM(1.0), seed=3)
    other = run(gaussian(schedule), x, times, DDPM("small"), seed=3)
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("step", "grid", "steps", "ratio"),
    [
        (DDIM(), LeadingGrid(1000), 10, 0.831696),
        (DDIM(), LeadingGrid(1000), 50, 0.964079),
        (DDIM(), UniformGrid(), 10, 0.829369),
        (DDIM(), UniformGrid(), 50, 0.963551),
    ],
    ids=name,
)
def test_ddim_on_unit_gaussian_data(step, grid, steps, ratio):
    """Linear betas, data N(0, 1): output / input, known from an independent implementation."""
    schedule = BetaSchedule(linear_betas(1000))
    x = torch.ones(1, 1, dtype=torch.float64)
    denoiser = gaussian_denoiser(Process(schedule), torch.zeros(1, dtype=torch.float64), 1.0)
    assert run(denoiser, x, grid(schedule, steps), step).item() == pytest.approx(ratio, abs=1e-6)


@pytest.mark.parametrize(
    ("variance", "steps", "expected"),
    [
        ("large", 1000, 0.9999), ("large", 250, 0.9999), ("large", 50, 0.9999), ("large", 10, 0.9999),
        ("small", 1000, 0.99107), ("small", 250, 0.96609), ("small", 50, 0.85506), ("small", 10, 0.52079),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_ancestral_output_variance(variance, steps, expected):
    """Strided linear-beta steps on N(0, 1) data. The map is linear, so its variance is a sum of squares."""
    schedule = BetaSchedule(linear_betas(1000))
    denoiser = gaussian_denoiser(Process(schedule), torch.zeros(1, dtype=torch.float64), 1.0)
    times, total = LinspaceGrid(1000)(schedule, steps), 1.0
    for t, s in itertools.pairwise(times):
        two = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
        x0_hat = denoiser(two, t.expand(2))
        mean, std = denoiser.process.bridge(two, x0_hat, t, s)
        if variance == "large":
            std = denoiser.process.step_variance(t, s).sqrt() * (s > 0)
        total = (mean[1] - mean[0]).item() ** 2 * total + std.item() ** 2
    assert total == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("variance", "expected"), [("large", 0.02 * 0.98), ("small", None)])
def test_one_ancestral_step_has_the_variance_it_names(variance, expected):
    """From t = 2/T with betas 0.01, 0.0196: beta_2, or beta_2 (1 - alpha_bar_1) / (1 - alpha_bar_2)."""
    betas = torch.tensor([0.01, 0.0196], dtype=torch.float64)
    alpha_bar_1, alpha_bar_2 = 0.99, 0.99 * (1 - 0.0196)
    expected = expected or 0.0196 * (1 - alpha_bar_1) / (1 - alpha_bar_2)
    times = torch.tensor([1.0, 0.5], dtype=torch.float64)
    point = dataset_denoiser(Process(BetaSchedule(betas)), torch.zeros(1, 1, dtype=torch.float64))
    x = run(point, torch.full((100_000, 1), 0.1, dtype=torch.float64), times, DDPM(variance))
    assert x.var().item() == pytest.approx(expected, rel=0.025)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=name)
@pytest.mark.parametrize("step", marked(STEPS), ids=name)
@pytest.mark.slow
def test_every_sampler_on_every_schedule_finds_both_modes(schedule: Schedule, step: Step):
    """Two narrow modes at -1 and 1 with shares 0.3 and 0.7."""
    means = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    denoiser = MixtureDenoiser(Process(schedule), means, torch.tensor([0.05, 0.05]), torch.tensor([0.3, 0.7]))
    times = KarrasGrid()(schedule, 100)
    noise = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = run(denoiser, denoiser.process.prior(times[0], noise), times, step)
    assert ((x.abs() - 1).abs() < 0.25).double().mean().item() > 0.99
    assert (x > 0).double().mean().item() == pytest.approx(0.7, abs=0.04)


@pytest.mark.parametrize("step", marked(STEPS), ids=name)
def test_one_point_is_drawn_exactly(step: Step):
    point = torch.tensor([[0.25, -0.5]], dtype=torch.float64)
    for schedule in SCHEDULES:
        x = run(
            dataset_denoiser(Process(schedule), point),
            torch.randn(3, 2).double(),
            KarrasGrid()(schedule, 10),
            step,
        )
        torch.testing.assert_close(x, point.expand(3, 2), rtol=1e-6, atol=1e-6)


def test_a_grid_may_climb_again():
    """Jumping back from t = 0.2 to 0.6 and down again leaves the answer's distribution as it was."""
    schedule = CosineSchedule()
    down = torch.linspace(1, 0, 201, dtype=torch.float64)
    times = torch.cat([down[:161], down[81:]])  # 1 -> 0.2, up to 0.595, -> 0
    noise = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = run(gaussian(schedule, 0.3), noise, times, DPMpp2M(), seed=1)  # not the seed of the start
    assert x.mean().item() == pytest.approx(0.3, abs=0.02)
    assert x.std().item() == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("step", marked(STEPS), ids=name)
def test_a_seed_gets_the_same_noise_alone_and_in_a_batch(step: Step):
    schedule = EDMSchedule()
    denoiser = gaussian_denoiser(Process(schedule), torch.zeros(4, 3, 3, dtype=torch.float64), 0.5)
    times = KarrasGrid()(schedule, 8)

    def draw(seeds: list[int]):
        generator = SampleGenerator(seeds)
        noise = generator.randn_like(torch.empty(len(seeds), 4, 3, 3, dtype=torch.float64))
        *_, last = sample(denoiser, denoiser.process.prior(times[0], noise), times, step, generator)
        return noise, last.x, generator.randn_like(noise)

    batch = draw(list(range(64)))
    alone = draw([5])
    for in_batch, by_itself in zip(batch, alone, strict=True):
        assert in_batch[5].equal(by_itself[0])


def test_edm_grid_of_the_paper():
    sigmas = 80 * KarrasGrid()(EDMSchedule(80), 18)
    published = [
        80, 57.586, 40.786, 28.375, 19.352, 12.910, 8.4009, 5.3152, 3.2568, 1.9233,
        1.0882, 0.58535, 0.29644, 0.13952, 0.05995, 0.02293, 0.00753, 0.002, 0,
    ]  # fmt: skip
    assert sigmas.tolist() == pytest.approx(published, rel=3e-4)  # printed to four digits


@pytest.mark.parametrize("grid", [KarrasGrid(), LogSNRGrid()], ids=name)
def test_the_ends_of_a_grid_are_exact_to_the_last_digits(grid):
    for schedule in (EDMSchedule(100), FlowSchedule()):
        times = grid(schedule, 7)
        ratio = schedule.sigma(times) / schedule.alpha(times)
        assert (ratio[0].item(), ratio[-2].item()) == pytest.approx((80, 0.002), rel=1e-13)


def test_leading_and_trailing_steps():
    schedule = BetaSchedule(linear_betas(1000))
    assert LeadingGrid(1000)(schedule, 50)[0].item() * 1000 - 1 == pytest.approx(980)
    assert UniformGrid()(schedule, 50)[0].item() * 1000 - 1 == pytest.approx(999)
    for grid in (LeadingGrid(1000), UniformGrid(), KarrasGrid(), LogSNRGrid()):
        for schedule in [*SCHEDULES, BetaSchedule(cosine_betas(4000))]:
            times = grid(schedule, 30)
            assert len(times) == 31 and times[-1] == 0 and bool((times.diff() < 0).all())


def test_the_straight_grid_is_even_in_the_time_of_flow_matching():
    """There its times are 1, 3/4, 1/2, 1/4; on EDM 0.2 u / (1 - u) for parts u of 80 / 80.2."""
    even = [1.0, 0.75, 0.5, 0.25, 0.0]
    assert StraightGrid(3.0)(FlowSchedule(3.0), 4).tolist() == pytest.approx(even, abs=1e-12)
    u = 80 / 80.2 / 2
    assert StraightGrid(0.2)(EDMSchedule(80), 2).tolist() == pytest.approx([1, 0.2 * u / (1 - u) / 80, 0])
    assert StraightGrid()(EDMSchedule(80), 1).tolist() == [1.0, 0.0]


def test_grids_from_given_times_and_sigmas_and_spacings_of_others():
    """diffusers' linspace of 4 steps of 1,000 is at 999, 749.25, 499.5, 249.75; rho = 2 goes by squares."""
    schedule = BetaSchedule(linear_betas(1000))
    assert GivenTimes((0.9, 0.5))(schedule, 2).tolist() == [0.9, 0.5, 0.0]
    assert GivenSigmas((40.0, 0.8))(EDMSchedule(80), 2).tolist() == pytest.approx([0.5, 0.01, 0])
    places = OpenLinspaceGrid(1000)(schedule, 4)[:-1] * 1000 - 1
    assert places.tolist() == pytest.approx([999, 749, 500, 250], abs=0.51)
    curved = (80 * PolyexponentialGrid(0.01, 80, 2.0)(EDMSchedule(80), 4)).log()
    share = (curved[:-1] - math.log(0.01)) / math.log(8000)
    assert share.tolist() == pytest.approx([1, 4 / 9, 1 / 9, 0])
    torch.testing.assert_close(PolyexponentialGrid()(schedule, 9), LogSNRGrid()(schedule, 9))
    for grid, words in (
        (GivenTimes((0.5, 0.9)), "fall"),
        (GivenTimes((1.5, 0.9)), "up to 1"),
        (GivenTimes((float("nan"), 0.9)), "fall"),
        (GivenTimes((0.9,)), "not 2"),
        (GivenSigmas((0.8, 40.0)), "fall"),
        (GivenSigmas((1e6, 40.0)), "beyond the end"),
        (GivenSigmas((1.0, -1.0)), "fall"),
        (OpenLinspaceGrid(2), "do not fit"),
    ):
        with pytest.raises(ValueError, match=words):
            grid(schedule, 2)


def test_impossible_grids_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        KarrasGrid()(EDMSchedule(), 0)
    with pytest.raises(ValueError, match="do not fit"):
        LeadingGrid(10)(BetaSchedule(linear_betas(10)), 11)


def test_clipping_keeps_answers_in_range():
    """Data around 3, clipped to [-1, 1]: every answer is clipped, and so the picture ends inside."""
    schedule = EDMSchedule()
    times, start = KarrasGrid()(schedule, 10), torch.randn(6, 1, dtype=torch.float64) * 80
    assert bool((run(gaussian(schedule, mean=3.0), start, times, DPMpp2M()) > 1).all())
    clipped = Clipped(gaussian(schedule, mean=3.0), -1.0, 1.0)
    states = list(sample(clipped, start, times, DPMpp2M(), torch.Generator()))
    assert all(state.x0_hat.max().item() <= 1 for state in states)
    assert states[-1].x.max().item() <= 1
