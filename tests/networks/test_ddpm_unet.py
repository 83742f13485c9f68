"""The blocks do what their equations say, and the U-Nets have as many weights as was published."""

import dataclasses
import json
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fogcatcher.base.errors import UserError
from fogcatcher.networks.blocks import (
    CrossAttention,
    Downsample,
    LinearAttention,
    ResidualBlock,
    SelfAttention,
    Upsample,
    conv,
    doubled,
    group_norm,
    halved,
    sinusoids,
    standardised,
)
from fogcatcher.networks.ddpm_unet import DDPMUNet, UNetShape, adm, ddpm, iddpm, legal_size
from fogcatcher.networks.embeddings import Vector

CLASSES = {"class": Vector(1000)}


def count(shape: UNetShape, attributes=None, answers: int = 1) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in DDPMUNet(3, shape, attributes, answers).parameters())


def test_ddpm_has_the_published_weights():
    """Ho et al. 2020, appendix B: 35.7 million for CIFAR-10, 114 million at 256 x 256."""
    assert count(ddpm()) == 35_746_307
    assert round(count(ddpm((256, 256), multipliers=(1, 1, 2, 2, 4, 4))) / 1e6) == 114


def test_iddpm_has_the_published_weights():
    """Nichol & Dhariwal 2021, and their README: 270M for ImageNet 64 x 64 with classes."""
    assert round(count(iddpm((64, 64), width=192), CLASSES, 2) / 1e7) == 27


@pytest.mark.parametrize(("side", "millions"), [(64, 296), (128, 422), (256, 554), (512, 559)])
def test_adm_has_the_published_weights(side, millions):
    """Dhariwal & Nichol 2021, table of hyperparameters: class-conditional ImageNet with learned variance."""
    shape = adm((64, 64), width=192, blocks=3) if side == 64 else adm((side, side))
    assert round(count(shape, CLASSES, 2) / 1e6) == millions


def small(**changes) -> UNetShape:
    shape = adm((16, 16), width=8, multipliers=(1, 2), blocks=1)
    return dataclasses.replace(shape, groups=4, head_channels=4, **changes)


def filled(network: nn.Module) -> nn.Module:
    """The network with its zeros filled, so that everything shows."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("size", [(16,), (8, 12), (4, 8, 4)], ids=str)
def test_every_position_learns_in_one_two_and_three_dimensions(size):
    network = filled(DDPMUNet(2, small(dims=len(size)), answers=2))
    x = torch.randn(2, 2, *size, requires_grad=True)
    out = network(x, torch.tensor([0.0, 5.0]))
    assert out.shape == (2, 4, *size)
    assert bool((torch.autograd.grad(out.square().sum(), x)[0].abs() > 0).all())


def test_a_volume_that_never_changes_in_depth_is_a_picture():
    """Kernels that are zero outside their middle slice take each slice of a volume through the 2-D block."""
    flat = filled(ResidualBlock(4, 6, 3, norm=nn.Identity))
    deep = ResidualBlock(4, 6, 3, dims=3, norm=nn.Identity)
    for name, weight in flat.state_dict().items():
        if weight.ndim == 4:
            padding = (0, 0, 0, 0, 1, 1) if weight.shape[-1] == 3 else (0,) * 6
            weight = F.pad(weight[:, :, None], padding)
        deep.get_parameter(name).data.copy_(weight)
    x, embedding = torch.randn(2, 4, 5, 6, 7), torch.randn(2, 3)
    slices = [flat(x[:, :, depth], embedding) for depth in range(5)]
    torch.testing.assert_close(deep(x, embedding), torch.stack(slices, dim=2))


def test_a_new_network_answers_zero():
    x = torch.randn(1, 3, 16, 16)
    assert not DDPMUNet(3, small())(x, torch.zeros(1)).any()


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_new_blocks_pass_on_what_they_are_given(dims):
    x, embedding = torch.randn(2, 8, *[4] * dims), torch.randn(2, 5)
    tokens = torch.randn(2, 3, 6)
    for y in (
        ResidualBlock(8, 8, 5, dims)(x, embedding),
        ResidualBlock(8, 8, 5, dims, scale_shift=False)(x, embedding),
        SelfAttention(8, 2, dims)(x),
        LinearAttention(8, 2, dims)(x),
        CrossAttention(8, 6, 2, dims)(x, tokens, torch.ones(2, 3, dtype=torch.bool)),
    ):
        assert y.equal(x)
    half = ResidualBlock(8, 8, 5, dims, divisor=math.sqrt(2))(x, embedding)
    torch.testing.assert_close(half, x / math.sqrt(2))
    assert SelfAttention(8, 2, dims, divisor=2.0)(x).equal(x / 2)
    torch.testing.assert_close(ResidualBlock(8, 8, 5, dims, resample=halved)(x, embedding), halved(x))
    assert ResidualBlock(8, 8, 5, dims, resample=doubled)(x, embedding).equal(doubled(x))


def test_resampling_stands_between_silu_and_convolution():
    """In the long branch as in the short one: conv(mean of SiLU), not the mean of conv."""
    block = ResidualBlock(2, 2, 1, norm=nn.Identity, resample=halved)
    with torch.no_grad():
        for layer in (block.conv1, block.conv2):
            layer.get_parameter("weight").copy_(nn.init.dirac_(torch.empty(2, 2, 3, 3)))
            layer.get_parameter("bias").zero_()
    x = 3 * torch.randn(1, 2, 6, 6)
    mean, mean_of_silu = (F.avg_pool2d(part, 2) for part in (x, F.silu(x)))
    torch.testing.assert_close(block(x, torch.ones(1, 1)), mean + F.silu(mean_of_silu))


@pytest.mark.parametrize("scale_shift", [True, False])
def test_the_embedding_is_added_before_the_norm_or_scales_and_shifts_after_it(scale_shift):
    block = ResidualBlock(4, 4, 1, norm=lambda c: group_norm(c, 2), scale_shift=scale_shift)
    told = torch.tensor([0.3, -0.2, 0.5, 1.0, 2.0, 0.1, -1.0, 0.7])[: 8 if scale_shift else 4]
    with torch.no_grad():
        block.get_parameter("modulate.weight").copy_(told[:, None])
        block.get_parameter("modulate.bias").zero_()
        block.conv2.get_parameter("weight").copy_(nn.init.dirac_(torch.empty(4, 4, 3, 3)))
    x = torch.randn(1, 4, 5, 5)
    h = block.conv1(F.silu(F.group_norm(x, 2)))
    scale, shift = (1 + told[:4, None, None], told[-4:, None, None])
    h = F.group_norm(h, 2) * scale + shift if scale_shift else F.group_norm(h + shift, 2)
    torch.testing.assert_close(block(x, torch.ones(1, 1)), x + F.silu(h))


@pytest.mark.parametrize(("dims", "heads"), [(1, 1), (2, 4), (3, 2)])
def test_self_attention_is_that_of_torch(dims, heads):
    ours, theirs = filled(SelfAttention(8, heads, dims)), nn.MultiheadAttention(8, heads, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.get_parameter("qkv.weight").flatten(1))
        theirs.in_proj_bias.copy_(ours.get_parameter("qkv.bias"))
        theirs.out_proj.weight.copy_(ours.get_parameter("out.weight").flatten(1))
        theirs.out_proj.bias.copy_(ours.get_parameter("out.bias"))
    x = torch.randn(2, 8, *range(2, 2 + dims))
    h = F.group_norm(x, 8, ours.get_parameter("norm.weight"), ours.get_parameter("norm.bias"))
    tokens = h.flatten(2).transpose(1, 2)
    expected = theirs(tokens, tokens, tokens, need_weights=False)[0]
    torch.testing.assert_close(ours(x) - x, expected.transpose(1, 2).reshape(x.shape), atol=1e-5, rtol=1e-4)


def test_cross_attention_is_that_of_torch_and_silence_changes_nothing():
    ours = filled(CrossAttention(8, 6, 2, norm=nn.Identity))
    theirs = nn.MultiheadAttention(8, 2, batch_first=True, kdim=6, vdim=6)
    key, value = ours.get_parameter("kv.weight").chunk(2)
    with torch.no_grad():
        theirs.q_proj_weight.copy_(ours.get_parameter("q.weight").flatten(1))
        theirs.k_proj_weight.copy_(key)
        theirs.v_proj_weight.copy_(value)
        theirs.in_proj_bias.copy_(torch.cat([ours.get_parameter("q.bias"), ours.get_parameter("kv.bias")]))
        theirs.out_proj.weight.copy_(ours.get_parameter("out.weight").flatten(1))
        theirs.out_proj.bias.copy_(ours.get_parameter("out.bias"))
    x, tokens = torch.randn(2, 8, 3, 4), torch.randn(2, 5, 6)
    present = torch.tensor([[True, True, False, True, False], [False] * 5])
    found = ours(x, tokens, present)
    positions = x[:1].flatten(2).transpose(1, 2)
    expected = theirs(positions, tokens[:1], tokens[:1], key_padding_mask=~present[:1], need_weights=False)[0]
    torch.testing.assert_close(
        found[:1] - x[:1], expected.transpose(1, 2).reshape(1, 8, 3, 4), atol=1e-5, rtol=1e-4
    )
    assert found[1].equal(x[1])
    shares = theirs(positions, tokens[:1], tokens[:1], key_padding_mask=~present[:1])[1]
    assert isinstance(ours, CrossAttention)
    looks = ours.weights(x, tokens, present)
    torch.testing.assert_close(looks[:1].mean(1), shares, atol=1e-6, rtol=1e-4)
    assert not looks[1].any()


def test_linear_attention_by_hand():
    """out_i = sum_d softmax_d(q_i)_d sum_j softmax_j(k_d)_j v_j, position by position."""
    block = filled(LinearAttention(4, 2, dims=1, norm=nn.Identity))
    x = torch.randn(1, 4, 3)
    q, k, v = block.get_submodule("qkv")(x)[0].reshape(3, 2, 2, 3)  # (head, feature, position) each
    mixed = torch.zeros(2, 2, 3)
    for head in range(2):
        for i in range(3):
            for d in range(2):
                weight = q[head, :, i].softmax(0)[d]
                mixed[head, :, i] += weight * (k[head, d].softmax(0) * v[head]).sum(1)
    torch.testing.assert_close(block(x), x + block.get_submodule("out")(mixed.reshape(1, 4, 3)))


def test_sinusoids_of_both_papers():
    """By hand for t = 7 and six features; a 7th is 0."""
    t = torch.tensor([7.0])
    of_ddpm = [7 * 10000 ** (-i / 2) for i in range(3)]
    of_adm = [7 * 10000 ** (-i / 3) for i in range(3)]
    expected = [f(angle) for f in (math.sin, math.cos) for angle in of_ddpm]
    torch.testing.assert_close(sinusoids(t, 6)[0], torch.tensor(expected))
    expected = [f(angle) for f in (math.cos, math.sin) for angle in of_adm]
    torch.testing.assert_close(sinusoids(t, 6, True, 0.0)[0], torch.tensor(expected))
    torch.testing.assert_close(sinusoids(t, 7, True, 0.0)[0], torch.tensor([*expected, 0.0]))


def test_standardised_weights_have_mean_0_and_variance_1():
    layer = conv(2, 3, 5)
    assert isinstance(layer, nn.Conv2d)
    x, plain = torch.randn(1, 3, 6, 6), layer.weight.detach().clone()
    weight = standardised(layer).get_submodule("parametrizations.weight")()
    torch.testing.assert_close(weight.mean((1, 2, 3)), torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(weight.var((1, 2, 3), correction=0), torch.ones(5), atol=1e-2, rtol=0)
    with torch.no_grad():
        first = layer(x)
        layer.get_parameter("parametrizations.weight.original").copy_(3 * plain + 1)
    torch.testing.assert_close(layer(x), first, atol=1e-2, rtol=1e-2)


def test_down_and_up_by_hand():
    """Ones as kernels count the positions they see: 4, 6 or 9 of 3 x 3, the more the fewer are padding."""
    up, down, behind = Upsample(1, 1), Downsample(1, 1), Downsample(1, 1, after=True)
    for layer in (up, down, behind):
        nn.init.ones_(layer.conv.get_parameter("weight"))
        nn.init.zeros_(layer.conv.get_parameter("bias"))
    ones = torch.ones(1, 1, 4, 4)
    assert down(ones).tolist() == [[[[4, 6], [6, 9]]]]
    assert behind(ones).tolist() == [[[[9, 6], [6, 4]]]]
    assert up(torch.ones(1, 1, 1, 1)).tolist() == [[[[4, 4], [4, 4]]]]


def test_checkpointing_changes_no_bit():
    """Dropout included: the second time, the same values are dropped."""
    shape = small(dropout=0.5)
    torch.manual_seed(0)
    plain = filled(DDPMUNet(3, shape))
    kept = DDPMUNet(3, shape, checkpointed=True)
    kept.load_state_dict(plain.state_dict())
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([1.0, 20.0])
    outs = []
    for network in (plain, kept):
        torch.manual_seed(3)
        outs.append(network(x, t))
        outs[-1].square().sum().backward()
    assert outs[0].equal(outs[1])
    for mine, other in zip(plain.parameters(), kept.parameters(), strict=True):
        assert mine.grad is not None and other.grad is not None and mine.grad.equal(other.grad)


def test_checkpointing_runs_the_layers_twice():
    network, calls = DDPMUNet(3, small(), checkpointed=True), []
    network.down[0].register_forward_pre_hook(lambda *_: calls.append(1))
    network(torch.randn(1, 3, 16, 16), torch.zeros(1)).sum().backward()
    assert len(calls) == 2


def test_conditions_are_added_and_silence_is_silence():
    network = filled(DDPMUNet(3, small(), {"class": Vector(4)}))
    x, t = torch.randn(1, 3, 16, 16), torch.zeros(1)
    plain = network(x, t)
    assert network(x, t, {"class": torch.zeros(1, 4)}).equal(plain)
    assert (network(x, t, {"class": torch.eye(4)[:1]}) - plain).abs().max() > 1e-3
    with pytest.raises(KeyError):
        network(x, t, {"mood": torch.zeros(1, 4)})


@pytest.mark.parametrize("family", [ddpm, iddpm, adm])
def test_sizes_that_cannot_be_halved_name_the_nearest(family):
    with pytest.raises(UserError, match="30 x 41 does not allow: use 32 x 40, the nearest size"):
        family((30, 41), multipliers=(1, 2, 2, 2))


def test_legal_sizes():
    assert legal_size((1, 11, 12, 13, 16), 4) == (8, 8, 16, 16, 16)
    with pytest.raises(ValueError, match=r"\(16, 16\) can"):
        DDPMUNet(3, small())(torch.randn(1, 3, 15, 16), torch.zeros(1))
    with pytest.raises(ValueError, match="2 entries"):
        DDPMUNet(3, small(attention_up=(True,)))


def test_attention_stands_where_the_papers_put_it():
    """At 16 x 16; at 16 and 8; at 32, 16 and 8. Of another size, at the next larger side of those."""
    assert ddpm().attention_down == (False, True, False, False)
    assert ddpm((24, 24)).attention_down == (False, True, False, False)
    assert iddpm().attention_up == (False, True, True, False)
    assert adm((256, 256)).attention_down == (False, False, False, True, True, True)
    assert adm((512, 256)).widths == (128, 256, 256, 512, 512, 1024, 1024)


@pytest.mark.parametrize("shape", [ddpm(), iddpm(), adm()])
def test_a_shape_survives_json(shape):
    read: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(shape)))
    read |= {name: tuple(value) for name, value in read.items() if isinstance(value, list)}
    assert UNetShape(**read) == shape
