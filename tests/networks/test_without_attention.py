"""Silent attention is attention whose last layer is zero."""

from importlib import import_module
from pkgutil import iter_modules

import pytest
import torch
from torch import nn

from fogcatcher import networks
from fogcatcher.networks import annotated_unet, blocks, thesis_unet, transformer
from fogcatcher.networks.thesis_unet import Stage
from fogcatcher.networks.without_attention import ADDS, IS_ADDED, without_attention


def random(layer: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return layer


def last_linear(layer: nn.Module) -> nn.Module:
    return [m for m in layer.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]


@pytest.mark.parametrize(
    "layer",
    [
        blocks.SelfAttention(32, 2),
        blocks.SelfAttention(32, 2, divisor=2**0.5),
        blocks.LinearAttention(32),
        annotated_unet.Attention(32),
        thesis_unet.Attention(32, Stage(groups=8)),
    ],
)
def test_silent_is_as_if_its_last_layer_were_zero(layer: nn.Module):
    x = torch.randn(2, 32, 4, 4, generator=torch.Generator().manual_seed(1))
    random(layer)
    spoken = layer(x)
    with without_attention(layer) as layers:
        silent = layer(x)
    assert layers == 1 and not torch.allclose(spoken, silent)
    last = last_linear(layer)
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.zero_()
    assert torch.equal(layer(x), silent)


def test_what_is_only_added_becomes_nothing():
    layer = random(transformer.Attention(32, 2))
    with without_attention(layer):
        assert not layer(torch.ones(1, 5, 32), None).any()


def test_none_is_forgotten():
    """Every class of the networks that is called so, but the one that reads what is asked for."""
    modules = [import_module(f"fogcatcher.networks.{m.name}") for m in iter_modules(networks.__path__)]
    found = {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__name__.endswith("Attention")
    }
    assert found - {blocks.CrossAttention} == {*ADDS, *IS_ADDED}
