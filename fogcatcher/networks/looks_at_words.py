"""Which places look at which words: read off the cross-attention of a network while it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fogcatcher.networks.blocks import CrossAttention


@dataclass
class Looks:
    """What was seen of one call of a network after another, each layer by itself."""

    layers: list[Tensor] = field(default_factory=list)
    """(B, L, positions...) each: the mean over the heads. Of the L tokens the first means no word."""
    present: Tensor | None = None
    """(B, L) truth values: which tokens there were; None where no layer looked."""

    def finest(self) -> Tensor:
        """Return the mean over the layers with the most positions."""
        most = max(layer[0, 0].numel() for layer in self.layers)
        return torch.stack([layer for layer in self.layers if layer[0, 0].numel() == most]).mean(0)


@contextmanager
def looking(network: nn.Module) -> Iterator[Looks]:
    """Inside the ``with`` block every layer of cross-attention tells where its places look."""
    looks = Looks()

    def keep(layer: CrossAttention, given: tuple[Any, ...], answer: Tensor) -> None:
        x, tokens, present = given
        looks.present = present
        each = layer.weights(x, tokens, present).mean(1)  # (B, positions, L)
        looks.layers.append(each.transpose(1, 2).unflatten(2, x.shape[2:]).detach())

    layers = [layer for layer in network.modules() if isinstance(layer, CrossAttention)]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        yield looks
    finally:
        for hook in hooks:
            hook.remove()
