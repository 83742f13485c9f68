"""Says how real a picture is: given the noisier one that it was drawn from, or patch by patch."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.networks.blocks import ResidualBlock, conv, halved, zeroed
from fogcatcher.networks.embeddings import ConditionEmbedding, Form, NoiseEmbedding


class PairCritic(nn.Module):
    """D(x_s, x_t, t, cond): both pictures side by side go down ``levels`` resolutions, and are summed up.

        D = w . h / n + e(cond) . V h / n,   h = sum over n positions of SiLU(features)

    The time is told as in every network here, the condition by a projection: Miyato & Koyama 2018, "cGANs
    with Projection Discriminator", equation 4. Before training it holds both equally likely.
    """

    def __init__(self, channels: int, width: int, levels: int, attributes: Mapping[str, Form]) -> None:
        super().__init__()
        e, self.multiple = 4 * width, 2 ** (levels - 1)
        self.noise, self.condition = NoiseEmbedding(e), ConditionEmbedding(e, attributes)
        self.enter, self.down = conv(2, 2 * channels, width), nn.ModuleList()
        w = width
        for level in range(levels):
            wider = width * 2**level
            self.down.append(ResidualBlock(w, wider, e, norm=_as_it_is, resample=halved if level else None))
            w = wider
        self.score, self.suits = zeroed(nn.Linear(w, 1)), zeroed(nn.Linear(w, e, bias=False))

    def forward(self, x_s: Samples, x_t: Samples, t: Times, cond: Condition | None = None) -> Tensor:
        """Return logits, (B,), for ``x_s`` and ``x_t``, (B, C, H, W), at times ``t`` of x_t, (B,)."""
        embedding = F.silu(self.noise(t.to(x_t)))
        height, width = x_t.shape[-2:]
        pair = torch.cat([x_s, x_t], 1)
        h = self.enter(F.pad(pair, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate"))
        for block in self.down:
            h = block(h, embedding)
        h = F.silu(h).mean((2, 3))
        asked = self.condition(cond, embedding)
        return self.score(h)[:, 0] + (asked * self.suits(h)).sum(1) / math.sqrt(asked.shape[1])


class PatchCritic(nn.Module):
    """D(x): how real each patch of a picture is, by convolutions of stride 2 without a norm.

    Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", section 3.2.2;
    theirs has batch norm, by which a patch would be judged by what else is in its batch.
    """

    def __init__(self, channels: int, width: int = 32, levels: int = 2) -> None:
        super().__init__()
        self.layers, w = nn.ModuleList(), channels
        for level in range(levels):
            self.layers.append(nn.Conv2d(w, width * 2**level, 4, stride=2, padding=1))
            w = width * 2**level
        self.score = conv(2, w, 1)

    def forward(self, x: Samples) -> Tensor:
        """Return logits, (B, 1, H / 2^levels, W / 2^levels)."""
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return self.score(x)


def _as_it_is(channels: int) -> nn.Module:
    """No norm: it would hide from the critic how strong the features of one picture are."""
    return nn.Identity()
