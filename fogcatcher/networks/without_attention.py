"""A network whose attention is silent, to see what it is good for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from fogcatcher.networks import annotated_unet, blocks, magnitude_preserving, thesis_unet, transformer

ADDS = (
    blocks.SelfAttention,
    blocks.LinearAttention,
    annotated_unet.Attention,
    annotated_unet.LinearAttention,
    magnitude_preserving.MPAttention,
    thesis_unet.Attention,
)
"""Answer their input with something added to it."""
IS_ADDED = (transformer.Attention,)
"""Answer only what is added."""


def attentions(network: nn.Module) -> list[nn.Module]:
    """Return the layers by which places of a picture look at each other."""
    return [layer for layer in network.modules() if isinstance(layer, ADDS + IS_ADDED)]


@contextmanager
def without_attention(network: nn.Module) -> Iterator[int]:
    """Inside the ``with`` block attention adds nothing; yields how many layers that are."""
    layers = attentions(network)
    hooks = [layer.register_forward_hook(_silent) for layer in layers]
    try:
        yield len(layers)
    finally:
        for hook in hooks:
            hook.remove()


def _silent(layer: nn.Module, given: tuple[Any, ...], answer: Tensor) -> Tensor:
    if isinstance(layer, IS_ADDED):
        return answer * 0
    x: Tensor = given[0]
    return x / getattr(layer, "divisor", 1.0)
