"""A network for lessons: from every value to every value, for points and pictures of a few pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.networks.embeddings import ConditionEmbedding, Form, NoiseEmbedding


class Dense(nn.Module):
    """Residual blocks of two dense layers, told of the noise by scale and shift.

    ``shape`` is that of one sample: (2,) points in a plane, (1, 8, 8) small pictures. Nothing in it knows
    that pixels are neighbours, and it draws no other size. It begins with the answer 0. ``attributes`` names
    what it can be conditioned on; ``answers`` is how many times the channels of the input it returns.
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int = 256,
        blocks: int = 3,
        attributes: Mapping[str, Form] | None = None,
        answers: int = 1,
    ) -> None:
        super().__init__()
        size = math.prod(shape)
        self.noise = NoiseEmbedding(width)
        self.condition = ConditionEmbedding(width, attributes or {})
        self.enter = nn.Linear(size, width)
        self.blocks = nn.ModuleList(DenseBlock(width) for _ in range(blocks))
        self.exit = nn.Linear(width, answers * size)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, x: Samples, noise_label: Times, cond: Condition | None = None) -> Tensor:
        """Return the raw answer, (B, answers C, ...), for ``x``, (B, C, ...), and the noise label, (B,).

        Raises KeyError for an attribute that the network was not built with.
        """
        embedding = self.noise(noise_label)
        embedding = F.silu(embedding + self.condition(cond, embedding))
        h = self.enter(x.flatten(1))
        for block in self.blocks:
            h = block(h, embedding)
        return self.exit(F.silu(h)).reshape(len(x), -1, *x.shape[2:])


class DenseBlock(nn.Module):
    """h + W2 SiLU(W1 (LN(h) (1 + scale) + shift)); scale and shift are linear in the embedding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulate(embedding).chunk(2, 1)
        return h + self.layers(self.norm(h) * (1 + scale) + shift)
