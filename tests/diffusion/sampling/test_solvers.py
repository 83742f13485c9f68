"""Every solver on the mixture: measured order, marginals, the exact likelihood, any shape of data."""

import itertools
import math
from functools import cache

import numpy as np
import pytest
import torch

from fogcatcher.diffusion.bound import bound
from fogcatcher.diffusion.exact import MixtureDenoiser, gaussian_denoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import GivenNoise
from fogcatcher.diffusion.sampling.grids import KarrasGrid, LogSNRGrid, UniformGrid
from fogcatcher.diffusion.sampling.likelihood import bits_per_dimension, dequantise, log_likelihood
from fogcatcher.diffusion.sampling.probability_flow import RK45, integrate
from fogcatcher.diffusion.sampling.runge_kutta import DPM2, PNDM, HeunInTime, RungeKutta2
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM, Inversion, Step, sample
from fogcatcher.diffusion.sampling.solvers import LMS, DPMpp2M, DPMpp2S, DPMpp3M, DPMpp3S, Heun, UniPC
from fogcatcher.diffusion.sampling.stochastic import (
    Ancestral,
    AnnealedLangevin,
    Churn,
    EulerChurn,
    EulerMaruyama,
    PredictorCorrector,
)
from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    Schedule,
    SubVPSchedule,
    VESchedule,
    VPSchedule,
    linear_betas,
)

MEANS = torch.tensor([[-1.0, 0.5], [1.0, 0.2], [0.3, -0.8]], dtype=torch.float64)
STDS = torch.tensor([0.3, 0.4, 0.5], dtype=torch.float64)
WEIGHTS = torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)


def name(thing: object) -> str:
    return repr(thing) if type(thing).__repr__ is not object.__repr__ else type(thing).__name__


def mixture(schedule: Schedule) -> MixtureDenoiser:
    return MixtureDenoiser(Process(schedule), MEANS, STDS, WEIGHTS)


def normal(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def run(denoiser, x, times, step: Step, seed: int = 1):
    *_, last = sample(denoiser, x, times, step, torch.Generator().manual_seed(seed))
    return last.x


@cache
def flow_from_noise() -> tuple[torch.Tensor, torch.Tensor]:
    """Eight samples of noise on the flow's grid, and where their exact paths end."""
    denoiser, times = mixture(FlowSchedule()), KarrasGrid(1e-4, 500)(FlowSchedule(), 2)[:-1]
    x = denoiser.process.prior(times[0], normal(8))
    return x, run(denoiser, x, times, RK45(1e-11, 1e-11))


def measured_order(step: Step, counts: tuple[int, ...]) -> float:
    """The slope over some numbers of steps; the ends are flat, so the lower orders there do not count."""
    # The step alone decides; what a schedule adds is tested beside the samplers.
    denoiser, grid = mixture(FlowSchedule()), KarrasGrid(1e-4, 500)
    times = [grid(FlowSchedule(), count + 1)[:-1] for count in counts]
    x, exact = flow_from_noise()
    errors = [(run(denoiser, x, t, step) - exact).square().mean().sqrt().item() for t in times]
    return -np.polyfit(np.log(counts), np.log(errors), 1)[0]


@pytest.mark.parametrize(
    ("step", "order"),
    [(DDIM(), 1), (Heun(), 2), (DPMpp2M(), 2), (DPMpp2M(form="heun"), 2), (DPM2(), 2), (DPMpp3S(), 3)],
    ids=name,
)
@pytest.mark.slow
def test_order_of_convergence_between_two_numbers_of_steps(step: Step, order: int):
    """The quick case of the next."""
    assert measured_order(step, (60, 120)) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize(
    ("step", "order"),
    [
        (DDIM(), 1), (Heun(), 2), (DPMpp2S(), 2), (DPMpp2M(), 2), (DPMpp3M(), 3),
        (LMS(1), 1), (LMS(2), 2), (LMS(3), 3), (LMS(4), 4), (DPMpp2M(first="2s"), 2), (DPMpp3M(0.5), 2),
        (LMS(2, "lambda"), 2), (LMS(3, "lambda"), 3),
        # With its corrector each order of UniPC is one more.
        (UniPC(1), 2), (UniPC(2), 3), (UniPC(2, b=1), 3), (UniPC(3), 4), (UniPC(3, b=1), 4),
    ],
    ids=name,
)  # fmt: skip
@pytest.mark.slow
def test_order_of_convergence(step: Step, order: int):
    assert measured_order(step, (160, 254, 403, 640)) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize(("step", "order"), [(HeunInTime(), 2), (PNDM(), 2)], ids=name)
def test_order_on_equal_steps_in_time(step: Step, order: int):
    denoiser, counts = mixture(FlowSchedule()), (40, 80)
    times = [torch.linspace(0.8, 0.2, count + 1, dtype=torch.float64) for count in counts]
    x = denoiser.process.prior(times[0][0], normal(8))
    exact = run(denoiser, x, times[0][[0, -1]], RK45(1e-11, 1e-11))
    errors = [(run(denoiser, x, t, step) - exact).square().mean().sqrt().item() for t in times]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("schedule", [EDMSchedule(), FlowSchedule(), VPSchedule()], ids=name)
def test_an_ancestral_step_of_ddim_is_ddpm(schedule: Schedule):
    """Also without noise: eta = 0 is the step itself."""
    denoiser, times = mixture(schedule), KarrasGrid()(schedule, 12)
    x = denoiser.process.prior(times[0], normal(8))
    pairs = ((Ancestral(DDIM()), DDPM()), (Ancestral(DDIM(), 0.3), DDIM(0.3)), (Ancestral(Heun(), 0), Heun()))
    for one, other in pairs:
        found, expected = (run(denoiser, x, times, step) for step in (one, other))
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_given_noise_is_what_is_drawn():
    """The same noise, drawn or given, in a sampler, in the bound and in the likelihood."""
    denoiser, times, x = mixture(VPSchedule()), UniformGrid()(VPSchedule(), 3), normal(4)
    drawn = torch.Generator().manual_seed(5)
    noise = [torch.randn(4, 2, generator=drawn, dtype=torch.float64) for _ in range(3)]
    *_, last = sample(denoiser, x, times, DDPM(), GivenNoise(noise))
    assert last.x.equal(run(denoiser, x, times, DDPM(), seed=5))
    bits = [
        bound(denoiser, x, times, source).bits
        for source in (torch.Generator().manual_seed(5), GivenNoise(noise))
    ]
    assert bits[0].equal(bits[1])
    with pytest.raises(ValueError, match="none is left"):
        list(sample(denoiser, x, times, DDPM(), GivenNoise(noise[:2])))
    signs = 2 * torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(5)).double() - 1
    found = [
        log_likelihood(denoiser, x, torch.Generator().manual_seed(5), direction=direction)
        for direction in (None, signs)
    ]
    assert found[0].equal(found[1])


def narrow(schedule: Schedule) -> MixtureDenoiser:
    """Four turned components, a tenth as wide along one axis as along another."""
    generator = torch.Generator().manual_seed(5)
    means = 0.7 * torch.randn(4, 4, generator=generator, dtype=torch.float64)
    axes = torch.linalg.qr(torch.randn(4, 4, 4, generator=generator, dtype=torch.float64))[0]
    widths = torch.tensor([0.1, 0.25, 0.5, 1.0], dtype=torch.float64)
    return MixtureDenoiser(Process(schedule), means, covariances=axes * widths**2 @ axes.mT)


@pytest.mark.parametrize(
    ("step", "least", "most"),
    [
        (DDIM(), 0.9, 1.1), (Heun(), 1.9, 2.1), (DPMpp2M(), 1.9, 2.1), (DPMpp3M(), 2.9, 3.3),
        (UniPC(2), 2.85, 3.1), (UniPC(3), 3.2, 4.0), (LMS(4), 3.5, 4.1),
    ],
    ids=name,
)  # fmt: skip
@pytest.mark.slow
def test_order_on_data_that_are_narrow_along_some_axes(step: Step, least: float, most: float):
    """Where the end is not flat: the nominal order, but UniPC(3), whose order falls over the last steps."""
    denoiser, counts = narrow(EDMSchedule()), (80, 160)
    times = [LogSNRGrid()(EDMSchedule(), count + 1)[:-1] for count in counts]
    noise = torch.randn(8, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = denoiser.process.prior(times[0][0], noise)
    exact = run(denoiser, x, times[0][[0, -1]], RK45(1e-11, 1e-11))
    errors = [(run(denoiser, x, t, step) - exact).square().mean().sqrt().item() for t in times]
    assert least < math.log2(errors[0] / errors[1]) < most


def k_diffusions_3m(denoiser, x, sigmas: list[float]) -> torch.Tensor:
    """DPM-Solver++ 3M in Newton's differences, as k-diffusion has it, for alpha = 1."""
    answers: list[torch.Tensor] = []
    for i, (sigma, following) in enumerate(itertools.pairwise(sigmas)):
        t = torch.full((len(x),), sigma / 80, dtype=torch.float64)
        answers.append(denoiser(x, t))
        if following == 0:
            return answers[-1]
        h, h1, h2 = (math.log(sigmas[i - j] / sigmas[i - j + 1]) if i >= j else 1.0 for j in range(3))
        x = following / sigma * x - math.expm1(-h) * answers[-1]
        phi2 = math.expm1(-h) / h + 1
        if i == 0:
            continue
        slope = (answers[-1] - answers[-2]) * h / h1
        if i > 1:
            earlier = (answers[-2] - answers[-3]) * h / h2
            bend = (slope - earlier) / (h1 + h2) * h
            x = x + phi2 * (slope + bend * h1 / h) - (phi2 / h - 0.5) * bend
        else:
            x = x + phi2 * slope
    return x


@pytest.mark.parametrize("grid", [KarrasGrid(), LogSNRGrid()], ids=name)
@pytest.mark.parametrize("steps", [3, 8, 40])
def test_dpmpp_3m_with_half_its_bend_is_that_of_k_diffusion(grid, steps: int):
    denoiser, times = mixture(EDMSchedule()), grid(EDMSchedule(), steps)
    x = denoiser.process.prior(times[0], normal(8))
    expected = k_diffusions_3m(denoiser, x, (80 * times).tolist())
    torch.testing.assert_close(run(denoiser, x, times, DPMpp3M(0.5)), expected, rtol=1e-8, atol=1e-8)


def test_half_a_bend_errs_less_with_few_steps_and_more_with_many():
    denoiser, grid, ratios = mixture(EDMSchedule()), KarrasGrid(), []
    for steps in (20, 160):
        times = grid(EDMSchedule(), steps)
        x = denoiser.process.prior(times[0], normal(32))
        exact = denoiser(run(denoiser, x, times[[0, -2]], RK45(1e-9, 1e-9)), times[-2].expand(32))
        half, whole = (run(denoiser, x, times, DPMpp3M(bend)) - exact for bend in (0.5, 1.0))
        ratios.append((half.square().mean() / whole.square().mean()).sqrt().item())
    assert ratios[0] < 0.6 and ratios[1] > 2


SLOW_STOCHASTIC = [
    (EDMSchedule(), DDPM(), KarrasGrid()(EDMSchedule(), 400)),
    (BetaSchedule(linear_betas(1000)), DDPM("large"), UniformGrid()(EDMSchedule(), 1000)),
    (CosineSchedule(), DDIM(1.0), UniformGrid()(EDMSchedule(), 400)),
    (FlowSchedule(), DDIM(0.5), KarrasGrid()(FlowSchedule(), 200)),
    (EDMSchedule(), Churn(churn=60), KarrasGrid()(EDMSchedule(), 150)),
    (EDMSchedule(), EulerChurn(churn=60), KarrasGrid()(EDMSchedule(), 400)),
    (FlowSchedule(), Ancestral(), KarrasGrid()(FlowSchedule(), 100)),
    (VPSchedule(), Ancestral(DPMpp2S(), 0.5), LogSNRGrid()(VPSchedule(), 100)),
    (VPSchedule(), EulerMaruyama(), UniformGrid()(EDMSchedule(), 1000)),
    (SubVPSchedule(), EulerMaruyama(), UniformGrid()(EDMSchedule(), 1000)),
    (VESchedule(), EulerMaruyama(), UniformGrid()(EDMSchedule(), 1000)),
    (VESchedule(), PredictorCorrector(snr=0.05), KarrasGrid(0.002, 50)(VESchedule(), 200)),
    (VPSchedule(), PredictorCorrector(DDIM(), snr=0.05), KarrasGrid()(VPSchedule(), 200)),
    (VESchedule(), AnnealedLangevin(0.1, 200), LogSNRGrid(0.01, 50)(VESchedule(), 30)),
]


@pytest.mark.parametrize(
    ("schedule", "step", "times"),
    [
        (CosineSchedule(), DPMpp2M(1.0), LogSNRGrid()(CosineSchedule(), 60)),
        (VPSchedule(), EulerMaruyama(), UniformGrid()(EDMSchedule(), 100)),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW_STOCHASTIC),
    ],
    ids=lambda thing: f"{len(thing) - 1} steps" if isinstance(thing, torch.Tensor) else name(thing),
)
def test_stochastic_samplers_reproduce_mean_and_covariance(schedule, step, times):
    """Within four standard errors, and a hundredth for the steps being finite."""
    n = 4000
    denoiser = mixture(schedule)
    x = run(denoiser, denoiser.process.prior(times[0], normal(n)), times, step)
    mean = WEIGHTS @ MEANS
    centred = MEANS - mean
    covariance = (WEIGHTS[:, None] * centred).T @ centred + (WEIGHTS @ STDS**2) * torch.eye(2)
    spread = 4 * (covariance.diagonal().max().item() / n) ** 0.5
    torch.testing.assert_close(x.mean(0), mean, rtol=0, atol=spread + 0.01)
    torch.testing.assert_close(x.T.cov(), covariance, rtol=0, atol=spread + 0.01)


@pytest.mark.parametrize(
    "schedule",
    [CosineSchedule(), FlowSchedule(), VPSchedule(beta_max=60.0), EDMSchedule(1e7)],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.slow
def test_log_likelihood_is_the_exact_log_density(schedule: Schedule):
    """Schedules whose end is pure noise to 1e-7; the density of the mixture in closed form."""
    x0 = normal(12, seed=4)
    squared = (x0[:, None] - MEANS).square().sum(2) / STDS**2
    log_p = torch.logsumexp(WEIGHTS.log() - squared / 2 - torch.log(2 * math.pi * STDS**2), 1)
    found = log_likelihood(
        mixture(schedule), x0, torch.Generator(), "exact", smallest=1e-5, rtol=1e-10, atol=1e-10
    )
    torch.testing.assert_close(found, log_p, rtol=0, atol=1e-6)


def test_hutchinsons_trace_is_unbiased_and_exact_for_diagonal_jacobians():
    x0 = normal(1, seed=4).expand(4000, 2).contiguous()
    exact = log_likelihood(mixture(CosineSchedule()), x0[:1], torch.Generator(), "exact").item()
    drawn = log_likelihood(mixture(CosineSchedule()), x0, torch.Generator().manual_seed(0))
    error = drawn.std().item() / len(drawn) ** 0.5
    assert 0 < error < 0.05 and drawn.mean().item() == pytest.approx(exact, abs=4 * error)
    one = gaussian_denoiser(Process(CosineSchedule()), torch.zeros(2, dtype=torch.float64), 0.5)
    same = log_likelihood(one, normal(5), torch.Generator().manual_seed(0))
    torch.testing.assert_close(same, log_likelihood(one, normal(5), torch.Generator(), "exact"))


def test_bits_per_dimension_of_uniform_bytes_are_eight():
    """The density of dequantised uniform bytes is 1/2 in [-1, 1]: log2 256 bits each."""
    pictures = torch.arange(256, dtype=torch.uint8).repeat(40)[None]
    spread = dequantise(pictures, torch.Generator().manual_seed(0))
    assert spread.min().item() >= -1 and spread.max().item() <= 1
    counts = torch.histc(spread.double(), 128, -1, 1)
    assert bool((counts - 80).abs().max() <= 40)
    log_p = torch.full((1,), spread.numel() * math.log(0.5), dtype=torch.float64)
    assert bits_per_dimension(log_p, spread.numel()).item() == pytest.approx(8)


def ends(start: float, end: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(start, dtype=torch.float64), torch.tensor(end, dtype=torch.float64)


def test_adaptive_integration_keeps_its_tolerance():
    """dy/dt = -y and a rotation, both ways; and cos(k t), each sample at its own pace."""
    pace = torch.tensor([[1.0], [50.0]], dtype=torch.float64)
    waves = integrate(lambda t, y: (pace * t[:, None]).cos(), 0 * pace, *ends(0, 2), 1e-10, 1e-10)
    torch.testing.assert_close(waves, (2 * pace).sin() / pace, rtol=0, atol=1e-8)
    y = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    found = integrate(lambda t, y: -y, y, *ends(0, 3), 1e-10, 1e-12)
    torch.testing.assert_close(found, y * math.exp(-3), rtol=1e-8, atol=0)
    turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    back = integrate(lambda t, y: y @ turn, y, *ends(math.pi, 0), 1e-10, 1e-10)
    torch.testing.assert_close(back, -y, rtol=0, atol=1e-8)
    with pytest.raises(ValueError, match="did not reach the end"):
        integrate(lambda t, y: -y, y, *ends(0, 3), 1e-10, 1e-12, most=3)


def test_what_float32_cannot_tell_apart_is_no_error():
    y = torch.ones(2, 1)
    found = integrate(lambda t, y: -y, y, *ends(0, 3), 1e-12, 1e-12, most=200)
    torch.testing.assert_close(found, torch.full_like(y, math.exp(-3)), rtol=0, atol=1e-6)


def test_a_sample_that_has_landed_waits_for_the_others():
    """cos(k t) each at its own pace, between ends of which rounding steps over some; alone as in a batch."""
    pace = torch.tensor([[0.0], [20.0]], dtype=torch.float64)
    found = integrate(
        lambda t, y: (pace * t[:, None]).cos(), 0 * pace,
        *ends(1.5124360850642677, 0.00199999733334), 1e-7, 1e-7, 3000,
    )  # fmt: skip
    assert found.flatten().tolist() == pytest.approx([-1.5104361, 0.0479823], abs=1e-6)
    generator = torch.Generator().manual_seed(0)
    for start, end in torch.rand(20, 2, generator=generator, dtype=torch.float64) * 3:
        pace = torch.linspace(0, 30, 16, dtype=torch.float64)[:, None]
        found = integrate(lambda t, y, k=pace: (k * t[:, None]).cos(), 0 * pace, start, end, 1e-6, 1e-6, 500)
        exact = torch.where(pace == 0, end - start, ((pace * end).sin() - (pace * start).sin()) / pace)
        torch.testing.assert_close(found, exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.slow
def test_no_row_of_rk45_depends_on_another_at_any_tolerance(dtype):
    denoiser = mixture(VPSchedule())
    times = KarrasGrid()(VPSchedule(), 1)
    x = denoiser.process.prior(times[0], normal(128)).to(dtype)
    exact = run(denoiser, x[:5].double(), times, RK45(1e-12, 1e-12))
    for tolerance in (1e-3, 1e-6, 1e-12):
        step = RK45(tolerance, tolerance)
        batch, few, one = (run(denoiser, x[:n], times, step) for n in (128, 5, 1))
        close = {"rtol": 0, "atol": 1e-9 if dtype == torch.float64 else 1e-5}
        torch.testing.assert_close(batch[:5], few, **close)
        torch.testing.assert_close(batch[:1], one, **close)
        error = (few.double() - exact).abs().max().item()
        assert error < max(10 * tolerance, 1e-10 if dtype == torch.float64 else 2e-5)


def test_an_ode_that_cannot_be_followed_is_said_at_once():
    with pytest.raises(ValueError, match="no numbers"):
        integrate(lambda t, y: y / 0, torch.zeros(1, 1), *ends(0, 1), 1e-3, 1e-3, 100)


def test_churn_does_not_pretend_to_raise_noise_beyond_the_schedule():
    """S_churn 10 over 10 steps raises 80 to 113.1, where EDM's schedule ends at 80."""
    schedule = EDMSchedule(80)
    denoiser, times = mixture(schedule), KarrasGrid()(schedule, 10)
    x = denoiser.process.prior(times[0], normal(4))
    with pytest.raises(ValueError, match=r"113\.1.*ends at 80: set high to 56\.5"):
        run(denoiser, x, times, Churn(10, high=math.inf))
    run(denoiser, x, times, Churn(10, high=56.5))
    # A schedule that goes on has it: the first call is at sigma 113.1.
    asked: list[float] = []
    wide = mixture(EDMSchedule(200))

    class Noted:
        process = wide.process

        def __call__(self, x_t, t, cond=None):
            asked.append(200 * t[0].item())
            return wide(x_t, t)

    run(Noted(), x, KarrasGrid()(EDMSchedule(200), 10), Churn(10, high=math.inf))
    assert asked[0] == pytest.approx(80 * math.sqrt(2))


@pytest.mark.slow
def test_inversion_comes_back():
    """Up and down again; the error falls with the steps and with the rounds."""
    schedule = CosineSchedule()
    denoiser, x0 = mixture(schedule), normal(32, seed=2)

    def error(steps: int, rounds: int) -> float:
        times = LogSNRGrid(0.01, 50)(schedule, steps)
        noise = run(denoiser, x0, times.flip(0), Inversion(rounds))
        return (run(denoiser, noise, times, DDIM()) - x0).square().mean().sqrt().item()

    coarse, fine, finer = error(25, 1), error(100, 1), error(400, 1)
    assert coarse > 2 * fine > 4 * finer
    assert error(100, 30) < 0.02 * fine


SHAPES = [(3, 2), (3, 2, 5), (3, 2, 4, 6), (3, 7, 3)]
EVERY: list[Step] = [
    DDPM(), DDPM("large"), DDIM(), DDIM(0.5), Heun(), DPMpp2S(), DPMpp2M(), DPMpp2M(1.0), DPMpp3M(), LMS(),
    DPMpp2M(form="heun", first="2s"), DPMpp3S(), LMS(3, "lambda"), PNDM(), HeunInTime(), DPM2(), EulerChurn(),
    Ancestral(), UniPC(2), UniPC(3), RungeKutta2(), RK45(1e-4, 1e-4, 1e-2), Churn(), EulerMaruyama(),
    PredictorCorrector(), AnnealedLangevin(inner=2),
]  # fmt: skip


@pytest.mark.parametrize("step", EVERY, ids=name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape_of_data_is_sampled_alike(step: Step, shape: tuple[int, ...]):
    """The same numbers in another shape give the same answer."""
    schedule = EDMSchedule()
    times = KarrasGrid()(schedule, 6)
    noise = 80 * torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def draw(x: torch.Tensor) -> torch.Tensor:
        mean = torch.linspace(-1, 1, x[0].numel(), dtype=torch.float64).reshape(x.shape[1:])
        return run(gaussian_denoiser(Process(schedule), mean, 0.4), x, times, step)

    torch.testing.assert_close(draw(noise).flatten(1), draw(noise.flatten(1)))
