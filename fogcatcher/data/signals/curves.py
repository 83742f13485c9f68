"""Signals as people see them: curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

PAPER, LINE = (31, 33, 40), (72, 75, 90)
COLOURS = ((123, 155, 224), (208, 135, 58), (79, 157, 105), (176, 84, 143), (58, 166, 176))
WIDTH, HEIGHT, MARGIN = 160, 64, 4


def curves(x: Float[Tensor, "B _ L"]) -> UInt8[Tensor, "B 3 H W"]:
    """Return a picture, (N, 3, 64, 160), of each signal in [-1, 1], one colour for each channel."""
    drawn = np.stack([np.asarray(_curve(signal)) for signal in x])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous()


def _curve(signal: Float[Tensor, "C L"]) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    draw.line([(0, HEIGHT // 2), (WIDTH, HEIGHT // 2)], fill=LINE)
    for channel, values in enumerate(signal.clamp(-1.1, 1.1).tolist()):
        draw.line(_points(values), fill=COLOURS[channel % len(COLOURS)], width=2)
    return image


def _points(values: Sequence[float]) -> list[tuple[float, float]]:
    step = (WIDTH - 2 * MARGIN) / max(1, len(values) - 1)
    half = HEIGHT / 2 - MARGIN
    return [(MARGIN + i * step, HEIGHT / 2 - value * half) for i, value in enumerate(values)]
