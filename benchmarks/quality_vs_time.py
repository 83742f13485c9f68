"""Quality after equal time on the same machine: ours, diffusers and denoising-diffusion-pytorch.

    pip install --no-deps denoising-diffusion-pytorch einops ema-pytorch accelerate
    python benchmarks/quality_vs_time.py DATA [--side 32] [--minutes 10] [--at 1 3 10] [--sheets FOLDER]

DATA is anything that fogcatcher reads; labels are not used. The three train in turns of five seconds in one
process, so that whatever else the machine does hits all alike, and each clock counts its own turns only. They
learn from the same pictures, without augmentation:

- ours: the default preset; 20 steps of DPM-Solver++ 2M;
- diffusers: a UNet2DModel of about 3.7 M parameters with the settings of its own unconditional example (AdamW
  1e-4, betas .95 and .999, weight decay 1e-6, warm-up of 500 steps and a cosine, batch 16, EMA to .9999 with
  power 3/4, 1,000 linear betas, eps); 25 steps of its DDIM;
- denoising-diffusion-pytorch: its Unet of about 2.6 M parameters, GaussianDiffusion as it comes (v, sigmoid
  betas, 1,000), Adam 1e-4, betas .9 and .99, batch 16, EMA .995 every 10 steps; 25 steps of its DDIM.

The score is FD(builtin) of 500 drawn pictures against 500 training pictures; its floor is what 500 others
get.
"""

from __future__ import annotations

import argparse
import copy
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from networks import DenoisingDiffusionPytorch, Diffusers, size_of
from torch import Tensor

from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.sheets import save_png, sheet
from fogcatcher.data.pictures.spec import Pictures, to_model
from fogcatcher.data.reading import read_dataset
from fogcatcher.judging.metrics.features import builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from fogcatcher.training.fit import Plan, Progress, fit

TURN = 5.0
SAMPLES = 500


class Clock:
    """Seconds of one trainer's own turns."""

    def __init__(self, budget: float) -> None:
        self.budget, self.spent = budget, 0.0

    @property
    def share(self) -> float:
        return min(self.spent / self.budget, 1.0)


class Trainer(Protocol):
    name: str
    parameters: int
    clock: Clock

    def step(self) -> object: ...

    def draw(self, n: int) -> Pictures: ...


@dataclass(frozen=True)
class TimedPlan(Plan):
    """A plan whose learning rate has fallen when the time is over."""

    clock: Clock = Clock(1.0)  # noqa: RUF009

    def learning_rate_at(self, step: int) -> float:
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        fallen = max(0.0, 1 - (1 - self.clock.share) / self.fall)
        return self.learning_rate * rise * (1 + math.cos(math.pi * fallen)) / 2


class Ours:
    name = "fogcatcher"
    augment = "none"

    def __init__(self, pictures: Pictures, clock: Clock, start_from: str = "none") -> None:
        self.clock = clock
        folder = Path(tempfile.mkdtemp(prefix="quality-"))
        np.save(folder / "pictures.npy", pictures.permute(0, 2, 3, 1).numpy())
        options = DataOptions(hold_out=0.0)
        setup = Setup(
            str(folder / "pictures.npy"),
            folder / "run",
            steps=10**9,
            options=options,
            augment=self.augment,
            start_from=start_from,
        )
        self.run = prepare(setup)
        self.start()

    def start(self) -> None:
        """Begin with the run as it is."""
        plan = {f.name: getattr(self.run.config.training, f.name) for f in fields(Plan)}
        timed = TimedPlan(**plan, clock=self.clock)
        self.steps: Iterator[Progress] = fit(self.run.state, self.run.batches, self.run.objective, timed)
        self.parameters = size_of(self.run.state.denoiser)

    def step(self) -> object:
        return next(self.steps)

    def draw(self, n: int) -> Pictures:
        return self.run.model.sample(n).pictures


class Peer:
    """What both peers share: a batch of 16, an average of the weights, and pictures in [-1, 1]."""

    def __init__(self, pictures: Pictures, clock: Clock, network: torch.nn.Module, name: str) -> None:
        self.name, self.clock, self.data = name, clock, pictures
        self.network, self.average = network, copy.deepcopy(network).eval()
        self.parameters, self.steps, self.shape = size_of(network), 0, pictures.shape[1:]

    def batch(self) -> Tensor:
        return to_model(self.data[torch.randint(len(self.data), (16,))])

    def take_average(self, decay: float) -> None:
        with torch.no_grad():
            for a, b in zip(self.average.parameters(), self.network.parameters(), strict=True):
                a.lerp_(b, 1 - decay)


class DiffusersExample(Peer):
    def __init__(self, pictures: Pictures, clock: Clock) -> None:
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

        channels, side = pictures.shape[1], pictures.shape[2]
        super().__init__(pictures, clock, Diffusers(32, side, channels), "diffusers")
        self.noise, self.sampler = DDPMScheduler(1000), DDIMScheduler(1000)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), 1e-4, betas=(0.95, 0.999), weight_decay=1e-6
        )

    def step(self) -> object:
        x0 = self.batch()
        noise, t = torch.randn_like(x0), torch.randint(1000, (16,))
        loss = (self.network(self.noise.add_noise(x0, noise, t), t) - noise).square().mean()  # type: ignore[arg-type]
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            warm = min(1.0, (self.steps + 1) / 500)
            group["lr"] = 1e-4 * warm * (1 + math.cos(math.pi * self.clock.share)) / 2
        self.optimizer.step()
        self.steps += 1
        self.take_average(min(0.9999, 1 - (1 + self.steps) ** -0.75))
        return loss

    def draw(self, n: int) -> Pictures:
        self.sampler.set_timesteps(25)
        x = torch.randn(n, *self.shape)
        with torch.no_grad():
            for t in self.sampler.timesteps:
                answer = torch.cat([self.average(part, t) for part in x.split(100)])
                x = self.sampler.step(answer, int(t), x).prev_sample  # type: ignore[union-attr]
        return as_pictures(x)


class DenoisingDiffusion(Peer):
    def __init__(self, pictures: Pictures, clock: Clock) -> None:
        channels, side = pictures.shape[1], pictures.shape[2]
        unet = DenoisingDiffusionPytorch(32, side, channels).network
        from denoising_diffusion_pytorch.denoising_diffusion_pytorch import (  # type: ignore[import-not-found]
            GaussianDiffusion,
        )

        process = GaussianDiffusion(unet, image_size=side, sampling_timesteps=25)
        super().__init__(pictures, clock, process, "denoising-diffusion-pytorch")
        self.optimizer = torch.optim.Adam(self.network.parameters(), 1e-4, betas=(0.9, 0.99))

    def step(self) -> object:
        loss = self.network((self.batch() + 1) / 2)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.steps += 1
        if self.steps % 10 == 0:
            # Its average starts as a copy after 100 steps.
            self.take_average(0.0 if self.steps <= 100 else 0.995)
        return loss

    def draw(self, n: int) -> Pictures:
        sample: Callable[..., Tensor] = self.average.sample  # type: ignore[assignment]
        with torch.no_grad():
            parts = [sample(batch_size=min(100, n - i)) for i in range(0, n, 100)]
        return as_pictures(torch.cat(parts) * 2 - 1)


def as_pictures(x: Tensor) -> Pictures:
    pictures = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    if pictures.shape[1] == 4:  # the same favour to all: hard alpha, nothing under it
        alpha = (pictures[:, 3:] >= 128).to(torch.uint8)
        pictures = torch.cat([pictures[:, :3] * alpha, 255 * alpha], dim=1)
    return pictures


def take_turns(trainers: list[Trainer], until: float) -> None:
    """Train until every clock shows ``until`` seconds."""
    while any(trainer.clock.spent < until for trainer in trainers):
        for trainer in trainers:
            start, before = time.perf_counter(), trainer.clock.spent
            while trainer.clock.spent < until and trainer.clock.spent < before + TURN:
                trainer.step()
                trainer.clock.spent = before + time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--at", type=float, nargs="+", help="minutes at which to judge; default: the end")
    parser.add_argument("--sheets", type=Path, help="folder for what they draw")
    a = parser.parse_args()
    torch.manual_seed(0)
    pictures = read_dataset(a.data, DataOptions(size=(a.side, a.side))).rows[:]
    pictures = pictures[torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))]
    look = builtin()
    n = min(SAMPLES, len(pictures) // 2)
    real = gaussian(look(pictures[:n]))
    print(f"{len(pictures):,} pictures {tuple(pictures.shape[1:])}, FD({look.name} {look.hash}), N = {n}")
    print(f"floor {frechet(real, gaussian(look(pictures[n : 2 * n]))):.2f}", flush=True)
    kinds = (Ours, DiffusersExample, DenoisingDiffusion)
    trainers: list[Trainer] = [kind(pictures, Clock(60 * a.minutes)) for kind in kinds]
    for trainer in trainers:
        print(f"{trainer.name}: {trainer.parameters / 1e6:.2f} M parameters", flush=True)
    times: list[float] = sorted({*(a.at or []), a.minutes})
    for minutes in times:
        take_turns(trainers, 60 * minutes)
        scores = {}
        for trainer in trainers:
            drawn = trainer.draw(n)
            scores[trainer.name] = frechet(real, gaussian(look(drawn)))
            if a.sheets:
                a.sheets.mkdir(parents=True, exist_ok=True)
                save_png(sheet(drawn[:64], 16), a.sheets / f"{trainer.name}-{minutes:g}.png")
        best = min(scores[trainer.name] for trainer in trainers[1:])
        told = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
        print(f"{minutes:g} minutes: {told}; ours / better peer {scores[Ours.name] / best:.3f}", flush=True)


if __name__ == "__main__":
    main()
