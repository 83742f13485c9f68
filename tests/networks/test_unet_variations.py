"""What each choice about the U-Net of ADM adds, takes away or changes, counted by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from fogcatcher.base.errors import UserError
from fogcatcher.networks.blocks import LinearAttention, ResidualBlock, SelfAttention
from fogcatcher.networks.ddpm_unet import DDPMUNet, Resized, UNetShape, adm, sides_of
from fogcatcher.networks.variations import UNetChoices, varied

SIZE, WIDTHS, BLOCKS, EMBEDDING = (32, 32), (64, 128, 128), 2, 256
"""Sides 32, 16, 8, attention at all of them in heads of 64 channels."""
SHAPE = adm(SIZE, 64, (1, 2, 2), BLOCKS)
STAGES = 2 * BLOCKS + 1
"""Residual blocks of a level, down and up."""


def network(**choices) -> DDPMUNet:
    torch.manual_seed(0)
    return DDPMUNet(3, varied(SHAPE, SIZE, UNetChoices(**choices)))


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


PUBLISHED = count(network())


def parts(net: nn.Module, kind: type[nn.Module]) -> list:
    return [module for module in net.modules() if isinstance(module, kind)]


def attention(width: int) -> int:
    """A norm (2 w), queries, keys and values (3 w^2 + 3 w), and what leads back (w^2 + w)."""
    return 4 * width**2 + 6 * width


def test_nothing_chosen_is_the_paper():
    assert varied(SHAPE, SIZE, UNetChoices()) == SHAPE
    named = UNetChoices(
        blocks=2, attention=(32, 16, 8), head_channels=64, resample=True, scale_shift=True, rescaled=False
    )
    assert varied(SHAPE, SIZE, named) == SHAPE


def test_attention_stands_at_the_sides_that_are_named():
    at = {64: (32,), 128: (16, 8)}
    assert sides_of(SIZE, 3) == (32, 16, 8)
    without_16 = count(network(attention=(32, 8)))
    assert PUBLISHED - without_16 == STAGES * attention(128)
    nowhere = PUBLISHED - STAGES * sum(len(sides) * attention(width) for width, sides in at.items())
    assert count(network(attention=())) == nowhere
    assert count(network(attention=(), middle_attention=False)) == nowhere - attention(128)
    assert not parts(network(attention=(), middle_attention=False), SelfAttention)
    with pytest.raises(
        UserError, match="no level has a side of 4: attention can stand at 32, 16, 8, or none"
    ):
        network(attention=(8, 4))


def test_a_block_that_resamples_costs_a_block_where_a_convolution_was():
    """A block: two norms (4 w), two convolutions, and the noise level (e + 1) 2 w; there and back, twice."""
    more = sum(9 * w**2 + w + 4 * w + 2 * w * (EMBEDDING + 1) for w in (64, 128))
    back = sum(9 * w**2 + w + 4 * w + 2 * w * (EMBEDDING + 1) for w in (128, 128))
    net = network(resample=False)
    assert PUBLISHED - count(net) == more + back
    assert not any(isinstance(module.layer, ResidualBlock) for module in parts(net, Resized))


def test_addition_has_half_the_numbers_of_scale_and_shift():
    told = [block.conv1.out_channels for block in parts(network(), ResidualBlock)]
    assert PUBLISHED - count(network(scale_shift=False)) == sum(w * (EMBEDDING + 1) for w in told)


def test_depth_is_so_many_blocks_per_level():
    """One more on the way up, two in the middle, and two pairs that resample."""
    for blocks in (1, 2, 4):
        assert len(parts(network(blocks=blocks), ResidualBlock)) == 3 * (2 * blocks + 1) + 2 + 4


def test_every_level_may_have_a_depth_of_its_own():
    assert count(network(depths=(2, 2, 2))) == PUBLISHED
    net = network(depths=(1, 2, 4))
    assert len(parts(net, ResidualBlock)) == sum(2 * depth + 1 for depth in (1, 2, 4)) + 2 + 4
    for wrong in ({"depths": (1, 2)}, {"depths": (1, 2, 4), "blocks": 2}):
        with pytest.raises(UserError, match="depths takes a number for each of the 3 levels, without blocks"):
            network(**wrong)


def test_the_efficient_network_does_its_work_at_half_the_side():
    """One more pair that resamples; every block sees half the side, and attention stays at its sides."""
    net = network(resample_first=True, attention=(8, 4), resample=False)
    sides: dict[int, set[int]] = {}
    for block in parts(net, ResidualBlock):
        block.register_forward_hook(
            lambda block, given, answer: sides.setdefault(answer.shape[1], set()).add(answer.shape[2])
        )
    x = torch.randn(1, 3, 32, 32)
    assert net(x, torch.zeros(1)).shape == x.shape
    assert sides == {64: {16}, 128: {8, 4}}
    usual = network(attention=(16, 8), resample=False)
    # One more halving and doubling of 64 channels; the rest has the same numbers.
    assert count(net) - count(usual) == 2 * (9 * 64**2 + 64)
    shape = varied(SHAPE, SIZE, UNetChoices(resample_first=True))
    assert shape.attention_down == (True, True, False)  # 16 and 8; ADM's 32 is gone
    with pytest.raises(ValueError, match="cannot be halved often enough"):
        net(torch.randn(1, 3, 28, 28), torch.zeros(1))


def test_in_the_efficient_network_the_way_down_counts_for_less():
    """Convolutions that pass on what they see, blocks that add nothing: the answer is worked out by hand."""
    one = ((2,), (False,), (False,), (False,), (False,))
    shape = UNetShape(*one, blocks=1, frequencies=8, groups=1, middle=False, resample_first=True)
    net = DDPMUNet(2, shape)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if name.endswith("shortcut.weight"):  # the sum of what comes up and what came down
                weight.copy_(torch.eye(2).repeat(1, 2)[..., None, None])
            elif weight.ndim == 4 and "conv2" not in name:
                nn.init.dirac_(weight)
            elif name.endswith("bias"):
                weight.zero_()
    x, seen = torch.randn(1, 2, 4, 4), []
    net.exit.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    net(x, torch.zeros(1))
    half = x[..., ::2, ::2]  # a convolution of stride 2 that passes on its middle
    up = (1 + 2 / math.sqrt(2)) * half
    expected = (up.repeat_interleave(2, 2).repeat_interleave(2, 3) + x) / math.sqrt(2)
    torch.testing.assert_close(seen[0], expected, atol=1e-5, rtol=1e-4)


def test_heads_part_the_channels():
    """Softmax over positions in each head by itself, as it is written down here."""
    for choice, expected in (({"heads": 4}, {64: 4, 128: 4}), ({"head_channels": 32}, {64: 2, 128: 4})):
        layers = parts(network(**choice), SelfAttention)
        assert {layer.out.out_channels: layer.heads for layer in layers} == expected
        assert count(network(**choice)) == PUBLISHED
    layer = parts(network(heads=4), SelfAttention)[0]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.2)
        x = torch.randn(1, 64, 2, 2)
        q, k, v = layer.qkv(layer.norm(x)).flatten(2)[0].reshape(3, 4, 16, 4)
        mixed = [_attended(q[h], k[h], v[h]) for h in range(4)]
        by_hand = x + layer.out(torch.cat(mixed).reshape(1, 64, 2, 2))
    torch.testing.assert_close(layer(x), by_hand)


def _attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(channels, positions) each."""
    weights = torch.softmax(q.T @ k / math.sqrt(len(q)), dim=1)
    return (weights @ v.T).T


def test_rescaled_sums_start_as_the_input_over_the_root_of_two():
    """The branches that are added start as 0, so that what a block or attention gives is known."""
    x, embedding = torch.randn(1, 64, 4, 4), torch.randn(1, EMBEDDING)
    for rescaled, expected in ((False, x), (True, x / math.sqrt(2))):
        net = network(rescaled=rescaled)
        block, attention = parts(net, ResidualBlock)[0], parts(net, SelfAttention)[0]
        assert torch.allclose(block(x, embedding), expected)
        assert torch.allclose(attention(x), expected)
        assert all(part.divisor == block.divisor for part in parts(net, ResidualBlock))


def test_linear_attention_and_standardised_weights_and_dropout_arrive():
    net = network(linear_attention=True, heads=2)
    assert len(parts(net, LinearAttention)) == 3 * STAGES and len(parts(net, SelfAttention)) == 1
    net = network(standardise=True)
    for block in parts(net, ResidualBlock):
        mean, std = block.conv1.weight.flatten(1).mean(1), block.conv1.weight.flatten(1).std(1, correction=0)
        assert mean.abs().max() < 1e-5 and (std - 1).abs().max() < 0.05
    assert {layer.p for layer in parts(network(dropout=0.25), nn.Dropout)} == {0.25}


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"heads": 4, "head_channels": 8}, "say the same thing twice"),
        ({"heads": 5}, "attention over 64 channels cannot have 5 heads: choose a divisor of 64"),
        ({"head_channels": 48}, "attention over 64 channels cannot have heads of 48 channels"),
        ({"linear_attention": True, "head_channels": 8}, "linear attention takes heads"),
    ],
)
def test_what_excludes_itself_is_refused(choices: dict, said: str):
    with pytest.raises(UserError, match=said) as caught:
        network(**choices)
    assert caught.value.options == ("network_options",)


def test_a_shape_of_other_papers_is_varied_too():
    shape = UNetShape((32, 64), (False,) * 2, (False,) * 2, (False,) * 2, (False,) * 2)
    made = varied(shape, (16, 16), UNetChoices(attention=(8,), resample=True, rescaled=True))
    assert (made.attention_down, made.attention_up) == ((False, True), (False, True))
    assert made.blocks_down == made.blocks_up == (True, True)
    assert made.divisor == made.middle_divisor == math.sqrt(2)
