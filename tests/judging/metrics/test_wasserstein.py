"""Wasserstein distances against closed forms and scipy, and the Laplacian pyramid."""

import math

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.judging.metrics import wasserstein as module
from fogcatcher.judging.metrics.wasserstein import (
    laplacian_level,
    mean_wasserstein,
    patch_wasserstein,
    sliced_wasserstein,
    wasserstein,
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def noise(generator, *shape: int) -> torch.Tensor:
    return torch.randint(256, shape, generator=generator, dtype=torch.uint8)


def flat(value: int, count: int = 2, side: int = 16, channels: int = 3) -> torch.Tensor:
    return torch.full((count, channels, side, side), value, dtype=torch.uint8)


def line(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def expected_cosine(d: int) -> float:
    """E|theta_1| of a random direction in d dimensions."""
    return math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + 1) / 2))


# --- along lines --------------------------------------------------------------------------------


def test_by_hand_with_equal_and_unequal_numbers():
    """Sorted {0, 1, 3} against {5, 6, 8} is a shift by 5; {0, 1} against {0.5} moves half each by 0.5."""
    assert wasserstein(line(3, 0, 1), line(8, 5, 6)).item() == pytest.approx(5)
    assert wasserstein(line(0, 1), line(0.5)).item() == pytest.approx(0.5)
    assert wasserstein(line(2), line(-1)).item() == pytest.approx(3)
    assert wasserstein(line(0, 0, 1, 1), line(1, 0)).item() == pytest.approx(0)


def test_normal_distributions_of_one_dimension(generator):
    """N(0, 1) to N(0, s^2) costs (s - 1) E|z| = (s - 1) sqrt(2/pi); a shift costs itself."""
    x, y = normal(generator, 20_000, 2), normal(generator, 30_000, 2) * torch.tensor([3.0, 1.0]).double()
    y[:, 1] += 0.7
    found = wasserstein(x, y)
    assert found.tolist() == pytest.approx([2 * math.sqrt(2 / math.pi), 0.7], abs=0.04)
    assert mean_wasserstein(x, y) == pytest.approx(found.mean().item())


@pytest.mark.parametrize("m, n", [(50, 50), (37, 90), (1, 8)])
def test_scipy_agrees_with_and_without_weights(generator, m, n):
    stats = pytest.importorskip("scipy.stats")
    x, y = normal(generator, m, 3), normal(generator, n, 3) + 0.5
    u, v = (normal(generator, m).abs() + 0.1), (normal(generator, n).abs() + 0.1)
    for weights in ((None, None), (u, v)):
        theirs = [stats.wasserstein_distance(x[:, d], y[:, d], *weights) for d in range(3)]
        assert wasserstein(x, y, *weights).tolist() == pytest.approx(theirs, abs=1e-10)


@pytest.mark.parametrize("d", [1, 2, 3, 20])
def test_a_shift_seen_along_random_lines(generator, d):
    """A shift by v costs |<theta, v>| on each line, so |v| E|theta_1| on average."""
    x, v = normal(generator, 30, d), normal(generator, d)
    found = sliced_wasserstein(x, x + v, generator, directions=4000)
    assert found == pytest.approx(v.norm().item() * expected_cosine(d), rel=0.05)
    twice = sliced_wasserstein(x, (x + v).repeat(2, 1), generator, directions=4000)
    assert twice == pytest.approx(found, rel=0.05)


def test_pieces_change_nothing(generator, monkeypatch):
    x, y = normal(generator, 20, 7), normal(generator, 30, 7)
    whole = wasserstein(x, y), sliced_wasserstein(x, y, torch.Generator().manual_seed(1))
    monkeypatch.setattr(module, "TILE", 110)
    torch.testing.assert_close(wasserstein(x, y), whole[0], rtol=1e-12, atol=0)
    again = sliced_wasserstein(x, y, torch.Generator().manual_seed(1))
    assert again == pytest.approx(whole[1], rel=1e-12)


# --- patches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [14, 28, 27])
def test_the_pyramid_against_scipy(generator, side):
    """Filter with mirrored edges and take every second pixel; zeros between, filter, times 4."""
    ndimage, numpy = pytest.importorskip("scipy.ndimage"), pytest.importorskip("numpy")
    x = normal(generator, 1, 1, side, side + 1)
    taps = numpy.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256

    def blurred(picture):
        return ndimage.convolve(picture, taps, mode="mirror")

    fine = x[0, 0].numpy()
    small = blurred(fine)[::2, ::2]
    spread = numpy.zeros_like(fine)
    spread[::2, ::2] = small
    found = laplacian_level(x, 0)[0, 0].numpy()
    numpy.testing.assert_allclose(found, fine - 4 * blurred(spread), atol=1e-12)
    if side == 14:
        numpy.testing.assert_allclose(laplacian_level(x, 1)[0, 0].numpy(), small, atol=1e-12)


def test_levels_halve_down_to_the_last_that_holds_a_patch(generator):
    for side, levels in ((5, [5]), (7, [7]), (12, [12]), (16, [16, 8]), (28, [28, 14, 7]), (32, [32, 16, 8])):
        pictures = noise(generator, 2, 4, side, side + 3)
        assert list(patch_wasserstein(pictures, pictures, generator, directions=2)) == levels


def test_paler_pictures_differ_only_in_the_large(generator):
    """Greys 100 and 151; the real ones never vary, so the unit is one grey level, and a patch shifts by 51 in
    each of its 3 x 49 numbers. With units of their own both would be alike."""
    found = patch_wasserstein(flat(100), flat(151), generator, directions=3000)
    assert list(found) == [16, 8]
    assert found[16] == pytest.approx(0, abs=1e-9)
    assert found[8] == pytest.approx(1000 * 51 * math.sqrt(147) * expected_cosine(147), rel=0.05)


def test_units_are_the_real_standard_deviation_of_each_channel(generator):
    """Whole pictures of 7 x 7, half of them 0 and half 100 (or 200 in green): both channels become -1 and 1.
    Half a picture's patches must move by 2 in each of 98 numbers of the first set, to make only high ones."""
    real = torch.cat([flat(0, 4, 7, 2), flat(100, 4, 7, 2)])
    real[4:, 1] = 200
    found = patch_wasserstein(real, real[4:], generator, directions=3000)
    assert found[7] == pytest.approx(1000 * 0.5 * 2 * math.sqrt(98) * expected_cosine(98), rel=0.05)
    assert patch_wasserstein(real, real.flip(0).repeat(2, 1, 1, 1), generator)[7] == pytest.approx(
        0, abs=1e-9
    )


def test_fine_and_coarse_changes_are_told_apart(generator):
    """Lost detail shows in the fine level, lost shapes in the coarse one, beside two sets of one source."""

    def blobs(count):
        return noise(generator, count, 1, 2, 2).repeat_interleave(8, 2).repeat_interleave(8, 3) // 2

    def detail(count):
        return noise(generator, count, 1, 16, 16) // 4

    real, twin = blobs(80) + detail(80), blobs(80) + detail(80)
    smooth, shapeless = blobs(80) + 32, detail(80) + 64
    chance, without_detail, without_shapes = (
        patch_wasserstein(real, fake, generator, directions=100) for fake in (twin, smooth, shapeless)
    )
    assert without_detail[16] > 5 * chance[16]
    assert without_shapes[8] > 3 * chance[8]
    assert without_detail[16] > 2 * without_shapes[16]
    assert without_detail[8] < without_shapes[8] / 2


def test_patches_cover_all_places(generator):
    """One of 6 x 6 places for a patch in 12 x 12 sees the corner pixel."""
    pictures = flat(0, 100, side=12, channels=1)  # 6 x 6 would be too small for a patch: there is one level
    pictures[:, :, 0, 0] = 255
    patches = module._patches(pictures, 0, generator)
    seen = patches.flatten(1).amax(1) > 0.5
    assert seen.double().mean().item() == pytest.approx(1 / 36, rel=0.2)


def test_many_pictures_give_one_patch_each(generator, monkeypatch):
    monkeypatch.setattr(module, "ALL_PATCHES", 50)
    monkeypatch.setattr(module, "PICTURES", 16)
    pictures = torch.arange(60, dtype=torch.uint8)[:, None, None, None].expand(60, 1, 7, 7)
    values = (module._patches(pictures, 0, generator)[:, 0, 3, 3] * 255).round()
    assert values.tolist() == list(range(60))


def test_what_has_no_figure_says_so(generator):
    with pytest.raises(UserError, match="1 or more pictures"):
        wasserstein(line(), line(1))
    with pytest.raises(UserError, match="1 or more pictures"):
        sliced_wasserstein(line(1), line(), generator)
    with pytest.raises(UserError, match="1 or more pictures"):
        patch_wasserstein(flat(0), flat(0)[:0], generator)
    with pytest.raises(UserError, match="finite"):
        wasserstein(line(math.nan), line(1))
