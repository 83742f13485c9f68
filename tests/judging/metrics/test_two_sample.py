"""A machine that tells two sets apart, and does not where there is nothing to tell."""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.judging.metrics import two_sample
from fogcatcher.judging.metrics.damage import shuffled_blocks
from fogcatcher.judging.metrics.two_sample import two_sample_test, wilson


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def stripes(n: int, g: torch.Generator) -> torch.Tensor:
    """Lines from left to right, of chance colours: no two alike."""
    return (
        torch.randint(0, 256, (n, 3, 8, 1), generator=g, dtype=torch.uint8).expand(-1, -1, -1, 8).contiguous()
    )


def test_the_interval_is_wilsons():
    """Half of 100: (0.5 +- 1.96 sqrt(0.0025 + 3.8415 / 40000)) with the centre unmoved; and of 10, all."""
    assert wilson(0.5, 100) == pytest.approx((0.4038315, 0.5961685), abs=1e-6)
    assert wilson(1.0, 10) == pytest.approx((10 / (10 + 3.841459), 1.0), abs=1e-6)


def test_what_is_easily_seen_is_seen(g):
    found = two_sample_test(stripes(60, g), stripes(60, g).mT.contiguous(), g, steps=60)
    assert found.accuracy > 0.95 and found.low > 0.9 and found.real.mean() > 0.8 > 0.2 > found.drawn.mean()
    assert found.in_words.startswith("a machine tells them apart in ")


def test_twins_stay_on_one_side(g):
    """Ten pictures, each sixteen times, half of them a little different: halves of whole families."""
    x = stripes(10, g).repeat_interleave(16, 0)
    x[1::2] = (x[1::2].int() + torch.randint(0, 2, x[1::2].shape, generator=g)).clamp(0, 255).to(torch.uint8)
    family = torch.arange(10).repeat_interleave(16)
    side = two_sample._halves(x, g)
    assert {bool(s) for s in side} == {False, True} and side.sum().item() == 80
    for number in range(10):
        assert len(side[family == number].unique()) == 1


def test_progress_reaches_its_end_and_few_pictures_are_refused(g):
    heard: list[tuple[int, int]] = []
    two_sample_test(stripes(8, g), stripes(8, g), g, 3, lambda done, of: heard.append((done, of)))
    assert heard == [(i, 6) for i in range(1, 7)]
    with pytest.raises(UserError, match="needs 8 real and 8 drawn"):
        two_sample_test(stripes(8, g), stripes(7, g), g)


@pytest.mark.slow
def test_of_equal_sources_the_interval_holds_one_half(g):
    """19 of 20 is what it says; 20 trials may miss it four times in a hundred worlds."""
    held = 0
    for _ in range(20):
        found = two_sample_test(stripes(60, g), stripes(60, g), g, steps=40)
        held += found.low <= 0.5 <= found.high
    assert held >= 16


@pytest.mark.slow
def test_shuffled_blocks_of_real_lines_are_seen(g):
    x = stripes(200, g)
    assert two_sample_test(stripes(200, g), shuffled_blocks(x, 2, g), g, steps=120).accuracy > 0.9
