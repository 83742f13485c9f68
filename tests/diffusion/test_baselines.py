"""What a denoiser gets that knows only mean and covariance, against closed forms and noised data."""

import numpy as np
import pytest
import torch

from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.spec import to_model
from fogcatcher.diffusion.baselines import Baselines, Spectrum, baselines
from fogcatcher.diffusion.denoiser import Denoiser, PredictX0
from fogcatcher.judging.checks import Check, Monitor
from fogcatcher.judging.losses import NOISE_LEVELS, losses
from fogcatcher.model.model import Model
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from tests.drawn_sprites import sprites

SIGMAS = (0.1, 0.5, 2.0)


def gaussian(n: int, variances: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Samples of N(3, U diag(variances) U^T) along random directions U, (n, D)."""
    turned = torch.linalg.qr(torch.randn(len(variances), len(variances), generator=generator)).Q
    return 3 + torch.randn(n, len(variances), generator=generator) * variances.sqrt() @ turned.T


def test_the_error_of_known_variances_is_the_closed_form():
    """sigma = 1 halves a variance of 1, leaves 3/4 of 3, and nothing of 0: (1/2 + 3/4 + 2 x 0) / 4."""
    spectrum = Spectrum(torch.tensor([1.0, 3.0], dtype=torch.float64), 0.0, 2)
    assert spectrum.error(1.0) == pytest.approx((1 / 2 + 3 / 4) / 4)
    shared = Spectrum(torch.tensor([1.0], dtype=torch.float64), 2.0, 3)
    assert shared.error(1.0) == pytest.approx((1 / 2 + 3 * 2 / 3) / 4)


def test_gaussian_data_get_the_error_of_their_own_covariance():
    """sum_i lambda_i sigma^2 / (lambda_i + sigma^2) / D, with lambda from 100 down to 1/1000."""
    variances = torch.logspace(2, -3, 24)
    x = gaussian(6000, variances, torch.Generator().manual_seed(0))[:, None]
    found = baselines(x[:4000], x[4000:])
    assert found.zero == pytest.approx((variances.mean() + 9).item(), rel=0.05)
    for sigma in SIGMAS:
        expected = (variances * sigma**2 / (variances + sigma**2)).mean().item()
        assert found.gaussian(sigma) == pytest.approx(expected, rel=0.03)
        assert found.gaussian(sigma) < found.frequencies.error(sigma) / 1.2


def test_the_error_is_that_of_the_wiener_filter_on_noised_data_of_any_kind():
    """Far from Gaussian: corners of a cube, in more dimensions than there are pictures."""
    generator = torch.Generator().manual_seed(1)
    mixing = torch.randn(48, 48, generator=generator) / 7
    corners = torch.randint(0, 2, (4020, 48), generator=generator).float() * 2 - 1
    known, judged = (corners @ mixing).split([20, 4000])
    spectrum = baselines(known, judged).principal
    assert len(spectrum.variances) == 20 and spectrum.others == 28
    m = known.mean(0)
    u = torch.linalg.svd(known - m, full_matrices=False).Vh
    for sigma in SIGMAS:
        centred = judged - m + sigma * torch.randn(judged.shape, generator=generator)
        gain = (spectrum.variances / (spectrum.variances + sigma**2)).float()
        rest = spectrum.rest / (spectrum.rest + sigma**2)
        inside = centred @ u.T
        x0_hat = m + (gain * inside) @ u + rest * (centred - inside @ u)
        assert (judged - x0_hat).square().mean().item() == pytest.approx(spectrum.error(sigma), rel=0.02)


def test_frequencies_are_right_where_pictures_are_few_and_alike_everywhere():
    """Stationary pictures, of a known variance at each cosine, from which a few tell no directions."""
    generator, n = torch.Generator().manual_seed(2), 16
    k = torch.arange(n, dtype=torch.float64)
    rows = torch.cos(torch.pi * k[:, None] * (k + 0.5) / n)
    rows /= rows.norm(dim=1, keepdim=True)
    variances = 1 / (0.05 + (k[:, None] ** 2 + k**2) / 8)
    coefficients = torch.randn(600, 1, n, n, generator=generator, dtype=torch.float64) * variances.sqrt()
    pictures = (rows.T @ coefficients @ rows).float()
    grey = baselines(pictures[:30], pictures[30:])
    for sigma in SIGMAS:
        expected = (variances * sigma**2 / (variances + sigma**2)).mean().item()
        assert grey.frequencies.error(sigma) == pytest.approx(expected, rel=0.05)
        assert grey.gaussian(sigma) == grey.frequencies.error(sigma) < grey.principal.error(sigma)
    # Three channels that are one: two thirds of all directions hold nothing.
    copied = baselines(*(p.expand(-1, 3, -1, -1) for p in (pictures[:30], pictures[30:])))
    thrice = (3 * variances * 0.25 / (3 * variances + 0.25)).mean().item() / 3
    assert copied.frequencies.error(0.5) == pytest.approx(thrice, rel=0.05)


def test_the_ends_are_knowing_all_and_knowing_nothing():
    x = torch.randn(50, 2, 4, 4, generator=torch.Generator().manual_seed(3)) + 1
    found = baselines(x, x)
    assert found.gaussian(1e-4) == pytest.approx(1e-8, rel=0.01)
    assert found.gaussian(1e4) == pytest.approx((x - x.mean(0)).square().mean().item(), rel=1e-3)
    assert found.zero == pytest.approx(x.square().mean().item())


@pytest.mark.parametrize("shape", [(1, 3, 5, 7), (2, 1, 4, 4), (9, 2, 33), (3, 6)])
def test_any_shape_and_number(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(4))
    found = baselines(x, x)
    assert isinstance(found, Baselines) and 0 <= found.gaussian(0.5) <= found.zero


def test_nothing_and_other_shapes_are_refused():
    for known, judged in ((torch.zeros(0, 3), torch.zeros(2, 3)), (torch.zeros(2, 3), torch.zeros(2, 4))):
        with pytest.raises(ValueError, match="of one shape"):
            baselines(known, judged)


class Zero(Denoiser):
    def forward(self, x_t, t, cond=None):
        return 0 * x_t


def test_checks_and_the_judge_give_the_loss_beside_the_baselines(tmp_path):
    """An answer of zero gets the baseline of zero, and the Gaussian is that of the same pictures."""
    np.savez(tmp_path / "pictures.npz", pictures=sprites(90).permute(0, 2, 3, 1).numpy()[:, ::2, ::2])
    options = DataOptions(hold_out=0.33)
    run = prepare(Setup(str(tmp_path / "pictures.npz"), tmp_path / "run", steps=2600, options=options))
    zero = Zero(run.state.denoiser.network, run.state.denoiser.process, PredictX0())
    model = Model(zero, run.config, run.conditions)
    training, held_out = run.parts.train.unique(), run.parts.held_out
    for level in losses(model, run.dataset, training, held_out, 0)[0]:
        assert level.held_out == pytest.approx(level.zero, rel=1e-5)
        assert 0 < level.gaussian < level.zero
    monitor = Monitor(run.config.kind, run.dataset, run.parts, run.objective, run.config.training)
    found = monitor.check(1, model)
    assert [row["sigma"] for row in found.levels] == list(NOISE_LEVELS[::2])
    pictures = run.dataset.rows
    simple = baselines(to_model(pictures[training]), to_model(pictures[held_out]))
    for row in found.levels:
        assert row["zero"] == pytest.approx(simple.zero) and row["held_out"] == pytest.approx(
            row["zero"], rel=0.1
        )
        assert row["gaussian"] == pytest.approx(simple.gaussian(row["sigma"]), rel=0.1)
    row = found.to_json()
    assert Check(**row).to_json() == row
    del row["levels"]  # as older runs wrote it
    assert Check(**row).levels == ()
