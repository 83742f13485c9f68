"""Seamless tiles: convolution around the edge is multiplication of spectra, and shifts pass through."""

import pytest
import torch
from torch import nn

from fogcatcher.base.errors import UserError
from fogcatcher.diffusion.edits.tiling import CircularPadding, Tile
from fogcatcher.model.model import load
from fogcatcher.networks.unet import UNet
from tests.edit_models import small_model


def test_convolution_around_the_edge_is_a_product_of_spectra():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 8, 6, generator=generator, dtype=torch.float64)
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False).double()
    with CircularPadding(), torch.no_grad():
        y = layer(x)
    kernel = torch.zeros(8, 6, dtype=torch.float64)
    for i in range(3):
        for j in range(3):  # torch correlates, so the kernel stands mirrored about 0
            kernel[1 - i, 1 - j] = layer.weight[0, 0, i, j].detach()
    product = torch.fft.ifft2(torch.fft.fft2(x[0, 0]) * torch.fft.fft2(kernel)).real
    assert torch.allclose(y[0, 0], product)
    with torch.no_grad():
        assert not torch.allclose(layer(x), y)  # off again


def test_a_shift_of_the_noise_is_a_shift_of_the_picture():
    """By multiples of 4, since the small network of three levels and patches of 1 halves twice."""
    net = UNet(4, (16, 16), patch=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    x, label = torch.randn(2, 4, 16, 16, generator=generator), torch.zeros(2)
    with torch.no_grad(), CircularPadding():
        shifted = net(x.roll((4, 8), (2, 3)), label)
        assert torch.allclose(shifted, net(x, label).roll((4, 8), (2, 3)), atol=1e-4)
    with torch.no_grad():
        assert not torch.allclose(net(x.roll((4, 8), (2, 3)), label), shifted, atol=1e-2)


def test_edges_match():
    """Across the seam pixels differ as much as inside; in plain sprites the border is empty instead."""
    tiles = load("sprites").sample(24, {"kind": "creature"}, edit=Tile(), steps=12).raw
    seam = (tiles[..., 0] - tiles[..., -1]).abs().mean() + (tiles[..., 0, :] - tiles[..., -1, :]).abs().mean()
    inside = tiles.diff(dim=-1).abs().mean() + tiles.diff(dim=-2).abs().mean()
    assert 0.8 < (seam / inside).item() < 1.25
    opaque = (tiles[:, 3] > 0).double().mean(0)
    border = (opaque[0].mean() + opaque[:, 0].mean()) / 2
    assert border.item() > 0.2  # a border of sprites has hardly an opaque pixel


def test_networks_that_know_their_edges_are_refused():
    with pytest.raises(UserError, match="cannot draw seamless tiles of 10x12"):
        small_model(size=(12, 10)).sample(1, {}, steps=2, edit=Tile())
    with pytest.raises(UserError, match="multiple of 8"):
        small_model(size=(16, 16), network="transformer", width=64).sample(1, {}, steps=2, edit=Tile())
    assert small_model(size=(16, 24)).sample(1, {}, steps=2, edit=Tile()).raw.isfinite().all()
