"""Distillation against exact teachers: what the student should answer is known."""

import itertools

import pytest
import torch
from torch import nn

from fogcatcher.diffusion.denoiser import Denoiser, EDMPreconditioning, PredictX0
from fogcatcher.diffusion.distillation import (
    Consistency,
    GridTimes,
    Progressive,
    ddim,
    one_step_target,
)
from fogcatcher.diffusion.exact import MixtureDenoiser, dataset_denoiser, gaussian_denoiser, gaussian_path
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import NestedKarrasGrid, StraightGrid, UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, sample
from fogcatcher.diffusion.sampling.solvers import DPMpp2M, Heun
from fogcatcher.diffusion.schedules import EDMSchedule
from tests.every_schedule import SCHEDULES

MEAN, STD = torch.tensor([0.3, -0.4], dtype=torch.float64), 0.7


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def mixture(process: Process) -> MixtureDenoiser:
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.5], [0.2, -1.0]], dtype=torch.float64)
    return MixtureDenoiser(process, means, torch.full((3,), 0.2, dtype=torch.float64))


class Exact(Denoiser):
    """Answers what one DDIM step to the end of the coarse step needs, from the exact path of a Gaussian."""

    def __init__(self, process: Process, ends: torch.Tensor) -> None:
        super().__init__(nn.Identity(), process, PredictX0())
        self.ends = ends
        self.shift = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x_t, t, cond=None):
        end = torch.stack([self.ends[self.ends < time - 1e-12].max() for time in t])
        return one_step_target(self.process, x_t, self.path(x_t, t, end), t, end) + self.shift

    def path(self, x_t, t, s):
        return gaussian_path(x_t, t, s, self.process, MEAN, STD)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(
    "grid", [UniformGrid(), NestedKarrasGrid(), StraightGrid()], ids=["uniform", "karras", "straight"]
)
def test_a_student_that_answers_the_target_goes_where_two_steps_of_the_teacher_go(name, grid):
    """Salimans & Ho 2022, algorithm 2: from every time of the student's grid to the end."""
    process = Process(SCHEDULES[name])
    coarse, fine = grid(process.schedule, 4), grid(process.schedule, 8)
    assert torch.allclose(fine[::2], coarse, atol=1e-12)
    teacher = mixture(process)
    objective = Progressive.of(teacher, fine, 2)
    x = process.prior(coarse[0], torch.randn(16, 2, dtype=torch.float64, generator=generator()))
    *_, by_teacher = sample(teacher, x, fine, DDIM(), generator())
    for t, s in itertools.pairwise(coarse):
        many = t.expand(16)
        x = ddim(process, x, objective.target(teacher, x, many, None), many, s.expand(16))
    assert torch.allclose(x, by_teacher.x, atol=1e-8)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_teacher_of_second_order_goes_as_dpmpp_2m_within_each_step(name):
    """With one step of the student for all, and begun anew where the student has two."""
    process = Process(SCHEDULES[name])
    teacher, fine = mixture(process), StraightGrid()(process.schedule, 8)
    x = process.prior(fine[0], torch.randn(16, 2, dtype=torch.float64, generator=generator()))
    t = fine[:1].expand(16)
    *_, whole = sample(teacher, x, fine, DPMpp2M(), generator())
    one = Progressive.of(teacher, fine, 8, second_order=True).target(teacher, x, t, None)
    assert torch.allclose(ddim(process, x, one, t, 0 * t), whole.x, atol=1e-8)
    *_, half = sample(teacher, x, fine[:5], DPMpp2M(), generator())
    first = Progressive.of(teacher, fine, 4, second_order=True).target(teacher, x, t, None)
    assert torch.allclose(ddim(process, x, first, t, fine[4].expand(16)), half.x, atol=1e-8)
    by_ddim = Progressive.of(teacher, fine, 8).target(teacher, x, t, None)
    assert (by_ddim - one).abs().max() > 1e-3


def test_the_second_order_comes_to_the_exact_path_of_a_gaussian_in_second_order():
    """In log-SNR, in which it is even: twice the steps, a quarter of the error."""
    process = Process(EDMSchedule())
    teacher = gaussian_denoiser(process, MEAN, STD)
    ends = process.schedule.t_from_log_snr(torch.tensor([-2.0, 2.0], dtype=torch.float64))
    t = ends[:1].expand(32)
    x_t = process.prior(t, torch.randn(32, 2, dtype=torch.float64, generator=generator()))
    exact = gaussian_path(x_t, t, ends[1:].expand(32), process, MEAN, STD)
    errors = []
    for m in (64, 128, 256):
        fine = process.schedule.t_from_log_snr(torch.linspace(-2, 2, m + 1, dtype=torch.float64))
        objective = Progressive.of(teacher, fine, m, second_order=True)
        place = torch.zeros(32, dtype=torch.long)
        errors.append((objective.taught(x_t, place, None, m) - exact).square().mean().sqrt().item())
    assert 3.7 < errors[0] / errors[1] < 4.4 and 3.8 < errors[1] / errors[2] < 4.2


class ExactOfMixture(Exact):
    """The same for numbers from 0.6 N(1, 0.3) + 0.4 N(-1, 0.2): along the path quantiles stay what they are,

    x_s = F_s^-1(F_t(x_t)),   F_t(x) = sum_k w_k Phi((x - alpha m_k) / sqrt(alpha^2 s_k^2 + sigma^2))
    """

    WEIGHTS, MEANS, STDS = torch.tensor([[0.6, 0.4], [1.0, -1.0], [0.3, 0.2]], dtype=torch.float64)

    def path(self, x_t, t, s):
        quantile = self._quantile(x_t, t)
        low, high = torch.full_like(x_t, -400), torch.full_like(x_t, 400)
        for _ in range(80):  # bisection, to the last bit
            middle = (low + high) / 2
            below = self._quantile(middle, s) < quantile
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2

    def _quantile(self, x, t):
        alpha, sigma = self.process.rates(t, x[..., None])
        spread = (alpha**2 * self.STDS**2 + sigma**2).sqrt()
        return (self.WEIGHTS * torch.special.ndtr((x[..., None] - alpha * self.MEANS) / spread)).sum(-1)


@pytest.mark.parametrize("kind", [Progressive, Consistency])
def test_a_point_is_drawn_exactly_in_one_step(kind):
    process, point = Process(EDMSchedule()), torch.tensor([[0.3, -0.8]], dtype=torch.float64)
    teacher = dataset_denoiser(process, point)
    fine = NestedKarrasGrid()(process.schedule, 8)
    objective = kind.of(teacher, fine, 8)
    t = fine[:1].expand(8)
    x_t = process.prior(t, torch.randn(8, 2, dtype=torch.float64, generator=generator()))
    target = objective.target(teacher, x_t, t, None)
    assert torch.allclose(target, point.expand(8, 2), atol=1e-9)
    assert torch.allclose(ddim(process, x_t, target, t, 0 * t), point.expand(8, 2), atol=1e-9)


@pytest.mark.parametrize("law", [Exact, ExactOfMixture])
@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("kind", [Progressive, Consistency])
def test_the_exact_student_has_no_loss_and_no_gradient(kind, steps, law):
    """With a teacher whose steps follow the path of a Gaussian, or of a mixture, exactly."""
    process = Process(EDMSchedule())
    fine = NestedKarrasGrid()(process.schedule, 8)
    coarse = fine[:: 8 // steps]
    student, teacher = law(process, coarse), law(process, fine)
    objective = kind.of(teacher, fine, 8 // steps)
    x0 = MEAN + STD * torch.randn(64, 2, dtype=torch.float64, generator=generator())
    loss = objective(student, x0, None, generator())
    (gradient,) = torch.autograd.grad(loss, student.shift)
    assert loss < 1e-16 and gradient.abs() < 1e-7
    with torch.no_grad():
        student.shift.add_(0.1)
    assert objective(student, x0, None, generator()) > 1e-4


def test_with_more_steps_the_teacher_of_a_gaussian_comes_to_its_exact_path_in_first_order():
    process = Process(EDMSchedule())
    teacher, grid = gaussian_denoiser(process, MEAN, STD), NestedKarrasGrid()
    coarse = grid(process.schedule, 2)
    t = coarse[:1].expand(32)
    x_t = process.prior(t, torch.randn(32, 2, dtype=torch.float64, generator=generator()))
    exact = Exact(process, coarse)(x_t, t)
    errors = []
    for m in (16, 32, 64):
        fine = grid(process.schedule, 2 * m)
        objective = Progressive.of(teacher, fine, m)
        errors.append((objective.target(teacher, x_t, t, None) - exact).square().mean().sqrt().item())
    assert 1.7 < errors[0] / errors[1] < 2.3 and 1.8 < errors[1] / errors[2] < 2.2


def test_the_path_of_a_mixture_is_that_of_its_denoiser():
    process, t = Process(EDMSchedule()), torch.tensor(0.02, dtype=torch.float64)
    law = ExactOfMixture(process, torch.zeros(1))
    teacher = MixtureDenoiser(process, law.MEANS[:, None], law.STDS, law.WEIGHTS)
    x_t = torch.linspace(-3, 3, 25, dtype=torch.float64)[:, None]
    *_, last = sample(teacher, x_t, torch.linspace(0.02, 0, 201, dtype=torch.float64), Heun(), generator())
    assert torch.allclose(last.x, law.path(x_t, t.expand(25), 0 * t.expand(25)), atol=2e-3)


def test_the_times_are_those_of_the_grid_each_as_often():
    schedule = EDMSchedule()
    grid = NestedKarrasGrid()(schedule, 4)
    drawn = GridTimes(grid).sample(400, schedule, generator())
    assert {time.item(): (drawn == time).sum().item() for time in grid[:-1]} == {
        time.item(): 100 for time in grid[:-1]
    }


def test_steps_that_do_not_part_evenly_are_refused():
    schedule = EDMSchedule()
    teacher, fine = mixture(Process(schedule)), NestedKarrasGrid()(schedule, 9)
    with pytest.raises(ValueError, match="9 steps are not whole steps of 4 each"):
        Progressive.of(teacher, fine, 4)


def test_at_no_noise_the_student_of_edm_is_the_identity():
    """f(x, 0) = x to the bit (Song et al. 2023, equation 5): c_skip is 1 and c_out 0 there."""

    class Anything(nn.Module):
        def forward(self, x, noise_label, cond):
            return 7 + 3 * x

    student = Denoiser(Anything(), Process(EDMSchedule()), EDMPreconditioning())
    x = torch.randn(8, 2, generator=generator())
    assert torch.equal(student(x, torch.zeros(8, dtype=torch.float64)), x)
