"""Our steps against the schedulers of the installed diffusers, on the same noise, where those are right."""

import math

import pytest
import torch

from fogcatcher.diffusion.exact import MixtureDenoiser
from fogcatcher.diffusion.guidance import Thresholded
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import LeadingGrid, LinspaceGrid, UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM, sample
from fogcatcher.diffusion.sampling.solvers import DPMpp2M, Heun, UniPC
from fogcatcher.diffusion.schedules import BetaSchedule, EDMSchedule, FlowSchedule, Schedule, linear_betas

diffusers = pytest.importorskip("diffusers", reason="compares with the installed diffusers")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of theirs

SHAPE = (4, 3, 2, 2)
BETAS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
DDPM_TABLE = BetaSchedule(linear_betas(1000))


def mixture(schedule: Schedule) -> MixtureDenoiser:
    means = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(2, 3, 2, 2)
    return MixtureDenoiser(Process(schedule), means, torch.tensor([0.3, 0.5]))


def noise(seed: int = 0) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ours(denoiser, x, times, step) -> torch.Tensor:
    *_, last = sample(denoiser, x, times, step, torch.Generator().manual_seed(7))
    return last.x


def theirs(scheduler, x, times, answer, **options) -> torch.Tensor:
    """Run a scheduler at its own timesteps; ``answer(x, k, t)`` is the output of the model."""
    for k, timestep in enumerate(scheduler.timesteps):
        x = scheduler.step(answer(x, k, times[k]), timestep, x, **options).prev_sample
    return x


def eps_answer(denoiser):
    def answer(x, k, t):
        alpha, sigma = denoiser.process.rates(t, x)
        return (x - alpha * denoiser(x, t.expand(len(x)))) / sigma

    return answer


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert ((found - expected).abs().max() / expected.abs().max()).item() < 1e-4


@pytest.mark.parametrize(("variance", "name"), [("small", "fixed_small"), ("large", "fixed_large")])
def test_ddpm(variance, name):
    """With leading steps, for with trailing ones diffusers adds noise in the last step too."""
    scheduler = diffusers.DDPMScheduler(
        **BETAS, variance_type=name, clip_sample=False, timestep_spacing="leading"
    )
    scheduler.set_timesteps(50)
    times, denoiser = LeadingGrid(1000)(DDPM_TABLE, 50), mixture(DDPM_TABLE)
    generator = torch.Generator().manual_seed(7)
    expected = theirs(scheduler, noise(), times, eps_answer(denoiser), generator=generator)
    close(ours(denoiser, noise(), times, DDPM(variance)), expected)


@pytest.mark.parametrize(
    ("spacing", "offset", "grid"), [("trailing", 0, UniformGrid()), ("leading", 0, LeadingGrid(1000))]
)
def test_ddim(spacing, offset, grid):
    scheduler = diffusers.DDIMScheduler(
        **BETAS, clip_sample=False, timestep_spacing=spacing, steps_offset=offset, set_alpha_to_one=True
    )
    scheduler.set_timesteps(50)
    times, denoiser = grid(DDPM_TABLE, 50), mixture(DDPM_TABLE)
    assert (times[:-1] * 1000 - 1).round().tolist() == scheduler.timesteps.tolist()
    close(ours(denoiser, noise(), times, DDIM()), theirs(scheduler, noise(), times, eps_answer(denoiser)))


def test_ddim_linspace_of_diffusers_misses_its_own_next_step():
    """Data N(0, 1), S = 50: the true chain multiplies by 0.96338, theirs by 0.96476, for each step there
    lands on t - T // S, and the next one starts at another time."""
    scheduler = diffusers.DDIMScheduler(
        **BETAS, clip_sample=False, timestep_spacing="linspace", set_alpha_to_one=True
    )
    scheduler.set_timesteps(50)
    times, one = LinspaceGrid(1000)(DDPM_TABLE, 50), torch.ones(1, 1, dtype=torch.float64)
    assert (times[:-1] * 1000 - 1).round().tolist() == scheduler.timesteps.tolist()
    point = MixtureDenoiser(Process(DDPM_TABLE), torch.zeros(1, 1).double(), torch.ones(1).double())
    assert ours(point, one, times, DDIM()).item() == pytest.approx(0.96338, abs=1e-5)
    assert theirs(scheduler, one, times, eps_answer(point)).item() == pytest.approx(0.96476, abs=1e-5)


def test_thresholding_of_diffusers_is_clipping_by_default():
    """Its quantile may not exceed sample_max_value, which is 1 by default; ours divides by it."""
    x0 = torch.linspace(-3, 3, 1000, dtype=torch.float64)[None, :, None, None]
    scheduler = diffusers.DDIMScheduler(**BETAS, thresholding=True)
    assert scheduler._threshold_sample(x0).equal(x0.clamp(-1, 1))

    class Fixed:
        process = Process(DDPM_TABLE)

        def __call__(self, x_t, t, cond=None):
            return x0

    found = Thresholded(Fixed(), 0.995)(x0, torch.ones(1))
    q = x0.abs().flatten().sort().values[994]
    torch.testing.assert_close(found, x0.clamp(-q, q) / q)
    right = diffusers.DDIMScheduler(**BETAS, thresholding=True, sample_max_value=100.0)
    torch.testing.assert_close(right._threshold_sample(x0), found, rtol=0.005, atol=0)


def shared_sigmas(scheduler, sigmas: torch.Tensor, steps: int):
    """Let a scheduler of theirs walk these noise levels, in float64, for data of alpha = 1."""
    scheduler.set_timesteps(steps)
    scheduler.sigmas, scheduler.timesteps = sigmas, torch.arange(steps)
    scheduler.num_inference_steps = steps
    scheduler._sigma_to_alpha_sigma_t = lambda sigma: (torch.ones_like(sigma), sigma)
    return scheduler


@pytest.mark.parametrize(
    ("step", "name", "options"),
    [
        (DPMpp2M(), "DPMSolverMultistepScheduler", {"solver_order": 2, "algorithm_type": "dpmsolver++"}),
        (UniPC(1), "UniPCMultistepScheduler", {"solver_order": 1, "solver_type": "bh2"}),
        (UniPC(2), "UniPCMultistepScheduler", {"solver_order": 2, "solver_type": "bh2"}),
        (UniPC(2, b=1), "UniPCMultistepScheduler", {"solver_order": 2, "solver_type": "bh1"}),
        (UniPC(3), "UniPCMultistepScheduler", {"solver_order": 3, "solver_type": "bh2"}),
        (UniPC(3, b=1), "UniPCMultistepScheduler", {"solver_order": 3, "solver_type": "bh1"}),
    ],
)
@pytest.mark.parametrize("steps", [8, 20])
def test_solvers_on_shared_noise_levels(step, name, options, steps):
    """On EDM's levels, to the one before 0 and to 0; there bh1 of theirs multiplies infinity by 0."""
    schedule, denoiser = EDMSchedule(), mixture(EDMSchedule())
    times = torch.cat([torch.linspace(1, 0.08, steps, dtype=torch.float64) ** 4, torch.zeros(1).double()])
    scheduler = getattr(diffusers, name)(
        num_train_timesteps=1000, prediction_type="sample", final_sigmas_type="zero", **options
    )
    shared_sigmas(scheduler, schedule.sigma(times), steps)
    x = 80 * noise()
    for state in sample(denoiser, x, times, step, torch.Generator()):
        k = state.i - 1
        x = scheduler.step(denoiser(x, times[k].expand(len(x))), k, x).prev_sample
        if state.t > 0 or options.get("solver_type") != "bh1":
            close(state.x, x)


@pytest.mark.parametrize(("step", "name"), [(Heun(), "HeunDiscreteScheduler"), (DDIM(), "EDMEulerScheduler")])
def test_heun_and_euler_of_edm(step, name):
    """On the levels that diffusers itself spaces after Karras."""
    schedule, steps = EDMSchedule(), 12
    if name == "EDMEulerScheduler":
        scheduler = diffusers.EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5)
    else:
        scheduler = diffusers.HeunDiscreteScheduler(**BETAS, use_karras_sigmas=True)
    scheduler.set_timesteps(steps)
    levels = scheduler.sigmas.double()
    times = torch.cat([levels[:-1].unique().flip(0), torch.zeros(1).double()]) / 80
    assert len(times) == steps + 1
    denoiser, x = mixture(schedule), levels[0] * noise()
    for timestep in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, timestep)
        sigma = scheduler.sigmas[scheduler.step_index].double()
        x0_hat = denoiser(x, (sigma / 80).expand(len(x)))
        if name == "EDMEulerScheduler":
            # It wants the raw network of EDM, which its preconditioning makes into x0_hat again.
            c_skip = 0.25 / (sigma**2 + 0.25)
            output = (x0_hat - c_skip * x) / (sigma * 0.5 / (sigma**2 + 0.25).sqrt())
        else:
            output = (x - x0_hat) / sigma
        assert scaled.shape == x.shape
        x = scheduler.step(output, timestep, x).prev_sample
    close(ours(denoiser, levels[0] * noise(), times, step), x)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_match_euler(shift):
    """Noise at 1 and the velocity eps - x0, as ours; the shift moves the times alike."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=shift)
    scheduler.set_timesteps(15)
    schedule = FlowSchedule(shift=shift)
    times = torch.cat([scheduler.sigmas[:-1].double(), torch.zeros(1).double()])
    plain = FlowSchedule()
    denoiser = mixture(plain)

    def velocity(x, k, t):
        return (x - denoiser(x, t.expand(len(x)))) / t

    expected = theirs(scheduler, noise(), times, velocity)
    close(ours(denoiser, noise(), times, DDIM()), expected)
    unshifted = times / (shift - (shift - 1) * times)
    torch.testing.assert_close(schedule.sigma(unshifted), times)
    close(ours(mixture(schedule), noise(), unshifted, DDIM()), expected)


def test_log_snr_falls_together():
    """alpha_bar of their linear table and ours, in log-SNR."""
    scheduler = diffusers.DDPMScheduler(**BETAS)
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    alpha_bar = scheduler.alphas_cumprod.double()
    theirs_log_snr = (alpha_bar / (1 - alpha_bar)).log()
    assert (DDPM_TABLE.log_snr(t) - theirs_log_snr).abs().max().item() < 1e-2 * math.log(2)
