"""The files that the runs of the reference begin with."""

from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel  # type: ignore[attr-defined]
from PIL import Image

from fogcatcher.data import sprites


def make_files(folder: Path) -> None:
    """Write my-sprites, 12 pictures in sub-folders by kind; mask.png, its lower half white; painted, 6 of the
    pictures with masks of what is opaque; and ddpm-tiny, an untrained model of diffusers."""
    for seed in range(12):
        sprite = sprites.draw(seed, sprites.KINDS[seed % 3])
        target = folder / "my-sprites" / sprite.kind / f"{seed}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sprite.pixels).save(target)
        if seed < 6:
            painted = folder / "painted"
            painted.mkdir(exist_ok=True)
            Image.fromarray(sprite.pixels).save(painted / f"{seed}.png")
            parts = np.where(sprite.pixels[..., 3] > 0, 1, 0).astype(np.uint8)
            Image.fromarray(parts).save(painted / f"{seed}.mask.png")
    half = np.zeros((16, 16), np.uint8)
    half[8:] = 255
    Image.fromarray(half).save(folder / "mask.png")
    _untrained().save_pretrained(folder / "ddpm-tiny")


def _untrained() -> DDPMPipeline:
    torch.manual_seed(0)
    network = UNet2DModel(
        sample_size=16,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=8,
    )
    return DDPMPipeline(network, DDPMScheduler())
