"""Where noise comes from. Randomness is an argument everywhere: a torch generator for training,
one integer seed per sample for sampling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch

from fogcatcher.diffusion.tensors import Samples


class SampleGenerator:
    """One random stream per sample, so that a sample never depends on its neighbours.

    Seed k drawn alone, in any batch and on any device gets the same noise bit for bit: every row is
    drawn on the CPU from its own generator, at the start and again in every step.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.seeds = tuple(seeds)
        self._streams = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def randn_like(self, x: Samples) -> Samples:
        """Return standard normal noise of the shape, type and device of ``x``, (B, ...).

        Raises ValueError when ``x`` does not have one row per seed.
        """
        if len(x) != len(self._streams):
            raise ValueError(f"{len(self._streams)} seeds cannot serve a batch of {len(x)}")
        rows = [torch.randn(x.shape[1:], generator=stream) for stream in self._streams]
        return torch.stack(rows).to(x)


class GivenNoise:
    """Noise that is given: each draw takes the next of ``draws``, (B, ...) each, in their order."""

    def __init__(self, draws: Iterable[Samples]) -> None:
        self._draws = iter(draws)

    def randn_like(self, x: Samples) -> Samples:
        """Return the next noise in the type and on the device of ``x``.

        Raises ValueError when there is none left, or it has another shape.
        """
        noise = next(self._draws, None)
        if noise is None or noise.shape != x.shape:
            found = "none is left" if noise is None else f"{tuple(noise.shape)} comes next"
            raise ValueError(f"noise of shape {tuple(x.shape)} is needed, and {found}")
        return noise.to(x)


Generator = torch.Generator | SampleGenerator | GivenNoise


def randn_like(x: Samples, generator: Generator) -> Samples:
    """Return standard normal noise of the shape, type and device of ``x``, (B, ...)."""
    if not isinstance(generator, torch.Generator):
        return generator.randn_like(x)
    noise = torch.randn(x.shape, generator=generator, device=generator.device, dtype=x.dtype)
    return noise.to(x.device)


def step_generator(
    seed: int,
    step: int,
    stream: Literal["noise", "order", "dropout", "augmentation", "upscaling"],
    device: torch.device | str = "cpu",
) -> torch.Generator:
    """Return the generator of training step (or pass) ``step`` of the run with this ``seed``.

    Every step has its own stream, a function of the arguments alone. So a resumed run needs no saved
    random state, and step 1,000 can be repeated without the 999 before it.
    """
    # The mixing step of SplitMix64 (Steele, Lea, Flood 2014): neighbours become unrelated seeds.
    z = 2 * seed + (stream == "order")
    if stream == "upscaling":
        # Its draws are shaped like those of the noise, which must be others.
        z ^= 0x5851F42D4C957F2D
    z = (z * 0x9E3779B97F4A7C15 + step * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return torch.Generator(device).manual_seed((z ^ (z >> 31)) % 2**63)
