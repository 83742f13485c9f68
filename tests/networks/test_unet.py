"""The U-Net takes any size, starts as nothing, and reads its condition as it should."""

import pytest
import torch

from fogcatcher.networks.embeddings import Vector
from fogcatcher.networks.unet import UNet

SQUARE = [(side, side) for side in (8, 12, 16, 20, 24, 28, 31, 32, 40, 48, 56, 64)]
SIZES = [*SQUARE, (16, 24), (24, 32), (40, 16), (9, 31)]


def network(size: tuple[int, int], channels: int = 4, seed: int = 0) -> UNet:
    """A network whose zero-initialised layers have been filled, so that everything shows."""
    torch.manual_seed(seed)
    net = UNet(channels, size, widths=(16, 32), attributes={"kind": Vector(3), "colour": Vector(2)})
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net.eval()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", [1, 4])
def test_any_size_comes_back_and_every_pixel_can_learn(size, channels):
    net = network(size, channels)
    x = torch.randn(2, channels, *size, requires_grad=True)
    out = net(x, torch.zeros(2))
    assert out.shape == x.shape
    (gradient,) = torch.autograd.grad(out.square().sum(), x)
    assert bool((gradient.abs() > 0).all())


def test_a_new_network_answers_zero():
    out = UNet(3, (16, 16))(torch.randn(2, 3, 16, 16), torch.zeros(2))
    assert not out.any()


def test_noise_level_and_condition_matter_and_silence_is_silence():
    net, x = network((16, 16)), torch.randn(1, 4, 16, 16)
    with torch.no_grad():
        plain = net(x, torch.zeros(1))
        assert (net(x, torch.ones(1)) - plain).abs().max() > 1e-3
        assert (net(x, torch.zeros(1), {"kind": torch.eye(3)[1:2]}) - plain).abs().max() > 1e-3
        assert net(x, torch.zeros(1), {"kind": torch.zeros(1, 3), "colour": torch.zeros(1, 2)}).equal(plain)


def test_samples_do_not_see_each_other():
    net, x = network((16, 16)), torch.randn(8, 4, 16, 16)
    with torch.no_grad():
        together, alone = net(x, torch.zeros(8))[3:4], net(x[3:4], torch.zeros(1))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_unknown_attributes_are_an_error():
    with pytest.raises(KeyError):
        network((16, 16))(torch.randn(1, 4, 16, 16), torch.zeros(1), {"mood": torch.zeros(1, 2)})
