"""Preconditionings against the table of conversions and the figures of the EDM paper."""

import pytest
import torch
from torch import nn

from fogcatcher.diffusion.denoiser import (
    Denoiser,
    EDMPreconditioning,
    PredictEps,
    PredictV,
    PredictVelocity,
    PredictX0,
    StepLabel,
)
from fogcatcher.diffusion.predictions import EPS, VELOCITY, X0, V
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    linear_betas,
)


class Constant(nn.Module):
    """A network that answers one fixed tensor and remembers what it was told."""

    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer = answer
        self.told: list[torch.Tensor] = []

    def forward(self, x, noise_label, cond):
        self.told = [x, noise_label]
        return self.answer


@pytest.mark.parametrize(
    ("schedule", "preconditioning", "prediction"),
    [
        (BetaSchedule(linear_betas(1000)), PredictEps(), EPS),
        (CosineSchedule(), PredictX0(), X0),
        (CosineSchedule(), PredictV(), V),
        (FlowSchedule(), PredictVelocity(), VELOCITY),
    ],
)
def test_network_output_means_what_its_name_says(schedule, preconditioning, prediction):
    answer, x_t = torch.randn(3, 2, 2, dtype=torch.float64), torch.randn(3, 2, 2, dtype=torch.float64)
    t = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    process = Process(schedule)
    alpha, sigma = process.rates(t, x_t)
    found = Denoiser(Constant(answer), process, preconditioning)(x_t, t)
    torch.testing.assert_close(found, prediction.to_x0(x_t, answer, alpha, sigma))


def test_edm_coefficients_of_the_paper():
    sigma = torch.tensor([0.002, 0.5, 3.0, 80.0], dtype=torch.float64)
    one, c = torch.ones_like(sigma), EDMPreconditioning(sigma_data=0.5)
    torch.testing.assert_close(c.c_skip(one, sigma), 0.25 / (sigma**2 + 0.25))
    torch.testing.assert_close(c.c_out(one, sigma), sigma * 0.5 / (sigma**2 + 0.25).sqrt())
    torch.testing.assert_close(c.c_in(one, sigma), 1 / (sigma**2 + 0.25).sqrt())
    torch.testing.assert_close(c.c_noise(EDMSchedule(80), sigma / 80), sigma.log() / 4)


def test_one_coefficient_of_edm_may_be_changed_alone():
    class AsItIs(EDMPreconditioning):
        def c_in(self, alpha, sigma):
            return 0 * alpha + 1

    alpha, sigma = torch.tensor([[0.9, 1.0], [0.3, 80.0]], dtype=torch.float64)
    plain, changed = EDMPreconditioning(sigma_data=0.7), AsItIs(sigma_data=0.7)
    assert changed.c_in(alpha, sigma).tolist() == [1.0, 1.0]
    torch.testing.assert_close(changed.c_skip(alpha, sigma), plain.c_skip(alpha, sigma))
    torch.testing.assert_close(changed.c_out(alpha, sigma), plain.c_out(alpha, sigma))


@pytest.mark.parametrize("schedule", [EDMSchedule(), FlowSchedule(), CosineSchedule()])
def test_edm_input_and_target_have_unit_variance_on_every_schedule(schedule):
    t = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    alpha, sigma, c = schedule.alpha(t), schedule.sigma(t), EDMPreconditioning(sigma_data=0.7)
    input_variance = c.c_in(alpha, sigma) ** 2 * (alpha**2 * 0.49 + sigma**2)
    # the target (x0 - c_skip x_t) / c_out, with independent x0 and noise
    skip, out = c.c_skip(alpha, sigma), c.c_out(alpha, sigma)
    target_variance = ((1 - skip * alpha) ** 2 * 0.49 + (skip * sigma) ** 2) / out**2
    torch.testing.assert_close(input_variance, torch.ones_like(t))
    torch.testing.assert_close(target_variance, torch.ones_like(t))


def test_discrete_networks_are_told_their_step():
    network = Constant(torch.zeros(2, 1))
    process = Process(BetaSchedule(linear_betas(1000)))
    t = torch.tensor([0.001, 1.0], dtype=torch.float64)
    Denoiser(network, process, PredictEps(StepLabel(1000)))(torch.zeros(2, 1), t)
    torch.testing.assert_close(network.told[1], torch.tensor([1.0, 1000.0]))
