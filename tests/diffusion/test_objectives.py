"""The loss against closed forms, and training times against their distributions."""

import math

import pytest
import torch
from torch import nn

from fogcatcher.diffusion.bound import bound
from fogcatcher.diffusion.denoiser import (
    Denoiser,
    EDMPreconditioning,
    LearnedVarianceDenoiser,
    PredictEps,
    PredictV,
    PredictVelocity,
)
from fogcatcher.diffusion.exact import gaussian_denoiser
from fogcatcher.diffusion.guidance import Clipped
from fogcatcher.diffusion.objectives import (
    LogitNormalTimes,
    LogNormalTimes,
    Objective,
    UniformTimes,
    Variational,
    edm,
    min_snr,
    snr,
    snr_plus_one,
    uniform,
)
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    VPSchedule,
    linear_betas,
)


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


def test_antithetic_and_independent_times():
    """Half of them and their mirror images; and plain draws, neither sliced nor mirrored."""
    t = UniformTimes(smallest=0.0, draw="antithetic").sample(7, FlowSchedule(), generator())
    torch.testing.assert_close(t[4:], 1 - t[:3])
    plain = UniformTimes(smallest=0.0, draw="independent").sample(64, FlowSchedule(), generator())
    assert plain.equal(torch.rand(64, dtype=torch.float64, generator=generator()))


@pytest.mark.parametrize(
    ("weighting", "prediction", "schedule"),
    [
        (snr, PredictEps(), VPSchedule()),
        (snr_plus_one, PredictV(), CosineSchedule()),
        (edm(0.7), EDMPreconditioning(sigma_data=0.7), EDMSchedule()),
        (edm(0.7), EDMPreconditioning(sigma_data=0.7), FlowSchedule()),
        (lambda alpha, sigma: 1 / sigma**2, PredictVelocity(), FlowSchedule()),
    ],
)
def test_each_own_weight_has_a_name(weighting, prediction, schedule):
    """The default, 1 / c_out^2, is the weight that each paper writes in alpha and sigma."""
    t = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    torch.testing.assert_close(weighting(alpha, sigma), prediction.c_out(alpha, sigma) ** -2)
    x0 = torch.randn(9, 4, generator=generator(), dtype=torch.float64)
    noise = torch.randn(9, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    denoiser = Denoiser(Zero(), Process(schedule), prediction)
    losses = [Objective(UniformTimes(), w).at(denoiser, x0, t, noise) for w in (None, weighting)]
    torch.testing.assert_close(losses[0], losses[1])
    error = (x0 - denoiser(denoiser.process.corrupt(x0, t, noise), t)).square().mean(1)
    torch.testing.assert_close(Objective(UniformTimes(), uniform).at(denoiser, x0, t, noise), error)


def test_l1_and_huber():
    """A network that answers zero errs by its target, eps; Huber is half the square, from 1 on the size."""
    x0, eps = torch.zeros(1, 4).double(), torch.tensor([[0.5, -1.0, 3.0, 0.0]], dtype=torch.float64)
    t = torch.tensor([0.3], dtype=torch.float64)
    denoiser = Denoiser(Zero(), Process(BetaSchedule(linear_betas(300))), PredictEps())
    assert Objective(UniformTimes(), loss="l1").at(denoiser, x0, t, eps).item() == pytest.approx(4.5 / 4)
    huber = Objective(UniformTimes(), loss="huber").at(denoiser, x0, t, eps).item()
    assert huber == pytest.approx((0.125 + 0.5 + 2.5 + 0) / 4)
    expected = torch.nn.functional.smooth_l1_loss(eps, torch.zeros_like(eps)).item()
    assert huber == pytest.approx(expected)


def test_a_denoiser_that_is_clipped_costs_what_its_clipped_answers_cost():
    """Clipping changes the answer and nothing else: the error is that of the network's own target."""
    x0, eps = torch.full((1, 2), 0.5).double(), torch.tensor([[0.1, -3.0]], dtype=torch.float64)
    t, schedule = torch.tensor([0.5], dtype=torch.float64), FlowSchedule()
    plain = Denoiser(Zero(), Process(schedule), PredictVelocity())
    # x_t = (0.3, -1.25) is the answer to a velocity of 0; the error over c_out = -1/2, squared.
    expected = {plain: (0.4**2 + 3.5**2) / 2, Clipped(plain): (0.4**2 + 3.0**2) / 2}
    for denoiser, loss in expected.items():
        assert Objective(UniformTimes()).at(denoiser, x0, t, eps).item() == pytest.approx(loss)
        assert Objective(UniformTimes())(denoiser, x0, None, generator()).isfinite()
    with pytest.raises(ValueError, match="no network"):
        Objective(UniformTimes()).at(gaussian_denoiser(plain.process, x0[0], 1.0), x0, t, eps)


def test_a_clipped_denoiser_that_learns_its_variance_has_the_whole_loss():
    times, process = UniformTimes(10), Process(BetaSchedule(linear_betas(10, 0.01, 0.4)))
    denoiser = LearnedVarianceDenoiser(Double(), process, PredictEps())
    x0 = torch.randn(3, 4, generator=generator(), dtype=torch.float64).clamp(-1, 1)
    t, noise = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64), 0.1 * x0
    wide, narrow = Clipped(denoiser, -100, 100), Clipped(denoiser, -0.01, 0.01)
    losses = [Variational(times).at(d, x0, t, noise) for d in (denoiser, wide, narrow)]
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=0)
    assert bool((losses[2] != losses[0]).all())
    grid = UniformGrid()(process.schedule, 10)
    bits = [bound(d, x0, grid, generator(), "learned").bits for d in (denoiser, wide)]
    torch.testing.assert_close(*bits, rtol=0, atol=0)


class Unchecked(PredictEps):
    def check(self, schedule):
        """Nothing is said where the denoiser is made, so that the loss has to."""


@pytest.mark.parametrize("schedule", [CosineSchedule(), FlowSchedule()])
def test_eps_without_signal_is_refused_in_words(schedule):
    """Where alpha is 0, x_t says nothing of x0 but through eps: the loss would be no number."""
    x0, t = torch.zeros(2, 3).double(), torch.tensor([0.5, 1.0], dtype=torch.float64)
    with pytest.raises(ValueError, match="no signal is left"):
        Denoiser(Zero(), Process(schedule), PredictEps())
    denoiser = Denoiser(Zero(), Process(schedule), Unchecked())
    for objective in (Objective(UniformTimes()), Objective(UniformTimes(), min_snr(), "l1")):
        assert objective.at(denoiser, x0, t - 0.1, x0).isfinite().all()
        with pytest.raises(ValueError, match="no signal is left"):
            objective.at(denoiser, x0, t, x0)
    v = Denoiser(Zero(), Process(schedule), PredictV())
    assert Objective(UniformTimes()).at(v, x0, t, x0).isfinite().all()


class Double(nn.Module):
    def forward(self, x, noise_label, cond):
        return torch.cat([x, 0 * x], 1)


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 5), (3, 2, 4, 6), (3, 7, 3)], ids=str)
@pytest.mark.parametrize("loss", ["l2", "l1", "huber", "hybrid"])
def test_any_shape_of_data_costs_alike(shape, loss):
    """The same numbers in another shape cost the same."""
    x0 = torch.randn(shape, generator=generator(), dtype=torch.float64).clamp(-1, 1)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    t = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    process, times = Process(BetaSchedule(linear_betas(10, 0.01, 0.4))), UniformTimes(10)
    network = Double() if loss == "hybrid" else Zero()
    kind = LearnedVarianceDenoiser if loss == "hybrid" else Denoiser
    objective = Variational(times) if loss == "hybrid" else Objective(times, loss=loss)
    denoiser = kind(network, process, PredictEps())
    torch.testing.assert_close(
        objective.at(denoiser, x0, t, noise), objective.at(denoiser, x0.flatten(1), t, noise.flatten(1))
    )
