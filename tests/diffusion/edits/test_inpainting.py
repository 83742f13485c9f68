"""Inpainting against a Gaussian whose answer is known, and pixel by pixel with every sampler."""

import math
from dataclasses import dataclass, field

import pytest
import torch

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.edits.inpainting import WAYS, Inpaint, Reconstruction, Replacement, climbing
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.samplers import DDPM, Inversion, Step, sample
from fogcatcher.diffusion.schedules import BetaSchedule, linear_betas
from fogcatcher.model.build import SAMPLERS
from tests.edit_models import WISHES, random_picture, small_model
from tests.random_models import method_for

RHO, KNOWN = 0.9, 1.5
TRUE_MEAN, TRUE_STD = RHO * KNOWN, math.sqrt(1 - RHO**2)
COVARIANCE = torch.tensor([[1.0, RHO], [RHO, 1.0]], dtype=torch.float64)


@dataclass
class CorrelatedGaussian:
    """The exact denoiser of N(0, COVARIANCE): x0_hat = alpha C (alpha^2 C + sigma^2)^-1 x."""

    process: Process
    calls: int = 0
    known: dict[float, torch.Tensor] = field(default_factory=dict)

    def gain(self, t: torch.Tensor) -> torch.Tensor:
        if t.item() not in self.known:
            alpha, sigma = self.process.schedule.alpha(t), self.process.schedule.sigma(t)
            noisy = alpha**2 * COVARIANCE + sigma**2 * torch.eye(2).double()
            self.known[t.item()] = alpha * COVARIANCE @ torch.linalg.inv(noisy)
        return self.known[t.item()]

    def __call__(self, x_t, t, cond=None):
        self.calls += 1
        return x_t @ self.gain(t[0]).T


def gaussian() -> CorrelatedGaussian:
    return CorrelatedGaussian(Process(BetaSchedule(linear_betas(1000))))


def uniform(steps: int) -> torch.Tensor:
    return torch.arange(steps, -1, -1, dtype=torch.float64) / steps


def second_coordinate(grid: torch.Tensor, n: int, denoiser: DenoiserLike | None = None) -> torch.Tensor:
    """Samples of x_2 where x_1 is known, by replacement on this grid."""
    denoiser = denoiser or gaussian()
    known, free = torch.tensor([[KNOWN, 0.0]]).double(), torch.tensor([[False, True]])
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    for state in sample(denoiser, x, grid, Replacement(DDPM(), known, free), generator):
        x = state.x
    assert (x[:, 0] == KNOWN).all()
    return x[:, 1]


@pytest.mark.parametrize(
    ("steps", "jump", "resamples", "calls", "climbs"),
    [(250, 10, 10, 2410, 2160), (100, 10, 5, 460, 360), (50, 5, 5, 230, 180), (20, 30, 9, 20, 0)],
)
def test_repaint_asks_as_often_as_the_paper_says(steps, jump, resamples, calls, climbs):
    grid = climbing(uniform(steps), jump, resamples)
    up = (grid[1:] > grid[:-1]).sum().item()
    assert (up, len(grid) - 1 - up) == (climbs, calls)
    # Level by level, from noise to data.
    assert grid[0] == 1 and grid[-1] == 0
    assert (grid.diff().abs() * steps - 1).abs().max() < 1e-9


def test_the_loop_asks_only_on_the_way_down():
    denoiser = gaussian()
    second_coordinate(climbing(uniform(50), 5, 5), 2, denoiser)
    assert denoiser.calls == 230


def test_replacement_alone_heeds_the_known_too_little():
    x = second_coordinate(uniform(250), 4000)
    assert x.mean().item() < 1.0  # the truth is 1.35


@pytest.mark.slow
def test_repaint_finds_the_true_mean_and_spread():
    x = second_coordinate(climbing(uniform(250), 10, 10), 4000)
    assert 1.27 < x.mean().item() < 1.37
    assert x.std().item() == pytest.approx(TRUE_STD, abs=0.04)


def test_reconstruction_is_its_formula():
    """On a Gaussian the gradient of (x_1 - x0_hat_1)^2 in x_t,2 is -2 (x_1 - x0_hat_1) gain_12."""
    denoiser, t = gaussian(), torch.full((5,), 0.4, dtype=torch.float64)
    known, free = torch.tensor([[KNOWN, 0.0]]).double(), torch.tensor([[False, True]])
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    answer = Reconstruction(denoiser, known, free, 3.0)(x, t)
    plain, alpha = denoiser(x, t), denoiser.process.schedule.alpha(t[0])
    pulled = plain[:, 1] + 3.0 * alpha * (KNOWN - plain[:, 0]) * denoiser.gain(t[0])[0, 1]
    assert torch.allclose(answer[:, 1], pulled) and (answer[:, 0] == KNOWN).all()
    assert not torch.allclose(answer[:, 1], plain[:, 1])


def test_reconstruction_comes_nearer_to_the_true_mean():
    known, free = torch.tensor([[KNOWN, 0.0]]).double(), torch.tensor([[False, True]])
    guided = Reconstruction(gaussian(), known, free, 2.0)
    alone, pulled = second_coordinate(uniform(100), 2000), second_coordinate(uniform(100), 2000, guided)
    assert abs(pulled.mean() - TRUE_MEAN) < abs(alone.mean() - TRUE_MEAN) / 2


def half_mask(size: tuple[int, int]) -> torch.Tensor:
    """White in the right half."""
    mask = torch.zeros(1, 1, *size, dtype=torch.uint8)
    mask[..., size[1] // 2 :] = 255
    return mask


def steps_for(sampler: str) -> int:
    return 1 if sampler in ("annealed_langevin", "rk45") else 4  # these ask a hundred times a step


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.slow
def test_known_pixels_stay_to_the_byte(sampler, way):
    if sampler in ("annealed_langevin", "rk45", "predictor_corrector") and way != "replace":
        pytest.skip("many calls a step; the way is the same for all")
    model, picture = small_model(method=method_for(sampler)), random_picture()
    edit = Inpaint(picture, half_mask((12, 10)), way, jump=1, resamples=2)
    drawn = model.sample(2, {"kind": "food"}, sampler=sampler, steps=steps_for(sampler), edit=edit)
    assert drawn.raw.isfinite().all()
    assert drawn.pictures[..., :5].equal(picture[..., :5].expand(2, -1, -1, -1))
    # What is drawn is no copy, and not the same for each seed.
    assert not drawn.pictures[0, ..., 5:].equal(picture[0, ..., 5:])
    assert not drawn.pictures[0, ..., 5:].equal(drawn.pictures[1, ..., 5:])


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.slow
def test_black_is_the_picture_and_white_a_plain_drawing(sampler):
    model, picture = small_model(method=method_for(sampler)), random_picture()
    black, white = torch.zeros_like(picture[:, :1]), torch.full_like(picture[:, :1], 255)
    draw = {"condition": {"kind": "hero"}, "sampler": sampler, "steps": steps_for(sampler), "seeds": [5]}
    assert model.sample(**draw, edit=Inpaint(picture, black, "replace")).pictures.equal(picture)
    plain = model.sample(**draw).pictures
    for way in WAYS if sampler in ("dpmpp_2m", "ddpm") else WAYS[:1]:
        assert model.sample(**draw, edit=Inpaint(picture, white, way)).pictures.equal(plain)


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("way", WAYS)
def test_every_type_of_condition(wish, way):
    model, picture = small_model(), random_picture()
    edit = Inpaint(picture, half_mask((12, 10)), way, jump=1, resamples=2)
    drawn = model.sample(1, wish, steps=3, edit=edit).pictures
    assert drawn[..., :5].equal(picture[..., :5])
    if wish:
        assert not drawn.equal(model.sample(1, {}, steps=3, edit=edit).pictures)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_kind_of_picture(channels):
    model, picture = small_model(channels, (9, 14)), random_picture(channels, (9, 14))
    drawn = model.sample(1, {}, steps=3, edit=Inpaint(picture, half_mask((9, 14)))).pictures
    assert drawn[..., :7].equal(picture[..., :7]) and not drawn[..., 7:].equal(picture[..., 7:])


def test_settings_that_cannot_be():
    picture, mask = random_picture(), half_mask((12, 10))
    with pytest.raises(ValueError, match="1 or more"):
        Inpaint(picture, mask, jump=0)
    with pytest.raises(ValueError, match="1 or more"):
        Inpaint(picture, mask, resamples=0)
    with pytest.raises(ValueError, match="size"):
        Inpaint(picture, mask[..., 1:])


def test_a_step_that_inverts_is_no_sampler():
    """Replacement leaves climbing to the loop, which adds noise there."""
    step: Step = Replacement(Inversion(), torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.bool))
    assert not step.climbs
