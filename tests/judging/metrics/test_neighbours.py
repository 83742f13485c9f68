"""Precision, recall, density and coverage against expectations, constructed sets, and prdc."""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.judging.metrics import neighbours
from fogcatcher.judging.metrics.neighbours import (
    density_coverage,
    expected_coverage,
    precision_recall,
    squared_radii,
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def line(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_radii_on_a_line():
    assert squared_radii(line(0, 1, 3, 7), 1).tolist() == [1, 1, 4, 16]
    assert squared_radii(line(0, 1, 3, 7), 2).tolist() == [9, 4, 9, 36]


def test_points_on_a_line_by_hand():
    """Real 0, 1, 3: balls 1, 1, 2. Generated 1.5, 4.5, 9: balls 3, 3, 4.5. Two of three lie in a ball;
    0 (at 1.5 from 1.5), 1 and 3 all lie in that of 1.5. 1.5 lies in two balls and 4.5 in one: density 1."""
    found = precision_recall(line(0, 1, 3), line(1.5, 4.5, 9), k=1)
    assert (found.precision, found.recall) == (2 / 3, 1)
    both = density_coverage(line(0, 1, 3), line(1.5, 4.5, 9), k=1)
    assert (both.density, both.coverage) == (1, 2 / 3)


def test_the_rim_counts_for_precision_and_not_for_density():
    """1 lies exactly on the rim of the ball around 0, which reaches to -1; 9 is far from everything."""
    real, fake = line(0, -1), line(1, 9)
    assert precision_recall(real, fake, k=1).precision == 0.5
    assert density_coverage(real, fake, k=1) == (0, 0)


def test_equal_distributions_score_their_expectations_and_not_1(generator):
    """N = M = 300 in 8 dimensions, k = 5: coverage 0.96953, density 1, precision = recall = 0.930."""
    assert expected_coverage(300, 300, 5) == pytest.approx(0.96953, abs=5e-6)
    assert expected_coverage(10_000, 10_000, 5) == pytest.approx(0.96877, abs=5e-6)
    found = torch.tensor(
        [
            [*precision_recall(a, b), *density_coverage(a, b)]
            for a, b in ((normal(generator, 300, 8), normal(generator, 300, 8)) for _ in range(80))
        ],
        dtype=torch.float64,
    ).mean(0)
    precision, recall, density, coverage = found.tolist()
    assert coverage == pytest.approx(0.96953, abs=0.004)
    assert density == pytest.approx(1, abs=0.025)
    assert precision == pytest.approx(0.930, abs=0.007)
    assert recall == pytest.approx(0.930, abs=0.007)


@pytest.mark.parametrize("real, fake, k", [(3, 5, 1), (30, 10, 3), (40, 12, 5)])
def test_expected_coverage_is_what_happens(generator, real, fake, k):
    draws = 300
    pairs = [(normal(generator, real, 2), normal(generator, fake, 2)) for _ in range(draws)]
    coverage = torch.tensor([density_coverage(a, b, k).coverage for a, b in pairs])
    error = (coverage.std() / draws**0.5).item()
    assert coverage.mean().item() == pytest.approx(expected_coverage(real, fake, k), abs=3.5 * error)


def test_swapping_the_sets_swaps_precision_and_recall(generator):
    real, fake = normal(generator, 90, 6), 0.7 * normal(generator, 70, 6) + 0.3
    there, back = precision_recall(real, fake), precision_recall(fake, real)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    assert there.precision > there.recall


def test_half_of_the_modes_cost_recall_and_coverage_but_no_precision(generator):
    modes = torch.cat([20 * torch.eye(4), -20 * torch.eye(4)]).double()
    real = modes.repeat(40, 1) + normal(generator, 320, 4)
    fake = modes[:4].repeat(80, 1) + normal(generator, 320, 4)
    found, both = precision_recall(real, fake), density_coverage(real, fake)
    assert found.precision > 0.9
    assert both.density > 0.9
    assert 0.4 < found.recall < 0.5
    assert 0.4 < both.coverage < 0.51


def test_one_picture_again_and_again_recalls_nothing(generator):
    real = normal(generator, 200, 8)
    found = precision_recall(real, real[:1].repeat(200, 1))
    assert (found.precision, found.recall) == (1, 1 / 200)
    found = precision_recall(real, torch.zeros(200, 8).double())
    assert (found.precision, found.recall) == (1, 0)


def test_copies_are_at_distance_0_whatever_rounding_says(generator):
    """Sets of six copies each: every radius is 0, so all lies within it, and nothing below it."""
    real = (normal(generator, 20, 30) + 1000).repeat_interleave(6, 0)
    assert (squared_radii(real - real.mean(0), 5) == 0).all()
    assert precision_recall(real, real) == (1, 1)
    assert density_coverage(real, real) == (0, 0)


def test_prdc_agrees(generator):
    prdc = pytest.importorskip("prdc")
    real, fake = normal(generator, 150, 6), 0.8 * normal(generator, 100, 6) + 0.4
    for k in (1, 3, 5):
        theirs = prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=k)
        ours = {**precision_recall(real, fake, k)._asdict(), **density_coverage(real, fake, k)._asdict()}
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_tiles_change_nothing(generator, monkeypatch):
    real, fake = normal(generator, 50, 3), normal(generator, 33, 3) + 0.5
    whole = (*precision_recall(real, fake), *density_coverage(real, fake))
    monkeypatch.setattr(neighbours, "TILE", 100)
    assert (*precision_recall(real, fake), *density_coverage(real, fake)) == whole


def test_what_has_no_figure_says_so(generator):
    with pytest.raises(UserError, match=r"5 neighbours needs 6 or more pictures .* 5 real and 9 generated"):
        precision_recall(normal(generator, 5, 2), normal(generator, 9, 2))
    with pytest.raises(UserError, match="2 or more"):
        density_coverage(normal(generator, 9, 2), normal(generator, 1, 2), k=1)
    with pytest.raises(ValueError, match="number 1"):
        precision_recall(normal(generator, 5, 2), normal(generator, 9, 2), k=0)
    assert precision_recall(normal(generator, 2, 2), normal(generator, 2, 2) + 99, k=1) == (0, 0)
