"""The style of the page moves every dot to x_t = alpha x0 + sigma eps, and keeps the time."""

import re

import pytest
import torch

from fogcatcher.explain import moving
from fogcatcher.explain.two_pixels import EXPLODING, PRESERVING

KEY = re.compile(r"([\d.]+)% { --alpha: ([\d.]+); --sigma: ([\d.]+); --percent: (\d+) }")


@pytest.mark.parametrize("process", [EXPLODING, PRESERVING])
def test_alpha_and_sigma_are_those_of_the_schedule_at_each_key(process):
    keys = [tuple(map(float, key)) for key in KEY.findall(moving.process_style("name", process))]
    assert len(keys) == moving.KEYS + 1
    for place, alpha, sigma, percent in keys:
        # The first and the last moment stand still for a while.
        share = min(max((place - moving.HELD) / (100 - 2 * moving.HELD), 0), 1)
        t = torch.tensor(share, dtype=torch.float64)
        assert percent == pytest.approx(100 * share, abs=0.51)
        assert alpha == pytest.approx(process.schedule.alpha(t).item(), abs=2e-3)
        assert sigma == pytest.approx(process.schedule.sigma(t).item(), abs=2e-3)
    style = moving.process_style("name", process)
    assert (
        re.search(r"\b0%, 12\.00% { --alpha: 1\.0000; --sigma: 0\.0000", style) and "88.00%, 100% {" in style
    )


def test_a_dot_walks_along_its_path():
    drawn = moving.walker("w", torch.tensor([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]), 2)
    keys = re.findall(r"([\d.]+)% { transform: translate\(([\d.]+)px, ([\d.]+)px\) }", drawn)
    assert keys == [("12.00", "10.0", "20.0"), ("50.00", "30.0", "40.0"), ("100", "50.0", "60.0")]
