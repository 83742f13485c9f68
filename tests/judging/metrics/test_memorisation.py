"""Copies are found, real pictures are not taken for copies, and the verdict says so."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.data.sprites import draw_many
from fogcatcher.diffusion.exact import dataset_denoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import KarrasGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, sample
from fogcatcher.diffusion.schedules import EDMSchedule
from fogcatcher.judging.metrics import nearest as nearest_module
from fogcatcher.judging.metrics.features import Pixels
from fogcatcher.judging.metrics.membership import membership
from fogcatcher.judging.metrics.memorisation import Memorisation, measure
from fogcatcher.judging.metrics.nearest import nearest, nearest_of_variants, variants

LOOK = Pixels(8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    """1,797 pictures, (N, 1, 8, 8) uint8."""
    datasets = pytest.importorskip("sklearn.datasets")
    grey = datasets.load_digits().images * 255 / 16
    return torch.from_numpy(grey.round().astype(np.uint8))[:, None]


@pytest.fixture(scope="module")
def sprites() -> Tensor:
    return torch.from_numpy(np.stack([s.pixels for s in draw_many(900, seed=5)])).permute(0, 3, 1, 2)


def of_softmax_denoiser(training: Tensor, count: int) -> Tensor:
    """Pictures drawn by the denoiser that knows its training set by heart, in 20 steps."""
    process = Process(EDMSchedule())
    grid = KarrasGrid()(process.schedule, 20)
    x = process.prior(grid[0], torch.randn(count, *training.shape[1:], generator=generator(1)))
    denoiser = dataset_denoiser(process, training.float() / 127.5 - 1)
    *_, last = sample(denoiser, x, grid, DDIM(), generator(2))
    return ((last.x + 1) * 127.5).round().clamp(0, 255).byte()


def measured(samples: Tensor, training: Tensor, held_out: Tensor) -> Memorisation:
    return measure(samples, training, held_out, LOOK, generator(3))


# --- nearest


def test_nearest_against_all_differences(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nearest_module, "TILE", 7 * 40)
    q, r = (torch.randn(n, 3, generator=generator(n), dtype=torch.float64) + 1e3 for n in (25, 40))
    expected = (q[:, None] - r).norm(dim=2).sort(1)
    found = nearest(q, r, 6)
    torch.testing.assert_close(found.distances, expected.values[:, :6])
    assert torch.equal(found.numbers, expected.indices[:, :6])


def test_equal_rows_are_0_apart_to_the_bit():
    r = 1e4 * torch.randn(50, 9, generator=generator(), dtype=torch.float64)
    found = nearest(r, r)
    assert not found.distances.any() and found.numbers[:, 0].tolist() == list(range(50))


def test_as_many_neighbours_as_references_at_most():
    with pytest.raises(ValueError, match="2 references, so not 3"):
        nearest(torch.zeros(1, 2).double(), torch.zeros(2, 2).double(), 3)


def test_nearest_variants_against_the_smallest_of_all():
    q = torch.randn(30, 4, generator=generator(1), dtype=torch.float64)
    each = torch.randn(5, 20, 4, generator=generator(2), dtype=torch.float64)
    expected = (q[:, None, None] - each).norm(dim=3).amin(1).sort(1)
    found = nearest_of_variants(q, each, 7)
    torch.testing.assert_close(found.distances, expected.values[:, :7])
    assert torch.equal(found.numbers, expected.indices[:, :7])


def test_variants_are_all_shifts_of_a_picture_and_its_mirror_image():
    """A single bright pixel off the border visits 9 places, and 9 in the mirror; nothing else appears."""
    picture = torch.zeros(1, 4, 7, 7, dtype=torch.uint8)
    picture[0, :, 2, 1] = 255
    found = {tuple(v.nonzero()[0, 2:].tolist()) for v in variants(picture)}
    steps = list(itertools.product((1, 2, 3), (0, 1, 2)))
    assert found == {*steps, *((y, 6 - x) for y, x in steps)}
    assert [int(v.bool().sum()) for v in variants(picture)] == [4] * 18


def test_what_a_shift_frees_repeats_the_border_where_there_is_no_alpha():
    picture = torch.arange(9, dtype=torch.uint8).reshape(1, 1, 3, 3)
    shifted = [v[0, 0].tolist() for v in variants(picture)]
    assert [[0, 1, 2], [0, 1, 2], [3, 4, 5]] in shifted and [[4, 5, 5], [7, 8, 8], [7, 8, 8]] in shifted


# --- copies


def test_everything_a_perfect_memory_draws_is_a_copy(digits: Tensor):
    training, held_out = digits[:400], digits[400:800]
    found = measured(of_softmax_denoiser(training, 60), training, held_out)
    assert found.copied == 1 and found.relative == 1 and found.nearer == 1
    assert found.verdict.startswith("copies: 100.0 % of the samples are training pictures")
    assert found.distances.max() < 0.02 * nearest(LOOK(held_out), LOOK(training)).distances.median()


@pytest.mark.slow
def test_at_most_one_in_a_hundred_real_pictures_counts_on_average(digits: Tensor):
    copied, nearer = [], []
    for seed in range(6):
        shuffled = digits[torch.randperm(len(digits), generator=generator(seed))]
        found = measured(shuffled[600:1200], shuffled[:300], shuffled[300:600])
        copied.append(found.copied)
        nearer.append(found.nearer)
        assert found.verdict.startswith("no sign of copying"), seed
    assert np.mean(copied) <= 0.01
    assert np.mean(nearer) == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
def test_fresh_sprites_are_no_copies(sprites: Tensor):
    found = measured(sprites[600:], sprites[:300], sprites[300:600])
    assert found.copied <= 0.03
    assert found.verdict.startswith(f"no sign of copying: {100 * found.copied:.1f} %")


def test_flipped_and_shifted_copies_are_found(sprites: Tensor):
    training, held_out = sprites[:200], sprites[300:500]
    moved = torch.stack([v[i] for i, v in enumerate(variants(training))])
    found = measured(moved, training, held_out)
    assert found.copied == 1 and found.nearest.tolist() == list(range(18))
    assert not found.distances.any()


def test_copies_with_a_little_noise_are_found(digits: Tensor):
    noise = 6 * torch.randn(50, 1, 8, 8, generator=generator())
    found = measured((digits[:50] + noise).clamp(0, 255).byte(), digits[:400], digits[400:800])
    assert found.copied >= 0.95 and found.p < 1e-10


def test_with_few_held_out_pictures_only_what_is_next_to_equal_counts(digits: Tensor):
    samples = torch.cat([digits[:10], digits[900:910]])
    found = measured(samples, digits[:400], digits[400:450])
    assert found.is_copy.tolist() == [True] * 10 + [False] * 10


@pytest.mark.slow
def test_pictures_that_stand_fifty_times_in_the_set_come_up_too_often(digits: Tensor):
    often = digits[[3, 14, 15, 92, 65]].repeat_interleave(50, 0)
    training = torch.cat([digits[100:600], often])
    found = measured(of_softmax_denoiser(training, 300), training, digits[600:1000])
    assert found.copied == 1
    assert {r.number for r in found.repeated} == {500, 550, 600, 650, 700}
    assert all(r.factor >= 5 and r.copies == 50 and r.p < 0.001 for r in found.repeated)
    assert "5 training pictures come up far too often" in found.verdict


def test_as_near_to_both_is_no_sign(digits: Tensor):
    assert measured(digits[:50], digits[100:200], digits[100:200]).nearer == 0.5


@pytest.mark.slow
def test_copies_are_told_apart_where_the_data_repeat_themselves(digits: Tensor):
    """One in ten held-out pictures stands in the training set too: such a share is no sign, more of it is."""
    training, held_out = digits[:400], torch.cat([digits[:30], digits[400:670]])
    same = measured(torch.cat([digits[30:60], digits[700:970]]), training, held_out)
    assert same.copied == same.expected == 0.1 and same.verdict.startswith("no sign of copying: 10.0 %")
    copies = measured(digits[100:200], training, held_out)
    assert copies.copied == copies.relative == 1 and copies.verdict.startswith("copies: 100.0 %")


def test_copies_drawn_evenly_are_not_too_often(digits: Tensor):
    found = measured(digits[:200], digits[:200], digits[400:600])
    assert found.copied == 1 and found.repeated == []


def test_the_chances_against_scipy(digits: Tensor):
    """Fisher's exact test of the shares; Poisson tail, times the number of different pictures."""
    stats = pytest.importorskip("scipy.stats")
    training, held_out = digits[:500], digits[500:900]
    samples = torch.cat([digits[:1].expand(9, -1, -1, -1), digits[1:3], digits[1200:1500]])
    found = measured(samples, training, held_out)
    x, h = int(found.is_copy.sum()), round(found.expected * 400)
    table = [[x, len(samples) - x], [h, 400 - h]]
    assert found.p == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)
    first = found.repeated[0]
    assert (first.number, first.found, first.factor) == (0, 9, pytest.approx(9 / (x / 500)))
    assert first.p == pytest.approx(500 * stats.poisson.sf(8, x / 500), rel=1e-6)


def test_sets_without_pictures_are_refused(digits: Tensor):
    with pytest.raises(UserError, match="no held-out pictures"):
        measured(digits[:2], digits[:2], digits[:0])


# --- membership


def test_equal_losses_tell_nothing():
    losses = torch.rand(4000, generator=generator())
    found = membership(losses[:2000], losses[2000:])
    assert found.low < 0.5 < found.high and found.high - found.low < 0.04
    assert found.verdict.startswith("the loss does not tell")
    assert membership(torch.ones(5), torch.ones(7)).auc == 0.5


def test_separated_losses_tell_all():
    found = membership(torch.rand(100, generator=generator()), 2 + torch.rand(80, generator=generator()))
    assert found.auc == 1
    assert found.verdict.startswith("the loss tells training pictures from others: AUC 1.000")


def test_the_area_of_two_gaussians_and_its_interval():
    """A = Phi(d / sqrt 2); 95 % of the intervals hold it."""
    truth = 0.5 * (1 + torch.erf(torch.tensor(0.7 / 2)).item())
    g, held = generator(4), 0
    for _ in range(300):
        found = membership(torch.randn(120, generator=g), 0.7 + torch.randn(90, generator=g))
        held += found.low <= truth <= found.high
    assert 0.91 * 300 <= held <= 0.99 * 300


def test_hanley_and_mcneil_by_hand():
    """A = 3/4 from 4 and 4 losses: Q1 = 0.6, Q2 = 9/14, variance (3/16 + 3 (0.0375 + 0.080357)) / 16."""
    found = membership(torch.tensor([1.0, 2.0, 3.0, 6.0]), torch.tensor([2.5, 4.0, 5.0, 2.6]))
    assert found.auc == 10 / 16
    A = 10 / 16
    variance = (A * (1 - A) + 3 * (A / (2 - A) - A**2) + 3 * (2 * A**2 / (1 + A) - A**2)) / 16
    assert found.low == pytest.approx(max(0, A - 1.96 * variance**0.5), abs=1e-4)
    assert found.high == min(1.0, found.high)


def test_losses_that_are_not_numbers_are_refused():
    with pytest.raises(UserError, match="finite losses"):
        membership(torch.tensor([1.0, float("nan")]), torch.ones(2))
