"""How well pictures come back, against figures that are known."""

import pytest
import torch

from fogcatcher.judging.reconstruction import judged, psnr
from tests.latent_models import exact_stage


def test_decibels_are_those_of_the_definition():
    real = torch.full((3, 1, 4, 4), 100, dtype=torch.uint8)
    returned = real + torch.tensor([0, 1, 51], dtype=torch.uint8)[:, None, None, None]
    # 20 log10(255 / 51) is that of a fifth; the same picture has no end, and is said to be 99.
    expected = torch.tensor([99.0, 20 * 2.40654018, 20 * 0.69897], dtype=torch.float64)
    torch.testing.assert_close(psnr(real, returned), expected, rtol=1e-6, atol=1e-6)


def test_an_autoencoder_that_loses_nothing_is_perfect():
    rows = torch.randint(0, 256, (70, 4, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rows[:, 3] = 255 * (rows[:, 3] > 90)
    rows[:, :3] *= rows[:, 3:] > 0
    found = judged(exact_stage(4), rows)
    assert (found.psnr, found.worst, found.alpha, found.codes) == (99, 99, 1, None)
    assert found.frechet == pytest.approx(0, abs=1e-6) and found.floor is not None and found.floor > 0
    assert "100.00% of alpha as it was" in found.in_words
