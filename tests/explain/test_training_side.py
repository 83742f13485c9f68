"""What training asks, on a model whose answers and losses are known: EDM's, with F = lean."""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.explain.parts import parts, told_one_level
from fogcatcher.explain.shown import Shown
from fogcatcher.explain.training_sections import parts_section
from fogcatcher.explain.training_side import training_side
from fogcatcher.model.kept_weights import kept_weights, model_at
from tests.exact_models import STD, gaussian_model
from tests.explain.kept_runs import EARLIEST, LAST, RAW, run_with_kept_weights

LEFT = {"kind": "left"}
X0 = torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4)


def known(lean: float, sigma: torch.Tensor, seed: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """x0_hat = c_skip x_t + c_out lean, with EDM's c's written out; the loss |x0 - x0_hat|^2 / c_out^2."""
    sigma = sigma[:, None, None, None]
    x_t = X0 + sigma * SampleGenerator([seed]).randn_like(X0)
    c_skip, c_out = STD**2 / (sigma**2 + STD**2), sigma * STD / (sigma**2 + STD**2).sqrt()
    x0_hat = c_skip * x_t + c_out * lean
    return x0_hat, ((X0 - x0_hat) ** 2 / c_out**2).flatten(1).mean(1)


def test_answers_and_losses_are_those_of_the_formulas(tmp_path):
    model = run_with_kept_weights(tmp_path)
    side = training_side(model, X0, LEFT, seed=3)
    assert [answers.weights for answers in side.answers] == ["step 50", "step 600"]
    for answers, lean in zip(side.answers, (EARLIEST, LAST), strict=True):
        x0_hat, loss = known(lean, side.sigma)
        torch.testing.assert_close(
            answers.x0_hat, x0_hat.float(), rtol=1e-3, atol=1e-3
        )  # kept in half precision
        torch.testing.assert_close(answers.loss.double(), loss, rtol=2e-3, atol=1e-3)
        error = ((X0 - x0_hat) ** 2).flatten(1).mean(1).sqrt()
        torch.testing.assert_close(answers.x0_error.double(), error, rtol=2e-3, atol=1e-3)
        # x0 - x0_hat = sigma (eps_hat - eps) where alpha is 1
        torch.testing.assert_close(answers.eps_error.double(), error**2 / side.sigma**2, rtol=5e-3, atol=1e-3)
    middle = side.sigma[3]
    assert middle == pytest.approx(1, abs=1e-6)  # as much noise as picture


def test_without_kept_weights_there_is_one_answer():
    side = training_side(gaussian_model(), X0, LEFT)
    assert [answers.weights for answers in side.answers] == ["trained"]


def test_kept_weights_come_in_order_and_raw_ones_of_checkpoints(tmp_path):
    model = run_with_kept_weights(tmp_path)
    kept = kept_weights(tmp_path)
    assert [(k.step, k.is_state) for k in kept] == [(50, False), (600, False), (600, True)]
    leans = [model_at(model, kept[0]), model_at(model, kept[-1]), model_at(model, kept[-1], "raw")]
    found = [m.denoiser.get_parameter("network.lean").item() for m in leans]
    assert found == pytest.approx([EARLIEST, LAST, RAW], abs=1e-3)
    kept[0].path.write_bytes(b"none")
    with pytest.raises(UserError, match="step-000000050"):
        model_at(model, kept[0])


def test_each_part_is_taken_away(tmp_path):
    found = parts(run_with_kept_weights(tmp_path), X0, LEFT, seed=3)
    answers = {answer.part: answer for answer in found.answers}
    # F hears no noise level and has no attention: the one changes nothing, the other is not there.
    assert list(answers) == [
        "all parts", "without the wish", "told one noise level", "without averaging the weights"
    ]  # fmt: skip
    leans = {"all parts": LAST, "without the wish": 0.0, "told one noise level": LAST}
    for name, lean in (leans | {"without averaging the weights": RAW}).items():
        x0_hat = known(lean, found.sigma)[0]
        torch.testing.assert_close(answers[name].x0_hat, x0_hat.float(), rtol=1e-4, atol=1e-4)
        error = ((X0 - x0_hat) ** 2).flatten(1).mean(1).sqrt()
        torch.testing.assert_close(answers[name].error.double(), error, rtol=1e-4, atol=1e-4)


def test_only_parts_that_were_taken_away_are_explained(tmp_path):
    """The network has no attention; weights before averaging are there only where a run kept them."""
    for model, averaged in ((gaussian_model(lean=0.3), False), (run_with_kept_weights(tmp_path), True)):
        said = parts_section(parts(model, X0, LEFT), Shown(model.config.pictures)).text
        assert "the network hears the middle one" in said and "its layers add nothing" not in said
        assert ("the newest weights themselves" in said) is averaged


class Echo(torch.nn.Module):
    def forward(self, x, noise_label, cond):
        return noise_label


def test_one_noise_level_is_the_middle_one():
    network = Echo()
    with told_one_level(network):
        assert network(torch.zeros(3, 1), torch.tensor([5.0, 1.0, 2.0]), None).tolist() == [2, 2, 2]
    assert network(torch.zeros(1, 1), torch.tensor([5.0]), None).tolist() == [5]
