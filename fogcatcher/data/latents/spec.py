"""Latents of pictures as a kind of data: rows are pictures, samples what an autoencoder makes of them.

    z = scale (E(x) - shift),    x = D(z / scale + shift)

with the mean and the deviation of all latents of the data set, so samples have mean 0 and deviation 1 (the
scale of Rombach et al. 2021, appendix G, is that of the first batch). From there nothing knows: schedules,
samplers and networks see samples as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import Length, Range
from fogcatcher.data.kind import Extractor, Kind, Prepared
from fogcatcher.data.latents.encoding import encoded, of_bytes
from fogcatcher.data.latents.first_stage import FirstStage, Latents
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.pictures.store import Pictures, PictureTensor

_OPEN: dict[str, FirstStage] = {}
"""The autoencoders that this process has opened, by the hash of their weights."""


def open_stage(stage: FirstStage) -> None:
    """Let all latents of this autoencoder be encoded and decoded from now on."""
    _OPEN[stage.hash] = stage


@dataclass(frozen=True)
class LatentSpec(Kind):
    """What the latents of a data set look like, and the pictures that they stand for."""

    name: ClassVar[str] = "latents"
    suffix: ClassVar[str] = PictureSpec.suffix

    pictures: PictureSpec
    channels: Annotated[int, Range(1, 256)]
    factor: Annotated[int, Range(1, 1024)]
    """By how much latents are smaller than pictures, side by side."""
    shift: Annotated[float, Range(-1e6, 1e6)]
    """Mean of what the encoder says."""
    scale: Annotated[float, Range(1e-6, 1e6)]
    """One over its standard deviation."""
    autoencoder: Annotated[str, Length(1, 64)]
    """Start of the SHA-256 of the weights of the autoencoder, which lies beside the model."""
    sigma_data: Annotated[float, Range(1e-3, 1e3)] = 1.0

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.pictures.height // self.factor, self.pictures.width // self.factor

    @property
    def drawn(self) -> PictureSpec:
        return self.pictures

    @property
    def in_words(self) -> str:
        channels, height, width = self.shape
        return f"{self.pictures.in_words} as latents of {width} x {height} x {channels}"

    @property
    def stage(self) -> FirstStage:
        """The autoencoder. Raises UserError where it was not opened."""
        if self.autoencoder not in _OPEN:
            raise UserError("the autoencoder of this model was not opened: load the model from its folder.")
        return _OPEN[self.autoencoder]

    def prepared(self, rows: PictureTensor, digest: str) -> Prepared:
        """Return all latents, made once and kept in the cache, as rows of bytes."""
        return Prepared(encoded(self.stage, rows, digest), lambda part: self.scaled(of_bytes(part)))

    def scaled(self, latents: Latents) -> Latents:
        """Return what the encoder says as samples of mean 0 and deviation 1."""
        return (latents.float() - self.shift) * self.scale

    def to_model(self, rows: Pictures) -> Latents:
        """Raises UserError for pictures of another size or other channels."""
        if tuple(rows.shape[1:]) != self.pictures.shape:
            height, width = rows.shape[2:]
            raise UserError(
                f"this model draws {self.pictures.in_words}, and this is one of {width} x {height} with "
                f"{rows.shape[1]} channels: latents have one size alone."
            )
        return self.scaled(torch.cat([*self.stage.encoded(rows)])).to(rows.device)

    def from_model(self, x: Latents) -> Pictures:
        """Return latents, (B, C, h, w), as pictures, rounded to what no row could be otherwise."""
        return self.stage.decoded(x.detach().float() / self.scale + self.shift, self.pictures)

    def sample_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.channels, *(side // self.factor for side in shape[1:])

    def free_in_samples(self, free: Tensor) -> Tensor:
        """A latent is free where any pixel of its block is; the known pixels are pasted after decoding."""
        return F.max_pool2d(free.float(), self.factor) > 0

    def nonsense(self, count: int, generator: torch.Generator) -> Pictures:
        return self.pictures.nonsense(count, generator)

    def mean(self, rows: Pictures) -> Pictures:
        return self.pictures.mean(rows)

    def shown(self, rows: Pictures) -> Pictures:
        return rows

    def save(
        self, rows: Pictures, path: Path, recipe: Mapping[str, object] | None = None, text: str = ""
    ) -> None:
        self.pictures.save(rows, path, recipe, text)

    def read(self, path: Path, count: int) -> Pictures:
        return self.pictures.read(path, count)

    def look(self) -> Extractor | None:
        return self.pictures.look()


def latents_of(stage: FirstStage, pictures: PictureSpec, rows: PictureTensor, digest: str) -> LatentSpec:
    """Measure the latents of a data set, and keep them. Raises UserError where stage and pictures do not
    fit."""
    stage.check(pictures)
    open_stage(stage)
    latents = encoded(stage, rows, digest)
    count, total, squares = 0, 0.0, 0.0
    for first in range(0, len(latents), 1024):
        part = of_bytes(latents[first : first + 1024]).double()
        count += part.numel()
        total += part.sum().item()
        squares += part.square().sum().item()
    mean = total / count
    deviation = max(1e-6, squares / count - mean**2) ** 0.5
    return LatentSpec(pictures, stage.network.shape.latent, stage.factor, mean, 1 / deviation, stage.hash)
