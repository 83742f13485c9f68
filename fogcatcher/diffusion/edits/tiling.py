"""Seamless tiles: the left edge continues at the right one, and the top at the bottom.

Every convolution looks beyond the edge and sees the other side (circular padding) in place of zeros, so
the network knows no edge: what shifts around the picture shifts around the answer. The network itself does
not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.edits.edit import Edit, Host
from fogcatcher.diffusion.guidance import Wrapped
from fogcatcher.diffusion.tensors import Condition, Samples, TimeGrid, Times


class CircularPadding(TorchFunctionMode):
    """While it is on, 2-D convolutions of this thread pad with the other side of the picture."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        if func is torch.conv2d:
            return _around(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _around(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor:
    vertical, horizontal = (padding, padding) if isinstance(padding, int) else padding
    x = F.pad(x, (horizontal, horizontal, vertical, vertical), mode="circular")
    return torch.conv2d(x, weight, bias, stride, 0, dilation, groups)


@dataclass(frozen=True)
class Seamless(Wrapped):
    """``inner`` with circular padding."""

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        with CircularPadding():
            return self.inner(x_t, t, cond)


@dataclass(frozen=True)
class Tile(Edit):
    """Draw pictures whose edges match all around.

    Raises ValueError where a network sees edges all the same: one with a code for every position, or one that
    halves a size more often than it can be halved.
    """

    def start(self, host: Host, noise: Samples, times: TimeGrid) -> Samples:
        if not knows_no_edge(Seamless(host.steered([{}], 1.0)), noise[:1]):
            height, width = noise.shape[-2:]
            raise ValueError(
                f"this model cannot draw seamless tiles of {width}x{height}: its network knows where the "
                "edges are; train one of the small U-Nets with a size that is a multiple of 8"
            )
        return host.process.prior(times[0], noise)

    def denoiser(self, host: Host, denoiser: DenoiserLike) -> DenoiserLike:
        return Seamless(denoiser)


def knows_no_edge(denoiser: DenoiserLike, noise: Samples) -> bool:
    """Whether four copies of a sample, (1, C, H, W), laid 2 x 2, have four copies of its answer.

    So it is where every pixel sees an endless plane of copies, and nowhere else.
    """
    schedule = denoiser.process.schedule
    t = schedule.t_from_log_snr(torch.zeros(1, dtype=torch.float64))
    x = denoiser.process.prior(t, noise)
    try:
        with torch.no_grad():
            one, four = denoiser(x, t), denoiser(x.repeat(1, 1, 2, 2), t)
    except (RuntimeError, ValueError):  # of another size it can draw nothing at all
        return False
    return torch.allclose(one.repeat(1, 1, 2, 2), four, rtol=1e-3, atol=1e-3)
