"""Small pictures: the mean over blocks, its inverse, noise on them, and drawing in agreement with one."""

import math

import numpy as np
import pytest
import torch

from fogcatcher.diffusion.denoiser import RateLabel
from fogcatcher.diffusion.edits.edit import Host
from fogcatcher.diffusion.edits.enlarging import Enlarge
from fogcatcher.diffusion.exact import MixtureDenoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.sampling.grids import KarrasGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, sample
from fogcatcher.diffusion.schedules import BetaSchedule, EDMSchedule, linear_betas
from fogcatcher.diffusion.upscaling import agreeing, enlarge, noisy_small, premultiplied, shrink, told


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_shrinking_is_the_mean_over_blocks(factor: int):
    x = some(2, 3, 12, 24)
    blocks = x.numpy().reshape(2, 3, 12 // factor, factor, 24 // factor, factor)
    assert np.allclose(shrink(x, factor), blocks.mean(axis=(3, 5)), atol=1e-6)
    with pytest.raises(ValueError, match="blocks of 5x5"):
        shrink(x, 5)


def test_the_nearest_picture_that_agrees_is_an_orthogonal_projection():
    x, y = some(3, 4, 8, 8), some(3, 4, 4, 4, seed=1)
    near = agreeing(x, y, 2)
    assert torch.allclose(shrink(near, 2), y, atol=1e-6)
    assert torch.allclose(agreeing(near, y, 2), near, atol=1e-6)
    # Any other picture that agrees differs from it at right angles to the way that x has moved.
    other = agreeing(some(3, 4, 8, 8, seed=2), y, 2)
    assert abs(float(((x - near) * (other - near)).sum())) < 1e-3
    assert torch.equal(shrink(enlarge(y, 2), 2), y)


def test_what_cannot_be_seen_has_no_colour():
    x = torch.tensor([1.0, 0.5, -1.0, -1.0]).reshape(1, 4, 1, 1)  # bright, and of no opacity
    assert premultiplied(x).flatten().tolist() == [-1, -1, -1, -1]
    x[:, 3] = 1
    assert torch.equal(premultiplied(x), x)
    x[:, 3] = 0  # half opaque: half as far from black, which is -1
    assert premultiplied(x).flatten().tolist() == [0, -0.25, -1, 0]
    assert torch.equal(premultiplied(x[:, :3]), x[:, :3])  # RGB has none


def test_noise_keeps_the_variance_and_leaves_the_cosine_of_the_picture():
    y, u = some(4, 1, 200, 200), torch.tensor([0.0, 1 / 3, 0.5, 1.0])
    noisy = noisy_small(y, u, some(4, 1, 200, 200, seed=1))
    assert torch.equal(noisy[0], y[0])
    assert torch.allclose(noisy.flatten(1).std(1), torch.ones(4), atol=0.02)
    pairs = torch.stack([y, noisy], 1).flatten(2)
    kept = [float(torch.corrcoef(pair)[0, 1]) for pair in pairs]
    assert np.allclose(kept, [math.cos(math.pi * v / 2) for v in u.tolist()], atol=0.02)


def test_what_is_told_ends_with_the_level_and_a_one():
    row = told(torch.arange(8.0).reshape(2, 1, 2, 2), torch.tensor([0.0, 0.25]))
    assert row.tolist() == [[0, 1, 2, 3, 0, 1], [4, 5, 6, 7, 0.25, 1]]


def host() -> Host:
    """Of a model whose pictures are standard normal, whatever it is told."""
    return Host(Process(EDMSchedule()), lambda rows: rows.float() / 127.5 - 1, lambda wishes, w: DENOISER, 2)


DENOISER = MixtureDenoiser(Process(EDMSchedule()), torch.zeros(1, 1, 4, 4), torch.ones(1))


def test_a_drawing_in_agreement_has_the_law_of_the_data_within_blocks():
    """Of independent standard normals whose mean over n is given, each has the variance 1 - 1/n around it."""
    small = torch.tensor([0, 100, 200, 255], dtype=torch.uint8).reshape(1, 1, 2, 2)
    edit, generator = Enlarge(small, 2), SampleGenerator(range(400))
    assert edit.shape((1, 9, 9)) == (1, 4, 4)
    times = KarrasGrid()(EDMSchedule(), 1000)
    x = edit.start(host(), generator.randn_like(torch.empty(400, 1, 4, 4)), times)
    *_, last = sample(edit.denoiser(host(), DENOISER), x, times, DDIM(), generator)
    y = host().seen(small)
    assert torch.allclose(shrink(last.x, 2), y.expand(400, 1, 2, 2), atol=1e-5)
    assert float((last.x - enlarge(y, 2)).var()) == pytest.approx(1 - 1 / 4, abs=0.03)


def test_a_noisy_small_picture_is_told_and_not_held_to():
    small = torch.full((2, 1, 2, 2), 255, dtype=torch.uint8)
    edit = Enlarge(small, 2, noise=0.5)
    rows = edit.told(host(), 2, SampleGenerator([3, 3]))["upscaling"]
    assert rows[:, -2:].tolist() == [[0.5, 1], [0.5, 1]] and torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[:, :-2], torch.ones(2, 4)) and edit.denoiser(host(), DENOISER) is DENOISER
    clean = Enlarge(small[:1], 2).told(host(), 3, SampleGenerator([1, 2, 3]))["upscaling"]
    assert clean.tolist() == 3 * [[1, 1, 1, 1, 0, 1]]


def test_edits_of_single_pictures_are_joined_and_parted():
    small = torch.arange(12, dtype=torch.uint8).reshape(3, 1, 2, 2)
    whole = Enlarge(small, 2, 0.25)
    parts = [whole.part(slice(k, k + 1)) for k in range(3)]
    joined = parts[0].joined(parts[1:])
    assert isinstance(joined, Enlarge) and torch.equal(joined.small, small) and joined.noise == 0.25
    one = parts[0]
    assert one.part(slice(2, 3)) == one  # a single one serves all
    with pytest.raises(ValueError, match="several sizes"):
        one.joined([Enlarge(torch.zeros(1, 1, 3, 3, dtype=torch.uint8), 2)])


def test_sr3_tells_the_share_of_signal():
    """Whatever step, sqrt(prod (1 - beta_i)) of betas from 1e-6 to 0.01, T = 2000; and 1 at the start."""
    schedule = BetaSchedule(linear_betas(2000, 1e-6, 0.01))
    rate = np.sqrt(np.cumprod(1 - np.linspace(1e-6, 0.01, 2000)))
    t = torch.tensor([0.0, 1 / 2000, 0.25, 0.5, 1.0], dtype=torch.float64)
    expected = [1, rate[0], rate[499], rate[999], rate[1999]]
    assert np.allclose(RateLabel()(schedule, t), expected, rtol=1e-6, atol=0)
    # On a schedule that lets the signal be, it is the same share: 1 / sqrt(1 + sigma^2).
    assert RateLabel()(EDMSchedule(), t[3]).item() == pytest.approx(1 / math.hypot(1, 40))


def test_impossible_enlargements_are_refused():
    small = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="from 0 to 1"):
        Enlarge(small, 2, noise=1.5)
    with pytest.raises(ValueError, match="twice"):
        Enlarge(small, 1)
    with pytest.raises(ValueError, match="become 3 times as large, and this model makes small ones 2"):
        Enlarge(small, 3).told(host(), 1, SampleGenerator([0]))
