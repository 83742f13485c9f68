"""Small pictures made large by an upscaler, a model that was trained to be told of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.edits.edit import Edit, Host
from fogcatcher.diffusion.guidance import Wrapped
from fogcatcher.diffusion.randomness import Generator, randn_like
from fogcatcher.diffusion.tensors import Condition, Rows, Samples, Times
from fogcatcher.diffusion.upscaling import UPSCALING, Small, agreeing, noisy_small, premultiplied, told


@dataclass(frozen=True)
class Enlarge(Edit):
    """Draw each small picture ``factor`` times as wide and high.

    Raises ValueError for a noise outside 0 to 1, and for a factor below 2.
    """

    own = ("small",)
    small: Rows
    """(B, C, h, w), 8-bit, one for each picture to draw."""
    factor: int
    noise: float = 0.0
    """Level of noise put on them first, which is told: 0 trusts them, more lets go what looks wrong."""
    exact: bool = True
    """Whether every answer is moved so that the mean over its blocks is the small picture."""

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise ValueError(f"the noise on a small picture is from 0 to 1, not {self.noise:g}")
        if self.factor < 2:
            raise ValueError(f"a picture is made at least twice as large, not {self.factor} times")

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        channels, height, width = self.small.shape[1:]
        return channels, height * self.factor, width * self.factor

    def told(self, host: Host, count: int, generator: Generator) -> Condition:
        if host.enlarges != self.factor:
            makes = f"makes small ones {host.enlarges} times" if host.enlarges > 1 else "makes no small ones"
            raise ValueError(
                f"these pictures are to become {self.factor} times as large, and this model {makes}"
            )
        y = self._seen(host)
        y = y.expand(count, *y.shape[1:])
        u = torch.full((len(y),), self.noise, dtype=torch.float64)
        if self.noise:
            y = noisy_small(y, u, randn_like(y, generator))
        return {UPSCALING: told(y, u)}

    def denoiser(self, host: Host, denoiser: DenoiserLike) -> DenoiserLike:
        if not self.exact or self.noise:
            return denoiser  # what is not trusted is not kept either
        return _Agreeing(denoiser, self._seen(host), self.factor)

    def _seen(self, host: Host) -> Small:
        """The small pictures as the network sees them, where colours are weighed by alpha."""
        return premultiplied(host.seen(self.small))


@dataclass(frozen=True)
class _Agreeing(Wrapped):
    """Answers whose blocks have the means y, (B or 1, C, h, w)."""

    y: Small
    factor: int

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        return agreeing(self.inner(x_t, t, cond), self.y.to(x_t), self.factor)
