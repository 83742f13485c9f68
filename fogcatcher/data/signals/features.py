"""The features by which signals are judged: what they are, how they change, and which frequencies they hold.

Nothing here is learned. A signal is looked at in the scale of its data, [-1, 1], channel by channel: its
values at up to 32 places (means of what lies between), the mean square of its differences over 1, 2, 4 ...
steps, and the logarithm of its power in up to 16 bands, which overlap by a frequency.
"""

from __future__ import annotations

import hashlib
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor

PLACES, BANDS, LAGS = 32, 16, (1, 2, 4, 8, 16)
FLOOR = 1e-4
"""Power that counts as none."""
VERSION = "places, lags, bands 1"


@runtime_checkable
class Scaled(Protocol):
    """What brings rows to [-1, 1]."""

    def to_model(self, rows: Tensor) -> Tensor: ...


class SignalFeatures:
    """From (N, C, L) signals to (N, D), D at most 53 C."""

    name = "signal"
    hash = hashlib.sha256(f"{VERSION} {PLACES} {BANDS} {LAGS} {FLOOR}".encode()).hexdigest()[:12]

    def __init__(self, scale: Scaled) -> None:
        self._scale = scale

    def __call__(self, pictures: Float[Tensor, "N C L"]) -> Float64[Tensor, "N D"]:
        x = self._scale.to_model(pictures).double()
        length = x.shape[-1]
        places = F.adaptive_avg_pool1d(x, min(PLACES, length))
        lags = [lag for lag in LAGS if lag < length]
        changes = [(x[..., lag:] - x[..., :-lag]).square().mean(-1, keepdim=True) for lag in lags]
        power = torch.fft.rfft(x - x.mean(-1, keepdim=True), norm="ortho").abs().square()
        bands = F.adaptive_avg_pool1d(power, min(BANDS, power.shape[-1]))
        return torch.cat([places, *changes, (bands + FLOOR).log() / 4], -1).flatten(1)
