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


def test_where_it_looked_is_where_the_difference_is(g):
    """The drawn pictures have a bright spot in one corner, and nothing else."""
    drawn = stripes(120, g)
    drawn[:, :, :2, :2] = 255
    real = stripes(120, g)
    found = two_sample_test(real, drawn, g, steps=120)
    corner = found.looked[:, :3, :3].mean()
    assert found.accuracy > 0.9 and corner > 2 * found.looked[:, :, 4:].mean() and found.looked.amax() <= 1


def test_within_a_class_only_its_own_pictures_count(g):
    """The classes 0 are lines of the other direction, the classes 1 are not."""
    real, drawn = stripes(80, g), stripes(80, g)
    drawn[:40] = drawn[:40].mT.clone()
    found = two_sample_test(real, drawn, g, steps=120)
    number = torch.arange(80) // 40
    within = found.within(number, number)
    assert within[0][0] > within[1][0] + 0.2 and [n for _, n in within.values()] == [80, 80]
    assert found.within(torch.full((80,), -1), number) == {}


def test_pictures_known_together_count_as_fewer():
    """Alone 40 of 80 count, the pictures of one half; ten families of four a side are as ten pictures."""
    alone, families = torch.arange(40), torch.arange(10).repeat_interleave(4)
    assert two_sample._trials(alone, alone) == pytest.approx(40)
    assert two_sample._trials(families, families) == pytest.approx(10)


def test_twins_stay_on_one_side(g):
    """Ten pictures, each sixteen times, half of them a little different: halves of whole families."""
    x = stripes(10, g).repeat_interleave(16, 0)
    x[1::2] = (x[1::2].int() + torch.randint(0, 2, x[1::2].shape, generator=g)).clamp(0, 255).to(torch.uint8)
    family = torch.arange(10).repeat_interleave(16)
    side = two_sample._halves(two_sample._families(x), g)
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
    """In 19 of 20 or more; three misses of 20 would be chance in fewer than 2 of 100 worlds."""
    held = 0
    for _ in range(20):
        found = two_sample_test(stripes(60, g), stripes(60, g), g, steps=40)
        held += found.low <= 0.5 <= found.high
    assert held >= 17


@pytest.mark.slow
def test_shuffled_blocks_of_real_lines_are_seen(g):
    x = stripes(200, g)
    assert two_sample_test(stripes(200, g), shuffled_blocks(x, 2, g), g, steps=120).accuracy > 0.9
