"""The classifier pools by attention, knows its own gradient, and comes near the best that is possible."""

import math
from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
import torch.nn.functional as F

from fogcatcher.diffusion.classifier_guidance import log_prob_gradient
from fogcatcher.diffusion.tensors import Condition
from fogcatcher.networks.noisy_classifier import AttentionPool, NoisyClassifier

Net = TypeVar("Net", bound=torch.nn.Module)


@pytest.fixture(autouse=True)
def weights_from_a_seed():
    torch.manual_seed(0)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1000 + seed), dtype=dtype)


def filled(net: Net) -> Net:
    """The network with its zero-initialised layers filled, so that everything shows."""
    for i, parameter in enumerate(net.parameters()):
        parameter.data.add_(0.1 * noise(*parameter.shape, seed=i, dtype=parameter.dtype))
    return net.eval()


def gradient_of(
    logits: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    label: torch.Tensor,
    classes: torch.Tensor,
) -> torch.Tensor:
    """Of log p(class | x); the classifier has the noise label where others have the time."""

    def log_prob(x_t: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        return F.log_softmax(logits(x_t, t), dim=1).gather(1, classes[:, None])[:, 0]

    return log_prob_gradient(log_prob, x, label, {})


def test_attention_pooling_by_hand():
    pool, x = filled(AttentionPool(8, 3, heads=2).double()), noise(2, 8, 2, 3, dtype=torch.float64)
    frequencies = 1 / 10000 ** (torch.arange(2, dtype=torch.float64) / 2)
    answers = []
    for picture in x:
        tokens = [picture.mean((1, 2))]
        for row in range(2):
            for column in range(3):
                angles = [place * frequencies for place in (column, row)]
                waves = [wave(angle) for angle in angles for wave in (torch.sin, torch.cos)]
                tokens.append(picture[:, row, column] + torch.cat(waves))
        q = pool.q(tokens[0])
        k, v = torch.stack([pool.kv(token) for token in tokens]).chunk(2, dim=1)
        heads = []
        for part in (slice(0, 4), slice(4, 8)):
            scores = torch.stack([q[part] @ row[part] for row in k]) / 2  # sqrt(4) = 2
            weights = scores.exp() / scores.exp().sum()
            heads.append(sum(weight * row[part] for weight, row in zip(weights, v, strict=True)))
        answers.append(pool.out(torch.cat(heads)))
    torch.testing.assert_close(pool(x), torch.stack(answers))


def test_pooling_one_position_repeated_is_that_position():
    pool = filled(AttentionPool(8, 3))
    with torch.no_grad():
        pool.kv.weight[:8] = 0  # all keys alike: the weights are equal
        pool.kv.weight[8:] = torch.eye(8)
        pool.kv.bias.zero_()
        x = noise(1, 8, 1, 1)
        place = torch.tensor([0.0, 0, 1, 1, 0, 0, 1, 1])  # sines and cosines of 0, twice
        torch.testing.assert_close(pool(x), pool.out(x.flatten(1) + place / 2))


def test_a_new_classifier_knows_nothing():
    net, x = NoisyClassifier(3, 5, width=8), noise(2, 3, 16, 16)
    assert not net(x, torch.zeros(2)).any()
    assert not gradient_of(net, x, torch.zeros(2), torch.tensor([0, 4])).any()


@pytest.mark.parametrize("size", [(16, 16), (31, 18), (64, 64)], ids=str)
def test_any_size_and_every_pixel_counts(size):
    net = filled(NoisyClassifier(3, 5, width=8))
    gradient = gradient_of(net, noise(2, 3, *size), torch.zeros(2), torch.tensor([0, 4]))
    assert gradient.shape == (2, 3, *size)
    assert bool((gradient.abs() > 0).all())


def test_the_noise_level_matters():
    net, x = filled(NoisyClassifier(3, 5, width=8)), noise(1, 3, 16, 16)
    with torch.no_grad():
        assert (net(x, torch.ones(1)) - net(x, torch.zeros(1))).abs().max() > 1e-3


def test_the_gradient_against_finite_differences():
    net = filled(NoisyClassifier(2, 3, width=8, multipliers=(1, 2)).double())
    x, label = noise(2, 2, 6, 6, dtype=torch.float64), torch.tensor([-0.5, 0.5], dtype=torch.float64)
    classes = torch.tensor([2, 0])
    with torch.no_grad():
        gradient = gradient_of(net, x, label, classes)
        for i in range(20):
            direction = noise(2, 2, 6, 6, seed=i + 1, dtype=torch.float64)
            ends = [
                F.log_softmax(net(x + h * direction, label), 1)[torch.arange(2), classes]
                for h in (1e-5, -1e-5)
            ]
            slopes = (ends[0] - ends[1]) / 2e-5
            torch.testing.assert_close((gradient * direction).sum((1, 2, 3)), slopes, atol=1e-7, rtol=1e-5)


def test_the_gradient_of_two_gaussians_is_the_formula():
    """log p(+ | x) = -ln(1 + e^(-2 mu.x / sigma^2)) for x = +-mu + sigma z, so its gradient is known."""
    mu, sigma = noise(1, 4, 4, dtype=torch.float64), 1.5
    x = noise(3, 1, 4, 4, seed=1, dtype=torch.float64)

    def exact(x_t: torch.Tensor, noise_label: torch.Tensor) -> torch.Tensor:
        along = (x_t * mu).sum((1, 2, 3)) / sigma**2
        return torch.stack([-along, along], dim=1)

    s = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    gradient = gradient_of(exact, x, torch.zeros(3), torch.tensor([1, 0, 1]))
    wrong = torch.sigmoid(-2 * s * (x * mu).sum((1, 2, 3)) / sigma**2)
    expected = (2 * s * wrong / sigma**2)[:, None, None, None] * mu
    torch.testing.assert_close(gradient, expected)


@pytest.mark.slow
def test_training_comes_near_the_bayes_rate_at_every_noise_level():
    """Two pictures +-mu under noise sigma: nobody is right more often than Phi(|mu| / sigma)."""
    generator = torch.Generator().manual_seed(1)
    mu = torch.outer(torch.linspace(-1, 1, 8), torch.ones(8))[None]
    net, length = NoisyClassifier(1, 2, width=8, multipliers=(1, 2)), float(mu.norm())

    def batch(n: int, ratios: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures at unit variance, noise labels and classes, where sigma = |mu| / ratio."""
        sigma = length / ratios
        classes = torch.randint(2, (n,), generator=generator)
        x = (2 * classes - 1)[:, None, None, None] * mu
        x = x + sigma[:, None, None, None] * torch.randn(x.shape, generator=generator)
        return x / (mu.square().mean() + sigma**2).sqrt()[:, None, None, None], sigma.log() / 4, classes

    optimiser = torch.optim.AdamW(net.parameters(), lr=4e-3)
    for _ in range(150):
        x, label, classes = batch(128, 0.5 + 2 * torch.rand(128, generator=generator))
        optimiser.zero_grad()
        F.cross_entropy(net(x, label), classes).backward()
        optimiser.step()

    for ratio in (0.75, 1.0, 1.5, 2.0):
        x, label, classes = batch(4000, torch.full((4000,), ratio))
        with torch.no_grad():
            accuracy = float((net(x, label).argmax(1) == classes).float().mean())
        bayes = 0.5 + 0.5 * math.erf(ratio / math.sqrt(2))
        error = math.sqrt(bayes * (1 - bayes) / 4000)
        assert bayes - 0.02 - 3 * error < accuracy < bayes + 4 * error
