"""Every row of the table of samplers does what it says."""

from dataclasses import fields

import pytest
import torch

from fogcatcher.diffusion.exact import gaussian_denoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import KarrasGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, Step, sample
from fogcatcher.diffusion.sampling.solvers import DPMpp2M
from fogcatcher.diffusion.sampling.stochastic import Churn
from fogcatcher.diffusion.sampling.table import SAMPLERS
from fogcatcher.diffusion.schedules import VPSchedule

EXACT = gaussian_denoiser(Process(VPSchedule()), torch.zeros(1, dtype=torch.float64), 0.5)
OPTIONS = [(name, option) for name, sampler in SAMPLERS.items() for option in sampler.options]


def drawn(step: Step, seed: int) -> torch.Tensor:
    times = KarrasGrid()(EXACT.process.schedule, 3)
    *_, last = sample(EXACT, torch.full((1, 1), 0.3), times, step, torch.Generator().manual_seed(seed))
    return last.x


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in ("ddpm_learned", "ddgan")])
def test_the_noisy_ones_are_those_whose_noise_shows(name):
    step = SAMPLERS[name].step({"inner": 1} if name == "annealed_langevin" else {})
    assert drawn(step, 0).equal(drawn(step, 1)) != SAMPLERS[name].noisy


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_an_option_sets_that_field_of_the_step_and_no_other(name, option):
    sampler = SAMPLERS[name]
    about, usual = sampler.options[option], sampler.usual()
    new = about.low if about.low != about.default else about.high
    step = sampler.step({option: new})
    values = {f.name: (getattr(usual, f.name), getattr(step, f.name)) for f in fields(usual)}  # type: ignore[arg-type]
    assert {f: both[1] for f, both in values.items() if both[0] != both[1]} == {option: new}
    assert type(values[option][1]) is type(values[option][0])
    assert about.low <= about.default <= about.high and sampler.step({}) == usual


def test_rows_of_one_class_open_what_does_not_make_them():
    """By hand: what a person can set of the rows that share a step."""
    opened = {name: [*SAMPLERS[name].options] for name in ("ddim", "euler", "dpmpp_2m", "dpmpp_2m_sde")}
    assert opened == {"ddim": ["eta"], "euler": [], "dpmpp_2m": [], "dpmpp_2m_sde": ["eta"]}
    assert SAMPLERS["ddim"].step({"eta": 0.5}) == DDIM(0.5)
    assert SAMPLERS["dpmpp_2m_sde"].step({}) == DPMpp2M(1.0) and SAMPLERS["dpmpp_2m"].step({}) == DPMpp2M(0.0)
    assert SAMPLERS["churn"].step({"low": 1, "churn": 20}) == Churn(churn=20.0, low=1.0)


@pytest.mark.parametrize("number", [-0.1, 1.1, float("nan"), float("inf")])
def test_numbers_out_of_range_are_refused(number):
    with pytest.raises(ValueError, match="eta must be from 0 to 1, not"):
        SAMPLERS["ddim"].step({"eta": number})


def test_whole_numbers_stay_whole():
    for number in (2.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="inner must be a whole number from 1 to 1000, not"):
            SAMPLERS["annealed_langevin"].step({"inner": number})
    inner = SAMPLERS["annealed_langevin"].step({"inner": 2.0}).inner  # type: ignore[attr-defined]
    assert (inner, type(inner)) == (2, int)
