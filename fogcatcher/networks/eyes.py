"""What a denoiser's network makes of noisy samples on its way: features by which two sets are compared."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.tensors import Samples, Times

ON_THE_WAY = ("down", "middle", "up", "blocks")
"""How all our networks call the layers between their first and their last."""


class LayersSeen:
    """The mean and the deviation of every channel over all places, layer by layer, told no condition.

    Raises ValueError for a network that has no layers of these names.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser.eval().requires_grad_(False)
        self.layers = layers_on_the_way(denoiser.network)
        if not self.layers:
            raise ValueError(f"{type(denoiser.network).__name__} has no layers to look with")

    def __call__(self, x_t: Samples, t: Times) -> list[Float[Tensor, "B D"]]:
        """Return (B, 2 channels) for each layer, with the gradient of x_t, (B, ...)."""
        seen: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, answer: Tensor) -> None:
            seen.append(_statistics(answer.float()))

        hooks = [layer.register_forward_hook(keep) for layer in self.layers]
        try:
            self.denoiser(x_t, t, None)
        finally:
            for hook in hooks:
                hook.remove()
        return seen


def layers_on_the_way(network: nn.Module) -> list[nn.Module]:
    """Return the layers of a network between its first and its last."""
    found: list[nn.Module] = []
    for name, child in network.named_children():
        if name.startswith(ON_THE_WAY):
            found.extend(child if isinstance(child, nn.ModuleList) else [child])
    return found


def _statistics(h: Tensor) -> Float[Tensor, "B D"]:
    """Of channels (B, C, places...), or of a transformer's tokens (B, places, C); (B, D) stays."""
    if h.ndim == 2:
        return h
    places = h.flatten(2) if h.ndim != 3 else h.transpose(1, 2)
    deviation = (places.var(2, correction=0) + 1e-4).sqrt()
    return torch.cat([places.mean(2), deviation], 1)
