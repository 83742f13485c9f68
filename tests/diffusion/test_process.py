"""The noising process: marginals, composition, and the posterior by Bayes' rule."""

import pytest
import torch

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    linear_betas,
)
from fogcatcher.diffusion.tensors import expand_to

PROCESSES = [
    Process(EDMSchedule()),
    Process(FlowSchedule()),
    Process(CosineSchedule()),
    Process(BetaSchedule(linear_betas(1000))),
]


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p.schedule).__name__)
@pytest.mark.parametrize("shape", [(2,), (3, 4), (1, 4, 4), (5, 3)], ids=str)
def test_marginal_mean_and_variance(process: Process, shape: tuple[int, ...]):
    n, t = 200_000 // int(torch.tensor(shape).prod()), scalar(0.3)
    x0 = torch.full((n, *shape), 0.7, dtype=torch.float64)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_t = process.corrupt(x0, t.expand(n), noise)
    alpha, sigma = process.schedule.alpha(t).item(), process.schedule.sigma(t).item()
    # 200,000 draws: the mean is known to sigma / 447, the deviation to sigma / 632 (one sigma).
    assert x_t.mean().item() == pytest.approx(0.7 * alpha, abs=5 * sigma / 447)
    assert x_t.std().item() == pytest.approx(sigma, abs=5 * sigma / 632)


def test_ends_are_data_and_noise():
    x0, noise = torch.ones(1, 2, dtype=torch.float64), torch.full((1, 2), -3.0, dtype=torch.float64)
    process = Process(FlowSchedule())
    assert process.corrupt(x0, scalar(0.0).expand(1), noise).equal(x0)
    assert process.corrupt(x0, scalar(1.0).expand(1), noise).equal(noise)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p.schedule).__name__)
def test_renoise_from_s_to_t_has_the_marginal_of_t(process: Process):
    s, t, n = scalar(0.2), scalar(0.6), 200_000
    generator = torch.Generator().manual_seed(1)
    x0 = torch.full((n, 1), 0.5, dtype=torch.float64)
    x_s = process.corrupt(x0, s.expand(n), torch.randn(n, 1, generator=generator).double())
    x_t = process.renoise(x_s, s, t, torch.randn(n, 1, generator=generator).double())
    sigma = process.schedule.sigma(t).item()
    assert x_t.mean().item() == pytest.approx(0.5 * process.schedule.alpha(t).item(), abs=5 * sigma / 447)
    assert x_t.std().item() == pytest.approx(sigma, abs=5 * sigma / 632)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p.schedule).__name__)
def test_bridge_is_bayes_rule(process: Process):
    """q(x_s | x_t, x0) is the product of N(x_s; alpha_s x0, sigma_s^2) and N(x_t; a x_s, b^2)."""
    s, t, x0, x_t = scalar(0.35), scalar(0.55), 0.8, -0.4
    schedule = process.schedule
    a = (schedule.alpha(t) / schedule.alpha(s)).item()
    b2 = schedule.sigma(t).item() ** 2 - a**2 * schedule.sigma(s).item() ** 2
    precision = 1 / schedule.sigma(s).item() ** 2 + a**2 / b2
    mean = (schedule.alpha(s).item() * x0 / schedule.sigma(s).item() ** 2 + a * x_t / b2) / precision
    one = torch.ones(1, 1, dtype=torch.float64)
    found, std = process.bridge(x_t * one, x0 * one, t, s)
    assert found.item() == pytest.approx(mean, rel=1e-9)
    assert std.item() ** 2 == pytest.approx(1 / precision, rel=1e-9)


def test_ddpm_posterior_variances_of_the_paper():
    process = Process(BetaSchedule(linear_betas(1000)))
    one = torch.ones(1, 1, dtype=torch.float64)
    _, std = process.bridge(one, one, scalar(2 / 1000), scalar(1 / 1000))
    assert std.item() ** 2 == pytest.approx(5.45319e-5, rel=1e-5)  # beta-tilde_2
    assert process.step_variance(scalar(1.0), scalar(0.999)).item() == pytest.approx(0.02)  # beta_T
    mean, std = process.bridge(one, one * 7, scalar(1 / 1000), scalar(0.0))
    assert std.item() == 0 and mean.item() == pytest.approx(7)  # beta-tilde_1 = 0: lands on x0


def test_times_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one per sample"):
        expand_to(torch.zeros(3), torch.zeros(2, 4))
