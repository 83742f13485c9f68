"""Re-flow of a Gaussian: its pairs are a linear map, so the re-flowed denoiser and its one step are known."""

import pytest
import torch
from torch import nn

from fogcatcher.diffusion.denoiser import Denoiser, PredictX0
from fogcatcher.diffusion.distillation import ddim
from fogcatcher.diffusion.exact import MixtureDenoiser, gaussian_denoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.rectified_flow import Reflow
from fogcatcher.diffusion.sampling.grids import StraightGrid
from tests.every_schedule import SCHEDULES

MEAN, STD = torch.tensor([0.3, -0.4], dtype=torch.float64), 0.7


def noise(count: int = 64) -> torch.Tensor:
    return torch.randn(count, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Straight(Denoiser):
    """x0 = mean + k eps and x_t = alpha x0 + sigma eps, solved for x0; ``shift`` leads away from it."""

    def __init__(self, process: Process, mean: torch.Tensor, k: torch.Tensor) -> None:
        super().__init__(nn.Identity(), process, PredictX0())
        self.mean, self.k = mean, k
        self.shift = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x_t, t, cond=None):
        alpha, sigma = self.process.rates(t, x_t)
        return self.mean + self.k * (x_t - alpha * self.mean) / (alpha * self.k + sigma) + self.shift


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_reflowed_gaussian_is_a_fixed_point_and_draws_in_one_step(name):
    process = Process(SCHEDULES[name])
    fine = StraightGrid()(process.schedule, 32)
    objective = Reflow.of(gaussian_denoiser(process, MEAN, STD), fine, 8, second_order=True)
    mean = objective.drawn(torch.zeros(1, 2, dtype=torch.float64), None)
    k = objective.drawn(torch.ones(1, 2, dtype=torch.float64), None) - mean
    if process.schedule.log_snr(fine[0]) < -8:  # else what it starts from is not noise alone
        assert torch.allclose(mean, MEAN, atol=0.02) and torch.allclose(k, torch.full_like(k, STD), atol=0.02)
    student, eps = Straight(process, mean, k), noise()
    t = fine[8].expand(len(eps))
    loss = objective.at(student, torch.full_like(eps, torch.nan), t, eps)
    assert loss.abs().max() < 1e-20
    loss.sum().backward()
    assert student.shift.grad is not None and student.shift.grad.abs() < 1e-10
    start = fine[0].expand(len(eps))
    x_t = process.corrupt(objective.drawn(eps, None), start, eps)
    one_step = ddim(process, x_t, student(x_t, start), start, torch.zeros_like(start))
    assert torch.allclose(one_step, objective.drawn(eps, None), atol=1e-8)


def test_a_step_of_the_usual_denoiser_errs_more():
    """Of two bells: the mean over all of the data lies between them, that over the pairs does not."""
    process = Process(SCHEDULES["edm"])
    bells = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    teacher = MixtureDenoiser(process, bells, torch.full((2,), 0.05, dtype=torch.float64))
    objective = Reflow.of(teacher, StraightGrid()(process.schedule, 32), 32, second_order=True)
    drawn = objective.drawn(noise(), None)
    assert (torch.cdist(drawn, bells).min(1).values < 0.25).all()
    start = objective.path.fine[0].expand(len(drawn))
    x_t = process.corrupt(drawn, start, noise())
    assert torch.cdist(teacher(x_t, start), bells).min(1).values.min() > 0.9
