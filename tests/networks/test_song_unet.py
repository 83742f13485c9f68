"""DDPM++ and NCSN++ have the layers of the paper, its filters, and its rule of sqrt 2."""

import math

import pytest
import torch
import torch.nn.functional as F

from fogcatcher.base.errors import UserError
from fogcatcher.networks.blocks import SelfAttention
from fogcatcher.networks.embeddings import Vector
from fogcatcher.networks.song_unet import (
    BINOMIAL,
    BOX,
    NoiseLevel,
    SongUNet,
    Stage,
    ddpmpp,
    doubled_by,
    halved_by,
    ncsnpp,
)

ROOT_2 = math.sqrt(2)
NCSNPP = {"embedding": "fourier", "taps": BINOMIAL, "encoder": "residual"}


@pytest.fixture(autouse=True)
def weights_from_a_seed():
    torch.manual_seed(0)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1000 + seed), dtype=dtype)


def small(channels: int = 3, size: tuple[int, int] = (16, 16), **options) -> SongUNet:
    return SongUNet(channels, size, width=8, multipliers=(1, 2, 2), blocks=1, attention_at=(8,), **options)


def filled(net: SongUNet) -> SongUNet:
    """The network with its zero-initialised layers filled, so that everything shows."""
    for i, parameter in enumerate(net.parameters()):
        parameter.data.add_(0.1 * noise(*parameter.shape, seed=i))
    return net.eval()


def kernel(inputs: int, outputs: int, side: int = 3) -> int:
    return side * side * inputs * outputs + outputs


def block(inputs: int, outputs: int, resampled: bool = False) -> int:
    """Norm, convolution, what is told, norm, convolution, shortcut."""
    shortcut = kernel(inputs, outputs, 1) if inputs != outputs or resampled else 0
    told = 512 * outputs + outputs
    return 2 * inputs + kernel(inputs, outputs) + told + 2 * outputs + kernel(outputs, outputs) + shortcut


def test_every_weight_of_the_cifar_networks_is_accounted_for():
    attention = 2 * 256 + kernel(256, 3 * 256, 1) + kernel(256, 256, 1)
    down = block(128, 256) + 11 * block(256, 256) + 2 * block(256, 256, True) + 4 * attention
    middle = 2 * block(256, 256) + attention
    # The way up joins what the way down left: 13 times 256 channels, and 2 times 128 at its two ends.
    up = 14 * block(512, 256) + block(256 + 128, 256) + 2 * block(256, 256, True) + attention
    ends = kernel(3, 128) + 2 * 256 + kernel(256, 3)
    layers = down + middle + up + ends
    told = kernel(128, 512, 1) + kernel(512, 512, 1)
    aside = kernel(3, 256) + kernel(256, 256)  # the pictures beside the residual encoder
    attributes = {"label": Vector(10), "augmentation": Vector(9)}
    for build, expected in ((ddpmpp, layers + told), (ncsnpp, layers + told + 128 * 512 + aside)):
        with torch.device("meta"):
            plain, knowing = build(3, (32, 32)), build(3, (32, 32), attributes=attributes)
        assert sum(parameter.numel() for parameter in plain.parameters()) == expected
        features = 128 if build is ddpmpp else 256
        assert sum(p.numel() for p in knowing.parameters()) == expected + 19 * features


@pytest.mark.parametrize("taps", [BOX, BINOMIAL], ids=str)
def test_the_filters_are_those_of_scipy(taps):
    convolve2d = pytest.importorskip("scipy.signal").convolve2d
    x = noise(2, 3, 6, 8, dtype=torch.float64)
    line = torch.tensor(taps, dtype=torch.float64)
    plane = (line[:, None] * line / line.sum() ** 2).numpy()
    reach = len(taps) // 2
    for picture, smaller, larger in zip(
        x.flatten(0, 1), halved_by(taps, x).flatten(0, 1), doubled_by(taps, x).flatten(0, 1), strict=True
    ):
        full = torch.from_numpy(convolve2d(picture.numpy(), plane))
        torch.testing.assert_close(smaller, full[reach : reach + 6 : 2, reach : reach + 8 : 2])
        spread = torch.zeros(12, 16, dtype=torch.float64)
        spread[::2, ::2] = picture
        full = 4 * torch.from_numpy(convolve2d(spread.numpy(), plane))
        torch.testing.assert_close(larger, full[reach - 1 : reach + 11, reach - 1 : reach + 15])


@pytest.mark.parametrize("taps", [BOX, BINOMIAL], ids=str)
def test_the_filters_keep_what_is_constant_and_where_it_lies(taps):
    ones = torch.ones(1, 1, 8, 8)
    assert halved_by(taps, ones)[..., 1:-1, 1:-1].eq(1).all()
    assert doubled_by(taps, ones)[..., 1:-1, 1:-1].eq(1).all()
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    torch.testing.assert_close(halved_by(taps, ramp)[0, 0, 1, 1:-1], torch.tensor([2.5, 4.5]))
    # Half of a pixel to the left and right of each, in between where the filter is wide enough.
    centres = doubled_by(taps, ramp)[0, 0, 4, 2:-2].unflatten(0, (-1, 2)).mean(1)
    torch.testing.assert_close(centres, torch.arange(1.0, 7.0))


def test_a_new_stage_only_passes_on_divided_by_the_root_of_2():
    x, told = noise(2, 8, 4, 4), noise(2, 32)
    torch.testing.assert_close(Stage(8, 8, 32, 0.0)(x, told), x / ROOT_2)
    torch.testing.assert_close(Stage(8, 8, 32, 0.0, attends=True)(x, told), x / 2)

    def halve(x: torch.Tensor) -> torch.Tensor:
        return halved_by(BINOMIAL, x)

    smaller = Stage(8, 8, 32, 0.0, resample=halve)
    torch.testing.assert_close(smaller(x, told), smaller.block.shortcut(halve(x)) / ROOT_2)


def test_the_sum_of_independent_branches_keeps_its_variance():
    stage = Stage(32, 32, 16, 0.0, attends=True)
    stage.block.conv2.register_forward_hook(lambda layer, inputs, output: noise(*output.shape, seed=1))
    attention = stage.attention
    assert isinstance(attention, SelfAttention)
    attention.out.register_forward_hook(lambda layer, inputs, output: noise(*output.shape, seed=2))
    y = stage(noise(16, 32, 16, 16), torch.zeros(16, 16))
    assert float(y.detach().var()) == pytest.approx(1, abs=0.02)


def test_the_residual_encoder_adds_the_picture_itself():
    net, x = filled(small(**NCSNPP)), noise(2, 3, 16, 16)
    inputs, outputs = [], []
    for stage in net.down:
        stage.register_forward_pre_hook(lambda stage, given: inputs.append(given[0]))
        stage.register_forward_hook(lambda stage, given, out: outputs.append(out))
    with torch.no_grad():
        net(x, torch.zeros(2))
        first = (outputs[1] + beside(net.aside[0], x)) / ROOT_2
        torch.testing.assert_close(inputs[2], first)
        second = (outputs[3] + beside(net.aside[1], first)) / ROOT_2
        torch.testing.assert_close(inputs[4], second)


def beside(layer: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Convolution, then filter, both as on a plane without a border, of which every second place is kept."""
    assert isinstance(layer, torch.nn.Conv2d)
    plane = F.conv2d(F.pad(x, (8, 8, 8, 8)), layer.weight, layer.bias, padding=1)
    for axis in (2, 3):
        rolled = [plane.roll(1 - place, axis) * tap / 8 for place, tap in enumerate(BINOMIAL)]
        plane = torch.stack(rolled).sum(0)
    return plane[..., 8:-8:2, 8:-8:2]


def test_attention_stands_at_its_resolution_last_on_the_way_up_and_in_the_middle():
    net = SongUNet(3, (32, 32), width=8, blocks=2)
    places = [name for name, _ in net.named_modules() if name.endswith("attention.qkv")]
    on = [name.removesuffix(".attention.qkv") for name in places]
    # Down: 2 at 32, then 1 + 2 at 16. Up: 3 at 8, 1 + 3 at 16.
    assert on == ["down.3", "down.4", "up.6", "middle.0"]


def test_the_noise_level_and_labels_by_hand():
    layer = NoiseLevel(4, "positional", {"label": Vector(9), "augmentation": Vector(2)}, ["augmentation"])
    cond = {"label": torch.eye(9)[3:4], "augmentation": torch.tensor([[0.5, -1.0]])}
    angles = torch.tensor([0.7, 0.7 / 10000])
    waves = torch.cat([angles.sin(), angles.cos()])
    label, augmentation = layer.condition.tables.parameters()
    waves = waves + 3 * label[:, 3] + 0.5 * augmentation[:, 0] - augmentation[:, 1]
    expected = F.silu(layer.layer2(F.silu(layer.layer1(waves))))
    torch.testing.assert_close(layer(torch.tensor([0.7]), cond)[0], expected)


def test_fourier_features_have_the_scale_of_the_paper():
    layer = NoiseLevel(256, "fourier", {}, ())
    assert float(layer.get_buffer("f").std()) == pytest.approx(16, rel=0.15)
    seen = []
    layer.layer1.register_forward_pre_hook(lambda layer, given: seen.append(given[0][0]))
    layer(torch.tensor([0.3]), None)
    angles = 2 * math.pi * 0.3 * layer.get_buffer("f").double()
    expected = torch.cat([angles.sin(), angles.cos()]).float()
    torch.testing.assert_close(seen[0], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("options", [{}, NCSNPP], ids=["ddpm++", "ncsn++"])
@pytest.mark.parametrize("size", [(16, 16), (12, 20), (4, 8)], ids=str)
def test_a_new_network_answers_zero_and_every_pixel_can_learn(options, size):
    net, x = small(size=size, answers=2, **options), noise(2, 3, *size).requires_grad_()
    answer = net(x, torch.zeros(2))
    assert answer.shape == (2, 6, *size)
    assert not answer.any()
    (gradient,) = torch.autograd.grad(filled(net)(x, torch.zeros(2)).square().sum(), x)
    assert bool((gradient.abs() > 0).all())


@pytest.mark.parametrize("options", [{}, NCSNPP], ids=["ddpm++", "ncsn++"])
def test_evaluation_repeats_to_the_bit_and_dropout_does_not(options):
    net, x = filled(small(**options)), noise(2, 3, 16, 16)
    with torch.no_grad():
        assert net(x, torch.zeros(2)).equal(net(x, torch.zeros(2)))
        net.train()
        assert not net(x, torch.zeros(2)).equal(net(x, torch.zeros(2)))


def test_noise_level_and_condition_matter_and_silence_is_silence():
    net, x = filled(small(attributes={"kind": Vector(3)}, **NCSNPP)), noise(1, 3, 16, 16)
    with torch.no_grad():
        plain = net(x, torch.zeros(1))
        assert (net(x, torch.ones(1)) - plain).abs().max() > 1e-3
        assert (net(x, torch.zeros(1), {"kind": torch.eye(3)[1:2]}) - plain).abs().max() > 1e-3
        assert net(x, torch.zeros(1), {"kind": torch.zeros(1, 3)}).equal(plain)
    with pytest.raises(KeyError):
        net(x, torch.zeros(1), {"mood": torch.zeros(1, 3)})


def test_sizes_that_cannot_be_halved_are_refused_with_the_nearest():
    with pytest.raises(UserError, match="16 x 20"):
        small(size=(15, 21))
    with pytest.raises(UserError, match="use 4 x 16"):
        small()(noise(1, 3, 1, 16), torch.zeros(1))
