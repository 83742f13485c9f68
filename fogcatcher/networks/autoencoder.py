"""Pictures to small latents and back: the first stage of latent diffusion.

Rombach et al. 2021, "High-Resolution Image Synthesis with Latent Diffusion Models", section 3.1 and appendix
G, in the shape that its code and diffusers give it, so that weights can be exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn

from fogcatcher.base.typed_json import Length, Range
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.networks.blocks import (
    Downsample,
    ResidualBlock,
    SelfAttention,
    Upsample,
    conv,
    group_norm,
)
from fogcatcher.networks.bottlenecks import Codebook, Gaussian, Learnt

Channels = Annotated[int, Range(1, 65_536)]


@dataclass(frozen=True)
class AutoencoderShape:
    """Everything that decides which weights an ``Autoencoder`` has."""

    channels: Annotated[int, Range(1, 4)]
    """Of the pictures."""
    widths: Annotated[tuple[Channels, ...], Length(1, 8)]
    """Channels of each level, the finest first; every level has half the side of the one before."""
    latent: Annotated[int, Range(1, 256)] = 4
    """Channels of the latents."""
    codes: Annotated[int, Range(0, 65_536)] = 0
    """How many vectors a position of the latents may be; 0: any, and they are drawn towards a normal."""
    blocks: Annotated[int, Range(1, 16)] = 1
    """Residual blocks per level of the encoder; one more in the decoder."""
    groups: Channels = 32
    """Groups of a norm, or the most that divide its channels."""
    attention: bool = True
    """Whether the middle of both halves has self-attention."""
    inner: Annotated[int, Range(0, 256)] = 0
    """Channels between encoder and code where these are not ``latent``; 0: they are."""
    mixes: bool = True
    """Whether a 1 x 1 convolution stands on either side of the bottleneck."""

    @property
    def factor(self) -> int:
        """By how much a latent is smaller than its picture, side by side."""
        return 2 ** (len(self.widths) - 1)


class Autoencoder(nn.Module):
    """``encode`` and ``decode``: (B, C, H, W) in [-1, 1] to (B, latent, H / factor, W / factor) and back."""

    def __init__(self, shape: AutoencoderShape) -> None:
        super().__init__()
        self.shape = shape
        inner = shape.inner or shape.latent
        self.bottleneck = Codebook(shape.latent, shape.codes) if shape.codes else Gaussian(shape.latent)
        asked = self.bottleneck.asked
        self.encoder = Encoder(shape, inner if shape.codes else 2 * inner)
        self.decoder = Decoder(shape, inner)
        self.mix = conv(2, inner if shape.codes else 2 * inner, asked, 1) if shape.mixes else nn.Identity()
        self.unmix = conv(2, shape.latent, inner, 1) if shape.mixes else nn.Identity()

    def encode(self, x: Samples) -> Tensor:
        """Return the latents, without chance. Raises ValueError for sides that ``factor`` does not divide."""
        return self.bottleneck.latents(self._said(x))

    def decode(self, latents: Tensor) -> Samples:
        return self.decoder(self.unmix(self.bottleneck.settled(latents)))

    def learnt(self, x: Samples, generator: torch.Generator) -> tuple[Samples, Learnt]:
        """Return pictures as they come back in a step of training, and what their latents cost."""
        learnt = self.bottleneck.learnt(self._said(x), generator)
        return self.decoder(self.unmix(learnt.latents)), learnt

    def _said(self, x: Samples) -> Tensor:
        factor = self.shape.factor
        if any(side % factor for side in x.shape[2:]):
            raise ValueError(f"sides of {tuple(x.shape[2:])} are no multiples of {factor}")
        return self.mix(self.encoder(x))


class Encoder(nn.Module):
    """Down through the levels, and through the middle."""

    def __init__(self, shape: AutoencoderShape, outputs: int) -> None:
        super().__init__()
        self.enter, self.down = conv(2, shape.channels, shape.widths[0]), nn.ModuleList()
        w = shape.widths[0]
        for level, wider in enumerate(shape.widths):
            for _ in range(shape.blocks):
                self.down.append(_block(shape, w, wider))
                w = wider
            if level < len(shape.widths) - 1:
                self.down.append(Downsample(w, w, after=True))
        self.middle, self.exit = _middle(shape, w), _exit(shape, w, outputs)

    def forward(self, x: Samples) -> Tensor:
        h = self.enter(x)
        for layer in [*self.down, *self.middle]:
            h = layer(h)
        return self.exit(h)


class Decoder(nn.Module):
    """Through the middle, and up through the levels."""

    def __init__(self, shape: AutoencoderShape, inputs: int) -> None:
        super().__init__()
        w = shape.widths[-1]
        self.enter, self.middle, self.up = conv(2, inputs, w), _middle(shape, w), nn.ModuleList()
        for level, wider in reversed(list(enumerate(shape.widths))):
            for _ in range(shape.blocks + 1):
                self.up.append(_block(shape, w, wider))
                w = wider
            if level:
                self.up.append(Upsample(w, w))
        self.exit = _exit(shape, w, shape.channels)

    @property
    def last_kernel(self) -> nn.Parameter:
        """The weight of the last layer, by whose gradient the parts of a loss are compared."""
        weight = self.exit[-1].weight
        assert isinstance(weight, nn.Parameter)
        return weight

    def forward(self, latents: Tensor) -> Samples:
        h = self.enter(latents)
        for layer in [*self.middle, *self.up]:
            h = layer(h)
        return self.exit(h)


def _block(shape: AutoencoderShape, inputs: int, outputs: int) -> ResidualBlock:
    return ResidualBlock(inputs, outputs, None, norm=partial(group_norm, groups=shape.groups, eps=1e-6))


def _middle(shape: AutoencoderShape, w: int) -> nn.ModuleList:
    """Two blocks, and attention between them where it was asked for."""
    norm = partial(group_norm, groups=shape.groups, eps=1e-6)
    between = [SelfAttention(w, norm=norm)] if shape.attention else []
    return nn.ModuleList([_block(shape, w, w), *between, _block(shape, w, w)])


def _exit(shape: AutoencoderShape, w: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(group_norm(w, shape.groups, 1e-6), nn.SiLU(), conv(2, w, outputs))
