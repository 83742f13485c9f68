"""Error against calls of the denoiser, for every sampler, on data whose exact answer is known.

python benchmarks/solvers.py [--plot docs/solvers.png]

The data are a mixture of three Gaussians in the plane (exact denoiser, float64, noise levels of EDM from
80 to 0.002 on the Karras grid, then 0). "path" is the root mean square distance to where the exact ODE
leads from the same noise; only solvers of the ODE have one. "law" is the sliced Wasserstein distance of
4,000 samples to the mixture, for all; its floor is what 4,000 exact samples get. The peer is the DPM-
Solver++ of diffusers, where installed, on the same noise levels.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from fogcatcher.diffusion.exact import MixtureDenoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import KarrasGrid
from fogcatcher.diffusion.sampling.probability_flow import RK45
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM, Step, sample
from fogcatcher.diffusion.sampling.solvers import LMS, DPMpp2M, DPMpp2S, DPMpp3M, Heun, UniPC
from fogcatcher.diffusion.sampling.stochastic import (
    AnnealedLangevin,
    Churn,
    EulerMaruyama,
    PredictorCorrector,
)
from fogcatcher.diffusion.schedules import EDMSchedule

CALLS = (5, 8, 10, 15, 20, 35, 50)
N = 4000
SCHEDULE = EDMSchedule()
MEANS = torch.tensor([[-1.0, 0.5], [1.0, 0.2], [0.3, -0.8]], dtype=torch.float64)
STDS = torch.tensor([0.1, 0.15, 0.2], dtype=torch.float64)
WEIGHTS = torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)
SOLVERS: dict[str, Step] = {
    "Euler = DDIM": DDIM(),
    "Heun": Heun(),
    "DPM++ 2S": DPMpp2S(),
    "DPM++ 2M": DPMpp2M(),
    "DPM++ 3M": DPMpp3M(),
    "LMS 4": LMS(4),
    "UniPC 1": UniPC(1),
    "UniPC 2": UniPC(2),
    "UniPC 3": UniPC(3),
}
NOISY: dict[str, Step] = {
    "DDPM (DDIM, eta 1)": DDPM(),
    "DDIM, eta 0.5": DDIM(0.5),
    "DPM++ 2M SDE": DPMpp2M(1.0),
    "Churn 40": Churn(),
    "Predictor-corrector": PredictorCorrector(),
    "Euler-Maruyama": EulerMaruyama(),
    "Annealed Langevin": AnnealedLangevin(inner=4),
}


class Counting:
    """The exact denoiser, and how often it was asked."""

    def __init__(self) -> None:
        self._inner = MixtureDenoiser(Process(SCHEDULE), MEANS, STDS, WEIGHTS)
        self.process, self.calls = self._inner.process, 0

    def __call__(self, x_t: Tensor, t: Tensor, cond: object = None) -> Tensor:
        self.calls += 1
        return self._inner(x_t, t)


def exact_draws(n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    k = torch.multinomial(WEIGHTS, n, replacement=True, generator=generator)
    noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return MEANS[k] + STDS[k, None] * noise


def law_distance(a: Tensor, b: Tensor) -> float:
    """Sliced Wasserstein, over 64 directions of the plane; b is k times as many as a."""
    angles = torch.arange(64, dtype=torch.float64) * (math.pi / 64)
    directions = torch.stack([angles.cos(), angles.sin()])
    one, other = (a @ directions).sort(0).values, (b @ directions).sort(0).values
    return (one.repeat_interleave(len(b) // len(a), 0) - other).abs().mean().item()


def calls_per_step(step: Step) -> int:
    match step:
        case PredictorCorrector():
            return step.corrections + step.predictor.calls
        case AnnealedLangevin():
            return step.inner + 1
    return step.calls


def draw(step: Step, noise: Tensor, calls: int) -> tuple[Tensor, int] | None:
    """Return samples with at most so many calls, and the number; None where not even two steps fit."""
    # The last step, to data, takes one call whatever the step.
    steps = 1 + (calls - 1) // calls_per_step(step)
    if steps < 2:
        return None
    denoiser, times = Counting(), KarrasGrid()(SCHEDULE, steps)
    *_, last = sample(denoiser, 80 * noise, times, step, torch.Generator().manual_seed(1))
    return last.x, denoiser.calls


def adaptive(noise: Tensor) -> list[tuple[int, Tensor]]:
    """Samples of RK45 at falling tolerances, with the calls that each took."""
    found, ends = [], torch.tensor([1.0, 0.0], dtype=torch.float64)
    for tolerance in (0.3, 0.1, 1e-2, 1e-3, 1e-4):
        denoiser = Counting()
        *_, last = sample(denoiser, 80 * noise, ends, RK45(tolerance, tolerance), torch.Generator())
        found.append((denoiser.calls, last.x))
    return found


def of_diffusers(noise: Tensor, calls: int) -> Tensor | None:
    try:
        from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
    except ImportError:
        return None
    scheduler = DPMSolverMultistepScheduler(prediction_type="sample", final_sigmas_type="zero")
    scheduler.set_timesteps(calls)
    times = KarrasGrid()(SCHEDULE, calls)
    scheduler.sigmas, scheduler.timesteps = SCHEDULE.sigma(times), torch.arange(calls)
    scheduler._sigma_to_alpha_sigma_t = lambda sigma: (torch.ones_like(sigma), sigma)
    denoiser, x = Counting(), 80 * noise
    for k in range(calls):
        x = scheduler.step(denoiser(x, times[k].expand(len(x))), k, x).prev_sample  # type: ignore[union-attr]
    return x


def row(name: str, figure: Callable[[int], float | None]) -> dict[int, float]:
    """Print one line of a table, and return its figures."""
    found = {calls: value for calls in CALLS if (value := figure(calls)) is not None}
    cells = (f"{found[calls]:9.2e}" if calls in found else " " * 9 for calls in CALLS)
    print(f"{name:22}" + " ".join(cells), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plot", type=Path, help="also draw the tables into this picture (needs matplotlib)")
    arguments = parser.parse_args()
    noise = torch.randn(N, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    many = exact_draws(8 * N, 1)
    ends = torch.tensor([1.0, 0.0], dtype=torch.float64)
    *_, end = sample(Counting(), 80 * noise, ends, RK45(1e-10, 1e-10, 1e-4), torch.Generator())
    exact = end.x

    def path(x: Tensor) -> float:
        return (x - exact).square().sum(1).mean().sqrt().item()

    header = f"{'calls':22}" + " ".join(f"{calls:9}" for calls in CALLS)
    paths, laws, drawn = {}, {}, {}
    for name, step in (SOLVERS | NOISY).items():
        drawn[name] = {calls: found[0] for calls in CALLS if (found := draw(step, noise, calls))}
    print(f"path: distance to the exact ODE\n{header}")
    for name in SOLVERS:
        paths[name] = row(name, lambda c, name=name: path(drawn[name][c]) if c in drawn[name] else None)
    peer = {calls: x for calls in CALLS if (x := of_diffusers(noise, calls)) is not None}
    if peer:
        theirs = row("diffusers DPM++ 2M", lambda c: path(peer[c]))
        row("ours / theirs", lambda c: paths["DPM++ 2M"][c] / theirs[c])
    print("RK45, calls: path     " + ", ".join(f"{calls}: {path(x):.2e}" for calls, x in adaptive(noise)))
    print(f"\nlaw: sliced Wasserstein distance to the mixture\n{header}")
    for name in drawn:
        laws[name] = row(
            name, lambda c, name=name: law_distance(drawn[name][c], many) if c in drawn[name] else None
        )
    floor = law_distance(exact_draws(N, 2), many)
    print(
        f"floor, exact samples  {floor:9.2e}; the exact ODE from this noise {law_distance(exact, many):.2e}"
    )
    if arguments.plot:
        plot(arguments.plot, paths, laws, floor)


def plot(
    file: Path, paths: dict[str, dict[int, float]], laws: dict[str, dict[int, float]], floor: float
) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(12, 5))
    for axis, table, title in (
        (axes[0], paths, "distance to the exact path"),
        (axes[1], laws, "distance to the distribution"),
    ):
        for name, values in table.items():
            style = "-" if name in SOLVERS else "--"
            axis.loglog(list(values), list(values.values()), style, marker="o", markersize=3, label=name)
        axis.set_xlabel("calls of the denoiser")
        axis.set_title(title)
        axis.set_xticks(CALLS, [str(calls) for calls in CALLS], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    axes[1].axhline(floor, color="grey", linewidth=1)
    figure.tight_layout()
    figure.savefig(file, dpi=90)


if __name__ == "__main__":
    main()
