"""Every prediction says the same thing: conversions against the definition, and all round trips."""

import itertools

import pytest
import torch

from fogcatcher.diffusion.predictions import EPS, PREDICTIONS, SCORE, VELOCITY, X0, V, convert
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import Schedule
from tests.every_schedule import SCHEDULES

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


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
@pytest.mark.slow
def test_all_pairs_round_trip_on_every_schedule_wherever_they_are_defined(schedule: Schedule):
    """At 50 times from end to end. Undefined are, and only they:

    - at t = 0, where sigma = 0: eps, v, velocity and score from x0;
    - at t = 1 where alpha = 0 there: x0 from eps and from the score.
    """
    x0, eps, *_ = case(1, 1)
    for time in torch.linspace(0, 1, 50, dtype=torch.float64):
        alpha, sigma = Process(schedule).rates(time, x0)
        x_t = alpha * x0 + sigma * eps
        undefined = set[object]()
        if sigma == 0:
            undefined |= {EPS, V, VELOCITY, SCORE}
        if alpha == 0:
            undefined |= {EPS, SCORE}
        assert bool(undefined) <= (time in (0, 1))
        said = {X0: x0, EPS: eps, V: alpha * eps - sigma * x0, VELOCITY: eps - x0, SCORE: -eps / sigma}
        for source, target in PAIRS:
            there = convert(said[source], source, target, x_t, alpha, sigma)
            back = convert(there, target, source, x_t, alpha, sigma)
            if {source, target} & undefined:
                assert not back.isfinite().any()
            else:
                torch.testing.assert_close(there, said[target])
                torch.testing.assert_close(back, said[source])
