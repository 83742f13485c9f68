"""Guidance against the exact answer for Gaussian classes."""

import pytest
import torch

from fogcatcher.exact import MixtureDenoiser, gaussian_denoiser
from fogcatcher.guidance import ClassifierFree, ConditionDropout, Conditioned, null_condition
from fogcatcher.process import Process
from fogcatcher.schedules import EDMSchedule
from fogcatcher.tensors import Condition

MEANS = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
STD = 0.5


class TwoClasses:
    """The exact denoiser of two Gaussian classes: conditional with a condition, the mixture without."""

    def __init__(self) -> None:
        self.process = Process(EDMSchedule(1.0))
        self.mixture = MixtureDenoiser(self.process, MEANS, torch.tensor([STD, STD]))
        self.classes = [gaussian_denoiser(self.process, mean, STD) for mean in MEANS]

    def __call__(self, x_t, t, cond=None):
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


def test_tags_are_dropped_singly_from_none_to_all():
    cond = {"tags": torch.ones(20_000, 4)}
    kept = ConditionDropout(0.0, singly=("tags",))(cond, torch.Generator().manual_seed(0))["tags"]
    # Every tag's chance is uniform on [0, 1]: all numbers of kept tags are equally likely (1/5 each).
    shares = kept.sum(1).long().bincount(minlength=5) / 20_000
    torch.testing.assert_close(shares, torch.full((5,), 0.2), atol=0.012, rtol=0)
