"""The loss against closed forms, and training times against their distributions."""

import math

import pytest
import torch
from torch import nn

from fogcatcher.denoiser import Denoiser, EDMPreconditioning, PredictEps, PredictV, PredictVelocity
from fogcatcher.objectives import LogitNormalTimes, LogNormalTimes, Objective, UniformTimes, min_snr
from fogcatcher.process import Process
from fogcatcher.schedules import BetaSchedule, CosineSchedule, EDMSchedule, FlowSchedule, linear_betas


class Zero(nn.Module):
    """A network that always answers zero."""

    def forward(self, x, noise_label, cond):
        return torch.zeros_like(x)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("schedule", "preconditioning", "expected"),
    [
        (BetaSchedule(linear_betas(1000)), PredictEps(), 1.0),  # |eps|^2
        (CosineSchedule(), PredictV(), None),  # alpha^2 + sigma^2 E[x0^2]
        (FlowSchedule(), PredictVelocity(), 1 + 0.25),  # |eps|^2 + |x0|^2
        (EDMSchedule(), EDMPreconditioning(sigma_data=0.5), 1.0),  # unit variance by construction
        (CosineSchedule(), EDMPreconditioning(sigma_data=0.5), 1.0),
    ],
)
def test_loss_of_a_network_that_answers_zero(schedule, preconditioning, expected):
    """With the default weight it is the mean square of the network's own target."""
    n, t = 4000, 0.6
    x0 = 0.5 * torch.randn(n, 50, generator=generator(), dtype=torch.float64)
    noise = torch.randn(n, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    denoiser = Denoiser(Zero(), Process(schedule), preconditioning)
    times = torch.full((n,), t, dtype=torch.float64)
    loss = Objective(UniformTimes()).at(denoiser, x0, times, noise).mean().item()
    if expected is None:
        expected = math.cos(t * math.pi / 2) ** 2 + math.sin(t * math.pi / 2) ** 2 * 0.25
    assert loss == pytest.approx(expected, rel=0.02)


def test_eps_loss_is_l_simple():
    """|x0 - x0_hat|^2 / c_out^2 equals |eps - eps_hat|^2, the loss of the DDPM paper."""
    schedule = BetaSchedule(linear_betas(1000))
    x0, eps = torch.randn(3, 8).double(), torch.randn(3, 8).double()
    t = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    network = nn.Linear(8, 8).double()

    class Wrapped(nn.Module):
        def forward(self, x, noise_label, cond):
            return network(x)

    process = Process(schedule)
    denoiser = Denoiser(Wrapped(), process, PredictEps())
    loss = Objective(UniformTimes()).at(denoiser, x0, t, eps)
    torch.testing.assert_close(loss, (eps - network(process.corrupt(x0, t, eps))).square().mean(1))


def test_loss_is_a_function_of_its_generator():
    denoiser = Denoiser(Zero(), Process(EDMSchedule()), EDMPreconditioning())
    x0, objective = torch.randn(16, 3, 4, 4), Objective(LogNormalTimes())
    assert objective(denoiser, x0, None, generator()).equal(objective(denoiser, x0, None, generator()))


def test_min_snr_weights():
    alpha, sigma = torch.tensor([1.0, 1.0, 1.0]).double(), torch.tensor([0.1, 1.0, 2.0]).double()
    assert min_snr(5.0)(alpha, sigma).tolist() == pytest.approx([5.0, 1.0, 0.25])
    with pytest.raises(ValueError, match="positive"):
        min_snr(0.0)


def test_log_normal_times():
    schedule = EDMSchedule(1000.0)
    t = LogNormalTimes(-1.2, 1.2).sample(20_000, schedule, generator())
    logs = schedule.sigma(t).log()
    assert logs.mean().item() == pytest.approx(-1.2, abs=1e-3)
    assert logs.std().item() == pytest.approx(1.2, abs=2e-3)


def test_logit_normal_times():
    t = LogitNormalTimes(0.5, 0.8).sample(20_000, FlowSchedule(), generator())
    logits = torch.logit(t)
    assert logits.mean().item() == pytest.approx(0.5, abs=1e-3)
    assert logits.std().item() == pytest.approx(0.8, abs=2e-3)


def test_discrete_times_hit_every_step_equally():
    t = UniformTimes(steps=10).sample(1000, FlowSchedule(), generator())
    steps, counts = (t * 10).round().unique(return_counts=True)
    assert steps.tolist() == list(range(1, 11)) and counts.tolist() == [100] * 10


def test_times_are_stratified():
    """Each of n equal slices of (0, 1] gets exactly one of the n times."""
    t = UniformTimes(smallest=0.0).sample(64, FlowSchedule(), generator())
    assert (t * 64).floor().long().sort().values.tolist() == list(range(64))
