"""Do intervals hold the truth as often as they say?"""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.judging.metrics.bootstrap import bootstrap_interval, jackknife_interval
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.judging.metrics.kernel import mmd2

LEVEL = 0.9


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def gap(real: torch.Tensor, fake: torch.Tensor) -> float:
    return (fake.mean() - real.mean()).item()


def coverage(interval, score, truth, d, shift, generator, trials, n=60, repeats=100) -> float:
    """How often the interval holds ``truth``, for N(0, I_d) against a mean ``shift`` in each feature."""
    held = 0
    for _ in range(trials):
        real, fake = normal(generator, n, d), normal(generator, n, d) + shift
        low, high = interval(score, real, fake, generator, LEVEL, repeats)
        held += low <= truth <= high
    return held / trials


@pytest.mark.slow
@pytest.mark.parametrize("interval", [bootstrap_interval, jackknife_interval])
def test_both_hold_a_mean_as_often_as_they_say(generator, interval):
    """400 trials scatter by 0.015."""
    assert coverage(interval, gap, 0.3, 1, 0.3, generator, trials=400) == pytest.approx(LEVEL, abs=0.05)


@pytest.mark.slow
def test_only_the_jackknife_holds_a_kernel_distance(generator):
    """|m|^2 = 5 in 20 features: 1.013125. Twins on the diagonal push the bootstrap off."""
    jackknife = coverage(jackknife_interval, mmd2, 1.013125, 20, 0.5, generator, trials=100)
    assert jackknife == pytest.approx(LEVEL, abs=0.09)
    bootstrap = coverage(bootstrap_interval, mmd2, 1.013125, 20, 0.5, generator, trials=40)
    assert bootstrap < 0.75


@pytest.mark.slow
def test_the_kernel_distance_of_equal_distributions_is_held_with_room_to_spare(generator):
    assert coverage(jackknife_interval, mmd2, 0.0, 4, 0.0, generator, trials=40) > 0.9
    assert coverage(bootstrap_interval, mmd2, 0.0, 4, 0.0, generator, trials=40) < 0.6


@pytest.mark.slow
def test_the_jackknife_is_as_long_as_frechet_distances_scatter(generator):
    """From the 5% to the 95% quantile of the figures of 1000 fresh pairs of sets."""

    def score(real, fake):
        return frechet(gaussian(real), gaussian(fake))

    def pair():
        return normal(generator, 60, 3), normal(generator, 60, 3) + 1

    figures = torch.tensor([score(*pair()) for _ in range(1000)], dtype=torch.float64)
    low, high = figures.quantile(torch.tensor([0.05, 0.95]).double()).tolist()
    found = [jackknife_interval(score, *pair(), generator, LEVEL, 100) for _ in range(60)]
    lengths = [interval.high - interval.low for interval in found]
    assert sum(lengths) / 60 == pytest.approx(high - low, rel=0.1)
    held = sum(interval.low <= figures.mean() <= interval.high for interval in found) / 60
    assert held > 0.75


def test_the_interval_of_a_mean_is_as_long_as_theory_says(generator):
    """2 x 1.645 sqrt(s^2 / 90 + s^2 / 40), with unequal numbers."""
    real, fake = normal(generator, 90, 1), normal(generator, 40, 1)
    expected = 2 * 1.645 * (real.var() / 90 + fake.var() / 40).sqrt().item()
    for interval in (bootstrap_interval, jackknife_interval):
        low, high = interval(gap, real, fake, generator, LEVEL, 3000)
        assert high - low == pytest.approx(expected, rel=0.08)
        assert (low + high) / 2 == pytest.approx(gap(real, fake), abs=0.03)


def test_the_same_generator_gives_the_same_interval(generator):
    real, fake = normal(generator, 20, 2), normal(generator, 20, 2)
    for interval in (bootstrap_interval, jackknife_interval):
        first, again, other = (
            interval(gap, real, fake, torch.Generator().manual_seed(seed), repeats=50) for seed in (1, 1, 2)
        )
        assert first == again != other


def test_pictures_are_rows_too(generator):
    """A score that is certain has an interval of no length."""
    pictures = torch.full((8, 3, 4, 4), 7, dtype=torch.uint8)

    def score(real, fake):
        return (real.double().mean() + fake.double().mean()).item()

    for interval in (bootstrap_interval, jackknife_interval):
        assert interval(score, pictures, pictures, generator, repeats=5) == (14, 14)


def test_what_has_no_interval_says_so(generator):
    with pytest.raises(UserError, match="an interval needs 2 or more"):
        bootstrap_interval(gap, normal(generator, 1, 1), normal(generator, 9, 1), generator)
    with pytest.raises(UserError, match="an interval needs 4 or more"):
        jackknife_interval(gap, normal(generator, 9, 1), normal(generator, 3, 1), generator)
    with pytest.raises(ValueError, match="between 0 and 1"):
        bootstrap_interval(gap, normal(generator, 9, 1), normal(generator, 9, 1), generator, level=95)
