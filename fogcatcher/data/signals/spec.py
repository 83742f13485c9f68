"""What the signals of a data set look like, and the border between them and the mathematics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fogcatcher.base.disk import write_atomically
from fogcatcher.data.kind import Extractor, Kind
from fogcatcher.data.signals.curves import curves
from fogcatcher.data.signals.features import SignalFeatures

MOST_LEVELS = 16
"""Signals of at most so many different values have only these: drawn ones get the nearest."""
Signals = Float[Tensor, "B C L"]


@dataclass(frozen=True)
class SignalSpec(Kind):
    """Numbers over time: float32 rows, (N, C, L), in the units of the data."""

    name: ClassVar[str] = "signals"
    suffix: ClassVar[str] = ".npy"

    length: int
    low: tuple[float, ...]
    """The smallest value of each channel, which is -1 inside."""
    high: tuple[float, ...]
    """The largest, which is 1."""
    levels: tuple[float, ...]
    """All values that there are, where they are few; else none."""
    sigma_data: float

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.low), self.length

    @property
    def in_words(self) -> str:
        channels = "1 channel" if len(self.low) == 1 else f"{len(self.low)} channels"
        return f"signals of {self.length:,} values ({channels})"

    def to_model(self, rows: Signals) -> Signals:
        low, high = self._ends(rows)
        return 2 * (rows - low) / (high - low) - 1

    def from_model(self, x: Signals) -> Signals:
        """Return signals within the range of the training ones, and of their values where these are few."""
        x = x.detach().cpu().float().clamp(-1, 1)
        low, high = self._ends(x)
        rows = low + (x + 1) / 2 * (high - low)
        if self.levels:
            levels = torch.tensor(self.levels)
            middles = (levels[1:] + levels[:-1]) / 2
            rows = levels[torch.bucketize(rows.contiguous(), middles)]
        return rows

    def _ends(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """The range of each channel, (C, 1); 1 wide where a channel never changes."""
        low, high = (torch.tensor(ends, device=like.device)[:, None] for ends in (self.low, self.high))
        return low, torch.where(high > low, high, low + 1)

    def nonsense(self, count: int, generator: torch.Generator) -> Signals:
        return self.from_model(2 * torch.rand(count, *self.shape, generator=generator) - 1)

    def mean(self, rows: Signals) -> Float[Tensor, "1 C L"]:
        return rows.mean(0, keepdim=True)

    def shown(self, rows: Signals) -> UInt8[Tensor, "B 3 H W"]:
        """Return curves, one colour for each channel, all on the scale of the data."""
        return curves(self.to_model(rows))

    def save(
        self, rows: Signals, path: Path, recipe: Mapping[str, object] | None = None, text: str = ""
    ) -> None:
        """Write (C, L) for one signal and (N, C, L) for several; such a file holds no recipe."""
        signals = (rows[0] if len(rows) == 1 else rows).numpy()

        def write(part: Path) -> None:
            with open(part, "wb") as file:  # by its name NumPy would add a suffix
                np.save(file, signals, allow_pickle=False)

        write_atomically(path, write)

    def read(self, path: Path, count: int) -> Signals:
        return torch.from_numpy(np.load(path, allow_pickle=False)).reshape(count, *self.shape)

    def look(self) -> Extractor:
        return SignalFeatures(self)


def spec_of(signals: Signals) -> SignalSpec:
    """Measure the spec of a data set."""
    values = signals.unique()[: MOST_LEVELS + 1]
    levels = tuple(values.tolist()) if len(values) <= MOST_LEVELS else ()
    low, high = (tuple(end.tolist()) for end in (signals.amin((0, 2)), signals.amax((0, 2))))
    unmeasured = SignalSpec(signals.shape[2], low, high, levels, 0.5)
    sigma_data = unmeasured.to_model(signals).double().std().item() if signals.numel() > 1 else 0.5
    return SignalSpec(signals.shape[2], low, high, levels, round(max(0.05, sigma_data), 4))
