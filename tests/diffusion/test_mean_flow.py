"""Flow maps against paths that are known: what a network told where it goes should answer, and learn."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from fogcatcher.diffusion.denoiser import PredictX0
from fogcatcher.diffusion.distillation import ddim, one_step_target
from fogcatcher.diffusion.exact import MixtureDenoiser, dataset_denoiser, gaussian_denoiser, gaussian_path
from fogcatcher.diffusion.flow_maps import (
    UNTIL,
    AlongGrid,
    FlowMap,
    next_lower,
    straight_time,
    time_of_straight,
    until,
)
from fogcatcher.diffusion.mean_flow import MeanFlow
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import StraightGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, sample
from fogcatcher.diffusion.schedules import EDMSchedule, FlowSchedule
from tests.diffusion.test_distillation import MEAN, STD, ExactOfMixture, generator
from tests.every_schedule import SCHEDULES


class Exact(FlowMap):
    """The flow map of a law whose path is known, with a shift to learn; it reads s out of what it is told."""

    def __init__(self, process, path):
        super().__init__(nn.Identity(), process, PredictX0())
        self.path, self.shift = path, nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x_t, t, cond=None):
        assert cond is not None
        s = time_of_straight(self.process.schedule, cond[UNTIL][:, 1])
        return one_step_target(self.process, x_t, self.path(x_t, t, s), t, s) + self.shift


def of_a_gaussian(process):
    def path(x_t, t, s):
        return gaussian_path(x_t, t, s, process, MEAN, STD)

    x0 = MEAN + STD * torch.randn(64, 2, dtype=torch.float64, generator=generator())
    return gaussian_denoiser(process, MEAN, STD), Exact(process, path), x0


def of_a_mixture(process):
    law = ExactOfMixture(process, torch.zeros(1))
    teacher = MixtureDenoiser(process, law.MEANS[:, None], law.STDS, law.WEIGHTS)
    x0 = teacher.means[torch.arange(64) % 2] + 0.2 * torch.randn(
        64, 1, dtype=torch.float64, generator=generator()
    )
    return teacher, Exact(process, law.path), x0


def of_a_point(process):
    point = torch.tensor([[0.3, -0.8]], dtype=torch.float64)

    def path(x_t, t, s):
        return ddim(process, x_t, point.expand_as(x_t), t, s)

    return dataset_denoiser(process, point), Exact(process, path), point.expand(64, 2)


def objective_of(teacher, process, steps=8, **choices):
    fine = StraightGrid()(process.schedule, 64)
    return replace(mean_flow(teacher, fine, 64 // steps), **choices)


def mean_flow(teacher, fine, substeps):
    made = MeanFlow.of(teacher, fine, substeps)
    assert isinstance(made, MeanFlow)
    return made


def error(law, nudge, schedule):
    """Root mean square of target less answer, where the answer is exact.

    At the first time, which has no later one, the difference is to one side; that is left out.
    """
    process = Process(schedule)
    teacher, student, x0 = law(process)
    objective = objective_of(teacher, process, nudge=nudge)
    t = objective.times.sample(len(x0), process.schedule, generator())
    x0, t = x0[t < 1], t[t < 1]
    x_t = process.corrupt(x0, t, torch.randn(x0.shape, dtype=torch.float64, generator=generator()))
    told = {UNTIL: until(process.schedule, t, objective.end(t))}
    return (objective.target(student, x_t, t, None) - student(x_t, t, told)).square().mean().sqrt().item()


@pytest.mark.parametrize("law", [of_a_gaussian, of_a_mixture])
@pytest.mark.parametrize("schedule", [EDMSchedule(), FlowSchedule()], ids=["edm", "flow"])
def test_the_exact_flow_map_is_what_it_should_learn_but_for_the_difference_in_second_order(law, schedule):
    """Half the nudge, a quarter of the error, which comes of the difference quotient alone."""
    errors = [error(law, nudge, schedule) for nudge in (0.04, 0.02, 0.01)]
    assert errors[-1] < 2e-4
    assert all(3.6 < a / b < 4.4 for a, b in itertools.pairwise(errors))


@pytest.mark.parametrize("law", [of_a_gaussian, of_a_mixture, of_a_point])
def test_the_exact_flow_map_has_no_gradient(law):
    process = Process(EDMSchedule())
    teacher, student, x0 = law(process)
    objective = objective_of(teacher, process, nudge=1e-4, steady=None)
    loss = objective(student, x0, None, generator())
    (gradient,) = torch.autograd.grad(loss, student.shift)
    assert loss < 1e-11 and gradient.abs() < 1e-5
    with torch.no_grad():
        student.shift.add_(0.1)
    loss = objective(student, x0, None, generator())
    (gradient,) = torch.autograd.grad(loss, student.shift)
    assert loss > 1e-4 and gradient > 1e-3


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_point_is_a_fixed_point_on_every_schedule(name):
    """X is the point wherever a step goes, so that no difference is left."""
    assert error(of_a_point, 0.02, SCHEDULES[name]) < 1e-9


@pytest.mark.parametrize("law", [of_a_gaussian, of_a_mixture])
@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_one_flow_map_leads_to_the_same_sample_in_any_number_of_steps(law, steps):
    process = Process(EDMSchedule())
    _, student, x0 = law(process)
    grid = StraightGrid()(process.schedule, steps)
    x = process.corrupt(
        x0, grid[:1].expand(64), torch.randn(x0.shape, dtype=torch.float64, generator=generator())
    )
    with torch.no_grad():
        *_, last = sample(AlongGrid(student, grid), x, grid, DDIM(), generator())
    assert torch.allclose(last.x, student.path(x, grid[:1].expand(64), torch.zeros(64).double()), atol=1e-9)


def test_a_step_is_told_the_next_lower_time_of_its_grid():
    times = torch.tensor([1.0, 0.5, 0.25, 0.0], dtype=torch.float64)
    t = torch.tensor([1.0, 0.8, 0.5, 0.3, 0.1, 0.0], dtype=torch.float64)
    assert next_lower(times, t).tolist() == [0.5, 0.5, 0.25, 0.25, 0.0, 0.0]


def test_steps_of_every_length_are_learned_alike_and_end_on_their_grid():
    """Of 8 calls also 1, 2 and 4; of 6 also 1, 2 and 3."""
    process = Process(EDMSchedule())
    for steps, calls in ((8, (1, 2, 4, 8)), (6, (1, 2, 3, 6))):
        fine = StraightGrid()(process.schedule, 16 * steps)
        objective = mean_flow(gaussian_denoiser(process, MEAN, STD), fine, 16)
        place = torch.arange(16 * steps)
        end = objective.place(objective.end(fine[place]))
        for number, n in enumerate(calls):
            of_n = place[number :: len(calls)]
            assert torch.equal(end[of_n], (of_n // (16 * steps // n) + 1) * (16 * steps // n))


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_straight_time_is_that_of_the_path_from_data_to_noise(name):
    schedule = SCHEDULES[name]
    tau = torch.linspace(0.02, 0.8, 9, dtype=torch.float64)
    t = time_of_straight(schedule, tau)
    assert torch.allclose(schedule.sigma(t) / schedule.alpha(t), tau / (1 - tau), rtol=1e-9)
    assert torch.allclose(straight_time(schedule, t), tau)


def test_what_is_told_of_a_step_are_both_times_and_their_waves():
    schedule = FlowSchedule()  # on which tau is t
    row = until(schedule, torch.tensor([0.75]).double(), torch.tensor([0.5]).double())[0].tolist()
    waves = [math.cos(math.pi * k * tau) for tau in (0.5, 0.25) for k in (1, 2, 3, 4)]
    assert row == pytest.approx([1, 0.5, 0.25, *waves])


def test_told_nothing_a_flow_map_answers_for_a_step_of_no_length():
    heard = []

    class Hears(nn.Module):
        def forward(self, x, noise_label, cond):
            heard.append(cond[UNTIL])
            return x

    student = FlowMap(Hears(), Process(FlowSchedule()), PredictX0())
    t = torch.tensor([0.3, 0.9], dtype=torch.float64)
    student(torch.zeros(2, 1), t, {})
    assert torch.allclose(heard[0], until(FlowSchedule(), t, t).float())
    assert heard[0][:, 2].tolist() == [0, 0]


def test_a_loss_made_steady_leads_where_the_loss_leads():
    """Divided by itself and a little: each sample's gradient points where it did, and is shorter."""
    process = Process(EDMSchedule())
    teacher, student, x0 = of_a_gaussian(process)
    with torch.no_grad():
        student.shift.add_(0.5)
    objective = objective_of(teacher, process)
    t = objective.times.sample(64, process.schedule, generator())
    noise = torch.randn(x0.shape, dtype=torch.float64, generator=generator())
    loss, steady = (each.at(student, x0, t, noise) for each in (objective.measured, objective))
    assert torch.allclose(steady, loss / (loss + 0.1))
    for i in (0, 20, 63):
        plain, divided = (
            torch.autograd.grad(of[i], student.shift, retain_graph=True)[0] for of in (loss, steady)
        )
        assert divided == pytest.approx(float(plain / (loss[i].detach() + 0.1)))
