"""All pictures of a data set as latents, made once and kept as bytes of half precision.

Latents of half the digits are as good: what is left out is far below any noise that a model learns to take
away.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from fogcatcher.data.latents.first_stage import FirstStage, Latents
from fogcatcher.data.pictures.store import PictureTensor, cached, filled, store

_FORMAT = 1


@dataclass(frozen=True)
class _Facts:
    """What the store keeps beside latents."""

    autoencoder: str


def encoded(stage: FirstStage, rows: PictureTensor, digest: str) -> PictureTensor:
    """Return the latents of all pictures as bytes, (N, C, h, 2 w) uint8; ``digest`` names the pictures.

    Those that were made before come from the cache; large sets stay on disk and are read by number.
    """
    key = hashlib.sha256(f"latents {_FORMAT} {stage.hash} {digest} {len(rows)}".encode()).hexdigest()[:32]
    kept = cached(key, _Facts)
    return kept[0] if kept else store(key, lambda folder: _made(stage, rows, folder))[0]


def of_bytes(rows: UInt8[Tensor, "B Z h w2"]) -> Latents:
    """Return latents as the encoder made them, (B, C, h, w) of half precision."""
    return rows.contiguous().view(torch.float16)


def _made(stage: FirstStage, rows: PictureTensor, folder: Path | None) -> tuple[PictureTensor, _Facts]:
    return filled((_bytes(part) for part in stage.encoded(rows)), folder), _Facts(stage.hash)


def _bytes(latents: Latents) -> UInt8[Tensor, "B Z h w2"]:
    return latents.half().contiguous().view(torch.uint8)
