"""The loss of autoencoders: what counts against what, whatever the size of picture and batch."""

import pytest
import torch
from torch import nn

from fogcatcher.networks.autoencoder import Autoencoder
from fogcatcher.networks.bottlenecks import Learnt
from fogcatcher.training.reconstruction import Reconstruction


class Off(Autoencoder):
    """Gives pictures back a quarter too bright, at a cost of 2 for each of 3 h w latents."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def learnt(self, x, generator):
        latents = torch.zeros(len(x), 3, x.shape[2] // 4, x.shape[3] // 4)
        return x + 0.25, Learnt(latents, torch.full((len(x),), 2.0 * latents[0].numel()))


@pytest.mark.parametrize("batch", [1, 6])
@pytest.mark.parametrize("side", [8, 32])
def test_the_weight_of_latents_depends_neither_on_batch_nor_on_size(batch, side):
    """Per pixel value: 1/4 of error, and weight x 2 x 3 / (16 x 3) of cost."""
    x = torch.rand(batch, 3, side, side)
    loss = Reconstruction(0.5)(Off(), x, None, torch.Generator())
    assert loss.item() == pytest.approx(0.25 + 0.5 * 2 * 3 / (16 * 3), rel=1e-6)
