"""The numbers of a schedule are those of DDPM's table, and one step of it is equation 11."""

from dataclasses import replace

import pytest
import torch

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.schedules import BetaSchedule, VESchedule, linear_betas
from fogcatcher.drawing.settings import Settings
from fogcatcher.explain.ancestral import ancestral_step
from fogcatcher.explain.explaining import steps
from fogcatcher.explain.own_schedule import numbers_of, own_schedule
from fogcatcher.model.presets import PRESETS
from tests.exact_models import gaussian_model
from tests.random_models import random_model

LEFT = {"kind": "left"}


def close(found: torch.Tensor, known: torch.Tensor) -> None:
    torch.testing.assert_close(found, known, rtol=1e-8, atol=1e-12)


def test_a_table_of_betas_gives_the_papers_numbers():
    """alpha_bar = prod (1 - beta), beta_tilde = (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) beta."""
    betas = linear_betas(1000)
    own = numbers_of(Process(BetaSchedule(betas)), 1000)
    alpha_bar = (1 - betas).cumprod(0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    close(own.beta, betas)
    close(own.kept, 1 - betas)
    close(own.alpha_bar, alpha_bar)
    close(own.posterior, (1 - before) / (1 - alpha_bar) * betas)
    close(own.log_snr, (alpha_bar / (1 - alpha_bar)).log())
    assert own.posterior[0] == 0 and own.alpha_bar[-1] == pytest.approx(4.036e-5, rel=1e-3)  # the paper's


def test_where_noise_is_only_added_nothing_is_lost():
    own = numbers_of(Process(VESchedule()), 100)
    assert (own.kept == 1).all() and own.beta.sum() == pytest.approx(own.sigma[-1].item() ** 2)


def test_steps_are_the_schedules_own_or_a_thousand():
    own = own_schedule(random_model(PRESETS["annotated"]))
    assert own.is_table and own.steps == 300
    other = own_schedule(random_model(PRESETS["default"]))
    assert not other.is_table and other.steps == 1000


def test_the_step_in_numbers_is_equation_11():
    """In the letters of a table of betas, written out; and z is the noise that the seed gives that step."""
    model = random_model(PRESETS["ddpm"])
    settings = Settings("ddpm", 10, 1.0, "uniform", None, "clip")
    pixel, wish = (2, 5, 7), {"kind": "hero"}
    step = ancestral_step(model, 4, wish, settings, pixel)
    alpha_bar = (1 - linear_betas(1000)).cumprod(0)
    at, before = round(1000 * step.t) - 1, round(1000 * step.s) - 1
    beta = 1 - alpha_bar[at] / alpha_bar[before]
    mean = (step.x_t - beta / (1 - alpha_bar[at]).sqrt() * step.eps_hat) / (1 - beta).sqrt()
    std = ((1 - alpha_bar[before]) / (1 - alpha_bar[at]) * beta).sqrt()
    assert step.x_s == pytest.approx((mean + std * step.z).item(), abs=1e-6)
    assert (step.beta, step.a, step.std) == pytest.approx(
        (beta.item(), (1 - beta).sqrt().item(), std.item()), rel=1e-6
    )
    assert step.alpha_bar_t == pytest.approx(alpha_bar[at].item())
    generator = SampleGenerator([4])
    draws = [generator.randn_like(torch.empty(1, 4, 12, 10)) for _ in range(step.number + 1)]
    assert step.z == pytest.approx(draws[step.number][(0, *pixel)].item(), abs=1e-4)


def test_the_step_is_the_one_with_as_much_noise_as_picture_and_never_the_last():
    model, settings = gaussian_model(), Settings("ddim", 8, 1.0, "karras", None, "none")
    step = ancestral_step(model, 1, LEFT, settings, (0, 0, 0))
    shown = steps(model, 1, LEFT, replace(settings, sampler="ddpm"))
    assert step.sigma_t == min(shown.sigma[:-1].tolist(), key=lambda sigma: abs(torch.tensor(sigma).log()))
    assert ancestral_step(model, 1, LEFT, replace(settings, steps=1), (0, 0, 0)).number == 1
