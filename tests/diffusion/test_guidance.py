"""Guidance against the exact answer for Gaussian classes."""

from functools import partial

import pytest
import torch

from fogcatcher.diffusion.exact import MixtureDenoiser, gaussian_denoiser
from fogcatcher.diffusion.guidance import (
    Autoguided,
    ClassifierFree,
    Conditioned,
    Guide,
    Rescaled,
    Within,
    null_condition,
)
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import CosineSchedule, EDMSchedule, Schedule
from fogcatcher.diffusion.tensors import Condition
from fogcatcher.training.condition_dropout import ConditionDropout

MEANS = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
STD = 0.5


class TwoClasses:
    """The exact denoiser of two Gaussian classes: conditional with a condition, the mixture without."""

    def __init__(self, schedule: Schedule = EDMSchedule(1.0)) -> None:  # noqa: B008
        self.calls = 0
        self.process = Process(schedule)
        self.mixture = MixtureDenoiser(self.process, MEANS, torch.tensor([STD, STD]))
        self.classes = [gaussian_denoiser(self.process, mean, STD) for mean in MEANS]

    def __call__(self, x_t, t, cond=None):
        self.calls += 1
        weights = None if cond is None else cond["kind"]
        if weights is None or not weights.any():
            return self.mixture(x_t, t)
        return self.classes[int(weights[0].argmax())](x_t, t)


X = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
T = torch.full((9,), 0.6, dtype=torch.float64)
SECOND = {"kind": torch.tensor([[0.0, 1.0]]).expand(9, 2)}


@pytest.mark.parametrize("w", [0.5, 2.0, 4.0])
def test_guided_answer_follows_the_gradient_of_the_classifier(w: float):
    """score_w = score(x | c) + (w - 1) d/dx log p(c | x), with p(c | x) known in closed form."""
    variance = STD**2 + 0.6**2
    x = X.clone().requires_grad_()
    log_p = torch.log_softmax(-((x - MEANS.T) ** 2) / (2 * variance), dim=1)[:, 1]
    (gradient,) = torch.autograd.grad(log_p.sum(), x)
    conditional = -(X - 1) / variance
    expected_score = conditional + (w - 1) * gradient
    guided = ClassifierFree(TwoClasses(), w)(X, T, SECOND)
    torch.testing.assert_close((guided - X) / 0.6**2, expected_score)


def test_scale_1_is_conditional_and_scale_0_unconditional_to_the_bit():
    plain = TwoClasses()
    assert ClassifierFree(plain, 1.0)(X, T, SECOND).equal(plain(X, T, SECOND))
    assert ClassifierFree(plain, 0.0)(X, T, SECOND).equal(plain(X, T))


FIRST = {"kind": torch.tensor([[1.0, 0.0]]).expand(9, 2)}


def both(w: float, **others: Condition) -> Guide:
    return lambda denoiser: ClassifierFree(denoiser, w, **others)


@pytest.mark.parametrize("phi", [0.0, 0.7, 1.0])
def test_scale_1_is_conditional_to_the_bit_whatever_else_is_chosen(phi: float):
    """And scale 0 unconditional, where no contrast is taken back."""
    plain = TwoClasses()
    for w, expected in ((1.0, plain(X, T, SECOND)), (0.0, plain(X, T))):
        if w == 1 or phi == 0:
            rescaled = partial(Rescaled, guide=both(w), phi=phi)
            assert Within(plain, rescaled, 0.1, 2.0)(X, T, SECOND).equal(expected)
            assert rescaled(plain)(X, T, SECOND).equal(expected)
    assert ClassifierFree(plain, 1.0, FIRST)(X, T, SECOND).equal(plain(X, T, SECOND))


@pytest.mark.parametrize("w", [0.0, 2.0, 5.0])
def test_negative_leads_away_from_the_answer_to_it(w: float):
    """Both answers are those of a Gaussian: m + std^2 / (std^2 + sigma^2) (x - m)."""
    shrink = STD**2 / (STD**2 + 0.6**2)
    first, second = (m + shrink * (X - m) for m in (-1, 1))
    plain = TwoClasses()
    guided = ClassifierFree(plain, w, FIRST)(X, T, SECOND)
    torch.testing.assert_close(guided, first + w * (second - first))
    assert plain.calls == (1 if w == 0 else 2)


@pytest.mark.parametrize("w", [0.0, 1.0, 2.5])
def test_autoguidance_leads_away_from_the_weaker_answer(w: float):
    """A weaker denoiser that believes in a wider class: the same formula with a larger std."""
    strong, weak = (gaussian_denoiser(Process(EDMSchedule(1.0)), MEANS[1], std) for std in (STD, 0.9))
    good, bad = (1 + std**2 / (std**2 + 0.6**2) * (X - 1) for std in (STD, 0.9))
    torch.testing.assert_close(Autoguided(strong, weak, w)(X, T), bad + w * (good - bad))
    assert Autoguided(strong, weak, 1.0)(X, T).equal(strong(X, T))


PICTURES = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class TwoTones:
    """x without a condition, 2 x + 0.3 with one; counts its calls."""

    def __init__(self) -> None:
        self.process, self.calls = Process(EDMSchedule(1.0)), 0

    def __call__(self, x_t, t, cond=None):
        self.calls += 1
        assert cond is not None
        return 2 * x_t + 0.3 if cond["kind"].any() else x_t


@pytest.mark.parametrize("phi", [0.5, 1.0])
def test_rescaling_brings_back_the_deviation_of_the_conditional_answer(phi: float):
    """At w = 3 the guided answer is x + 3 (x + 0.3), whose deviation is 4 / 2 of that of the conditional."""
    denoiser, cond, t = TwoTones(), {"kind": torch.ones(3, 2)}, torch.full((3,), 0.5)
    rescaled = Rescaled(denoiser, both(3.0), phi)(PICTURES, t, cond)
    assert denoiser.calls == 2  # as without
    torch.testing.assert_close(rescaled, (4 * PICTURES + 0.9) * (phi * 2 / 4 + 1 - phi))
    assert Rescaled(denoiser, both(1.0), phi)(PICTURES, t, cond).equal(denoiser(PICTURES, t, cond))
    if phi == 1:
        expected = (2 * PICTURES).flatten(1).std(dim=1)
        torch.testing.assert_close(rescaled.flatten(1).std(dim=1), expected)


@pytest.mark.parametrize("schedule", [EDMSchedule(5.0), CosineSchedule()], ids=["edm", "cosine"])
def test_outside_of_the_interval_the_answer_is_the_plain_conditional_one(schedule: Schedule):
    """Levels 0.2, 0.5, 1, 3 of sigma / alpha: those in (0.2, 1] are guided, and only they cost two calls."""
    levels = torch.tensor([0.2, 0.5, 1.0, 3.0], dtype=torch.float64)
    for level, inside in zip(levels, (False, True, True, False), strict=True):
        t = schedule.t_from_log_snr(-2 * level.log()).expand(9)
        denoiser = TwoClasses(schedule)
        # The inverse may miss an end by a rounding.
        answer = Within(denoiser, both(3.0), 0.2 + 1e-9, 1.0 + 1e-9)(X, t, SECOND)
        assert denoiser.calls == 1 + inside
        guide = both(3.0)(denoiser) if inside else denoiser
        assert answer.equal(guide(X, t, SECOND))


def test_every_sample_of_a_batch_has_its_own_noise_level():
    t = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    denoiser = TwoClasses()
    answer = Within(denoiser, both(3.0), 0.4, 0.7)(X, t, SECOND)
    inside = ((t > 0.4) & (t <= 0.7))[:, None]
    guided, plain = both(3.0)(denoiser)(X, t, SECOND), denoiser(X, t, SECOND)
    assert inside.any() and not inside.all()
    assert answer.equal(torch.where(inside, guided, plain))


class LinearInTheMix:
    """D = x + 3 weight_1 + 5 weight_2: what a mix of classes says can be read off."""

    def __init__(self) -> None:
        self.process = Process(EDMSchedule(1.0))

    def __call__(self, x_t, t, cond=None):
        assert cond is not None
        return x_t + cond["kind"].to(x_t) @ torch.tensor([[3.0], [5.0]], dtype=x_t.dtype)


def test_mixes_go_through_every_wrapper():
    mix = {"kind": torch.tensor([[1.0, 0.6]]).expand(9, 2)}
    other = {"kind": torch.tensor([[0.0, 0.5]]).expand(9, 2)}
    d = LinearInTheMix()
    wished, not_wished = X + 3 + 0.6 * 5, X + 0.5 * 5
    torch.testing.assert_close(ClassifierFree(d, 2.0)(X, T, mix), X + 2 * (3 + 0.6 * 5))
    guided = not_wished + 2 * (wished - not_wished)
    torch.testing.assert_close(ClassifierFree(d, 2.0, other)(X, T, mix), guided)
    torch.testing.assert_close(Within(d, both(2.0, negative=other), 0.1, 1.0)(X, T, mix), guided)
    weaker = Conditioned(LinearInTheMix(), other)
    torch.testing.assert_close(Autoguided(d, weaker, 2.0)(X, T, mix), guided)


def test_negative_of_one_attribute_leaves_the_wish_for_the_others():
    """Wished: kind; not wished: colour. D = x + 3 for kind, + 5 for colour, - 7 for both."""
    wish = {"kind": torch.ones(9, 2), "colour": torch.zeros(9, 3)}
    negative = {"kind": torch.zeros(9, 2), "colour": torch.ones(9, 3)}
    one_scale = ClassifierFree(TwoAttributes(), 2.0, negative)(X, T, wish)
    torch.testing.assert_close(one_scale, X + 5 + 2 * (3 - 5))
    # kind first: it says kind, and still the colour that is not wished.
    own = ClassifierFree(TwoAttributes(), {"kind": 3.0, "colour": 2.0}, negative)(X, T, wish)
    torch.testing.assert_close(own, X + 5 + 3 * ((3 + 5 - 7) - 5) + 2 * (3 - (3 + 5 - 7)))


def test_conditioned_fills_in_the_condition():
    assert Conditioned(TwoClasses(), SECOND)(X, T).equal(TwoClasses()(X, T, SECOND))


class TwoAttributes:
    """D = x + 3 where kind is said, + 5 more where colour is, - 7 more where both are; counts its calls."""

    def __init__(self) -> None:
        self.process, self.calls = Process(EDMSchedule(1.0)), 0

    def __call__(self, x_t, t, cond=None):
        assert cond is not None
        self.calls += 1
        kind, colour = (cond[name].any(1, keepdim=True).to(x_t) for name in ("kind", "colour"))
        return x_t + 3 * kind + 5 * colour - 7 * kind * colour


BOTH = {"kind": torch.ones(9, 2), "colour": torch.ones(9, 3)}


@pytest.mark.parametrize(
    ("w", "shift", "calls"),
    [
        ({"kind": 2.0, "colour": 0.5}, 2.0 * 3 + 0.5 * (5 - 7), 3),  # kind first: it is followed more
        ({"kind": 0.5, "colour": 2.0}, 2.0 * 5 + 0.5 * (3 - 7), 3),
        ({"kind": 2.0, "colour": 2.0}, 2.0 * (3 + 5 - 7), 2),
        ({"kind": 3.0}, 3.0 * 3 + 1.0 * (5 - 7), 3),  # not named: as the data did
        ({"kind": 1.0, "colour": 1.0}, 3 + 5 - 7, 1),
        ({"kind": 0.0, "colour": 0.0}, 0.0, 1),
        ({"kind": 1.0, "colour": 0.0}, 3.0, 1),
        (2.0, 2.0 * (3 + 5 - 7), 2),
    ],
)
def test_every_attribute_may_have_its_own_weight(w, shift: float, calls: int):
    denoiser = TwoAttributes()
    guided = ClassifierFree(denoiser, w)(X, T, BOTH)
    torch.testing.assert_close(guided, X + shift)
    assert denoiser.calls == calls


class TwoIndependentAttributes:
    """x = (x_1, x_2): kind moves the mean of the first number alone, colour that of the second. Exact."""

    def __init__(self) -> None:
        self.process = Process(EDMSchedule(1.0))
        self.parts = {"kind": TwoClasses(), "colour": TwoClasses()}

    def __call__(self, x_t, t, cond=None):
        assert cond is not None
        return torch.cat(
            [
                part(x_t[:, i : i + 1], t, {"kind": cond[name]})
                for i, (name, part) in enumerate(self.parts.items())
            ],
            dim=1,
        )


def test_the_weight_of_an_attribute_moves_only_what_that_attribute_is_about():
    """Raised for kind: x_1 follows grad log p(kind | x), and x_2 stays at the plain conditional answer."""
    x = torch.cat([X, X.flip(0)], dim=1)
    cond = {"kind": SECOND["kind"], "colour": FIRST["kind"]}
    plain = TwoIndependentAttributes()(x, T, cond)
    guided = ClassifierFree(TwoIndependentAttributes(), {"kind": 4.0})(x, T, cond)
    torch.testing.assert_close(guided[:, 1], plain[:, 1])
    torch.testing.assert_close(guided[:, :1], ClassifierFree(TwoClasses(), 4.0)(X, T, SECOND))
    assert (guided[:, 0] - plain[:, 0]).abs().max() > 0.1


def silent_shares(dropped: Condition) -> dict[str, torch.Tensor]:
    return {name: (rows == 0).all(1).double() for name, rows in dropped.items()}


def test_dropped_shares():
    cond = {"kind": torch.ones(20_000, 3), "colour": torch.ones(20_000, 2)}
    drop = ConditionDropout(0.1, own={"colour": 0.25, "kind": 0.4})
    silent = silent_shares(drop(cond, torch.Generator().manual_seed(0)))
    assert silent["kind"].mean().item() == pytest.approx(0.1 + 0.9 * 0.4, abs=0.01)
    assert silent["colour"].mean().item() == pytest.approx(0.1 + 0.9 * 0.25, abs=0.01)
    # Both: all at once, or in the half where each has twice its share.
    both = (silent["kind"] * silent["colour"]).mean().item()
    assert both == pytest.approx(0.1 + 0.9 * 0.5 * 0.8 * 0.5, abs=0.01)
    assert ConditionDropout(0.0)(cond, torch.Generator())["kind"].equal(cond["kind"])
    assert not null_condition(cond)["kind"].any()


def test_of_many_tags_few_are_said_to_be_missing():
    """Or the two that a picture has would be drowned by the eighty that it has not."""
    cond = {"tags": torch.tensor([1.0] + [-1.0] * 85).repeat(40_000, 1)}
    kept = ConditionDropout(0.0, singly=("tags",))(cond, torch.Generator().manual_seed(0))["tags"]
    # Said in 5.5 of 86 samples; one half of these says all, the other none of 85 with a chance of 1 in 86.
    denied = (kept < 0).any(1).double().mean().item()
    assert denied == pytest.approx(5.5 / 86 * (0.5 + 0.5 * 85 / 86), abs=0.004)
    # On average half of all (all said) and a quarter (each by its coin).
    assert (kept < 0).sum(1).double().mean().item() == pytest.approx(5.5 / 86 * 85 * 0.75, abs=0.4)


def test_tags_are_dropped_singly_from_none_to_all():
    cond = {"tags": torch.ones(20_000, 4)}
    kept = ConditionDropout(0.0, singly=("tags",))(cond, torch.Generator().manual_seed(0))["tags"]
    # In half of the samples all is said; in the other the chance of every tag is uniform on [0, 1], so that
    # all numbers of kept tags are equally likely: 1/5 each.
    shares = kept.sum(1).long().bincount(minlength=5) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.1, 0.1, 0.1, 0.1, 0.6]), atol=0.012, rtol=0)


def test_what_a_picture_has_not_is_left_unsaid_in_half_of_the_samples():
    """A wish names what is to be there: a network must know the tags that are, without those that are not."""
    cond = {"tags": torch.tensor([1.0, -1.0, -1.0, -1.0]).repeat(20_000, 1)}
    kept = ConditionDropout(0.0, singly=("tags",))(cond, torch.Generator().manual_seed(0))["tags"]
    denied = (kept < 0).sum(1).bincount(minlength=4) / 20_000
    torch.testing.assert_close(denied, torch.tensor([0.5625, 0.0625, 0.0625, 0.3125]), atol=0.012, rtol=0)
    alone = ((kept[:, 0] > 0) & (kept[:, 1:] == 0).all(1)).double().mean().item()
    # Nothing denied, and said at all: half (all said) plus half of one half, of one coin or of four.
    assert alone == pytest.approx(0.5 * 0.75 + 0.5 * 0.5 * 0.05, abs=0.012)
