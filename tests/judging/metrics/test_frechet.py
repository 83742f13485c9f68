"""The Frechet distance against closed forms, scipy and torchmetrics; its bias, and the way out of it."""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.judging.metrics.frechet import Gaussian, bias, frechet, frechet_at_infinity, gaussian


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def random_gaussian(generator, d: int) -> Gaussian:
    factor = normal(generator, d, d)
    return Gaussian(1000, normal(generator, d), factor @ factor.T)


def test_gaussians_whose_axes_agree():
    """tr(A + B - 2 (AB)^1/2) = sum (sqrt(a) - sqrt(b))^2: (1 - 2)^2 + (3 - 1)^2 = 5, and 3^2 + 4^2 = 25."""
    a = Gaussian(9, torch.zeros(2).double(), torch.tensor([1.0, 9.0]).double().diag())
    b = Gaussian(9, torch.tensor([3.0, 4.0]).double(), torch.tensor([4.0, 1.0]).double().diag())
    assert frechet(a, b) == pytest.approx(30, abs=1e-12)


def test_two_by_two_with_axes_that_do_not_agree():
    """tr M^1/2 = sqrt(tr M + 2 sqrt(det M)) for 2 x 2; here M = AB has trace 8 and determinant 9."""
    A = torch.tensor([[2.0, 1.0], [1.0, 2.0]]).double()
    B = torch.tensor([[3.0, 0.0], [0.0, 1.0]]).double()
    zero = torch.zeros(2).double()
    expected = 4 + 4 - 2 * (8 + 2 * 3) ** 0.5
    assert frechet(Gaussian(9, zero, A), Gaussian(9, zero, B)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("d", [1, 3, 20])
def test_any_gaussians_against_scipy(generator, d):
    linalg = pytest.importorskip("scipy.linalg")
    a, b = random_gaussian(generator, d), random_gaussian(generator, d)
    product = torch.as_tensor(linalg.sqrtm((a.covariance @ b.covariance).numpy()).real)
    expected = (a.mean - b.mean).square().sum() + (a.covariance + b.covariance - 2 * product).trace()
    assert frechet(a, b) == pytest.approx(expected.item(), rel=1e-9)
    assert frechet(b, a) == pytest.approx(expected.item(), rel=1e-9)


def test_torchmetrics_agrees_on_features(generator):
    fid = pytest.importorskip("torchmetrics.image.fid")
    a, b = gaussian(normal(generator, 300, 16)), gaussian(normal(generator, 200, 16) * 1.5 + 0.3)
    theirs = fid._compute_fid(a.mean, a.covariance, b.mean, b.covariance).item()
    assert frechet(a, b) == pytest.approx(theirs, abs=1e-6)


def test_fewer_rows_than_features_need_nothing_added(generator):
    """Then tr (A B)^1/2 is the sum of the singular values of X Y^T / (n - 1), X and Y the centred rows."""
    x, y = normal(generator, 20, 100), 2 * normal(generator, 20, 100) + 1
    X, Y = x - x.mean(0), y - y.mean(0)
    squares = X.square().sum() + Y.square().sum() - 2 * torch.linalg.svdvals(X @ Y.T).sum()
    expected = (x.mean(0) - y.mean(0)).square().sum() + squares / 19
    assert frechet(gaussian(x), gaussian(y)) == pytest.approx(expected.item(), rel=1e-6)
    assert frechet(gaussian(x), gaussian(x)) == pytest.approx(0, abs=1e-6)


def test_statistics_in_pieces_equal_those_of_the_whole_also_far_from_zero(generator):
    x = normal(generator, 5000, 4) + 1e6
    for pieces in (x, [x], [x[:1], x[1:2], x[2:2], x[2:3000], x[3000:]]):
        found = gaussian(pieces)
        assert found.count == 5000
        torch.testing.assert_close(found.mean, x.mean(0), rtol=1e-14, atol=0)
        torch.testing.assert_close(found.covariance, torch.cov(x.T), rtol=0, atol=1e-9)


@pytest.mark.parametrize("d, n, known, repeats", [(10, 1000, 0.0740, 40), (50, 5000, 0.2745, 4)])
def test_the_bias_of_equal_distributions_is_as_the_formula_says(generator, d, n, known, repeats):
    pairs = [(normal(generator, n, d), normal(generator, n, d)) for _ in range(repeats)]
    found = sum(frechet(gaussian(a), gaussian(b)) for a, b in pairs) / repeats
    assert bias(d, n) == pytest.approx(known, rel=0.02)
    assert found == pytest.approx(known, rel=0.1)


def test_at_infinity_the_bias_is_gone(generator):
    """N(0, I_10) against itself is 0, against a mean 0.1 further in each feature 0.1, also at unequal N."""
    alike, apart = [], []
    for _ in range(20):
        a, b = normal(generator, 1000, 10), normal(generator, 700, 10)
        alike.append(frechet_at_infinity(a, b, generator))
        apart.append(frechet_at_infinity(a, b + 0.1, generator))
    assert sum(alike) / 20 == pytest.approx(0, abs=0.02)
    assert sum(apart) / 20 == pytest.approx(0.1, abs=0.02)


def test_at_infinity_is_the_end_of_the_line_through_its_points(generator):
    """Two points: all rows, and the mean of two halves; the line ends at 2 F_all - F_halves."""
    a, b = normal(generator, 40, 3), normal(generator, 40, 3) + 1
    found = frechet_at_infinity(a, b, torch.Generator().manual_seed(1), points=2)
    order = torch.Generator().manual_seed(1)
    a, b = a[torch.randperm(40, generator=order)], b[torch.randperm(40, generator=order)]
    halves = [frechet(gaussian(a[half]), gaussian(b[half])) for half in (slice(20), slice(20, 40))]
    assert found == pytest.approx(2 * frechet(gaussian(a), gaussian(b)) - sum(halves) / 2, abs=1e-9)


def test_what_has_no_figure_says_so(generator):
    with pytest.raises(UserError, match="2 or more pictures, but there are 1"):
        gaussian(normal(generator, 1, 4))
    with pytest.raises(UserError, match="not finite"):
        gaussian(torch.full((3, 2), torch.nan, dtype=torch.float64))
    with pytest.raises(UserError, match=r"10 or more pictures .* 20 real and 9 generated"):
        frechet_at_infinity(normal(generator, 20, 2), normal(generator, 9, 2), generator)
    with pytest.raises(ValueError, match="two points"):
        frechet_at_infinity(normal(generator, 20, 2), normal(generator, 20, 2), generator, points=1)
    assert frechet(gaussian(normal(generator, 2, 4)), gaussian(normal(generator, 2, 4))) > 0
