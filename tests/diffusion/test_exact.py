"""Exact denoisers against quadrature, and against each other."""

import math

import pytest
import torch

from fogcatcher.diffusion.exact import MixtureDenoiser, dataset_denoiser, gaussian_denoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import CosineSchedule, FlowSchedule


def times(value: float, n: int) -> torch.Tensor:
    return torch.full((n,), value, dtype=torch.float64)


def test_mixture_against_numerical_integration():
    """E[x0 | x_t] by summing p(x0) p(x_t | x0) over a fine grid of x0."""
    schedule, t = FlowSchedule(), 0.4
    means, stds, shares = [-1.0, 0.5, 2.0], [0.2, 0.4, 0.1], [0.2, 0.5, 0.3]
    denoiser = MixtureDenoiser(
        Process(schedule), torch.tensor(means).double()[:, None], torch.tensor(stds), torch.tensor(shares)
    )
    grid = torch.linspace(-6, 6, 40_001, dtype=torch.float64)
    density = sum(
        w / s * torch.exp(-(((grid - m) / s) ** 2) / 2) for m, s, w in zip(means, stds, shares, strict=True)
    )
    assert isinstance(density, torch.Tensor)
    for x in (-1.5, 0.0, 0.7, 2.5):
        joint = density * torch.exp(-(((x - (1 - t) * grid) / t) ** 2) / 2)
        expected = (grid * joint).sum() / joint.sum()
        found = denoiser(torch.tensor([[x]], dtype=torch.float64), times(t, 1))
        assert found.item() == pytest.approx(expected.item(), abs=1e-6)


def test_gaussian_denoiser_is_the_wiener_filter():
    alpha, sigma = math.cos(0.3 * math.pi / 2), math.sin(0.3 * math.pi / 2)
    mean = torch.tensor([0.1, -0.4], dtype=torch.float64)
    x = torch.randn(5, 2, dtype=torch.float64)
    expected = mean + alpha * 0.49 / (alpha**2 * 0.49 + sigma**2) * (x - alpha * mean)
    found = gaussian_denoiser(Process(CosineSchedule()), mean, 0.7)(x, times(0.3, 5))
    torch.testing.assert_close(found, expected)


def test_a_mixture_of_whole_covariances_against_torch():
    """Its density is that of torch.distributions, and its answers the score of that density (Tweedie)."""
    generator = torch.Generator().manual_seed(0)
    means, roots = (torch.randn(*shape, generator=generator).double() for shape in ((3, 2, 2), (3, 4, 4)))
    covariances, weights = 0.1 * roots @ roots.mT, torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    mixture = MixtureDenoiser(Process(CosineSchedule()), means, None, weights, covariances)
    x, t = torch.randn(5, 2, 2, generator=generator).double().requires_grad_(), times(0.4, 5)
    alpha, sigma = math.cos(0.2 * math.pi), math.sin(0.2 * math.pi)
    noisy = alpha**2 * covariances + sigma**2 * torch.eye(4)
    parts = torch.distributions.MultivariateNormal(alpha * means.flatten(1), noisy)
    log_p = torch.logsumexp(weights.log() + parts.log_prob(x.flatten(1)[:, None]), 1)
    torch.testing.assert_close(mixture.log_density(x, t), log_p)
    (score,) = torch.autograd.grad(log_p.sum(), x)
    torch.testing.assert_close(mixture(x, t), (x + sigma**2 * score) / alpha)
    clean = torch.distributions.MultivariateNormal(means.flatten(1), covariances)
    log_p = torch.logsumexp(weights.log() + clean.log_prob(x.flatten(1)[:, None]), 1)
    torch.testing.assert_close(mixture.log_density(x, times(0, 5)), log_p)


def test_round_covariances_are_standard_deviations():
    means, stds = torch.randn(3, 2, dtype=torch.float64), torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64)
    process, x = Process(FlowSchedule()), torch.randn(6, 2, dtype=torch.float64)
    plain = MixtureDenoiser(process, means, stds)
    full = MixtureDenoiser(process, means, covariances=stds[:, None, None] ** 2 * torch.eye(2))
    torch.testing.assert_close(full(x, times(0.3, 6)), plain(x, times(0.3, 6)))
    torch.testing.assert_close(full.log_density(x, times(0.3, 6)), plain.log_density(x, times(0.3, 6)))


def test_a_standard_deviation_keeps_all_its_digits():
    """Given with float32 data, asked in float64: 0.1 is not 0.100000001."""
    x, t = torch.tensor([[0.7]], dtype=torch.float64), times(0.3, 1)
    found = gaussian_denoiser(Process(FlowSchedule()), torch.zeros(1), 0.1)(x, t).item()
    assert found == pytest.approx(0.7 * 0.01 / (0.49 * 0.01 + 0.09) * 0.7, rel=1e-14)


def test_dataset_denoiser_returns_the_nearest_point_when_little_noise_is_left():
    points = torch.randn(20, 3, 4, 4, dtype=torch.float64)
    denoiser = dataset_denoiser(Process(CosineSchedule()), points)
    near = 0.9999 * points[[3, 17]] + 0.01 * torch.randn(2, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(denoiser(near, times(0.01, 2)), points[[3, 17]])


def test_dataset_denoiser_returns_the_mean_when_only_noise_is_left():
    points = torch.randn(20, 6, dtype=torch.float64)
    found = dataset_denoiser(Process(CosineSchedule()), points)(torch.randn(2, 6).double(), times(1.0, 2))
    torch.testing.assert_close(found, points.mean(0).expand(2, 6))


def test_answers_for_one_time_and_for_one_time_each_agree():
    points = torch.randn(4, 2, dtype=torch.float64)
    denoiser = dataset_denoiser(Process(FlowSchedule()), points)
    x = torch.randn(3, 2, dtype=torch.float64)
    together = denoiser(x, torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64))
    apart = [denoiser(x[i : i + 1], times(t, 1)) for i, t in enumerate((0.2, 0.5, 0.8))]
    torch.testing.assert_close(together, torch.cat(apart))


def test_mixtures_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one mean, one std and one weight"):
        MixtureDenoiser(Process(FlowSchedule()), torch.zeros(3, 2), torch.ones(2))
    with pytest.raises(ValueError, match="one of the two"):
        MixtureDenoiser(Process(FlowSchedule()), torch.zeros(3, 2))
    for wrong, words in (([[1.0, 0.5], [0.0, 1.0]], "symmetric"), ([[1.0, 2.0], [2.0, 1.0]], "negative")):
        with pytest.raises(ValueError, match=words):
            MixtureDenoiser(Process(FlowSchedule()), torch.zeros(1, 2), covariances=torch.tensor([wrong]))
