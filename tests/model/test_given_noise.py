"""Noise that somebody gives: where drawing starts, and what the recipe then says."""

import math

import pytest
import torch
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.sheets import read_recipe
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.schedules import EDMSchedule
from fogcatcher.model.build import build_grid
from fogcatcher.model.edit_files import wish_of_file
from fogcatcher.model.model import load
from fogcatcher.model.presets import PRESETS
from fogcatcher.model.reproduction import reproduce
from tests.commands import refused
from tests.exact_models import gaussian_model
from tests.random_models import random_model, save


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "ddpm", "churn"])
def test_the_noise_of_seeds_given_is_what_the_seeds_draw(sampler):
    model, seeds = random_model(), [3, 999, 2**40]
    own = SampleGenerator(seeds).randn_like(torch.empty(3, 4, 12, 10))
    by_seed = model.sample(seeds=seeds, sampler=sampler, steps=3)
    given = model.sample(seeds=seeds, noise=own.double(), sampler=sampler, steps=3)
    assert given.raw.equal(by_seed.raw) and given.names == by_seed.names
    more = SampleGenerator(range(70)).randn_like(torch.empty(70, 4, 12, 10))
    assert model.sample(noise=more, steps=1).raw.equal(model.sample(70, steps=1).raw)  # in two batches


def test_where_it_starts_decides_where_it_ends():
    """For data of N(0, 1/4) every step scales the noise, by the same factor in every pixel."""
    model = gaussian_model()
    noise = SampleGenerator([5, 6]).randn_like(torch.empty(2, 3, 4, 4))
    ends = [
        model.sample(noise=k * noise, sampler="ddim", limit="none", guidance=1.0).raw for k in (1.0, -0.5, 0)
    ]
    torch.testing.assert_close(ends[1], -0.5 * ends[0])
    assert ends[2].abs().max() == 0
    # The exact way of the ODE is x_0 = x_T s / sqrt(s^2 + sigma^2), s = 1/2, sigma = 80; x_T = 80 noise.
    exact = noise * 80 * 0.5 / math.sqrt(0.25 + 80**2)
    fine = model.sample(noise=noise, sampler="heun", steps=200, limit="none", guidance=1.0).raw
    torch.testing.assert_close(fine, exact, rtol=5e-3, atol=5e-3)


def test_what_is_no_noise_is_one_sentence():
    model, right = random_model(), torch.zeros(2, 4, 12, 10)
    for noise, seeds, said in (
        (right[:, :3], None, r"noise of shape \(2, 4, 12, 10\) is needed here, not \(2, 3, 12, 10\)"),
        (right, [1, 2, 3], r"noise of shape \(3, 4, 12, 10\) is needed"),
        (right[0], [1], "is needed here"),
        (right / 0, None, "finite floating point"),
        (right.long(), None, "finite floating point"),
    ):
        with pytest.raises(UserError, match=said):
            model.sample(noise=noise, seeds=seeds, steps=1)


def test_the_recipe_says_so_and_claims_no_seed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = load(save(random_model(), tmp_path / "runs" / "first"))
    drawn = model.sample(noise=torch.zeros(2, 4, 12, 10), condition={"kind": "food"}, steps=1)
    single, _, all_of_them = drawn.save(tmp_path / "o")
    recipe = read_recipe(single) or {}
    assert recipe["noise"] == "given" and "seed" not in recipe
    with Image.open(single) as image:
        assert "Seed" not in image.info["parameters"] and "Steps: 1" in image.info["parameters"]
    for path in (single, all_of_them):
        with pytest.raises(
            UserError, match="drawn from noise that was given in Python, which no recipe holds"
        ):
            reproduce(path)
    assert "noise that was given" in refused("reproduce", str(single), capsys=capsys)
    assert wish_of_file(model, single) == {"kind": "food"}  # what it shows is still known


def test_the_spacings_of_others_by_their_names():
    places = build_grid("linspace_open", PRESETS["ddpm"])(EDMSchedule(80), 4)[:-1] * 1000 - 1
    assert places.tolist() == pytest.approx([999, 749, 500, 250], abs=0.51)  # 999 j / 4 of diffusers, rounded
    sigmas = 80 * build_grid("polyexponential", PRESETS["edm"])(EDMSchedule(80), 5)[:-1]
    assert sigmas.tolist() == pytest.approx([80 * (0.002 / 80) ** (j / 4) for j in range(5)])
    model = random_model()
    for name in ("polyexponential", "Linspace_Open"):
        assert model.sample(1, steps=3, grid=name).made[0].settings.grid == name.lower()
