"""Scores of colours on pictures whose colours are known."""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.judging.metrics import colours
from fogcatcher.judging.metrics.colours import (
    colour_count_distance,
    colour_counts,
    paint_of,
    palette_distance,
    soft_alpha,
)

RED, GREEN, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 0)
# Björn Ottosson's published values
RED_LAB, GREEN_LAB = (0.6279554, 0.2248631, 0.1258463), (0.8664396, -0.2338874, 0.1794985)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def painted(*colours: tuple[int, ...], side: int = 4) -> torch.Tensor:
    """One picture per colour, all of it in that colour, (N, 3 or 4, side, side)."""
    return torch.tensor(colours, dtype=torch.uint8)[:, :, None, None].repeat(1, 1, side, side)


def test_mean_and_spread_of_red_and_green():
    """Half red and half green: the mean is in the middle, the spread half of the difference."""
    use = paint_of(painted(RED, GREEN))
    red, green = torch.tensor(RED_LAB).double(), torch.tensor(GREEN_LAB).double()
    torch.testing.assert_close(use.mean, (red + green) / 2, rtol=0, atol=2e-7)
    torch.testing.assert_close(use.spread, (red - green).abs() / 2, rtol=0, atol=2e-7)


def test_mean_and_spread_count_every_pixel(monkeypatch):
    monkeypatch.setattr(colours, "CHUNK", 3)
    pictures = torch.randint(256, (8, 3, 5, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    points = oklab_from_srgb(pictures.movedim(1, -1).flatten(0, 2).double() / 255)
    use = paint_of(pictures)
    assert use.shares.sum().item() == pytest.approx(1)
    torch.testing.assert_close(use.mean, points.mean(0))
    torch.testing.assert_close(use.spread, points.std(0, correction=0))


def test_invisible_pixels_have_no_colour_and_grey_ones_are_grey():
    seen = paint_of(painted((*RED, 255), (*GREEN, 0), (*RED, 1)))
    assert seen.shares.tolist() == [1]
    torch.testing.assert_close(seen.mean, torch.tensor(RED_LAB).double(), rtol=0, atol=2e-7)
    grey = paint_of(painted((255,), (0,)))
    torch.testing.assert_close(grey.mean, torch.tensor([0.5, 0, 0]).double(), rtol=0, atol=1e-7)
    torch.testing.assert_close(grey.spread, torch.tensor([0.5, 0, 0]).double(), rtol=0, atol=1e-7)


def test_palettes_of_one_colour_are_as_far_apart_as_the_colours(generator):
    """From black to white is 1 in OKLab, from red to green |red - green|."""
    found = palette_distance(paint_of(painted(BLACK)), paint_of(painted(WHITE)), generator, 20_000)
    assert found == pytest.approx(1, abs=0.02)
    expected = (torch.tensor(RED_LAB) - torch.tensor(GREEN_LAB)).norm().item()
    found = palette_distance(paint_of(painted(RED)), paint_of(painted(GREEN)), generator, 20_000)
    assert found == pytest.approx(expected, rel=0.02)


def test_paint_that_need_not_be_carried_costs_nothing(generator):
    """Three quarters black against one quarter: half of the paint goes from black to white."""
    dark = paint_of(painted(BLACK, BLACK, BLACK, WHITE))
    light = paint_of(painted(WHITE, WHITE, WHITE, BLACK, side=8))
    assert palette_distance(dark, light, generator, 20_000) == pytest.approx(0.5, abs=0.01)
    shuffled = paint_of(painted(BLACK, WHITE, BLACK, BLACK, side=3))
    assert palette_distance(dark, shuffled, generator) == pytest.approx(0, abs=1e-12)


def test_never_further_than_the_earth_mover(generator):
    """Ten colours each of equal share: the best matching of them is the earth mover's distance."""
    optimize = pytest.importorskip("scipy.optimize")
    values = torch.randint(256, (2, 10, 3), generator=generator, dtype=torch.uint8)
    a, b = (paint_of(some[:, :, None, None].clone()) for some in values)
    costs = torch.cdist(a.colours, b.colours)
    earth_mover = costs[optimize.linear_sum_assignment(costs.numpy())].mean().item()
    assert 0.5 * earth_mover < palette_distance(a, b, generator, 5000) < earth_mover


def test_counts_of_colours_per_picture(monkeypatch):
    monkeypatch.setattr(colours, "CHUNK", 2)
    pictures = painted((*RED, 255), (*GREEN, 255), (*RED, 0), side=2)
    pictures[1, :, 0, 0] = torch.tensor([*WHITE, 9])
    counts = colour_counts(pictures)
    assert counts.flatten().tolist() == [1, 2, 0]
    assert colour_count_distance(counts, counts + 4) == pytest.approx(4)
    assert colour_count_distance(counts, counts[:1]) == pytest.approx((0 + 1 + 1) / 3)


def test_soft_alpha_is_what_lies_strictly_between():
    pictures = painted((*RED, 255), (*RED, 0), (*RED, 1), (*RED, 254))
    assert soft_alpha(pictures) == 0.5
    assert soft_alpha(pictures[:2]) == 0
    assert soft_alpha(pictures[:, [0, 3]]) == 0.5
    assert soft_alpha(painted((9, 9, 9))) == soft_alpha(painted((9,))) == 0


def test_pictures_without_a_visible_pixel_say_so():
    with pytest.raises(UserError, match="no pixel of these pictures is visible"):
        paint_of(painted((*RED, 0)))
