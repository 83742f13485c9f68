"""Every row of every column by name: what it makes, its numbers, and which rows go together."""

import itertools
import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from fogcatcher.base.errors import UserError
from fogcatcher.diffusion.adversarial import Adversarial, Rival
from fogcatcher.diffusion.denoiser import Denoiser, LatentDenoiser, LearnedVarianceDenoiser, PredictEps
from fogcatcher.diffusion.objectives import ImportanceTimes, UniformTimes
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    cosine_betas,
    linear_betas,
    zero_terminal_snr,
)
from fogcatcher.model.build import build_objective, build_prediction, build_schedule, check_method
from fogcatcher.model.choices import COLUMNS, PREDICTIONS, SCHEDULES
from fogcatcher.model.config import Method, RunConfig
from fogcatcher.model.presets import PRESETS


class OneNumber(nn.Module):
    """F = w, or w and w: enough to see whether loss and gradient are finite."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self.answers, self.w = answers, nn.Parameter(torch.tensor(0.1))

    def forward(self, x, noise_label, cond):
        assert bool(noise_label.isfinite().all())
        return torch.cat([self.w * x + 0.1] * self.answers, 1)


class Sum(nn.Module):
    """A critic."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(0.1))

    def forward(self, x_s, x_t, t, cond):
        return self.w * (x_s + x_t).flatten(1).sum(1)


def is_finite_with_a_rival(objective: Adversarial, method: Method) -> bool:
    """The same for a loss that takes its batch whole; its own few times are all in it."""
    objective = replace(objective, rival=Rival(Sum(), 1e-3))
    process, generator = Process(build_schedule(method)), torch.Generator().manual_seed(0)
    denoiser = LatentDenoiser(OneNumber(1), process, build_prediction(method), 2)
    loss = objective(denoiser, torch.rand(16, 1, 2, 2, generator=generator) * 2 - 1, None, generator)
    loss.backward()
    gradient = denoiser.get_parameter("network.w").grad
    numbers = [loss, *objective.memory.values(), *([] if gradient is None else [gradient])]
    return gradient is not None and all(bool(number.isfinite().all()) for number in numbers)


def is_finite(method: Method) -> bool:
    """Whether loss and gradient are numbers over a batch that holds the first and the last time."""
    objective, schedule = build_objective(method), build_schedule(method)
    if isinstance(objective, Adversarial):
        return is_finite_with_a_rival(objective, method)
    kind = LearnedVarianceDenoiser if method.learns_variance else Denoiser
    denoiser = kind(OneNumber(1 + method.learns_variance), Process(schedule), build_prediction(method))
    generator, one = torch.Generator().manual_seed(0), torch.ones(1, dtype=torch.float64)
    t = torch.cat([objective.times.sample(64, schedule, generator), one, one / 1000])
    steps = getattr(objective.times, "steps", None)
    if steps:
        t = (t * steps).round().clamp(min=1) / steps
    x0 = torch.rand(len(t), 1, 2, 2, generator=generator).round() * 2 - 1
    noise = torch.randn(x0.shape, generator=generator)
    loss = objective.times.weigh(t, objective.at(denoiser, x0, t, noise)).mean()
    loss.backward()
    gradient = denoiser.get_parameter("network.w").grad
    return bool(loss.isfinite()) and gradient is not None and bool(gradient.isfinite())


def pairs() -> list[dict[str, str]]:
    """Every two rows of two columns."""
    found = []
    for a, b in itertools.combinations(COLUMNS, 2):
        found += [{a: first, b: second} for first in COLUMNS[a] for second in COLUMNS[b]]
    return found


@pytest.mark.parametrize("base", ["default", "ddpm", "v_cosine"])
@pytest.mark.slow
def test_any_two_choices_train_or_are_refused(base: str):
    """Nothing but numbers comes of what is not refused, at the ends of time too."""
    refused, wrong = [], []
    for chosen in pairs():
        method = replace(PRESETS[base], **chosen)
        try:
            check_method(method)
        except UserError as error:
            refused.append((chosen, str(error)))
            continue
        if not is_finite(method):
            wrong.append(chosen)
    assert wrong == []
    known = ("hybrid loss", "do not go together", "adversarial loss")
    assert all(any(words in said for words in known) for _, said in refused)
    assert len(refused) < 0.25 * len(pairs())


def test_eps_is_refused_where_no_signal_is_left_and_only_there():
    """Known beforehand: these end with alpha = 0, and no others."""
    without = {"cosine", "flow", "flow_shift_3", "ddpm_zero_snr", "scaled_linear_zero_snr"}
    refused = set()
    for name in SCHEDULES:
        try:
            check_method(Method(name, "eps", "uniform"))
        except UserError as error:
            refused.add(name)
            assert str(error).startswith(f"eps-prediction and the {name} schedule do not go together: ")
    assert refused == without
    for options in ({"zero_snr": 1}, {"T": 100_000}):
        with pytest.raises(UserError, match="do not go together"):
            check_method(replace(PRESETS["ddpm"], options=options))


def test_the_library_refuses_it_too():
    with pytest.raises(ValueError, match="where no signal is left"):
        Denoiser(OneNumber(1), Process(CosineSchedule()), PredictEps())


def test_numbers_arrive_in_what_is_made():
    def schedule(name: str, **options: float) -> BetaSchedule:
        made = build_schedule(Method(name, options=options))
        assert isinstance(made, BetaSchedule)
        return made

    assert torch.equal(schedule("linear", T=20, first=0.01, last=0.3).betas, linear_betas(20, 0.01, 0.3))
    assert torch.equal(schedule("ddpm", zero_snr=1).betas, zero_terminal_snr(linear_betas(1000)))
    tutorial = {"min_beta": 1e-4, "max_beta": 0.9999, "T": 300}
    assert torch.equal(
        schedule("cosine_betas", **tutorial).betas, cosine_betas(300, max_beta=0.9999, min_beta=1e-4)
    )
    half = torch.tensor(0.5, dtype=torch.float64)
    assert build_schedule(Method("edm", options={"sigma_max": 10})).sigma(half) == 5
    assert build_schedule(Method("flow", options={"shift": 3})).sigma(half) == 0.75
    huber = build_objective(Method(loss="huber", options={"delta": 0.25}))
    assert huber.loss == "huber" and huber.delta == 0.25
    assert build_objective(Method("ddpm", times="discrete", options={"T": 77})).times == UniformTimes(77)
    bound = build_objective(replace(PRESETS["iddpm"], options={"simple": 0, "bound": 1}))
    assert vars(bound) | {"times": 0} == vars(bound) | {"times": 0, "simple": 0, "bound": 1}
    learning = build_objective(replace(PRESETS["iddpm"], times="importance", options={"T": 5})).times
    assert isinstance(learning, ImportanceTimes) and (learning.steps, learning.remember) == (5, 10)


def test_huber_goes_over_from_squares_to_sizes_at_delta():
    """For an error of 2: min over the tangent, delta (2 - delta / 2); a square below delta."""
    x0, t = torch.full((1, 1, 1, 1), 2.0), torch.ones(1, dtype=torch.float64) / 2
    zero = Denoiser(OneNumber(1), Process(build_schedule(Method("vp"))), PREDICTIONS["x0"](0.5))
    for delta, expected in ((0.5, 0.5 * (2 - 0.25)), (4.0, 2.0)):
        objective = build_objective(Method("vp", "x0", "uniform", loss="huber", options={"delta": delta}))
        assert objective.of_answer(zero, x0, torch.zeros_like(x0), t).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"schedule": "ddmp"}, "unknown schedule 'ddmp'.*Did you mean ddpm"),
        ({"times": "never"}, "unknown times 'never'"),
        ({"loss": "hybrid"}, "a sum over steps and needs discrete times"),
        ({"options": {"sigma_max": 1e9}}, "sigma_max must be from 0.1 to 10000, not 1e\\+09"),
        ({"options": {"gamma": 3}}, "gamma is a number of weighting min_snr, and none of those is chosen"),
        ({"options": {"T": 100}}, "T is a number of schedule linear, schedule ddpm,"),
        ({"options": {"sigma_mx": 3}}, "unknown number of the method 'sigma_mx'.*Did you mean sigma_max"),
        ({"schedule": "ddpm", "options": {"T": 2.5}}, "T must be a whole number"),
        ({"schedule": "ddpm", "options": {"T": math.nan}}, "T must be a whole number"),
        ({"schedule": "sigmoid_alpha_bar", "options": {"start": 1, "end": 1}}, "betas must be one row"),
        (
            {
                "schedule": "iddpm",
                "times": "discrete",
                "loss": "hybrid",
                "options": {"simple": 0, "bound": 0},
            },
            "always 0",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(chosen: dict, said: str):
    with pytest.raises(UserError, match=said) as caught:
        check_method(replace(Method(), **chosen))
    assert str(caught.value).endswith((".", "?")) and "\n" not in str(caught.value)


def test_a_row_is_said_with_all_its_numbers():
    assert PRESETS["course"].in_words == (
        "schedule course (T = 500, zero_snr = 0, first = 0.0001, last = 0.02), prediction eps, "
        "times independent, loss l2, weighting own, grid uniform, label t"
    )


def test_configs_of_before_keep_their_shift(tmp_path):
    from tests.random_models import config

    tree = json.loads(json.dumps(config().to_json()))
    assert tree["method"].pop("options") == {}
    for shift, options in ((1.0, {}), (3.0, {"shift": 3.0})):
        old = tree | {"format": 4, "method": tree["method"] | {"schedule": "flow", "shift": shift}}
        assert RunConfig.from_json(old).method.options == options
    shifted = replace(config(), method=Method("flow", options={"shift": 2.0}))
    again = RunConfig.from_json(json.loads(json.dumps(shifted.to_json())))
    assert build_schedule(again.method).sigma(torch.tensor(0.5, dtype=torch.float64)) == pytest.approx(2 / 3)
