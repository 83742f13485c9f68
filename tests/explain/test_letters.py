"""What symbols.md says is equal is equal, and what errata.md calls wrong is wrong, in numbers."""

import re
from pathlib import Path

import pytest
import torch

from fogcatcher.diffusion.bound import bound
from fogcatcher.diffusion.exact import gaussian_denoiser
from fogcatcher.diffusion.predictions import EPS, SCORE
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.schedules import BetaSchedule, VPSchedule, cosine_betas, linear_betas

DOCS = Path(__file__).parents[2] / "docs"
ERRATA, SYMBOLS = ((DOCS / name).read_text(encoding="utf-8") for name in ("errata.md", "symbols.md"))
BETAS = linear_betas(1000)
SCHEDULE = BetaSchedule(BETAS)
ALPHA_BAR = (1 - BETAS).cumprod(0)


def time(step: int) -> torch.Tensor:
    return torch.tensor(step / 1000, dtype=torch.float64)


def sample() -> torch.Tensor:
    return torch.randn(1, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


# --- symbols ------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 500, 1000])
def test_the_letters_of_the_schedule(step: int):
    process, t, s = Process(SCHEDULE), time(step), time(step - 1)
    beta, alpha_bar = BETAS[step - 1], ALPHA_BAR[step - 1]
    before = ALPHA_BAR[step - 2] if step > 1 else torch.ones((), dtype=torch.float64)
    alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
    expected = {
        "alpha": (alpha, alpha_bar.sqrt()),
        "sigma": (sigma, (1 - alpha_bar).sqrt()),
        "step_variance": (process.step_variance(t, s), beta),
        "alpha_t": ((alpha / SCHEDULE.alpha(s)) ** 2, 1 - beta),
        "bridge_variance": (process.bridge_variance(t, s), beta * (1 - before) / (1 - alpha_bar)),
        "log_snr": (SCHEDULE.log_snr(t).exp(), alpha_bar / (1 - alpha_bar)),
    }
    for name, (ours, theirs) in expected.items():
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12, msg=name)


def test_the_letters_of_predictions():
    x0, eps = sample(), sample().flip(1)
    alpha, sigma = SCHEDULE.alpha(time(300)), SCHEDULE.sigma(time(300))
    x_t = alpha * x0 + sigma * eps
    torch.testing.assert_close(EPS.from_x0(x_t, x0, alpha, sigma), eps)
    torch.testing.assert_close(SCORE.from_x0(x_t, x0, alpha, sigma), -eps / (1 - ALPHA_BAR[299]).sqrt())


def test_symbols_lead_to_files_that_have_them():
    for name, path in re.findall(r"\[`([\w.]+)`\]\(\.\./([\w/.]+)\)", SYMBOLS):
        text = (DOCS.parent / path).read_text(encoding="utf-8")
        assert name.split(".")[-1] in text or path.endswith(f"{name}.py"), (name, path)


# --- errata -------------------------------------------------------------------------------------


def test_every_erratum_has_its_test_here():
    named = re.findall(r"`(test_\w+)`", ERRATA)
    assert len(named) == 5 and all(name in globals() for name in named)


@pytest.mark.slow
def test_the_drift_of_the_flow():
    """For pictures N(0, 0.25) the score is -x / v: v' = 2 v (f + g^2 / (2 v)) is the variance of q(x_t)."""
    schedule, v0, n = VPSchedule(), 0.25, 4000
    right = printed = v0
    for i in range(n // 2):
        f, g2 = (float(x) for x in schedule.drift(torch.tensor((i + 0.5) / n, dtype=torch.float64)))
        right += (2 * f * right + g2) / n
        printed += (2 * f * printed - 2 * g2) / n
    half = torch.tensor(0.5, dtype=torch.float64)
    exact = (schedule.alpha(half) ** 2 * v0 + schedule.sigma(half) ** 2).item()
    assert right == pytest.approx(exact, rel=1e-3) and printed < 0
    assert f"right {exact**0.5:.4f}" in ERRATA


def test_one_step_is_not_all_steps():
    assert 1 - ALPHA_BAR[-1].item() == pytest.approx(0.99996, abs=5e-6)
    assert BETAS[-1].item() == pytest.approx(0.02)
    noised = torch.zeros((), dtype=torch.float64)
    for beta in BETAS:  # the variance of q(x_t | x_{t-1}) one by one
        noised = (1 - beta) * noised + beta
    assert noised.item() == pytest.approx(1 - ALPHA_BAR[-1].item()) == pytest.approx(0.99996, abs=5e-6)


def test_what_is_clipped_are_betas():
    right = (1 - cosine_betas(1000, max_beta=0.9999, min_beta=1e-4)).cumprod(0)
    u = torch.linspace(0, 1, 1001, dtype=torch.float64)
    f = torch.cos((u + 0.008) / 1.008 * torch.pi / 2) ** 2
    clipped = (f / f[0])[1:].clamp(1e-4, 0.9999)
    betas = 1 - clipped[1:] / clipped[:-1]
    assert right[-1].item() < 1e-8
    assert clipped[-1].item() == 1e-4
    assert f"{int((betas == 0)[500:].sum())} betas of 0" in ERRATA


def test_the_term_without_weights_is_the_last():
    """On N(0, 0.25): the exact denoiser, and one that always answers 0."""
    process, x0 = (
        Process(SCHEDULE),
        0.5 * torch.randn(64, 4, generator=torch.Generator().manual_seed(1)).double(),
    )
    times = UniformGrid()(SCHEDULE, 100)
    exact = gaussian_denoiser(process, torch.zeros(4, dtype=torch.float64), 0.5)

    class Zero:
        def __init__(self) -> None:
            self.process = process

        def __call__(self, x_t, t, cond=None):
            return 0 * x_t

    found = [
        bound(d, x0, times, torch.Generator().manual_seed(2), decoder="continuous") for d in (exact, Zero())
    ]
    assert torch.equal(found[0].prior, found[1].prior)
    inner = [b.steps[:-1].sum(0).mean().item() for b in found]
    assert inner[1] > 2 * inner[0]
    assert f"{inner[1] / inner[0]:.0f} times as large" in ERRATA


@pytest.mark.parametrize("step", [2, 300, 1000])
def test_equation_11(step: int):
    """The mean of q(x_s | x_t, x0_hat) is (x_t - beta / sqrt(1 - alpha_bar) eps_hat) / sqrt(1 - beta)."""
    process, x_t, x0_hat = Process(SCHEDULE), sample(), sample().flip(1)
    t, s, beta, alpha_bar = time(step), time(step - 1), BETAS[step - 1], ALPHA_BAR[step - 1]
    eps_hat = (x_t - alpha_bar.sqrt() * x0_hat) / (1 - alpha_bar).sqrt()
    mean = process.bridge(x_t, x0_hat, t, s)[0]
    torch.testing.assert_close(mean, (x_t - beta / (1 - alpha_bar).sqrt() * eps_hat) / (1 - beta).sqrt())
    wrong = (x_t - beta / beta.sqrt() * eps_hat) / (1 - beta).sqrt()
    assert not torch.allclose(mean, wrong, rtol=0.01)
    if step == 1000:
        assert (beta / beta.sqrt()).item() == pytest.approx(0.1414, abs=1e-4)
        assert (beta / (1 - alpha_bar).sqrt()).item() == pytest.approx(0.02, abs=1e-5)
