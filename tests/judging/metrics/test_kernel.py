"""The kernel distance against closed forms, a sum written out, and torchmetrics."""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.judging.metrics import kernel
from fogcatcher.judging.metrics.kernel import kernel_distance, mmd2


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_one_feature_by_hand():
    """x in {0, 1}, y in {1, 2}: k(0, 1) = 1, k(1, 2) = 27, cross 1 + 1 + 8 + 27 = 37; 1 + 27 - 37/2 = 9.5."""
    x, y = torch.tensor([[0.0], [1.0]]).double(), torch.tensor([[1.0], [2.0]]).double()
    assert mmd2(x, y) == 9.5


def exact(d: int, q: float) -> float:
    """MMD^2 of N(0, I_d) and N(m, I_d) with |m|^2 = q, from the Gaussian moments of x.y up to the third."""
    return (q**3 + 6 * q**2 + 3 * q * d + 6 * q) / d**3 + 3 * q**2 / d**2 + 3 * q / d


def test_known_gaussians(generator):
    assert exact(20, 20 * 0.5**2) == pytest.approx(1.013125)  # the published figure
    found = kernel_distance(normal(generator, 3000, 20), normal(generator, 3000, 20) + 0.5, generator)
    assert abs(found.mean - 1.013125) < found.std
    assert 0.02 < found.std < 0.1


def test_the_mean_of_small_sets_is_unbiased(generator):
    """Equal distributions give 0 on average also with 10 and 7 rows; the diagonal would add 0.8."""
    values = [mmd2(normal(generator, 10, 20), normal(generator, 7, 20)) for _ in range(400)]
    mean, std = sum(values) / 400, torch.tensor(values).std().item()
    assert abs(mean) < 3.5 * std / 20
    assert min(values) < 0


def test_torchmetrics_agrees(generator):
    kid = pytest.importorskip("torchmetrics.image.kid")
    x, y = normal(generator, 150, 16), normal(generator, 150, 16) * 1.3 + 0.2
    assert mmd2(x, y) == pytest.approx(kid.poly_mmd(x, y).item(), abs=1e-6)


def test_tiles_change_nothing(generator, monkeypatch):
    x, y = normal(generator, 50, 4), normal(generator, 33, 4) + 1
    whole = mmd2(x, y)
    monkeypatch.setattr(kernel, "TILE", 7)
    assert mmd2(x, y) == pytest.approx(whole, rel=1e-12)
    assert mmd2(y, x) == pytest.approx(whole, rel=1e-12)


@pytest.mark.slow
def test_the_spread_over_subsets_is_the_error_of_the_whole(generator):
    """With sets too small for subsets of 1000, the std tells how far ``mmd2`` lies from the truth."""
    errors, spreads = [], []
    for _ in range(80):
        x, y = normal(generator, 100, 4), normal(generator, 100, 4) + 0.5
        errors.append(mmd2(x, y) - exact(4, 1))
        spreads.append(kernel_distance(x, y, generator, subsets=30).std)
    truth = torch.tensor(errors).square().mean().sqrt().item()
    assert sum(spreads) / 80 == pytest.approx(truth, rel=0.2)


def test_subsets_have_no_repeats(generator, monkeypatch):
    """A subset of 4 of 8 different rows holds no row twice."""
    seen = []
    monkeypatch.setattr(kernel, "mmd2", lambda x, y: seen.append((x, y)) or 0.0)
    rows = torch.arange(8.0, dtype=torch.float64)[:, None]
    kernel_distance(rows, rows, generator, subsets=5, size=1000)
    assert [len(x.unique()) for pair in seen for x in pair] == [4] * 10
    assert len({tuple(x.flatten().tolist()) for pair in seen for x in pair}) > 5


def test_what_has_no_figure_says_so(generator):
    with pytest.raises(UserError, match=r"2 or more pictures .* 1 real and 5 generated"):
        mmd2(normal(generator, 1, 3), normal(generator, 5, 3))
    with pytest.raises(UserError, match="4 or more pictures"):
        kernel_distance(normal(generator, 9, 3), normal(generator, 3, 3), generator)
    with pytest.raises(UserError, match="finite"):
        mmd2(normal(generator, 3, 3), normal(generator, 3, 3) / 0)
    assert kernel_distance(normal(generator, 20, 3), normal(generator, 20, 3), generator).std > 0
