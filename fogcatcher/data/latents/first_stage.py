"""The first stage of latent diffusion: a trained autoencoder with the pictures that it was made for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from fogcatcher.base.devices import device_of
from fogcatcher.base.disk import short_hash
from fogcatcher.base.errors import UserError
from fogcatcher.base.memory import in_parts
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.pictures.store import Pictures, PictureTensor
from fogcatcher.networks.autoencoder import Autoencoder

PIXELS_AT_ONCE = 2**16
"""Pictures pass through the network in parts of so many pixels: 64 of 32 x 32, and one of 256 x 256. Four
times as many took a fifth longer on a CPU."""
Latents = Float[Tensor, "B Z h w"]


@dataclass(frozen=True, eq=False)
class FirstStage:
    """An autoencoder that no longer learns. Both directions are without chance."""

    network: Autoencoder
    pictures: PictureSpec
    """What the pictures looked like that it learnt from. Others may have other sizes, not other channels."""
    hash: str = "unsaved"
    """The start of the SHA-256 of its weights file."""

    def __post_init__(self) -> None:
        self.network.eval().requires_grad_(False)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.4 times as fast

    @property
    def factor(self) -> int:
        """By how much latents are smaller than pictures, side by side."""
        return self.network.shape.factor

    def check(self, pictures: PictureSpec) -> None:
        """Raises UserError for pictures of other channels, and for sides that cannot be made that small."""
        if pictures.channels != self.pictures.channels:
            raise UserError(
                f"these are {pictures.in_words}, and the autoencoder learned {self.pictures.in_words}: "
                "train one on pictures like these."
            )
        if pictures.height % self.factor or pictures.width % self.factor:
            raise UserError(
                f"the autoencoder makes sides {self.factor} times smaller, which {pictures.width} x "
                f"{pictures.height} pixels do not allow: fit the pictures to multiples of {self.factor}."
            )

    def encoded(self, rows: PictureTensor) -> Iterator[Latents]:
        """Yield the latents of pictures, (N, C, H, W) uint8, part by part, in memory."""
        device, at_once = device_of(self.network), _at_once(rows.shape)

        @torch.no_grad()
        def encode(part: slice) -> Tensor:
            return self.network.encode(self.pictures.to_model(rows[part].to(device))).cpu()

        return in_parts(len(rows), at_once, encode)

    def decoded(self, latents: Latents, pictures: PictureSpec | None = None) -> Pictures:
        """Return latents as pictures, uint8 as ``pictures`` says; else as those that it learnt from."""
        device, spec = device_of(self.network), pictures or self.pictures
        at_once = _at_once((len(latents), 1, *(side * self.factor for side in latents.shape[2:])))

        @torch.no_grad()
        def decode(part: slice) -> Tensor:
            return spec.from_model(self.network.decode(latents[part].to(device).float()))

        none = torch.empty(0, *spec.shape[:1], *latents.shape[2:], dtype=torch.uint8)
        return torch.cat([*in_parts(len(latents), at_once, decode)]) if len(latents) else none

    def returned(self, rows: Pictures) -> Pictures:
        """Return pictures as they come back after they were latents."""
        return self.decoded(torch.cat([*self.encoded(rows)]))

    def weights_hash(self) -> str:
        """Return the hash that these weights have once they are saved."""
        return short_hash(save(self.tensors()))

    def tensors(self) -> dict[str, Tensor]:
        """Return all that is saved of the network."""
        return {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}


def _at_once(shape: tuple[int, ...]) -> int:
    return max(1, PIXELS_AT_ONCE // (shape[2] * shape[3]))
