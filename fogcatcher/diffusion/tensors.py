"""Shapes and conventions that every other file relies on.

- ``t`` lies in [0, 1]: 0 is data, 1 is noise; a sampling step goes from ``t`` to ``s < t``.
- ``alpha`` and ``sigma`` are the signal and noise *rates* in ``x_t = alpha x0 + sigma eps``.
- Data have any shape after the batch axis: ``(B, C, H, W)`` pictures, ``(B, C, L)`` sound,
  ``(B, N, 3)`` points. Nothing in the mathematics knows which.
- Times and rates are float64, ``(B,)`` or ``()``; they take the type of the data on use.
"""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

Samples = Float[Tensor, "B *S"]
"""A batch of data, x0, eps or x_t: one row per sample."""

PerSample = Float[Tensor, "B"]
"""One figure per sample: a loss, a log-density."""

Bytes = UInt8[Tensor, "B *S"]
"""8-bit data, before they are scaled to [-1, 1]."""

Rows = Shaped[Tensor, "B *S"]
"""Data as they lie on disk, before they are scaled to [-1, 1]: bytes of pictures, floats of signals."""

OnePicture = UInt8[Tensor, "1 _ _ _"]
"""One 8-bit picture, or mask, of any size: (1, C, H, W)."""

Times = Float[Tensor, "*T"]
"""Times in [0, 1], or anything computed from them alone (rates, log-SNR): () or (B,)."""

TimeGrid = Float[Tensor, "_"]
"""The times that a sampler goes through, in its order."""

Condition = Mapping[str, Float[Tensor, "B _"]]
"""Attribute name -> (B, classes) weights, one row per sample. A row of zeros means "not said"."""


def expand_to(t: Times, x: Samples) -> Tensor:
    """Return ``t``, () or (B,), shaped to multiply ``x``, (B, ...), in its type and on its device.

    Raises ValueError when ``t`` has neither one value nor one value per sample.
    """
    if t.ndim > 1 or (t.ndim == 1 and t.shape[0] != x.shape[0]):
        raise ValueError(
            f"expected one time, or one per sample ({x.shape[0]}), but got shape {tuple(t.shape)}"
        )
    t = t.to(device=x.device, dtype=x.dtype)
    return t.reshape(-1, *[1] * (x.ndim - 1)) if t.ndim else t
