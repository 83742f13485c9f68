"""Inversion finds the noise of a picture, and interpolation goes along the sphere between two noises."""

import math

import numpy as np
import pytest
import torch

from fogcatcher.data import sprites
from fogcatcher.data.conditions.conditions import Category, Colour, ConditionSpec, Number, Tags
from fogcatcher.diffusion.edits.interpolation import Between, slerp
from fogcatcher.diffusion.edits.inversion import Invert
from fogcatcher.model.model import load
from tests.edit_models import random_picture, small_model

UNSEEN = 918_273
"""Not the seed of the sprites that the shipped model was trained on."""


def psnr_of_return(steps: int, rounds: int, count: int) -> float:
    """The mean PSNR, in dB, of held-out sprites inverted and drawn again."""
    model, figures = load("sprites"), []
    for sprite in sprites.draw_many(count, UNSEEN):
        wish = {"kind": sprite.kind}
        picture = torch.from_numpy(sprite.pixels.transpose(2, 0, 1)[None].copy())
        drawn = model.sample(
            1, wish, guidance=1.0, sampler="ddim", steps=steps, edit=Invert(picture, wish, rounds)
        )
        error = (drawn.raw.clamp(-1, 1) - (picture / 127.5 - 1)).square().mean().item()
        figures.append(10 * math.log10(4 / error))
    return float(np.mean(figures))


def test_the_error_falls_with_the_steps():
    few, more, most = (psnr_of_return(steps, 1, 3) for steps in (5, 10, 20))
    assert few + 3 < more and more + 3 < most


@pytest.mark.slow
def test_a_hundred_steps_find_back():
    assert psnr_of_return(100, 1, 16) > 35


def test_slerp_goes_along_the_circle():
    """Between two unit vectors at right angles the point at u stands at the angle u pi / 2."""
    a, b = torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[0.0, 1.0]]).double()
    u = torch.linspace(0, 1, 7, dtype=torch.float64)
    angles = u * math.pi / 2
    assert torch.allclose(slerp(a, b, u), torch.stack([angles.cos(), angles.sin()], 1))


def test_slerp_keeps_the_length_of_noise_and_both_ends():
    a, b = torch.randn(2, 1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    b = b * a.norm() / b.norm()
    between = slerp(a, b, torch.tensor([0.0, 0.25, 0.5, 1.0]))
    assert between[0].equal(a[0]) and between[-1].equal(b[0])
    assert torch.allclose(between.flatten(1).norm(dim=1), a.norm().expand(4), rtol=1e-5)
    # Vectors along each other have no arc.
    assert torch.allclose(slerp(a, a, torch.tensor([0.3])), a)


def test_the_ends_between_seeds_are_the_drawings_of_the_seeds():
    model, draw = small_model(), {"condition": {"kind": "food"}, "steps": 4}
    edit = Between(3, 8, (0.0, 0.5, 1.0), {}, {})
    frames = model.sample(**draw, seeds=[3, 3, 8], edit=edit).raw
    ends = model.sample(**draw, seeds=[3, 8]).raw
    assert torch.allclose(frames[[0, 2]], ends, atol=1e-4)
    assert not torch.allclose(frames[1], frames[0], atol=0.1)


def test_the_ends_between_pictures_are_the_pictures():
    model = load("sprites")
    a, b = model.sample(seeds=[3, 19]).pictures[:, None]
    wishes = {"kind": "creature"}, {"kind": "hero"}
    edit = Between(a, b, (0.0, 1.0), *wishes)
    frames = model.sample(condition=wishes, seeds=[0, 0], guidance=1.0, sampler="ddim", edit=edit).pictures
    assert (frames.int() - torch.cat([a, b]).int()).abs().max() <= 3


def test_the_way_between_two_wishes():
    spec = ConditionSpec(
        (Category("kind", ("a", "b")), Number("size", 0, 9), Colour("hue"), Tags("tags", ("x", "y")))
    )
    start = {"kind": "a", "size": 2.0, "hue": "#000000", "tags": "x"}
    end = {"kind": "b", "size": 6.0, "hue": "#ffffff", "tags": "y"}
    assert spec.between(start, end, 0) == start and spec.between(start, end, 1) == end
    quarter = spec.between(start, end, 0.25)
    assert quarter == {"kind": {"a": 0.75, "b": 0.25}, "size": 3.0, "hue": quarter["hue"], "tags": "x"}
    # OKLab L = 0.25 of a grey is linear light 0.25^3, on the straight part of sRGB's curve no more.
    grey = round(255 * (1.055 * 0.25 ** (3 / 2.4) - 0.055))
    assert quarter["hue"] == f"#{grey:02x}{grey:02x}{grey:02x}"
    assert spec.encode([quarter])["kind"].tolist() == [[0.75, 0.25]]


def test_inversion_keeps_the_shape_of_other_canvases():
    picture = random_picture(4, (16, 12))
    assert small_model().sample(2, {}, steps=3, edit=Invert(picture)).pictures.shape == (2, 4, 16, 12)
