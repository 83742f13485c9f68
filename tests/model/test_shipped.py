"""The model that comes with the program draws sprites like those it was trained on."""

import numpy as np
import pytest
import torch

from fogcatcher.data import sprites
from fogcatcher.model.build import steps_of
from fogcatcher.model.model import SHIPPED, WEIGHTS, load
from fogcatcher.model.start_from import licence_of


def test_weights_are_small():
    assert (SHIPPED / "sprites" / WEIGHTS).stat().st_size <= 8_000_000


@pytest.mark.parametrize(("name", "network", "steps"), [("course", "course", 500), ("ddpm", "small", 1000)])
def test_the_models_of_the_labs_are_small_and_what_they_are_called(name: str, network: str, steps: int):
    """And each takes most of the noise from sprites it has never seen, where there is as much as signal."""
    assert (SHIPPED / name / WEIGHTS).stat().st_size <= 5_000_000
    assert licence_of(SHIPPED / name) == "apache-2.0"
    model = load(name)
    process = model.denoiser.process
    assert (model.config.network.name, steps_of(model.config.method)) == (network, steps)
    drawn = np.stack([sprites.draw(seed, "hero").pixels for seed in range(10**6, 10**6 + 16)])
    x0 = model.config.kind.to_model(torch.from_numpy(drawn.transpose(0, 3, 1, 2)))
    t = process.schedule.t_from_noise_ratio(torch.tensor(1.0, dtype=torch.float64)).expand(16)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        x0_hat = model.denoiser(
            process.corrupt(x0, t, noise), t, model.conditions.encode([{"kind": "hero"}] * 16)
        )
    assert (x0_hat - x0).square().mean() < 0.25  # of 1, the noise in units of the signal


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun", "ddpm", "churn"])
@pytest.mark.slow
def test_a_seed_alone_is_that_seed_in_a_batch_of_64(sampler: str):
    model = load("sprites")
    batch, alone = model.sample(64, sampler=sampler), model.sample(seeds=[37], sampler=sampler)
    assert (batch.raw[37] - alone.raw[0]).abs().max().item() <= 1e-4
    assert (batch.pictures[37].int() - alone.pictures[0].int()).abs().max().item() <= 1


@pytest.mark.parametrize("number", range(5), ids=sprites.KINDS)
@pytest.mark.slow
def test_each_kind_has_the_coverage_and_colours_of_its_kind(number: int):
    """Share of opaque pixels and mean colour of 32 drawings, against 500 drawn by rule."""
    kind = sprites.KINDS[number]
    drawing = load("sprites").sample(condition={"kind": kind}, seeds=range(32))
    real = torch.from_numpy(
        np.stack([sprites.draw(seed, kind).pixels for seed in range(500)]).transpose(0, 3, 1, 2)
    )
    drawn = drawing.pictures

    def coverage(pictures: torch.Tensor) -> float:
        return (pictures[:, 3] > 0).double().mean().item()

    def colour(pictures: torch.Tensor) -> torch.Tensor:
        opaque = (pictures[:, 3:] > 0).double()
        return (pictures[:, :3] * opaque).sum((0, 2, 3)) / opaque.sum()

    assert coverage(drawn) == pytest.approx(coverage(real), abs=0.08)
    assert (colour(drawn) - colour(real)).abs().max().item() < 30  # of 255
    assert not (drawn[:, :3] * (drawn[:, 3:] == 0)).any()


def test_the_base_for_larger_pictures_is_small_on_disk_and_names_its_licence():
    """Half precision on disk, and the network that coloured pictures of 32 pixels take by themselves."""
    assert (SHIPPED / "base-32" / WEIGHTS).stat().st_size <= 10_000_000
    assert licence_of(SHIPPED / "base-32") == "cc0-1.0"
    base = load("base-32")
    assert (base.config.network.width, base.config.network.patch, base.config.network.levels) == (16, 1, 4)
    # Pictures that it has never seen, in noise of 0.3: it takes most of the noise away.
    drawn = np.stack([sprites.draw(seed).pixels for seed in range(8)]).transpose(0, 3, 1, 2)
    pictures = torch.nn.functional.pad(torch.from_numpy(drawn), (8, 8, 8, 8))
    x0, sigma = base.config.kind.to_model(pictures), 0.3
    x = x0 + sigma * torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        x0_hat = base.denoiser(x, torch.full((8,), sigma / 80), {})
    assert (x0_hat - x0).square().mean() < 0.25 * sigma**2
