"""An autoencoder that loses nothing, so that what comes of its latents is known; and a small real one."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.data.latents.first_stage import FirstStage
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.model.autoencoder_files import save_autoencoder
from fogcatcher.networks.autoencoder import Autoencoder, AutoencoderShape
from fogcatcher.networks.bottlenecks import Gaussian

MEAN, DEVIATION = 3.0, 5.0


class Exact(Autoencoder):
    """z = 3 + 5 x, each block of 2 x 2 pixels side by side in the channels."""

    def __init__(self, channels: int) -> None:
        nn.Module.__init__(self)
        self.shape = AutoencoderShape(channels, (1, 1), latent=4 * channels)
        self.bottleneck = Gaussian(4 * channels)
        self.gain = nn.Parameter(torch.tensor(DEVIATION))

    def encode(self, x: Tensor) -> Tensor:
        return MEAN + self.gain * F.pixel_unshuffle(x, 2)

    def decode(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle((latents - MEAN) / self.gain, 2)


def exact_stage(channels: int = 3, side: int = 8, hash: str = "exact") -> FirstStage:
    return FirstStage(Exact(channels), PictureSpec(side, side, channels, channels in (2, 4), 0.5), hash)


def small_stage(folder: Path, channels: int = 4, seed: int = 0, **choices) -> Path:
    """Write an untrained autoencoder of factor 2 for pictures of 12 x 10 into a folder, and return it."""
    torch.manual_seed(seed)
    shape = AutoencoderShape(channels, (8, 8), groups=4, **choices)
    save_autoencoder(
        FirstStage(Autoencoder(shape), PictureSpec(10, 12, channels, channels in (2, 4), 0.5)), folder
    )
    return folder
