"""The precision in which a network computes while it learns."""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from fogcatcher.training.fit import fit
from fogcatcher.training.precision import precision_on
from tests.small_trainings import save_pictures


def test_in_bfloat16_the_network_computes_and_nothing_else(tmp_path):
    """The loss and gradient of float32 to two digits; weights and averages stay float32."""
    found = []
    for precision in ("float32", "bfloat16"):
        data, out = tmp_path / precision, tmp_path / f"run-{precision}"
        save_pictures(data, 12)
        setup = Setup(str(data), out, steps=3, precision=precision)
        run, seen = prepare(setup), []
        assert run.config.training.precision == precision
        convolution = next(m for m in run.state.denoiser.modules() if isinstance(m, torch.nn.Conv2d))
        convolution.register_forward_hook(lambda _, inputs, output: seen.append(output.dtype))  # noqa: B023
        steps = list(fit(run.state, run.batches, run.objective, run.config.training))
        assert set(seen) == {getattr(torch, precision)}
        state = [*run.state.denoiser.parameters(), *run.state.ema.denoiser.parameters()]
        assert {value.dtype for value in state} == {torch.float32}
        found.append([(step.loss, step.gradient_norm) for step in steps])
    assert found[1][0] == pytest.approx(found[0][0], rel=2e-2) and found[0] != found[1]
    assert precision_on(torch.device("cpu")) == "float32"
    with pytest.raises(UserError, match="unknown precision 'float16'"):
        prepare(Setup(str(tmp_path / "float32"), tmp_path / "x", steps=1, precision="float16"))
