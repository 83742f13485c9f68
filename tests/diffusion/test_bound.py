"""The variational bound against closed forms: DDPM's figures, that of 2015, learned variance."""

import itertools
import math

import pytest
import torch
from torch import nn

from fogcatcher.diffusion.bound import (
    HALF_STEP,
    Decoder,
    bound,
    bound_2015,
    bytes_nll,
    continuous_nll,
    kl,
    prior_nats,
    step_nats,
)
from fogcatcher.diffusion.denoiser import Denoiser, LearnedVarianceDenoiser, PredictEps
from fogcatcher.diffusion.exact import gaussian_denoiser
from fogcatcher.diffusion.guidance import ClassifierFree, Clipped, Conditioned
from fogcatcher.diffusion.objectives import ImportanceTimes, Objective, UniformTimes, Variational
from fogcatcher.diffusion.posterior import Variance, clipped_log_variance, learned_log_variance, reverse
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import LinspaceGrid, UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDPM, sample
from fogcatcher.diffusion.schedules import BetaSchedule, linear_betas

LINEAR = Process(BetaSchedule(linear_betas(1000)))
ONE = torch.ones((), dtype=torch.float64)
UNIT = gaussian_denoiser(LINEAR, torch.zeros(1, dtype=torch.float64), 1.0)
TIMES = UniformGrid()(LINEAR.schedule, 1000)
# The mean of any quadratic form in (x0, eps) over these four is its mean over two unit Gaussians.
X0 = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]], dtype=torch.float64)
EPS = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]], dtype=torch.float64)


def terms(variance: Variance, decoder: Decoder = "continuous") -> list[float]:
    """The exact mean of every term of the bound on N(0, 1) data, from T to 1, in nats."""
    found = []
    for t, s in itertools.pairwise(TIMES):
        x_t = LINEAR.corrupt(X0, t, EPS)
        _, mean, log_variance = reverse(UNIT, x_t, t, s, variance)
        found.append(step_nats(LINEAR, X0, x_t, mean, log_variance, t, s, decoder).mean().item())
    return found


@pytest.mark.slow
def test_ddpm_bound_on_unit_gaussian_data_is_its_entropy():
    """With variance beta nothing is lost: L_T + sum L_t + L_0 = log(2 pi e) / 2."""
    *middle, last = terms("large")
    assert sum(middle) == pytest.approx(4.605150, abs=1e-6)
    assert last == pytest.approx(-3.186232, abs=1e-6)
    prior = prior_nats(LINEAR, X0, ONE).mean().item()
    assert prior == pytest.approx(2.018e-5, rel=1e-3)
    assert sum(middle) + last + prior == pytest.approx(1.4189385, abs=1e-7)
    assert sum(terms("small")[:-1]) == pytest.approx(5.070042, abs=1e-6)


@pytest.mark.parametrize(("second_moment", "bits"), [(0.25, 7.2787e-6), (1.0, 2.9113e-5)])
def test_l_t_in_bits(second_moment, bits):
    found = prior_nats(LINEAR, X0 * second_moment**0.5, ONE).mean().item() / math.log(2)
    assert found == pytest.approx(bits, rel=1e-4)


def test_weight_of_eps_in_the_bound():
    """L_t = w_t |eps - eps_hat|^2 + const; for variance beta w_t = beta / (2 alpha (1 - alpha_bar))."""
    schedule = LINEAR.schedule
    for step, weight in ((2, 0.27269), (1000, 0.010204)):
        t, s = ONE * step / 1000, ONE * (step - 1) / 1000
        x_t = LINEAR.corrupt(X0, t, EPS)

        def cost(eps_hat, t=t, s=s, x_t=x_t):
            x0_hat = (x_t - schedule.sigma(t) * eps_hat) / schedule.alpha(t)
            mean = LINEAR.bridge(x_t, x0_hat, t, s)[0]
            return step_nats(LINEAR, X0, x_t, mean, LINEAR.step_variance(t, s).log(), t, s).mean().item()

        # Half a unit of error in eps.
        assert (cost(EPS + 0.5) - cost(EPS)) / 0.25 == pytest.approx(weight, rel=1e-4)


def test_the_bound_of_2015_is_tight_on_unit_gaussian_data():
    """K = -log(2 pi e) / 2 per dimension: reverse mean sqrt(1 - beta) x, variance beta, no gap."""
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    process = Process(BetaSchedule(linear_betas(40, 0.01, 0.4)))
    unit = gaussian_denoiser(process, torch.zeros(1, dtype=torch.float64), 1.0)
    times = UniformGrid()(process.schedule, 40)
    k = bound_2015(bound(unit, x0, times, generator, "large", "continuous"), process, times)
    error = k.std().item() / len(k) ** 0.5
    assert k.mean().item() == pytest.approx(-0.5 * math.log(2 * math.pi * math.e), abs=4 * error)
    assert error < 0.02


def test_the_decoder_is_a_distribution_over_256_values():
    values = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    for mean, std in ((0.0, 0.3), (0.98, 0.01), (-1.5, 0.2)):
        log_variance = torch.full((256,), 2 * math.log(std), dtype=torch.float64)
        nll = bytes_nll(values, torch.full((256,), mean, dtype=torch.float64), log_variance)
        # What is less likely than 1e-12 is held at that.
        assert (-nll).exp().sum().item() == pytest.approx(1, abs=1e-9)
    # Far narrower than a step, at a value: certain.
    assert bytes_nll(values[:1] * 0 + 1 / 255, torch.full((1,), 1 / 255).double(), ONE[None] * -20) < 1e-6


def test_divergence_of_gaussians():
    zero = torch.zeros((), dtype=torch.float64)
    assert kl(zero, zero, zero, zero).item() == 0
    assert kl(ONE, zero, zero, zero).item() == 0.5
    # KL(N(0, 4) || N(0, 1)) = (4 - 1 - log 4) / 2
    assert kl(zero, zero + math.log(4), zero, zero).item() == pytest.approx((3 - math.log(4)) / 2)


class Raw(nn.Module):
    """Answers the same raw values for every sample."""

    def __init__(self, eps: float, v: float) -> None:
        super().__init__()
        self.eps, self.v = (nn.Parameter(torch.tensor(x, dtype=torch.float64)) for x in (eps, v))

    def forward(self, x, noise_label, cond):
        return torch.cat([x * 0 + self.eps, x * 0 + self.v], 1)


def learned(v: float, eps: float = 0.3) -> LearnedVarianceDenoiser:
    return LearnedVarianceDenoiser(Raw(eps, v), LINEAR, PredictEps())


def test_learned_variance_spans_beta_tilde_to_beta():
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    for t, s in ((0.5, 0.499), (0.002, 0.001), (1.0, 0.9)):
        t, s = ONE * t, ONE * s
        large, small = LINEAR.step_variance(t, s).log(), LINEAR.bridge_variance(t, s).log()
        for v, expected in ((1.0, large), (-1.0, small), (0.0, (large + small) / 2)):
            found = reverse(learned(v), x, t, s, "learned")[2]
            torch.testing.assert_close(found, expected.expand_as(x))
    # The last step has beta-tilde 0; the one above stands in for it, 5.45319e-5 for DDPM.
    last = clipped_log_variance(LINEAR, ONE / 1000, ONE * 0)
    assert last.exp().item() == pytest.approx(5.45319e-5, rel=1e-5)


@pytest.mark.parametrize(
    ("steps", "small"),
    # beta-tilde of the step above, from step 1 + 999/49 -> 21, 1 + 999/9 -> 112, 1000; in one step, beta_1.
    [(50, 9.841e-5), (10, 9.993e-5), (2, 1e-4), (1, 1 - 4.03583e-5)],
)
def test_the_last_step_takes_the_variance_of_the_step_above_it_on_any_grid(steps, small):
    """The large variance stays beta_1 = 1e-4, as the paper says (its code takes that of the step above)."""
    times = LinspaceGrid(1000)(LINEAR.schedule, steps)
    x0, seen = X0.clone(), []

    def noted(x0, mean, log_variance):
        seen.append(log_variance.exp().flatten()[0].item())
        return continuous_nll(x0, mean, log_variance)

    kinds: list[Variance] = ["small", "large"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fogcatcher.diffusion.bound.continuous_nll", noted)
        for variance in kinds:
            bound(UNIT, x0, times, torch.Generator().manual_seed(0), variance, "continuous")
    assert seen[steps - 1] == pytest.approx(small, rel=1e-4)
    assert seen[-1] == pytest.approx(1e-4 if steps > 1 else 1 - 4.03583e-5, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_decoder_keeps_its_digits_far_from_the_mean(dtype):
    """By the log-cdf of scipy: log(exp(logcdf(b)) - exp(logcdf(a))), half a step around 4 to 6 sigma."""
    std = torch.tensor(0.1, dtype=dtype)
    x0 = torch.tensor([0.0, 1 / 255, 255 / 255, -1.0], dtype=dtype)
    mean = x0 + torch.tensor([0.6, -0.6, -0.5, 0.4], dtype=dtype)
    norm = pytest.importorskip("scipy.stats").norm
    expected = []
    for x, m in zip(x0.double().tolist(), mean.double().tolist(), strict=True):
        away = abs(x - m)
        top = norm.logcdf(-(away - HALF_STEP) / std.item())
        beyond = norm.logcdf(-(away + HALF_STEP) / std.item()) if abs(x) < 0.999 else -math.inf
        expected.append(-(top + math.log1p(-math.exp(beyond - top))))
    found = bytes_nll(x0, mean, 2 * std.log())
    assert found.dtype == dtype
    assert found.tolist() == pytest.approx(expected, rel=2e-6)
    assert found[0].item() == pytest.approx(21.45552, abs=1e-4)  # float32 has 27.63, that of 1e-12


def test_ancestral_sampling_with_a_learned_variance():
    """v = 1 draws as the large variance does, v = -1 as the small one; also steered."""
    noise, times = torch.randn(5, 2, 3, dtype=torch.float64), UniformGrid()(LINEAR.schedule, 10)
    pairs: list[tuple[float, Variance]] = [(1.0, "large"), (-1.0, "small")]
    kinds: list[Variance]
    for v, fixed in pairs:
        kinds = ["learned", fixed]
        for steer in (lambda d: d, lambda d: Clipped(Conditioned(ClassifierFree(d, 2.0), {}))):
            draws = [
                [*sample(steer(learned(v)), noise, times, DDPM(kind), torch.Generator().manual_seed(1))][-1]
                for kind in kinds
            ]
            torch.testing.assert_close(draws[0].x, draws[1].x)
    with pytest.raises(ValueError, match="not learned a variance"):
        list(sample(Clipped(UNIT), torch.ones(1, 1).double(), times, DDPM("learned"), torch.Generator()))


def test_the_bound_teaches_the_variance_alone():
    """In L_hybrid the gradient of the mean is that of L_simple, exactly; in L_vlb the mean learns too."""
    x0, noise = torch.randn(6, 2, 3, dtype=torch.float64).clamp(-1, 1), torch.randn(6, 2, 3).double()
    t = torch.tensor([1, 2, 10, 300, 999, 1000], dtype=torch.float64) / 1000

    def gradients(objective) -> tuple[float, float]:
        denoiser = learned(0.2)
        objective.at(denoiser, x0, t, noise).mean().backward()
        grads = [p.grad.item() if p.grad is not None else 0.0 for p in denoiser.parameters()]
        return grads[0], grads[1]

    times = UniformTimes(1000)
    simple, nothing = gradients(Objective(times))
    hybrid, variance = gradients(Variational(times))
    vlb, _ = gradients(Variational(times, simple=0.0, bound=1.0))
    assert nothing == 0 and variance != 0
    assert hybrid == pytest.approx(simple, rel=1e-12) and abs(vlb) > 1e-3
    with pytest.raises(ValueError, match="discrete times"):
        Variational(UniformTimes()).at(learned(0.0), x0, t, noise)
    with pytest.raises(ValueError, match="learns its variance"):
        Variational(times).at(Denoiser(Raw(0, 0), LINEAR, PredictEps()), x0, t, noise)


def test_l_vlb_of_one_step_is_t_times_its_term():
    x0, noise = torch.randn(6, 2, 3, dtype=torch.float64).clamp(-1, 1), torch.randn(6, 2, 3).double()
    t = torch.full((6,), 0.4, dtype=torch.float64)
    denoiser, s = learned(0.2), t - 0.001
    x_t = LINEAR.corrupt(x0, t, noise)
    x0_hat, fraction = denoiser.x0_and_fraction(x_t, t)
    mean = LINEAR.bridge(x_t, x0_hat, t, s)[0]
    nats = step_nats(LINEAR, x0, x_t, mean, learned_log_variance(LINEAR, fraction, t, s), t, s)
    found = Variational(UniformTimes(1000), simple=0.0, bound=1.0).at(denoiser, x0, t, noise)
    torch.testing.assert_close(found, 1000 * nats / math.log(2))


def test_importance_sampled_times_keep_the_mean_and_follow_the_loss():
    """p_t is proportional to the root mean square of the last ten losses of each step."""
    table = torch.tensor([0.1, 0.5, 2.0, 1.4], dtype=torch.float64)
    times, generator = ImportanceTimes(4, uniform=0.0), torch.Generator().manual_seed(0)
    schedule = LINEAR.schedule
    assert times.probability.tolist() == [0.25] * 4
    for _ in range(30):
        t = times.sample(8, schedule, generator)
        times.weigh(t, table[(t * 4).round().long() - 1])
    torch.testing.assert_close(times.probability, table / table.sum())
    t = times.sample(40_000, schedule, generator)
    steps = (t * 4).round().long() - 1
    torch.testing.assert_close(steps.bincount().double() / 40_000, table / table.sum(), rtol=0, atol=1e-4)
    weighed = times.weigh(t, table[steps])
    assert weighed.mean().item() == pytest.approx(table.mean().item(), rel=1e-3)
