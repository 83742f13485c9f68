"""Axes of charts: round numbers, and curves that lie within them."""

import re

import pytest

from fogcatcher.drawing.html import chart


def ticks(drawn: str) -> tuple[list[str], list[str]]:
    """What stands below the chart, and at its left."""
    below = re.findall(r'y="228" text-anchor="middle">([^<]*)<', drawn)
    left = re.findall(r'text-anchor="end">([^<]*)<', drawn)
    return below, left


FIFTHS = "0 0.2 0.4 0.6 0.8 1"


@pytest.mark.parametrize(
    ("points", "below", "left"),
    [
        ([(0.0, 0.0), (1.0, 1.0)], FIFTHS, FIFTHS),
        ([(1.0, -0.663), (13.0, 3.41)], "2 4 6 8 10 12", "-1 0 1 2 3 4"),
        ([(0.0, 0.0), (1000.0, 0.02)], "0 200 400 600 800 1000", "0 0.005 0.01 0.015 0.02"),
        ([(0.0, 12_000.0), (1.0, 0.0)], FIFTHS, "0 2000 4000 6000 8000 10,000 12,000"),
    ],
)
def test_numbers_at_the_axes_are_round(points, below, left):
    assert ticks(chart({"a": points}, "x", "y")) == (below.split(), left.split())


def test_the_curve_lies_where_its_numbers_are():
    """From (0, 0) to (1, 1): the corners of the field, 500 wide and 190 high."""
    drawn = chart({"a": [(0.0, 0.0), (1.0, 1.0)]}, "x", "y", dots=False)
    assert 'points="60.0,210.0 560.0,20.0"' in drawn
    assert (
        chart({"a": [(0.0, 0.0)], "b": [(0.0, 0.0), (1.0, 1.0)]}, "x", "y", dots=False).count("<circle") == 1
    )
