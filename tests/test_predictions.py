"""Every prediction says the same thing: conversions against the definition, and all round trips."""

import itertools

import pytest
import torch

from fogcatcher.predictions import EPS, PREDICTIONS, SCORE, VELOCITY, X0, V, convert

PAIRS = list(itertools.product(PREDICTIONS, repeat=2))
RATES = [(0.9, 0.4358899), (0.6, 0.8), (0.3, 0.7), (1.0, 20.0)]


def case(alpha: float, sigma: float):
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(4, 3, 5, generator=generator, dtype=torch.float64)
    eps = torch.randn(4, 3, 5, generator=generator, dtype=torch.float64)
    a, s = torch.tensor(alpha, dtype=torch.float64), torch.tensor(sigma, dtype=torch.float64)
    return x0, eps, a * x0 + s * eps, a, s


@pytest.mark.parametrize("rates", RATES)
def test_definitions(rates: tuple[float, float]):
    x0, eps, x_t, a, s = case(*rates)
    said = {X0: x0, EPS: eps, V: a * eps - s * x0, VELOCITY: eps - x0, SCORE: -eps / s}
    for prediction, value in said.items():
        torch.testing.assert_close(prediction.from_x0(x_t, x0, a, s), value)
        torch.testing.assert_close(prediction.to_x0(x_t, value, a, s), x0)


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda p: getattr(p, "name", ""))
def test_all_pairs_round_trip(source, target, rates):
    _, _, x_t, a, s = case(*rates)
    value = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    there = convert(value, source, target, x_t, a, s)
    torch.testing.assert_close(convert(there, target, source, x_t, a, s), value)
