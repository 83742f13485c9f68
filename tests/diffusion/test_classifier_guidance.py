"""With the exact classifier of noisy samples, guidance is exact conditional sampling, in both forms."""

import math

import pytest
import torch

from fogcatcher.diffusion.classifier_guidance import ClassifierGuided
from fogcatcher.diffusion.exact import MixtureDenoiser, gaussian_denoiser, gaussian_path
from fogcatcher.diffusion.guidance import Autoguided, ClassifierFree, Conditioned
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM, sample
from fogcatcher.diffusion.schedules import BetaSchedule, CosineSchedule, EDMSchedule, Schedule, linear_betas
from fogcatcher.diffusion.tensors import Condition

MEANS = torch.tensor([[-0.8, 0.3], [0.9, -0.2]], dtype=torch.float64)
STD = 0.5
WEIGHTS = torch.tensor([0.7, 0.3], dtype=torch.float64)
SCHEDULES = {"edm": EDMSchedule(1.0), "cosine": CosineSchedule(), "ddpm": BetaSchedule(linear_betas(1000))}


class ExactClassifier:
    """log p(class | x_t) of two Gaussian classes by Bayes' rule; counts nothing where nothing is said."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        alpha, sigma = self.process.rates(t, x_t)
        variance = (alpha * STD) ** 2 + sigma**2
        distances = [((x_t - alpha * mean) ** 2 / (2 * variance)).sum(1) for mean in MEANS]
        log_p = torch.log_softmax(WEIGHTS.log() - torch.stack(distances, dim=1), dim=1)
        return (cond["kind"].to(x_t) * log_p).sum(1)


def everything(process: Process) -> MixtureDenoiser:
    return MixtureDenoiser(process, MEANS, torch.full((2,), STD), WEIGHTS)


def second(n: int) -> Condition:
    return {"kind": torch.tensor([[0.0, 1.0]]).expand(n, 2)}


def noise(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_at_scale_1_the_answer_is_the_exact_conditional_one(schedule: Schedule):
    process = Process(schedule)
    exact = gaussian_denoiser(process, MEANS[1], STD)
    guided = ClassifierGuided(everything(process), ExactClassifier(process), 1.0)
    x = noise(8)
    for time in (0.1, 0.4, 0.7, 0.95):
        t = torch.full((8,), time, dtype=torch.float64)
        torch.testing.assert_close(guided(x, t, second(8)), exact(x, t), atol=1e-8, rtol=1e-8)


def test_scale_0_is_off_to_the_bit_and_a_blind_end_does_no_harm():
    process = Process(CosineSchedule())
    plain, x = everything(process), noise(8)
    t = torch.full((8,), 0.5, dtype=torch.float64)
    assert ClassifierGuided(plain, ExactClassifier(process), 0.0)(x, t, second(8)).equal(plain(x, t))
    end = torch.ones(8, dtype=torch.float64)  # no signal is left: alpha = 0
    assert ClassifierGuided(plain, ExactClassifier(process), 9.0)(x, end, second(8)).equal(plain(x, end))


def test_ddim_carries_noise_where_the_conditional_path_ends():
    """The path of a Gaussian class is known; the error falls with the number of steps (order 1)."""
    schedule = EDMSchedule(20.0)
    process = Process(schedule)
    x = 20 * noise(64)
    start, end = torch.tensor(1.0, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
    expected = gaussian_path(x, start, end, process, MEANS[1], STD)
    guided = ClassifierGuided(everything(process), ExactClassifier(process), 1.0)
    errors = []
    for steps in (100, 200, 400):
        # Equal steps in log sigma, as far down as nothing is left to do.
        log_sigma = torch.linspace(math.log(20), math.log(1e-3), steps + 1, dtype=torch.float64)
        grid = torch.cat([log_sigma.exp() / 20, end[None]])
        grid[0] = 1.0
        generator = torch.Generator()
        *_, last = sample(Conditioned(guided, second(64)), x, grid, DDIM(), generator)
        errors.append((last.x - expected).abs().max().item())
    assert errors[2] < 0.01
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.15)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.15)


def test_the_ancestral_form_shifts_the_mean_by_s_times_variance_times_gradient():
    """Dhariwal & Nichol 2021, algorithm 1, of a table of betas: mu + s Sigma grad log p(c | x_t)."""
    process, s = Process(SCHEDULES["ddpm"]), 2.5
    plain, classifier = everything(process), ExactClassifier(process)
    grid = UniformGrid()(process.schedule, 1000)
    guided = ClassifierGuided(plain, classifier, s, grid)
    for i in (10, 300, 700, 990):
        t, below = grid[i], grid[i + 1]
        x = noise(8, seed=i)
        times = t.expand(8)
        mean, std = process.bridge(x, plain(x, times), t, below)
        variable = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(classifier(variable, times, second(8)).sum(), variable)
        shifted = process.bridge(x, guided(x, times, second(8)), t, below)[0]
        torch.testing.assert_close(shifted, mean + s * std**2 * g)


@pytest.mark.slow
def test_ancestral_sampling_draws_from_the_conditional_distribution():
    """Only at infinitely small steps is the form exact: 1,000 of them leave less than can be seen."""
    process, n = Process(SCHEDULES["ddpm"]), 4000
    grid = UniformGrid()(process.schedule, 1000)
    guided = ClassifierGuided(everything(process), ExactClassifier(process), 1.0, grid)
    *_, last = sample(
        Conditioned(guided, second(n)), noise(n), grid, DDPM(), torch.Generator().manual_seed(1)
    )
    error = STD / math.sqrt(n)
    torch.testing.assert_close(last.x.mean(0), MEANS[1], atol=4 * error + 0.01, rtol=0)
    torch.testing.assert_close(
        last.x.T.cov().diag().sqrt(), torch.full_like(MEANS[1], STD), atol=0.03, rtol=0
    )


def test_both_forms_agree_to_the_order_of_beta():
    """Their difference is halved with the step: gain_t / gain_s = 1 + O(b^2)."""
    process, x = Process(SCHEDULES["ddpm"]), noise(8)
    plain, classifier = everything(process), ExactClassifier(process)
    t = torch.full((8,), 0.6, dtype=torch.float64)
    ddim = ClassifierGuided(plain, classifier, 2.0)(x, t, second(8))
    differences = []
    for steps in (40, 20, 10, 5):  # of 1,000, from the same time
        grid = torch.tensor([0.6, 0.6 - steps / 1000, 0.0], dtype=torch.float64)
        ancestral = ClassifierGuided(plain, classifier, 2.0, grid)(x, t, second(8))
        differences.append((ddim - ancestral).norm().item())
        beta = process.step_variance(grid[0], grid[1]).item()
        assert (ddim - ancestral).norm() <= 1.2 * beta * (ddim - plain(x, t)).norm()
    ratios = [a / b for a, b in zip(differences[1:], differences[:-1], strict=True)]
    assert all(ratio == pytest.approx(0.5, abs=0.06) for ratio in ratios), ratios


class Conditional:
    """The exact denoiser that answers for the class asked for."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def __call__(self, x_t, t, cond=None):
        asked = cond is not None and bool(cond["kind"].any())
        return (gaussian_denoiser(self.process, MEANS[1], STD) if asked else everything(self.process))(x_t, t)


@pytest.mark.parametrize(("w", "s"), [(0.0, 3.0), (1.0, 2.0), (2.0, 1.0), (3.0, 0.0), (1.7, 1.3)])
def test_both_kinds_of_guidance_add_up(w: float, s: float):
    """w of the one and s of the other lead as far as w + s of either: here always 3."""
    process, x = Process(CosineSchedule()), noise(8)
    t = torch.full((8,), 0.5, dtype=torch.float64)
    classifier_free = ClassifierFree(Conditional(process), w)
    guided = ClassifierGuided(classifier_free, ExactClassifier(process), s)(x, t, second(8))
    expected = ClassifierFree(Conditional(process), 3.0)(x, t, second(8))
    torch.testing.assert_close(guided, expected, atol=1e-8, rtol=1e-8)


def test_a_mix_adds_the_gradients_of_its_classes():
    process, x = Process(EDMSchedule(1.0)), noise(8)
    t = torch.full((8,), 0.5, dtype=torch.float64)
    plain, classifier = everything(process), ExactClassifier(process)

    def shift(*weights: float) -> torch.Tensor:
        cond = {"kind": torch.tensor([weights]).expand(8, 2)}
        return ClassifierGuided(plain, classifier, 1.0)(x, t, cond) - plain(x, t)

    mixed = 1.0 * shift(1.0, 0.0) + 0.6 * shift(0.0, 1.0)
    torch.testing.assert_close(shift(1.0, 0.6), mixed, atol=1e-6, rtol=1e-6)
    assert not shift(0.0, 0.0).any()  # nothing said


def test_it_goes_around_autoguidance_too():
    process, x = Process(EDMSchedule(1.0)), noise(8)
    t = torch.full((8,), 0.5, dtype=torch.float64)
    weaker = gaussian_denoiser(process, MEANS.mean(0), 1.0)
    led = Autoguided(everything(process), weaker, 2.0)
    guided = ClassifierGuided(led, ExactClassifier(process), 1.0)(x, t, second(8))
    exact = gaussian_denoiser(process, MEANS[1], STD)(x, t)
    plain = everything(process)(x, t)
    torch.testing.assert_close(guided, led(x, t) + exact - plain, atol=1e-8, rtol=1e-8)
