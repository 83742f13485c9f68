"""Guidance against the exact answer for Gaussian classes."""

import pytest
import torch

from fogcatcher.exact import MixtureDenoiser, gaussian_denoiser
from fogcatcher.guidance import ClassifierFree, Conditioned, drop_conditions, null_condition
from fogcatcher.process import Process
from fogcatcher.schedules import EDMSchedule

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


def test_dropped_share():
    cond = {"kind": torch.ones(20_000, 3), "colour": torch.ones(20_000, 2)}
    dropped = drop_conditions(cond, 0.1, torch.Generator().manual_seed(0))
    silent = {name: (weights == 0).all(1).double() for name, weights in dropped.items()}
    for share in silent.values():
        assert share.mean().item() == pytest.approx(0.1, abs=0.01)
    both = (silent["kind"] * silent["colour"]).mean().item()
    assert both == pytest.approx(0.01, abs=0.004)  # one coin each
    assert drop_conditions(cond, 0.0, torch.Generator())["kind"].equal(cond["kind"])
    assert not null_condition(cond)["kind"].any()
