"""The network of the lessons: its size, and that it learns what is known exactly."""

import pytest
import torch

from fogcatcher.diffusion.denoiser import Denoiser, EDMPreconditioning
from fogcatcher.diffusion.exact import MixtureDenoiser
from fogcatcher.diffusion.objectives import LogNormalTimes, Objective
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import EDMSchedule
from fogcatcher.networks.dense import Dense
from fogcatcher.networks.embeddings import Vector
from fogcatcher.training.batches import Batches
from fogcatcher.training.fit import Plan, TrainingState, fit


def test_it_has_as_many_weights_as_its_layers_say():
    d, w, waves, classes = 64, 32, 32, 10
    noise = waves * w + w + w * w + w
    block = w * 2 * w + 2 * w + 2 * (w * w + w)
    ends = (d * w + w) + (w * 2 * d + 2 * d)
    network = Dense((1, 8, 8), w, 3, {"digit": Vector(classes)}, answers=2)
    assert sum(p.numel() for p in network.parameters()) == noise + classes * w + 3 * block + ends
    assert network(torch.ones(5, 1, 8, 8), torch.zeros(5)).shape == (5, 2, 8, 8)


def test_saying_nothing_is_a_row_of_zeros_and_a_class_is_heard():
    network = Dense((2,), 16, 1, {"digit": Vector(3)})
    torch.nn.init.normal_(network.exit.weight, generator=torch.Generator().manual_seed(0))
    x, label = torch.ones(2, 2), torch.zeros(2)
    with torch.no_grad():
        plain = network(x, label)
        assert network(x, label, {"digit": torch.zeros(2, 3)}).equal(plain)
        assert (network(x, label, {"digit": torch.eye(3)[:2]}) - plain).abs().max() > 0.01


@pytest.mark.slow
def test_it_learns_the_exact_denoiser_of_two_points():
    """Data at -1 and 1 in both pixels: the best guess is known, and 200 steps bring the network near it."""
    process, points = Process(EDMSchedule()), torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    exact = MixtureDenoiser(process, points, torch.full((2,), 0.1).double())
    generator = torch.Generator().manual_seed(0)
    x0 = points.repeat(500, 1) + 0.1 * torch.randn(1000, 2, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        denoiser = Denoiser(Dense((2,), 32, 2), process, EDMPreconditioning(sigma_data=1.0))
    plan = Plan(200, batch_size=128, learning_rate=3e-3, optimizer="adam")
    state = TrainingState.start(denoiser, plan)
    for _ in fit(state, Batches(x0, {}, to_model=lambda rows: rows), Objective(LogNormalTimes(-0.4)), plan):
        pass
    t = process.schedule.t_from_noise_ratio(torch.full((1000,), 0.8).double())
    x_t = process.corrupt(x0, t, torch.randn(1000, 2, generator=generator))
    with torch.no_grad():
        off = (state.ema.denoiser(x_t, t) - exact(x_t, t)).square().mean()
    spread = (x0 - exact(x_t, t)).square().mean()
    assert off < 0.1 * spread
