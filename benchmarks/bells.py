"""Does a denoising diffusion GAN find 25 narrow bells in four steps?

python benchmarks/bells.py [--steps 10000] [--plain] [--r1-end 5e-4 --fall 1 --energy 6 ...]

The bells stand in a grid, 0.71 apart, and are 0.018 wide (Xiao et al. 2022 show such data). Gaussian steps
around the exact mean bring 2.6 % of the samples within four standard deviations of a bell, and find 9
(tests/diffusion/test_adversarial.py). The generator, its critic and its Adam are small dense networks and go
through the loop of every other training. By default each drawn step is judged against a real one; --plain is
the loss of the paper. With --r1-end the slope costs less and less; the critic's rate follows the generator's;
--energy adds the energy score of two answers. A row every so many steps: CPU seconds, the share within four
standard deviations, the bells with one sample in 1,000, and the emptiest and the fullest bell over an even
share; then the same of the newest weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.adversarial import Adversarial, EnergyScore, Rival
from fogcatcher.diffusion.denoiser import LATENT, Denoiser, LatentDenoiser, PredictX0
from fogcatcher.diffusion.guidance import Conditioned
from fogcatcher.diffusion.objectives import UniformTimes
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDGAN, sample
from fogcatcher.diffusion.schedules import Schedule, VPSchedule
from fogcatcher.diffusion.tensors import Condition
from fogcatcher.training.batches import Batches
from fogcatcher.training.fit import Plan, TrainingState, fit

CALLS, LATENTS = 4, 4
MODES = torch.cartesian_prod(torch.arange(-2.0, 3), torch.arange(-2.0, 3)) * 2 / 2.83
WIDTH = 0.05 / 2.83


def which(t: Tensor) -> Tensor:
    """Which of the few steps, (B,), as a row with one 1, (B, CALLS)."""
    return F.one_hot((t * CALLS).round().long() - 1, CALLS).float()


def waves(x: Tensor, octaves: int = 5) -> Tensor:
    """x and its sines and cosines: without them a network of this size sees no bell so narrow."""
    angles = [x * (math.pi / 2) * 2**k for k in range(octaves)]
    return torch.cat([x, *(wave for angle in angles for wave in (angle.sin(), angle.cos()))], 1)


def dense(inputs: int, outputs: int, width: int) -> nn.Sequential:
    sizes = [inputs, width, width, width]
    hidden = [layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
    return nn.Sequential(*hidden, nn.Linear(width, outputs))


class Generator(nn.Module):
    """From x_t, the step and a latent to x0_hat; it is told t itself, of which the step follows."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = dense(2 + LATENTS + CALLS, 2, width)

    def forward(self, x: Tensor, noise_label: Tensor, cond: dict[str, Tensor]) -> Tensor:
        return self.layers(torch.cat([x, cond[LATENT], cond["step"]], 1))


class Told(LatentDenoiser):
    """Tells its network the step beside the latent."""

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        return super().forward(x_t, t, {**(cond or {}), "step": which(t)})


class PointCritic(nn.Module):
    """D(x_s, x_t, t)."""

    def __init__(self, width: int, octaves: int) -> None:
        super().__init__()
        self.octaves = octaves
        self.layers = dense(waves(torch.zeros(1, 2), octaves).shape[1] + 2 + CALLS, 1, width)

    def forward(self, x_s: Tensor, x_t: Tensor, t: Tensor, cond: object = None) -> Tensor:
        return self.layers(torch.cat([waves(x_s, self.octaves), x_t, which(t)], 1))[:, 0]


@dataclasses.dataclass(frozen=True)
class Last(UniformTimes):
    """The last step is learned in this share of all, the others alike."""

    share: float = 0.25

    def quantile(self, u: Tensor, schedule: Schedule) -> Tensor:
        others = 2 + ((u - self.share) / (1 - self.share) * (CALLS - 1)).floor().clamp(0, CALLS - 2)
        return torch.where(u < self.share, 1.0, others).double() / CALLS


class Sharpening:
    """Makes the loss of each step: the slope costs less and less, and the critic's rate follows the plan."""

    def __init__(self, objective: Adversarial, plan: Plan, given: argparse.Namespace) -> None:
        assert objective.rival is not None
        self.objective, self.plan, self.given = objective, plan, given
        self.adam = objective.rival._adam  # what it is made of is nobody else's
        self.energy = EnergyScore(objective.times, steps=CALLS)
        self.step = 0

    @property
    def memory(self) -> dict[str, Tensor]:
        return self.objective.memory

    def __call__(
        self, denoiser: Denoiser, x0: Tensor, cond: Condition | None, generator: torch.Generator
    ) -> Tensor:
        given, done = self.given, self.step / self.plan.steps
        if self.step % given.critic_each == 0:
            share = self.plan.learning_rate_at(self.step) / self.plan.learning_rate
            for group in self.adam.param_groups:
                group["lr"] = share * (given.critic_rate or given.rate)
            r1 = given.r1 ** (1 - done) * (given.r1_end or given.r1) ** done
            dataclasses.replace(self.objective, r1=r1).teach_rival(denoiser, x0, cond, generator)
        loss = self.objective.judged(denoiser, x0, cond, generator)
        if given.energy:
            loss = loss + given.energy * self.energy(denoiser, x0, cond, generator)
        self.step += 1
        return loss


def bells(count: int, generator: torch.Generator) -> Tensor:
    chosen = torch.randint(len(MODES), (count,), generator=generator)
    return MODES[chosen] + WIDTH * torch.randn(count, 2, generator=generator)


@torch.no_grad()
def found(denoiser: Denoiser, count: int = 10_000) -> tuple[float, int, float, float]:
    """Return share near a bell, bells found, and the emptiest and the fullest over an even share."""
    generator = torch.Generator().manual_seed(5)
    grid = UniformGrid()(denoiser.process.schedule, CALLS)
    x = denoiser.process.prior(grid[0], torch.randn(count, 2, generator=generator))
    *_, last = sample(Conditioned(denoiser, None), x, grid, DDGAN(), generator)
    distance, nearest = torch.cdist(last.x, MODES).min(1)
    near = distance < 4 * WIDTH
    counts, every = torch.bincount(nearest[near], minlength=25), torch.bincount(nearest, minlength=25)
    seen = int((counts >= count / 1000).sum())
    return near.float().mean().item(), seen, every.min().item() / count * 25, every.max().item() / count * 25


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3, help="of both networks")
    parser.add_argument("--r1", type=float, default=0.02)
    parser.add_argument("--r1-end", type=float, help="falling to this by equal shares, not constant")
    parser.add_argument("--fall", type=float, default=0.3, help="share of the steps in which rates fall")
    parser.add_argument("--critic-rate", type=float, help="of the critic alone")
    parser.add_argument("--critic-each", type=int, default=1, help="it learns in each of so many steps")
    parser.add_argument("--generator-width", type=int, help="of the generator alone")
    parser.add_argument("--octaves", type=int, default=5, help="of the waves that the critic sees")
    parser.add_argument("--beta1", type=float, default=0.5, help="of both Adams; the paper on pairs has 0")
    parser.add_argument("--beta2", type=float, default=0.9)
    parser.add_argument("--last", type=float, default=0.25, help="share of the last step in what is learned")
    parser.add_argument("--energy", type=float, default=0.0, help="weight of the energy score")
    parser.add_argument("--plain", action="store_true", help="the loss of the paper")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    network = Generator(given.generator_width or given.width)
    denoiser = Told(network, Process(VPSchedule()), PredictX0(), LATENTS)
    rival = Rival(PointCritic(given.width, given.octaves), given.rate)
    times = Last(CALLS, share=given.last)
    objective = Adversarial(times, steps=CALLS, rival=rival, r1=given.r1, r1_every=1, paired=not given.plain)
    plan = Plan(
        given.steps,
        batch_size=given.batch,
        learning_rate=given.rate,
        optimizer="adam",
        weight_decay=0.0,
        condition_dropout=0.0,
        seed=given.seed,
        fall=given.fall,
    )
    lesson = Sharpening(objective, plan, given)
    state = TrainingState.start(denoiser, plan)
    for group in (*state.optimizers[0].param_groups, *lesson.adam.param_groups):
        group["betas"] = (given.beta1, given.beta2)  # the usual ones as in the paper's code
    data = bells(100_000, torch.Generator().manual_seed(given.seed))
    batches = Batches(data, {}, given.seed, to_model=lambda rows: rows)
    start = time.process_time()
    print("  step  CPU s  near   bells  least  most")
    for progress in fit(state, batches, lesson, plan):
        if progress.step % 1000 == 0 or progress.step == given.steps:
            seconds, rows = time.process_time() - start, (found(state.ema.denoiser), found(state.denoiser))
            said = [f"{near:6.1%} {seen:5} {least:6.2f} {most:6.2f}" for near, seen, least, most in rows]
            print(f"{progress.step:6} {seconds:6.0f} {said[0]}   newest: {said[1]}", flush=True)


if __name__ == "__main__":
    main()
