"""Between two pictures: the noises they come from, mixed along the sphere on which noise lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fogcatcher.diffusion.edits.edit import Edit, Host
from fogcatcher.diffusion.edits.inversion import ROUNDS, inverted
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.tensors import OnePicture, PerSample, Samples, TimeGrid, expand_to

MOST_ROUNDS = 100
NEARLY_ALONG = 1e-4
"""Below this angle, in radians, an arc is its chord."""


def slerp(a: Tensor, b: Tensor, u: PerSample) -> Samples:
    """Return the points at the shares ``u``, (B,), of the arcs from ``a`` to ``b``, (1 or B, ...) each.

        sin((1 - u) w) / sin(w) a + sin(u w) / sin(w) b,   w the angle between a and b

    Shoemake 1985, "Animating Rotation with Quaternion Curves", section 3.3. u = 0 is a and u = 1 is b, to the
    bit. The straight mean of two noises is shorter than noise is, and the model has never seen such.
    """
    cos = torch.nn.functional.cosine_similarity(a.flatten(1).double(), b.flatten(1).double(), dim=1)
    w = torch.arccos(cos.clamp(-1, 1))
    u = u.double().to(w.device)
    along = w < NEARLY_ALONG
    w = torch.where(along, 1.0, w)
    from_a = torch.where(along, 1 - u, ((1 - u) * w).sin() / w.sin())
    from_b = torch.where(along, u, (u * w).sin() / w.sin())
    shape = (len(u), *a.shape[1:])
    return expand_to(from_a, a.expand(shape)) * a + expand_to(from_b, b.expand(shape)) * b


@dataclass(frozen=True)
class Between(Edit):
    """Start from noises between those of two ends, each the seed of a drawing or a picture.

    The noise of a picture is found by inversion (``inversion.py``) under its wish. The wishes under which the
    frames are drawn are the caller's. Raises ValueError for weights and rounds that cannot be.
    """

    own = ("weights",)
    a: int | OnePicture
    """A seed, or (1, C, H, W)."""
    b: int | OnePicture
    weights: tuple[float, ...]
    """How far from a (0) to b (1), one for each picture drawn, or one for all."""
    wish_a: Mapping[str, Any]
    wish_b: Mapping[str, Any]
    rounds: int = ROUNDS

    def __post_init__(self) -> None:
        if not all(0 <= u <= 1 for u in self.weights):
            raise ValueError("a weight is from 0 (the one end) to 1 (the other)")
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise ValueError(f"rounds are from 1 to {MOST_ROUNDS}, not {self.rounds}")

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        pictures = [end for end in (self.a, self.b) if isinstance(end, Tensor)]
        return tuple(pictures[0].shape[1:]) if pictures else shape

    def start(self, host: Host, noise: Samples, times: TimeGrid) -> Samples:
        def noise_of(end: int | OnePicture, wish: Mapping[str, Any]) -> Samples:
            if not isinstance(end, Tensor):
                return SampleGenerator([end]).randn_like(noise[:1])
            x = inverted(host.steered([wish], 1.0), host.seen(end).to(noise), times, self.rounds)
            return x / expand_to(host.process.schedule.sigma(times[0]), x)

        if len(self.weights) not in (1, len(noise)):
            raise ValueError(f"{len(self.weights)} weights cannot serve {len(noise)} pictures")
        a, b = noise_of(self.a, self.wish_a), noise_of(self.b, self.wish_b)
        between = slerp(a, b, torch.tensor([float(u) for u in self.weights])).expand_as(noise)
        return host.process.prior(times[0], between)

    def asks_first(self, steps: int) -> int:
        return self.rounds * steps * sum(isinstance(end, Tensor) for end in (self.a, self.b))
