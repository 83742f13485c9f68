"""The classifier inside a diffusion model: Bayes' rule for exact denoisers, and what is dropped when."""

import math

import pytest
import torch

from fogcatcher.applications.zero_shot import (
    FIRST,
    Pairs,
    Verdicts,
    candidates,
    classify,
    compare,
    eliminate,
    errors_of,
)
from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import Category, ConditionSpec, Number, Tags
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.denoiser import Denoiser, PredictEps
from fogcatcher.diffusion.exact import gaussian_denoiser
from fogcatcher.diffusion.objectives import TimeDistribution
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import CosineSchedule, Schedule
from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.model.config import DataConfig, NetworkConfig, RunConfig
from fogcatcher.model.model import Model
from fogcatcher.model.presets import PRESETS
from fogcatcher.training.fit import Plan

STD = 0.7
MEANS = torch.tensor([0.6, -0.2, 0.1])[:, None, None, None].expand(3, 1, 8, 8).contiguous()


class EpsBeforeTheEnd(PredictEps):
    def check(self, schedule):
        """No time here is the end, where no signal is left."""


PROCESS = Process(CosineSchedule())


class OfClasses(Denoiser):
    """The exact denoiser of one Gaussian for each class; by PredictEps all errors of eps count equally."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Linear(1, 1), PROCESS, EpsBeforeTheEnd())

    def forward(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        assert cond is not None
        of_each = torch.stack([gaussian_denoiser(PROCESS, mean, STD)(x_t, t) for mean in MEANS])
        return of_each[cond["kind"].argmax(1), torch.arange(len(x_t))]


class EvenLogSNR(TimeDistribution):
    RANGE = 14.0

    def quantile(self, u: Times, schedule: Schedule) -> Times:
        return schedule.t_from_log_snr(self.RANGE * (1 - 2 * u))


def log_p(x: Samples) -> torch.Tensor:
    return -(x[:, None] - MEANS).square().flatten(2).sum(2).double() / (2 * STD**2)


def pairs_of(count: int, seed: int = 0) -> Pairs:
    generator = torch.Generator().manual_seed(seed)
    return Pairs.draw(count, (1, 8, 8), EvenLogSNR(), PROCESS.schedule, generator)


def picture(class_: int, count: int = 20) -> Samples:
    noise = torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(class_))
    return MEANS[class_] + STD * noise


def test_differences_of_errors_are_log_likelihood_ratios():
    """1/2 int E||eps - eps_hat||^2 d log_snr is -log p(x | c) but for a constant (Kingma et al. 2021, VDM).

    Of Gaussians with equal std the integrand is snr / (1 + snr std^2)^2 ||x - mean||^2 but for a term that
    all classes share, and so the difference of the integrals (||x - m_a||^2 - ||x - m_b||^2) / (2 std^2).
    """
    x, count = picture(0, 8), 3000
    cond = {"kind": torch.eye(3)}
    errors = eliminate(errors_of(OfClasses(), x, cond, pairs_of(count)), len(x), 3, count, clearly=None)
    # Means over 64 numbers, and over log-SNRs from -14 to 14.
    nats = errors.double().mean(2) * 64 * 2 * EvenLogSNR.RANGE / 2
    measured, true = nats - nats[:, :1], log_p(x)[:, :1] - log_p(x)
    found = compare(errors)
    unsure = found.deviation.double() * 64 * EvenLogSNR.RANGE
    assert true[:, 1:].abs().min() > 5
    assert (measured - true).abs().max() < 1.5
    # The zero of the chosen class aside, they differ by chance alone.
    assert ((measured - true).abs() <= 4 * unsure + 0.1).all()


def test_the_decision_is_bayes_rule():
    x = torch.cat([picture(0), picture(1), picture(2)])
    cond = {"kind": torch.eye(3)}
    log_odds = log_p(x).sort(1, descending=True).values
    clear = log_odds[:, 0] - log_odds[:, 1] > 3
    assert clear.sum() > 45
    for clearly in (None, 3.0):
        errors = eliminate(errors_of(OfClasses(), x, cond, pairs_of(200)), len(x), 3, 200, clearly)
        assert torch.equal(compare(errors).choice[clear], log_p(x).argmax(1)[clear])


def test_prefixes_of_the_times_are_spread_evenly():
    class Share(TimeDistribution):
        def quantile(self, u: Times, schedule: Schedule) -> Times:
            return u

    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        u = Pairs.draw(100, (1,), Share(), PROCESS.schedule, generator).t
        for count in (5, 20, 100):
            # Of any interval, its length's share of all, give or take a few: independent times miss that.
            inside = torch.stack([((u[:count] - a) % 1 < 0.25).sum() for a in (0.0, 0.3, 0.6, 0.9)])
            assert (inside - count / 4).abs().max() <= 1 + math.log2(count) / 3


def clean_errors(calls: list[tuple[int, int, int]], wave: torch.Tensor):
    """Class 2 is best, 1 hardly worse, and 0 far behind; each call is written down."""

    def errors(n: torch.Tensor, k: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        calls.extend(zip(n.tolist(), k.tolist(), j.tolist(), strict=True))
        return torch.tensor([5.0, 0.02, 0.0])[k] + 100 * wave[j] + wave[(7 * j + k) % len(wave)]

    return errors


def test_what_is_clearly_behind_is_dropped_and_the_rest_is_not():
    wave, calls = torch.randn(96, generator=torch.Generator().manual_seed(0)), []
    errors = eliminate(clean_errors(calls, wave), 2, 3, 96, clearly=3.0)
    found = compare(errors, ("a", "b", "c"))
    assert found.pairs.tolist() == [[FIRST, 96, 96]] * 2
    assert found.calls == len(calls) == len(set(calls)) == 2 * (FIRST + 2 * 96)
    assert (found.choice != 0).all()
    # What all pairs have in common, a hundred times larger than the differences, does not matter.
    assert found.behind[0, 0].item() == pytest.approx(5, abs=2)


def test_a_picture_that_is_decided_needs_no_more_pairs():
    def errors(n: torch.Tensor, k: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        return (k == 0) * 1.0 + 0.01 * torch.sin(1.0 * j + k)

    assert compare(eliminate(errors, 4, 2, 100, clearly=3.0)).pairs.tolist() == [[FIRST, FIRST]] * 4


def test_figures_of_a_comparison_by_hand():
    nan = math.nan
    found = compare(torch.tensor([[[3.0, 5.0, nan, nan], [1.0, 2.0, 6.0, 7.0], [2.0, 2.0, 8.0, 8.0]]]))
    assert found.choice.tolist() == [1] and found.pairs.tolist() == [[2, 4, 4]]
    assert found.errors.tolist() == [[4.0, 4.0, 5.0]]
    assert found.behind.tolist() == [[2.5, 0.0, 1.0]]  # (2, 3) and (1, 0, 2, 1)
    # Standard deviations sqrt(1/2) and sqrt(2/3), over the roots of 2 and 4.
    assert found.deviation[0].tolist() == pytest.approx([0.5, 0.0, math.sqrt(1 / 6)])
    assert found.runner_up.tolist() == [2]
    assert found.margin.tolist() == pytest.approx([math.sqrt(6)])


SPEC = ConditionSpec(
    (Number("age", 0, 1), Tags("marks", ("dark", "flying")), Category("kind", ("a", "b", "c")))
)


def model(spec: ConditionSpec) -> Model:
    config = RunConfig(
        kind=PictureSpec(8, 8, 1, False, 0.5),
        method=PRESETS["v_cosine"],
        network=NetworkConfig(),
        training=Plan(steps=1),
        data=DataConfig("", (), 0, ""),
    )
    return Model(OfClasses(), config, spec)


def test_candidates_are_classes_or_a_tag_and_its_absence():
    assert candidates(model(SPEC)) == [{"kind": "a"}, {"kind": "b"}, {"kind": "c"}]
    assert candidates(model(SPEC), "marks:flying") == [{"marks": "flying"}, {"marks": "-flying"}]
    for wrong in ("age", "marks", "colour"):
        with pytest.raises(UserError, match="Valid: kind, marks:dark, marks:flying"):
            candidates(model(SPEC), wrong)
    with pytest.raises(UserError, match="no classes to choose from"):
        candidates(model(ConditionSpec((Number("age", 0, 1),))))


def test_whole_pictures_in_any_company():
    spec = ConditionSpec((Category("kind", ("a", "b")),))
    pictures = ((torch.cat([picture(0, 3), picture(1, 3)]).clamp(-1, 1) + 1) * 127.5).round().byte()

    def found(some: torch.Tensor, seed: int = 0) -> Verdicts:
        return classify(model(spec), some, pairs=50, seed=seed)

    whole = found(pictures)
    assert [whole.classes[a] for a in whole.choice.tolist()] == ["a"] * 3 + ["b"] * 3
    assert torch.equal(found(pictures).errors, whole.errors)
    assert not torch.equal(found(pictures, seed=1).errors, whole.errors)
    alone = found(pictures[4:5])
    torch.testing.assert_close(alone.errors[0], whole.errors[4])
    with pytest.raises(UserError, match="at least 2"):
        classify(model(spec), pictures, pairs=1)
