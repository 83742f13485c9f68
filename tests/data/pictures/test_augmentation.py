"""Augmentation: nothing but what it says is done, and what is done is told."""

import colorsys

import numpy as np
import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.augmentation import NAME, Augmentation, choose, parse
from fogcatcher.training.batches import Batches
from fogcatcher.training.condition_dropout import ConditionDropout


def pictures(count: int = 64, channels: int = 4, size: int = 12) -> torch.Tensor:
    x = torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    if channels == 4:
        alpha = (x[:, 3:] > 0).float()
        x = torch.cat([x[:, :3] * alpha - (1 - alpha), alpha * 2 - 1], 1)
    return x


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kinds", ["shift", "flip", "flip-vertical", "turn", "shift,flip,turn", "hue"])
def test_nothing_told_is_nothing_done(kinds: str):
    x = pictures()
    changed, told = parse(kinds, (4, 12, 12))(x, generator())
    still = (told == 0).all(1)
    assert 0 < still.sum() < len(x)
    assert changed[still].equal(x[still])
    assert all(not a.equal(b) for a, b in zip(changed[~still], x[~still], strict=True))


def test_flips_and_turns_are_what_they_say():
    x = pictures()
    changed, told = Augmentation(flip=True, share=0.5)(x, generator())
    for picture, original, label in zip(changed, x, told, strict=True):
        expected = original[..., torch.arange(11, -1, -1)] if label[2] else original
        assert picture.equal(expected)
    changed, told = Augmentation(turn=True, share=0.9)(x, generator())
    for picture, original, label in zip(changed, x, told, strict=True):
        quarters = int((label[4:7] * torch.tensor([1.0, 2, 3])).sum())
        np.testing.assert_array_equal(picture.numpy(), np.rot90(original.numpy(), quarters, (1, 2)))


@pytest.mark.parametrize("channels", [3, 4])
def test_shifts_move_whole_pixels(channels: int):
    x = pictures(channels=channels)
    changed, told = Augmentation(shift=3, share=1.0)(x, generator())
    assert {int(v) for v in (told[:, :2] * 3).flatten().tolist()} == set(range(-3, 4))
    for picture, original, label in zip(changed, x, told, strict=True):
        down, right = (int(v) for v in (label[:2] * 3).round())
        border = ((0, 0), (3, 3), (3, 3))
        outside = np.pad(original.numpy(), border, constant_values=-1.0)
        padded = np.pad(original.numpy(), border, mode="edge") if channels == 3 else outside
        expected = padded[:, 3 - down : 15 - down, 3 - right : 15 - right]
        np.testing.assert_array_equal(picture.numpy(), expected)


def test_hues_turn_and_lightness_stays():
    """A grey stays grey; a colour changes its hue by the angle that is told; nothing shows under alpha 0."""
    x = pictures()
    x[:32, :3] = x[:32, :1]
    changed, told = Augmentation(hue=True, share=1.0)(x, generator())
    torch.testing.assert_close(changed[:32], x[:32], atol=2e-3, rtol=0)
    assert changed[:, :3][(x[:, 3:] < 0).expand(-1, 3, -1, -1)].eq(-1).all()
    muted = torch.full((1, 3, 8, 8), 0.0)
    muted[:, 0] = 0.2  # a dull red, inside sRGB at every hue
    turned, told = Augmentation(hue=True, share=1.0)(muted, generator(5))
    angle = torch.atan2(told[0, 8], told[0, 7] + 1).item() % (2 * torch.pi)
    before, after = (colorsys.rgb_to_hsv(*((v[0, :, 0, 0] + 1) / 2).tolist())[0] for v in (muted, turned))
    # The hues of HSV and of OKLab are not the same angle, but close enough to tell the turn.
    difference = (2 * np.pi * (after - before) - angle + np.pi) % (2 * np.pi) - np.pi
    assert abs(difference) < 0.6


def test_augmentation_is_told_and_never_dropped():
    data = torch.randint(0, 256, (40, 4, 12, 12), dtype=torch.uint8, generator=generator())
    batches = Batches(
        data, {"kind": torch.ones(40, 2)}, 0, None, ConditionDropout(1.0), Augmentation(flip=True, share=1.0)
    )
    x0, condition = batches.at(3, 16)
    assert not condition["kind"].any() and condition[NAME][:, 2].all()
    expected = data[batches.indices(3, 16)].float() / 127.5 - 1
    assert x0.flip(-1).equal(expected)
    again, _ = batches.at(3, 16)
    assert again.equal(x0)


def test_rows_choose_what_a_pass_sees():
    data = torch.arange(10, dtype=torch.uint8).reshape(10, 1, 1, 1)
    batches = Batches(data, {}, 0, torch.tensor([2, 2, 5]))
    seen = torch.cat([batches.indices(step, 3) for step in range(4)])
    assert seen.reshape(4, 3).sort(1).values.tolist() == [[2, 2, 5]] * 4


@pytest.mark.parametrize(
    ("kinds", "shape", "said"),
    [
        ("spin", (4, 8, 8), "not 'spin'"),
        ("turn", (4, 8, 9), "square pictures, not 9x8"),
        ("hue", (1, 8, 8), "these are grey"),
    ],
)
def test_what_cannot_be_done_is_said(kinds, shape, said):
    with pytest.raises(UserError, match=said):
        parse(kinds, shape)


def test_auto_looks_at_the_set():
    many = torch.zeros(2000, 1, 8, 8, dtype=torch.uint8)
    assert not choose("auto", many, 2000)[0] and not choose("none", many[:9], 9)[0]
    generator = torch.Generator().manual_seed(0)
    half = torch.randint(0, 256, (60, 3, 16, 8), dtype=torch.uint8, generator=generator)
    symmetric = torch.cat([half, half.flip(-1)], -1)
    assert choose("auto", symmetric, 60)[0] == Augmentation(shift=2, flip=True)
    lopsided = torch.cat([half, torch.zeros_like(half)], -1)
    augmentation, said = choose("auto", lopsided, 60)
    assert augmentation == Augmentation(shift=2) and "augmentation: shift, for there are few" in said[0]
