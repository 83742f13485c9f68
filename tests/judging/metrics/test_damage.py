"""Damage does what it says, and nothing else."""

import pytest
import torch

from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.judging.metrics.damage import colour_noise, hue_noise, shuffled_blocks, shuffled_silhouettes


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def pictures(g: torch.Generator, channels: int = 4, side: int = 11) -> torch.Tensor:
    """Chance colours in the left two thirds; nothing, and no colour, in the rest."""
    x = torch.randint(0, 256, (5, channels, side, side), generator=g, dtype=torch.uint8)
    if channels in (2, 4):
        x[:, -1] = 255
        x[..., 2 * side // 3 :] = 0
    return x


def pixels(x: torch.Tensor) -> list[list[tuple[int, ...]]]:
    """All pixels of each picture, sorted."""
    return [sorted(map(tuple, picture.flatten(1).T.tolist())) for picture in x]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_shuffle_moves_pixels_and_makes_none(g, channels):
    x = pictures(g, channels)
    for moved in (shuffled_silhouettes(x, g), shuffled_blocks(x, 4, g)):
        assert pixels(moved) == pixels(x) and not moved.equal(x)
    if channels in (2, 4):
        assert shuffled_silhouettes(x, g)[:, -1].equal(x[:, -1])
    first = [shuffled_blocks(x, 4, g)[..., :4, 4:8] for _ in range(2)]
    assert pixels(first[0]) == pixels(x[..., :4, 4:8]) == pixels(first[1]) and not first[0].equal(first[1])
    assert shuffled_blocks(x, 1, g).equal(x)


def test_every_order_is_as_likely_as_the_others(g):
    """Two pixels of one block change places in half of the cases: 1000 trials scatter by 0.016."""
    x = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2).repeat(1000, 1, 1, 1)
    changed = (shuffled_blocks(x, 2, g)[:, 0, 0, 0] == 255).double().mean().item()
    assert changed == pytest.approx(0.5, abs=0.05)


def test_noise_has_the_spread_it_names_and_leaves_alpha_alone(g):
    x = torch.full((4, 4, 64, 64), 128, dtype=torch.uint8)
    x[:, 3, :, 32:] = 0
    x[:, :3, :, 32:] = 0
    loud = colour_noise(x, 20, g)
    assert loud[:, 3].equal(x[:, 3]) and not loud[..., 32:].any()
    assert (loud[:, :3, :, :32].double() - 128).std().item() == pytest.approx(20, rel=0.02)


def test_a_turned_hue_keeps_lightness_and_chroma(g):
    """Pale colours, which a screen can show at every hue."""
    x = 118 + torch.randint(0, 20, (3, 3, 16, 16), generator=g, dtype=torch.uint8)
    before, after = (oklab_from_srgb(p.permute(0, 2, 3, 1) / 255) for p in (x, hue_noise(x, 60, g)))
    torch.testing.assert_close(after[..., 0], before[..., 0], atol=4e-3, rtol=0)
    torch.testing.assert_close(after[..., 1:].norm(dim=-1), before[..., 1:].norm(dim=-1), atol=6e-3, rtol=0)
    strong = before[..., 1:].norm(dim=-1) > 0.02
    turn = (torch.atan2(after[..., 2], after[..., 1]) - torch.atan2(before[..., 2], before[..., 1])).sin()
    assert turn[strong].abs().max() < 0.95 and turn[strong].abs().mean() > 0.35
    assert abs(turn[strong].mean()) < 0.1  # either way
