"""What a network sees on its way: against its own layers, and that nothing of it is changed by looking."""

import pytest
import torch
from torch import nn

from fogcatcher.diffusion.denoiser import Denoiser, PredictX0
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import EDMSchedule
from fogcatcher.networks.eyes import LayersSeen, layers_on_the_way
from fogcatcher.networks.unet import UNet


def denoiser_of(network: nn.Module) -> Denoiser:
    return Denoiser(network, Process(EDMSchedule()), PredictX0())


class Two(nn.Module):
    """Doubles what it sees, and then adds where each place is."""

    def __init__(self) -> None:
        super().__init__()
        doubled = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(doubled.weight, 2.0)
        self.down = nn.ModuleList([doubled])
        self.middle = nn.Identity()

    def forward(self, x, noise_label, cond=None):
        h = self.down[0](x)
        return self.middle(h + torch.arange(4.0).reshape(2, 2))


def test_mean_and_deviation_of_every_layer_are_known():
    x = torch.tensor([[[[1.0, 1.0], [3.0, 3.0]]]])
    t = torch.zeros(1, dtype=torch.float64)  # without noise c_in is 1
    first, second = LayersSeen(denoiser_of(Two()))(x, t)
    assert first.tolist()[0] == pytest.approx([4.0, 2.0], abs=1e-4)
    # 2, 3, 8, 9
    assert second.tolist()[0] == pytest.approx([5.5, 9.25**0.5], abs=1e-4)


def test_looking_leaves_a_gradient_in_the_picture_alone():
    network = UNet(4, (8, 8), widths=(8, 16), patch=1)
    see = LayersSeen(denoiser_of(network))
    x = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    seen = see(x, torch.full((3,), 0.01, dtype=torch.float64))
    assert [len(layer[0]) for layer in seen] == [2 * w for w in (8, 16, 16, 16, 16, 8, 8)]
    torch.cat(seen, 1).sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0
    assert all(weight.grad is None for weight in network.parameters())
    assert not any(layer._forward_hooks for layer in layers_on_the_way(network))


def test_a_network_without_layers_is_refused():
    with pytest.raises(ValueError, match="Identity has no layers to look with"):
        LayersSeen(denoiser_of(nn.Identity()))
