"""Every layer keeps magnitude 1, weights are forced to it, and the network starts as nothing."""

import math

import pytest
import torch
import torch.nn.functional as F
from numpy.polynomial.hermite_e import hermegauss

from fogcatcher.networks.embeddings import Vector
from fogcatcher.networks.magnitude_preserving import (
    SILU_MAGNITUDE,
    MPAttention,
    MPBlock,
    MPConditionEmbedding,
    MPConv,
    MPFourier,
    MPLinear,
    MPUNet,
    MPWeight,
    Uncertainty,
    mp_cat,
    mp_silu,
    mp_sum,
    unit,
)
from fogcatcher.networks.sequences import Words


@pytest.fixture(autouse=True)
def weights_from_a_seed():
    torch.manual_seed(0)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    # Not the stream of torch.manual_seed(0), which the weights come from.
    return torch.randn(shape, generator=torch.Generator().manual_seed(1000 + seed))


def magnitude(x: torch.Tensor) -> float:
    return float(x.detach().double().square().mean().sqrt())


def small(**options) -> MPUNet:
    return MPUNet(3, (16, 16), width=16, multipliers=(1, 2), blocks=1, attention_at=(8,), **options)


def opened(net: MPUNet) -> MPUNet:
    """The network with all its gains at 1, so that everything shows."""
    for name, parameter in net.named_parameters():
        if name.endswith("gain"):
            torch.nn.init.ones_(parameter)
    return net.eval()


def test_the_magnitude_of_silu_by_quadrature():
    z, weights = (torch.from_numpy(part) for part in hermegauss(200))
    mean_square = (weights * F.silu(z) ** 2).sum() / math.sqrt(2 * math.pi)
    assert abs(mean_square.sqrt() - SILU_MAGNITUDE) < 5e-4  # the paper gives three digits
    assert magnitude(mp_silu(noise(10**6))) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("t", [0.0, 0.3, 0.5, 1.0])
def test_sums_and_joins_keep_magnitude_1(t):
    a, b = noise(64, 24, 100), noise(64, 24, 100, seed=1)
    expected = ((1 - t) * a + t * b) / math.sqrt((1 - t) ** 2 + t**2)
    torch.testing.assert_close(mp_sum(a, b, t), expected)
    assert magnitude(mp_sum(a, b, t)) == pytest.approx(1, abs=0.01)
    joined = mp_cat(a, b[:, :8], t)
    assert magnitude(joined) == pytest.approx(1, abs=0.01)
    # The squares of the parts are as (1 - t)^2 to t^2, however many channels each has.
    of_b = float(joined[:, 24:].square().sum() / joined.square().sum())
    assert of_b == pytest.approx(t**2 / ((1 - t) ** 2 + t**2), abs=0.01)


def test_joining_by_hand():
    a, b = torch.ones(1, 3, 1), torch.ones(1, 1, 1)
    root = math.sqrt(4 / (0.25 + 0.25))
    expected = [root * 0.5 / math.sqrt(3)] * 3 + [root * 0.5]
    torch.testing.assert_close(mp_cat(a, b).flatten(), torch.tensor(expected))


def test_unit_scales_along_the_given_axes_and_keeps_zero():
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    root = math.sqrt(12.5)
    torch.testing.assert_close(unit(x, [1]), torch.tensor([[3 / root, 4 / root], [0, 0]]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_keeps_magnitude_1(kernel):
    layer = MPConv(96, 256, kernel)
    inside = layer(noise(2, 96, 24, 24))[..., 1:-1, 1:-1]  # zeros stand around the border
    assert magnitude(inside) == pytest.approx(1, abs=0.02)
    assert magnitude(layer(noise(2, 96, 24, 24), 0.5)[..., 1:-1, 1:-1]) == pytest.approx(0.5, abs=0.01)


def test_linear_and_fourier_keep_magnitude_1():
    assert magnitude(MPLinear(128, 512)(noise(200, 128))) == pytest.approx(1, abs=0.02)
    assert magnitude(MPFourier(4096)(noise(100))) == pytest.approx(1, abs=0.02)


def test_fourier_is_the_formula():
    layer = MPFourier(5)
    f, phi = layer.get_buffer("f").double(), layer.get_buffer("phi").double()
    x = torch.tensor([-1.5, 0.25])
    expected = math.sqrt(2) * torch.cos(2 * math.pi * f * x[:, None] + 2 * math.pi * phi)
    torch.testing.assert_close(layer(x).double(), expected, atol=1e-5, rtol=0)


def test_training_forces_every_filter_to_magnitude_1():
    net = opened(small(attributes={"kind": Vector(3)})).train()
    layers = [layer for layer in net.modules() if isinstance(layer, MPWeight)]
    assert len(layers) > 20
    with torch.no_grad():
        for layer in layers:
            layer.weight.mul_(3.0)
    x, label, cond = noise(2, 3, 16, 16), torch.zeros(2), {"kind": torch.eye(3)[:2]}
    net.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    answer = net(x, label, cond)
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
    trained = net.train()(x, label, cond)
    for layer in layers:
        rms = layer.weight.flatten(1).square().mean(1).sqrt()
        torch.testing.assert_close(rms, torch.ones_like(rms), atol=2e-4, rtol=0)
        norms = layer.filters().flatten(1).norm(dim=1)
        torch.testing.assert_close(norms, torch.ones_like(norms), atol=2e-4, rtol=0)
    # The scale of a weight means nothing: as many times 3 as there are layers changed no answer.
    torch.testing.assert_close(trained, answer, atol=0.01, rtol=0)


def test_the_gradient_stands_at_right_angles_to_every_filter():
    layer = MPConv(4, 6)
    layer(noise(2, 4, 8, 8)).pow(3).sum().backward()
    assert layer.weight.grad is not None
    along = (layer.weight.grad * layer.weight).flatten(1).sum(1)
    scale = layer.weight.grad.flatten(1).norm(dim=1) * layer.weight.flatten(1).norm(dim=1)
    assert (along / scale).abs().max() < 2e-3  # but for epsilon


def test_two_calls_may_share_one_backward():
    layer = MPLinear(4, 4)
    first = layer(noise(3, 4))
    (first + layer(noise(3, 4, seed=1))).square().sum().backward()
    assert layer.weight.grad is not None


def test_a_new_network_answers_zero_and_can_learn():
    net, x = small(answers=2), noise(2, 3, 16, 16)
    answer = net(x, torch.zeros(2))
    assert answer.shape == (2, 6, 16, 16)
    assert not answer.any()
    (answer - 1).square().sum().backward()
    assert net.gain.grad is not None
    assert net.gain.grad.abs() > 0


def test_there_are_no_biases_and_no_norms_to_learn():
    names = [name for name, _ in small(attributes={"kind": Vector(3)}).named_parameters()]
    assert {name.split(".")[-1] for name in names} == {"weight", "gain"}


def test_a_channel_of_ones_stands_for_all_biases():
    # Without it, nothing but zero could come of zero.
    with torch.no_grad():
        assert opened(small())(torch.zeros(1, 3, 16, 16), torch.zeros(1)).abs().max() > 0.1


def test_every_weight_is_accounted_for():
    with torch.device("meta"):
        net = MPUNet(4, (64, 64), width=128, attributes={"class": Vector(1000)})
    e = 4 * 128  # the embedding is as wide as the widest level

    def block(inputs: int, outputs: int, attends: bool, encodes: bool) -> int:
        shortcut = inputs * outputs if inputs != outputs else 0
        kernels = 9 * (outputs if encodes else inputs) * outputs + 9 * outputs**2
        return shortcut + kernels + e * outputs + 1 + (4 * outputs**2 if attends else 0)

    total = 128 * e + 1000 * e + 9 * (4 + 1) * 128 + 9 * 128 * 4 + 1
    # Per level: the skips that the way up joins, from the last to the first, and whether it attends.
    levels = [(128, [128] * 4, False), (256, [256] * 3 + [128], False)]
    levels += [(384, [384] * 3 + [256], True), (512, [512] * 3 + [384], True)]
    below, above = 128, 512
    for i, (w, _, attends) in enumerate(levels):
        total += block(below, below, False, True) if i else 0
        total += block(below, w, attends, True) + 2 * block(w, w, attends, True)
        below = w
    total += block(512, 512, True, False) + block(512, 512, False, False)
    for w, skips, attends in reversed(levels):
        total += block(above, above, False, False) if w < 512 else 0
        for skip in skips:
            total += block(above + skip, w, attends, False)
            above = w
    assert sum(parameter.numel() for parameter in net.parameters()) == total


def test_magnitude_1_through_the_whole_network():
    net = MPUNet(3, (16, 16), width=64, multipliers=(1, 2), blocks=2, attention_at=())
    seen = []
    for block in net.modules():
        if isinstance(block, MPBlock) and not isinstance(block.attention, MPAttention):
            block.register_forward_hook(lambda block, inputs, output: seen.append(magnitude(output)))
    with torch.no_grad():
        net(noise(4, 3, 16, 16), noise(4))
    assert len(seen) == 13
    assert all(0.8 < value < 1.1 for value in seen)  # zeros beyond the border take a little


def test_attention_by_hand():
    layer, x = MPAttention(128).double(), noise(2, 128, 3, 4).double()
    w_qkv, w_out = layer.qkv.filters()[..., 0, 0], layer.out.filters()[..., 0, 0]
    q, k, v = (w_qkv @ x.flatten(2)).chunk(3, dim=1)
    heads = []
    for head in (slice(0, 64), slice(64, 128)):
        a, b, c = (part[:, head] / part[:, head].square().mean(1, keepdim=True).sqrt() for part in (q, k, v))
        weights = (a.transpose(1, 2) @ b / 8).softmax(dim=2)  # sqrt(64) = 8
        heads.append(c @ weights.transpose(1, 2))
    y = w_out @ torch.cat(heads, dim=1)
    expected = (0.7 * x + 0.3 * y.reshape_as(x)) / math.sqrt(0.49 + 0.09)
    torch.testing.assert_close(layer(x), expected, atol=1e-3, rtol=0)


def test_the_way_down_begins_with_pixels_of_magnitude_1_and_ends_within_256():
    block = MPBlock(8, 8, 4, encodes=True).eval()
    x, told = noise(1, 8, 4, 4), torch.zeros(1, 4)
    with torch.no_grad():
        torch.testing.assert_close(block(1000 * x, told), block(x, told), atol=2e-3, rtol=0)
        up = MPBlock(8, 8, 4, encodes=False).eval()
        assert up(1e6 * x, told).abs().max() == 256


def test_conditions_have_magnitude_1_and_silence_is_zero():
    attributes = {"kind": Vector(10), "colour.main": Vector(4), "said": Words(20)}
    layer, like = MPConditionEmbedding(4096, attributes), torch.zeros(8, 4096)
    cond = {"kind": torch.eye(10)[:8], "colour.main": torch.eye(4).repeat(2, 1)}
    cond["said"] = torch.randint(1, 20, (8, 3)).float()
    assert magnitude(layer(cond, like)) == pytest.approx(1, abs=0.05)
    assert not layer({name: torch.zeros_like(rows) for name, rows in cond.items()}, like).any()


def test_noise_level_and_condition_matter_and_silence_is_silence():
    net, x = opened(small(attributes={"kind": Vector(3)})), noise(1, 3, 15, 9)
    with torch.no_grad():
        plain = net(x, torch.zeros(1))
        assert plain.shape == x.shape
        assert (net(x, torch.ones(1)) - plain).abs().max() > 1e-2
        assert (net(x, torch.zeros(1), {"kind": torch.eye(3)[1:2]}) - plain).abs().max() > 1e-2
        assert net(x, torch.zeros(1), {"kind": torch.zeros(1, 3)}).equal(plain)
    with pytest.raises(KeyError):
        net(x, torch.zeros(1), {"mood": torch.zeros(1, 3)})
    with pytest.raises(KeyError):
        small()(x, torch.zeros(1), {"kind": torch.zeros(1, 3)})


def test_the_uncertainty_learns_the_logarithm_of_the_loss():
    u, labels = Uncertainty(), torch.linspace(-1.2, 1.2, 64)
    losses = 0.2 + labels**2  # e^-u loss + u is least at u = ln(loss)
    optimiser = torch.optim.Adam(u.parameters(), lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        (losses / u(labels).exp() + u(labels)).mean().backward()
        optimiser.step()
    assert (u(labels) - losses.log()).abs().mean() < 0.05
