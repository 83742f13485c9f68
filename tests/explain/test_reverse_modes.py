"""q(x_s | x_t) of pictures of two pixels: Bayes' rule, and tops counted on a lattice."""

import math

import pytest
import torch

from fogcatcher.diffusion.process import Process
from fogcatcher.explain.reverse_modes import reverse_of
from fogcatcher.explain.two_pixels import EXPLODING, PRESERVING, lecture, swiss_roll
from fogcatcher.explain.two_pixels_page import REVERSE_AT, REVERSE_FROM, REVERSE_TO, reverses
from fogcatcher.explain.two_pixels_section import reverse_seen

AT = torch.tensor(REVERSE_AT, dtype=torch.float64)


@pytest.mark.parametrize("make", [lecture, swiss_roll])
@pytest.mark.parametrize("process", [EXPLODING, PRESERVING])
@pytest.mark.parametrize("s", [0.55, 0.3])
def test_it_is_what_bayes_says(make, process: Process, s: float):
    """q(x_s | x_t) = q(x_t | x_s) q(x_s) / q(x_t)."""
    toy, t = make(process), 0.6
    x_s = torch.linspace(-1.2, 1.2, 14, dtype=torch.float64).reshape(7, 2)
    times = torch.tensor([t, s], dtype=torch.float64)
    alpha, sigma = process.schedule.alpha(times), process.schedule.sigma(times)
    a = alpha[0] / alpha[1]
    b2 = sigma[0] ** 2 - a**2 * sigma[1] ** 2
    up = -((AT - a * x_s) ** 2).sum(1) / (2 * b2) - (2 * math.pi * b2).log()
    expected = up + toy.log_density(x_s, s) - toy.log_density(AT[None], t)
    torch.testing.assert_close(reverse_of(toy, AT, t, s).log_density(x_s), expected)


@pytest.mark.parametrize("s", REVERSE_TO)
def test_tops_are_those_of_a_lattice(s: float):
    reverse = reverse_of(lecture(PRESERVING), AT, REVERSE_FROM, s)
    line = torch.linspace(-1.6, 1.6, 321, dtype=torch.float64)
    density = reverse.log_density(torch.cartesian_prod(line, line)).reshape(321, 321)
    inner = density[1:-1, 1:-1]
    around = [density[1 + i : 320 + i, 1 + j : 320 + j] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    top = torch.stack([inner > other for other in around]).all(0) & (inner > density.max() + math.log(0.01))
    found = torch.stack([line[1:-1][index] for index in top.nonzero(as_tuple=True)], 1)
    modes = reverse.modes()
    assert len(modes) == len(found)
    assert torch.cdist(modes, found).amin(1).max() < 0.02


def test_more_tops_the_longer_the_step():
    """A step of nothing has one; one to the pictures themselves has one for each of the four."""
    found = reverses()
    tops = [len(reverse.modes()) for reverse in found]
    assert tops == sorted(tops) and tops[0] == 1 and tops[-1] == 4
    assert "The shortest step has one top" in reverse_seen(found, tops)[0]
    assert "has one top" not in reverse_seen(found, [4, 4, 4, 4])[0]


def test_draws_have_its_mean_and_spread():
    reverse = reverse_of(lecture(PRESERVING), AT, REVERSE_FROM, 0.25)
    drawn = reverse.draw(50_000, torch.Generator().manual_seed(0))
    mean = (reverse.weights[:, None] * reverse.centres).sum(0)
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.02, rtol=0)
    apart = (reverse.weights[:, None] * (reverse.centres - mean) ** 2).sum(0)
    torch.testing.assert_close(drawn.var(0), apart + reverse.variance, atol=0.02, rtol=0)
