"""The teaching networks have the published numbers of parameters, and their published defects are gone."""

import math

import pytest
import torch
from torch import Tensor, nn

from fogcatcher.base.errors import UserError
from fogcatcher.networks import annotated_unet, thesis_unet
from fogcatcher.networks.annotated_unet import AnnotatedUNet, LinearAttention, Sinusoid, StandardisedConv2d
from fogcatcher.networks.context_unet import ContextUnet, ContextVector, FirstBlock
from fogcatcher.networks.embeddings import Vector
from fogcatcher.networks.sequences import Words
from fogcatcher.networks.thesis_unet import ATTENTIVE, FINAL, VANILLA, ChannelNorm, ThesisUNet

ATTRIBUTES = {"kind": Vector(3), "name": Words(9)}
SMALL = {
    "context": lambda **rest: ContextUnet(2, (8, 12), 16, **rest),
    "annotated": lambda **rest: AnnotatedUNet(2, (8, 12), 8, (1, 2), **rest),
    "vanilla": lambda **rest: ThesisUNet(2, (8, 16), 16, stage=VANILLA, **rest),
    "attentive": lambda **rest: ThesisUNet(2, (8, 16), 16, stage=ATTENTIVE, **rest),
    "final": lambda **rest: ThesisUNet(2, (8, 16), 16, stage=FINAL, **rest),
}
every = pytest.mark.parametrize("name", SMALL)


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def network(name: str, **rest) -> nn.Module:
    """A network that has seen one batch, so that batch normalisation has something to go by."""
    torch.manual_seed(0)
    net = SMALL[name](attributes=ATTRIBUTES, **rest)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net(*noisy(name))
    return net.eval()


def noisy(name: str) -> tuple[Tensor, Tensor]:
    """Two noisy pictures of the right size, and their noise labels."""
    width = 12 if name in ("context", "annotated") else 16
    return torch.randn(2, 2, 8, width, generator=torch.Generator().manual_seed(1)), torch.tensor([0.3, 0.9])


@pytest.mark.parametrize(("features", "published"), [(64, 1_480_771), (32, 372_771)])
def test_the_course_network_has_the_published_count(features, published):
    net = ContextUnet(3, (16, 16), features, {"kind": Vector(5)})
    assert count(net) - count(net.init.shortcut) == published  # the course threw its shortcut away


def test_every_part_of_the_course_network_has_the_published_count():
    net = ContextUnet(3, (16, 16), 64, {"kind": Vector(5)})
    assert count(net.init.convolutions) == 38_976
    assert (count(net.down1), count(net.down2)) == (148_224, 517_632)
    assert (count(net.timeembed1), count(net.timeembed2)) == (16_768, 4_288)
    assert (count(net.contextembed1), count(net.contextembed2)) == (17_280, 4_544)
    assert (count(net.up0), count(net.up1), count(net.up2)) == (262_528, 213_824, 181_056)
    assert count(net.out) == 75_651


def test_the_annotated_network_has_the_published_count():
    assert count(AnnotatedUNet(1)) == 2_020_257


def test_the_thesis_network_has_the_published_count_and_its_first_stage_no_attention():
    types = {"type": Vector(18)}
    final = count(ThesisUNet(3, attributes=types))
    assert final == 8_965_315
    assert count(ThesisUNet(3, stage=ATTENTIVE, attributes=types)) == final
    # Norm (2 C) and four linear layers (C^2 + C each) at 128, 128, 256, twice, and 256 at the bottom; and the
    # wave has 128 numbers where the bare label has one, in a layer of 128.
    attention = sum(2 * c + 4 * (c * c + c) for c in (128, 128, 256, 128, 128, 256, 256))
    assert count(ThesisUNet(3, stage=VANILLA, attributes=types)) == final - attention - 127 * 128


def test_only_the_final_stage_drops_and_only_in_the_deeper_blocks():
    def rates(stage):
        blocks = [m for m in ThesisUNet(3, stage=stage).modules() if isinstance(m, thesis_unet.Block)]
        return [block.dropout.p for block in blocks]

    down, up, bottom = [0, 0, 0.1, 0.1], [0.1, 0.1, 0.1, 0], [0.1, 0.1]
    assert rates(FINAL) == [*down, *up, *bottom]
    assert not any(rates(ATTENTIVE) + rates(VANILLA))


@every
def test_two_calls_agree_bit_for_bit(name):
    net, (x, label) = network(name), noisy(name)
    with torch.no_grad():
        assert net(x, label).equal(net(x, label))


@every
def test_gradients_reach_every_parameter(name):
    net, (x, label) = network(name), noisy(name)
    cond = {"kind": torch.eye(3)[:2], "name": torch.tensor([[2.0, 3.0], [4.0, 0.0]])}
    net(x, label, cond).square().sum().backward()
    silent = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


@every
def test_conditions_and_noise_level_matter_and_silence_is_silence(name):
    net, (x, label) = network(name), noisy(name)
    hero, word = torch.eye(3)[[1, 1]], torch.tensor([[2.0, 0.0]] * 2)
    with torch.no_grad():
        plain = net(x, label)
        assert (net(x, label + 0.5) - plain).abs().max() > 1e-4
        for said in ({"kind": hero}, {"name": word}):
            assert (net(x, label, said) - plain).abs().amax((1, 2, 3)).min() > 1e-5
        assert net(x, label, {"name": 0 * word, "kind": 0 * hero}).equal(plain)
        assert net(x, label, {"name": word, "kind": 0 * hero}).equal(net(x, label, {"name": word}))
    with pytest.raises(KeyError):
        net(x, label, {"mood": hero})


@every
def test_samples_do_not_see_each_other(name):
    net, (x, label) = network(name), noisy(name)
    with torch.no_grad():
        together, alone = net(x, label)[1:], net(x[1:], label[1:])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@every
def test_more_answers_are_more_channels_of_the_last_layer_only(name):
    net, (x, label) = network(name, answers=2), noisy(name)
    assert net(x, label).shape == (2, 4, *x.shape[2:])
    last = net.out[-1] if isinstance(net.out, nn.Sequential) else net.out
    assert isinstance(last, nn.Conv2d)
    assert count(net) - count(network(name)) == count(last) / 2


@every
def test_without_attributes_nothing_can_be_said(name):
    net, (x, label) = SMALL[name]().eval(), noisy(name)
    with torch.no_grad():
        assert net(x, label).isfinite().all()
    with pytest.raises(KeyError):
        net(x, label, {"kind": torch.eye(3)[:2]})


@pytest.mark.parametrize(
    ("build", "nearest"),
    [
        (lambda: ContextUnet(3, (18, 29)), "20 x 28"),
        (lambda: ContextUnet(3, (1, 16)), "4 x 16"),
        (lambda: ContextUnet(3, (16, 16), 20), "24"),
        (lambda: AnnotatedUNet(3, (31, 28)), "32 x 28"),
        (lambda: AnnotatedUNet(3, (28, 28), 30), "32"),
        (lambda: ThesisUNet(3, (28, 35)), "32 x 32"),
        (lambda: ThesisUNet(3, width=40), "48"),
    ],
)
def test_a_size_that_does_not_fit_is_refused_with_the_nearest_that_does(build, nearest):
    with pytest.raises(UserError, match=rf"take {nearest}\.$"):
        build()


def test_the_course_network_fits_one_size_and_the_others_any_that_halves():
    label = torch.tensor([0.5])
    with torch.no_grad():
        with pytest.raises(ValueError, match="built for"):
            network("context")(torch.randn(1, 2, 12, 8), label)
        for name in ("annotated", "final"):
            assert network(name)(torch.randn(1, 2, 16, 8), label).isfinite().all()


def test_the_first_block_adds_a_lasting_shortcut():
    block = FirstBlock(3, 8).eval()
    for parameter in block.convolutions.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 3, 4, 4)
    expected = torch.einsum("oi,bihw->bohw", block.shortcut.weight[:, :, 0, 0], x)
    block.shortcut.bias = None
    torch.testing.assert_close(block(x), expected / 2**0.5)


def test_the_context_is_all_attributes_in_their_order():
    context = ContextVector({"a": Vector(2), "b": Vector(1)})
    rows = context({"b": torch.tensor([[5.0]]), "a": torch.tensor([[3.0, 4.0]])}, torch.zeros(1))
    assert rows.tolist() == [[3, 4, 5]]
    assert context({"b": torch.tensor([[5.0]])}, torch.zeros(1)).tolist() == [[0, 0, 5]]


def test_standardised_filters_have_mean_0_and_variance_1():
    conv = StandardisedConv2d(6, 4, 3, padding=1)
    w = conv.standardised()
    torch.testing.assert_close(w.mean((1, 2, 3)), torch.zeros(4), atol=1e-6, rtol=0)
    # var / (var + eps), with the variance 1 / (3 fan_in) of torch's initialisation, is 1 within 1e-3
    torch.testing.assert_close(w.var((1, 2, 3), correction=0), torch.ones(4), atol=5e-3, rtol=0)
    x = torch.randn(2, 6, 5, 5)
    before = conv(x)
    with torch.no_grad():
        conv.weight.mul_(30).add_(7)
    torch.testing.assert_close(conv(x), before, atol=5e-3, rtol=5e-3)


def test_sinusoids_of_known_angles():
    quarter, far = math.pi / 2, 10_000 * math.pi / 2
    waves = Sinusoid(4)(torch.tensor([0.0, quarter, far]))
    slow = quarter / 10_000
    expected = torch.tensor([[0, 0, 1, 1], [1, math.sin(slow), 0, math.cos(slow)]])
    torch.testing.assert_close(waves[:2], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(waves[2, [1, 3]], torch.tensor([1.0, 0.0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("kind", "scale"), [(LinearAttention, 32**-0.5), (annotated_unet.Attention, 1.0)])
def test_attention_to_equal_keys_is_the_mean_of_the_values(kind, scale):
    """Where all keys are equal every position weighs the same, whatever is asked."""
    attention, x = kind(8), torch.randn(2, 8, 4, 6)
    with torch.no_grad():
        attention.qkv.weight[128:256] = 0
        values = attention.qkv(attention.norm(x))[:, 256:]
        mean = values.mean((2, 3), keepdim=True).expand_as(values)
        torch.testing.assert_close(attention(x), x + attention.out(scale * mean), atol=1e-5, rtol=1e-4)


def test_linear_attention_is_the_product_of_its_softmaxes():
    """Against the long way: all n x n weights, one head, in float64."""
    attention, x = LinearAttention(8).double(), torch.randn(1, 8, 3, 5, dtype=torch.float64)
    q, k, v = attention.qkv(attention.norm(x)).reshape(3, 4, 32, 15)
    weights = torch.einsum("hdi,hdj->hij", q.exp() / q.exp().sum(1, True), k.exp() / k.exp().sum(2, True))
    mixed = torch.einsum("hij,hdj->hdi", weights, v) / 32**0.5
    torch.testing.assert_close(attention(x), x + attention.out(mixed.reshape(1, 128, 3, 5)))


def test_the_annotated_block_scales_and_shifts_between_norm_and_activation():
    block, x = annotated_unet.ResidualBlock(4, 4, 8), torch.randn(2, 4, 5, 5)
    with torch.no_grad():
        block.modulate.weight.zero_()
        block.modulate.bias.copy_(torch.tensor([1.0] * 4 + [3.0] * 4))  # scale 1 doubles
    h = nn.functional.silu(2 * block.norm1(block.conv1(x)) + 3)
    expected = x + nn.functional.silu(block.norm2(block.conv2(h)))
    torch.testing.assert_close(block(x, torch.randn(2, 8)), expected)


def test_the_annotated_skips_go_from_every_block_to_its_mirror_image():
    net = network("annotated")
    assert isinstance(net, AnnotatedUNet)
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def see(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        seen[module] = given[0], out

    for module in net.modules():
        module.register_forward_hook(see)
    net(*noisy("annotated"))
    levels = zip(net.down, reversed(net.up), strict=True)
    pairs = [(net.init, net.last)]
    for down, up in levels:
        assert isinstance(down, annotated_unet.Down) and isinstance(up, annotated_unet.Up)
        pairs += [(down.attention, up.block1), (down.block1, up.block2)]
    for source, goal in pairs:
        given, skip = seen[goal][0], seen[source][1]
        assert given[:, -skip.shape[1] :].equal(skip)


def test_attention_adds_to_its_input_as_it_came_in():
    """The thesis added to the normalised input: with nothing to add, x came out with variance 1."""
    attention, x = thesis_unet.Attention(16, FINAL), 5 + 3 * torch.randn(2, 16, 4, 4)
    for parameter in attention.out.parameters():
        nn.init.zeros_(parameter)
    assert attention(x).equal(x)


def test_the_thesis_block_multiplies_by_the_label_and_adds_the_time():
    """A label of 0 silences the branch; then only the time and the parallel convolution are left."""
    block = thesis_unet.Block(3, 16, 8, False, VANILLA)
    for parameter in block.label.parameters():
        nn.init.zeros_(parameter)
    x, time = torch.randn(2, 3, 4, 4), torch.randn(2, 8)
    h = block.time(time).relu()[:, :, None, None] + block.parallel(x)
    torch.testing.assert_close(block(x, torch.randn(2, 8), time), block.norm2(h).relu())


def test_channel_norm_takes_each_position_for_itself():
    x = torch.tensor([[3.0, -1.0], [1.0, 5.0]])[None, :, None]  # channels (3, 1) left, (-1, 5) right
    expected = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])[None, :, None]
    torch.testing.assert_close(ChannelNorm(2, 1e-6)(x), expected, atol=1e-5, rtol=0)
