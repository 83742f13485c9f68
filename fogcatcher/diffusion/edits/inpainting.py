"""Inpainting: some pixels are known, the others are drawn so that they fit.

Three ways, from the least work to the most:

replace     after every step the known pixels are drawn anew from q(x_s | x0), at the noise level of the
            rest. Song et al. 2021, "Score-Based Generative Modeling through SDEs", section 5
gradient    replace, and the answers of the denoiser are pulled towards agreement with the known pixels.
            Ho et al. 2022, "Video Diffusion Models", section 3.1 (reconstruction guidance); Chung et al.
            2022, "Diffusion Posterior Sampling", algorithm 1, takes the same gradient
repaint     replace, on a grid that climbs again and again, so that the new pixels have time to suit the
            known. Lugmayr et al. 2022, "RePaint", algorithm 1

Replacement alone forgets what the known pixels say while they are all noise, so what is drawn agrees with
them too little; a test measures this on a Gaussian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.edits.edit import Edit, Host
from fogcatcher.diffusion.guidance import Wrapped
from fogcatcher.diffusion.sampling.samplers import Answer, Moment, Step
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Condition, OnePicture, Rows, Samples, TimeGrid, Times, expand_to

Way = Literal["replace", "repaint", "gradient"]
WAYS: Sequence[Way] = ("replace", "repaint", "gradient")
MOST_RESAMPLES = 1000
MOST_WEIGHT = 1e6


def climbing(times: TimeGrid, jump: int, resamples: int) -> TimeGrid:
    """Return the grid that goes ``resamples`` times through every ``jump`` of its steps.

    With levels N (noise) ... 0 (data): from the levels 1, 1 + jump, 1 + 2 jump ... the grid climbs ``jump``
    levels, one by one, and comes down again, resamples - 1 times. Lugmayr et al. 2022, appendix B. A jump
    longer than the grid leaves it as it is. Raises ValueError when jump or resamples is less than 1, or
    resamples more than 1,000.
    """
    if jump < 1 or not 1 <= resamples <= MOST_RESAMPLES:
        raise ValueError(
            f"a jump of {jump} steps and {resamples} resamples: "
            f"both need to be 1 or more, and resamples at most {MOST_RESAMPLES:,}"
        )
    top = len(times) - 1
    levels = []
    for level in range(top, -1, -1):
        levels.append(level)
        if (level - 1) % jump == 0 and 0 < level <= top - jump:
            there_and_back = [*range(level + 1, level + jump + 1), *range(level + jump - 1, level - 1, -1)]
            levels += there_and_back * (resamples - 1)
    return times[top - torch.tensor(levels)]


@dataclass(frozen=True)
class Replacement(Step):
    """``inner``, and then the known pixels drawn from q(x_s | x0), with fresh noise.

    Multistep methods need no more: what they remember of a pixel moves this pixel alone. ``known`` is
    (1 or B, ...), in [-1, 1]; ``free`` of the same or a broadcasting shape is True where pixels are drawn.
    """

    inner: Step
    known: Samples
    free: Tensor

    def __call__(self, now: Moment) -> tuple[Samples, Answer]:
        x, answer = self.inner(now)
        known = now.denoiser.process.corrupt(self.known.to(x).expand_as(x), now.s, now.noise())
        return torch.where(self.free.to(x.device), x, known), answer

    def asks(self, steps: int) -> int:
        return self.inner.asks(steps)


@dataclass(frozen=True)
class Reconstruction(Wrapped):
    """Answers pulled towards agreement with the known pixels, a:

        x0_hat_b - weight alpha_t / 2 grad_{x_t, b} ||x0_a - x0_hat_a||^2

    for the others, b. Ho et al. 2022, equation 8. The known pixels of the answer are the known ones.
    """

    known: Samples
    free: Tensor
    weight: float

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        known, free = self.known.to(x_t), self.free.to(x_t.device)
        with torch.enable_grad():
            x = x_t.detach().requires_grad_()
            x0_hat = self.inner(x, t, cond)
            error = torch.where(free, 0, known - x0_hat).square().sum()
            (gradient,) = torch.autograd.grad(error, x)
        alpha = expand_to(self.process.schedule.alpha(t), x_t)
        return torch.where(free, x0_hat.detach() - self.weight * alpha / 2 * gradient, known)


@dataclass(frozen=True)
class Inpaint(Edit):
    """``known`` where ``mask`` is black (0), new where it is white (255); the known pixels stay to the byte.

    Raises ValueError for settings that cannot be.
    """

    known: OnePicture
    """(1, C, H, W); of any content where the mask is white."""
    mask: OnePicture
    """(1, 1, H, W), 0 or 255."""
    method: Way = "repaint"
    jump: int = 5
    """Steps of the grid that repaint climbs at once."""
    resamples: int = 5
    """How often repaint goes through each stretch of the grid."""
    weight: float = 5.0
    """How strongly gradient pulls."""

    def __post_init__(self) -> None:
        if self.method not in WAYS:
            raise ValueError(f"'{self.method}' is not one of {', '.join(WAYS)}")
        if self.mask.shape[-2:] != self.known.shape[-2:] or self.mask.shape[1] != 1:
            raise ValueError("the mask is not of the size of the picture")
        climbing(torch.zeros(2), self.jump, self.resamples)
        if not 0 <= self.weight <= MOST_WEIGHT:
            raise ValueError(f"a weight is from 0 to {MOST_WEIGHT:,.0f}, not {self.weight:g}")

    @property
    def free(self) -> Tensor:
        """Where pixels are drawn, (1, 1, H, W) booleans."""
        return self.mask > 127

    @property
    def nothing_known(self) -> bool:
        """Then this is plain sampling, to the byte."""
        return bool(self.free.all())

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.known.shape[1:])

    def grid(self, times: TimeGrid, schedule: Schedule) -> TimeGrid:
        if self.method != "repaint" or self.nothing_known:
            return times
        return climbing(times, self.jump, self.resamples)

    def start(self, host: Host, noise: Samples, times: TimeGrid) -> Samples:
        known, process = host.seen(self.known).to(noise).expand_as(noise), host.process
        free = host.free(self.free).to(noise.device)
        return torch.where(free, process.prior(times[0], noise), process.corrupt(known, times[0], noise))

    def step(self, host: Host, step: Step) -> Step:
        return step if self.nothing_known else Replacement(step, host.seen(self.known), host.free(self.free))

    def denoiser(self, host: Host, denoiser: DenoiserLike) -> DenoiserLike:
        if self.method != "gradient" or self.nothing_known:
            return denoiser
        return Reconstruction(denoiser, host.seen(self.known), host.free(self.free), self.weight)

    def finish(self, pictures: Rows) -> Rows:
        return torch.where(self.free, pictures, self.known)


def outpainted(
    picture: OnePicture, left: int, right: int, top: int, bottom: int
) -> tuple[OnePicture, OnePicture]:
    """Return a picture with so many pixels more on each side, and the mask of those, for ``Inpaint``."""
    around = (left, right, top, bottom)
    known = torch.nn.functional.pad(picture, around)
    return known, torch.nn.functional.pad(0 * picture[:, :1], around, value=255)
