"""The transformer has the published sizes, starts as nothing, and treats sets as sets."""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.networks.embeddings import Vector
from fogcatcher.networks.transformer import Block, DiT, Pictures, Points, Sequences, Tokens

SMALL = (32, 2, 4)  # width, depth, heads
PUBLISHED = {  # Peebles & Xie 2023, table 1 and figure 8: width, depth, heads, millions of parameters
    "S": (384, 12, 6, 33),
    "B": (768, 12, 12, 130),
    "L": (1024, 24, 16, 458),
    "XL": (1152, 28, 16, 675),
}
CLASSES = 1000


@pytest.fixture(autouse=True)
def weights_from_a_seed():
    torch.manual_seed(0)


def filled(net: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The network with its zero-initialised layers filled, so that everything shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return net.eval()


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize(("width", "depth", "heads", "millions"), PUBLISHED.values(), ids=list(PUBLISHED))
def test_the_published_sizes(width, depth, heads, millions):
    with torch.device("meta"):
        net = DiT(4, Pictures(2), width, depth, heads, {"class": Vector(CLASSES)}, answers=2)
    ours = sum(parameter.numel() for parameter in net.parameters())
    # Theirs has one more row in the class table, for "no class"; nothing else differs.
    assert round((ours + width) / 1e6) == millions
    w, patch = width, 2 * 2 * 4
    block = (3 * w * w + 3 * w) + (w * w + w) + (8 * w * w + 5 * w) + (6 * w * w + 6 * w)
    ends = (patch + 1) * w + (2 * w * w + 2 * w) + (w + 1) * 2 * patch
    told = (256 + 1) * w + (w + 1) * w + CLASSES * w
    assert ours == depth * block + ends + told


def test_a_new_network_passes_its_tokens_on_and_answers_zero():
    net = DiT(3, Pictures(2), *SMALL, {"kind": Vector(3)}, answers=2)
    x, cond = noise(2, 3, 6, 8), {"kind": torch.eye(3)[:2]}
    streams = []
    for block in net.blocks:
        block.register_forward_hook(lambda block, inputs, output: streams.append(output))
    answer = net(x, torch.tensor([-1.0, 1.0]), cond)
    assert answer.shape == (2, 6, 6, 8)
    assert not answer.any()
    assert len(streams) == 2
    assert all(stream.equal(net.embed(x)) for stream in streams)


@pytest.mark.parametrize(
    ("tokens", "shape"),
    [
        (Pictures(2), (2, 3, 8, 6)),
        (Pictures(4), (2, 3, 7, 9)),
        (Sequences(1), (2, 3, 11)),
        (Sequences(4), (2, 3, 11)),
        (Points(), (2, 11, 3)),
    ],
    ids=str,
)
def test_join_is_the_inverse_of_split(tokens: Tokens, shape):
    x = noise(*shape)
    split = tokens.split(x)
    assert split.shape[-1] == tokens.features(3)
    assert tokens.join(split, x).equal(x)


def test_a_token_is_a_patch_and_answers_follow_each_other():
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert Pictures(4).split(x)[0, 1].equal(x[0, 0, :4, 4:].flatten())  # rows first
    s = torch.arange(12.0).reshape(1, 1, 12)
    assert Sequences(4).split(s)[0, 1].equal(s[0, 0, 4:8])
    two = torch.cat([x, x + 100], 1)  # two answers of one channel
    assert Pictures(4).join(Pictures(4).split(two), x).equal(two)


@pytest.mark.parametrize(
    ("tokens", "shape"), [(Pictures(2), (1, 1, 64, 48)), (Sequences(1), (1, 1, 1000))], ids=str
)
def test_the_position_code_tells_every_place_apart(tokens: Tokens, shape):
    places = tokens.places(torch.zeros(shape, dtype=torch.float64), 64)
    assert places is not None
    distances = torch.cdist(places, places).fill_diagonal_(torch.inf)
    assert distances.min() > 0.1
    # Each pair of a sine and a cosine lies on the unit circle.
    torch.testing.assert_close(places.square().sum(1), torch.full((len(places),), 32.0, dtype=torch.float64))


def test_the_position_code_is_the_one_of_diffusers():
    embeddings = pytest.importorskip("diffusers.models.embeddings")
    theirs = embeddings.get_2d_sincos_pos_embed(64, 16, output_type="pt")
    ours = Pictures(2).places(torch.zeros(1, 1, 32, 32, dtype=torch.float64), 64)
    torch.testing.assert_close(ours, theirs.double(), atol=1e-5, rtol=0)


def test_a_block_is_the_block_of_diffusers():
    attention = pytest.importorskip("diffusers.models.attention")
    theirs = attention.BasicTransformerBlock(
        32, 4, 8, activation_fn="gelu-approximate", num_embeds_ada_norm=10, attention_bias=True,
        norm_type="ada_norm_zero", norm_elementwise_affine=False, norm_eps=1e-6,
    ).eval()  # fmt: skip
    ours = filled(Block(32, 4))
    weights = ours.state_dict()
    renamed = {"norm1.linear": "modulate", "attn1.to_out.0": "attention.out"}
    renamed |= {"ff.net.0.proj": "mlp.0", "ff.net.2": "mlp.2"}
    for kind in ("weight", "bias"):
        named = {f"{a}.{kind}": weights[f"{b}.{kind}"] for a, b in renamed.items()}
        qkv = weights[f"attention.qkv.{kind}"].chunk(3)
        named |= {f"attn1.to_{name}.{kind}": part for name, part in zip("qkv", qkv, strict=True)}
        theirs.load_state_dict(named, strict=False)
    embedding, x = noise(2, 32), noise(2, 5, 32, seed=1)
    theirs.norm1.emb.forward = lambda *told, **options: embedding
    with torch.no_grad():
        answer = theirs(x, timestep=torch.zeros(2), class_labels=torch.zeros(2).long())
        torch.testing.assert_close(ours(x, torch.nn.functional.silu(embedding)), answer, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (5, 16)], ids=str)
@pytest.mark.parametrize("patch", [2, 4])
def test_any_size_comes_back_and_every_pixel_can_learn(size, patch):
    net = filled(DiT(4, Pictures(patch), *SMALL))
    x = noise(2, 4, *size).requires_grad_()
    answer = net(x, torch.zeros(2))
    assert answer.shape == x.shape
    (gradient,) = torch.autograd.grad(answer.square().sum(), x)
    assert bool((gradient.abs() > 0).all())


def test_a_set_has_no_order_but_a_sequence_has():
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    x, label = noise(2, 9, 3), torch.tensor([-0.5, 0.5])
    points = filled(DiT(3, Points(), *SMALL))
    sequence = filled(DiT(3, Sequences(), *SMALL))
    with torch.no_grad():
        assert points(x, label).std() > 0.1
        torch.testing.assert_close(points(x[:, order], label), points(x, label)[:, order], atol=1e-5, rtol=0)
        s = x.transpose(1, 2)
        assert (sequence(s[..., order], label) - sequence(s, label)[..., order]).abs().max() > 1e-2


def test_nobody_looks_at_points_that_are_not_there():
    net, label = filled(DiT(3, Points(), *SMALL)), torch.zeros(2)
    present = torch.tensor([[True] * 6 + [False] * 3, [True] * 9])
    x = noise(2, 9, 3)
    other = torch.where(present[..., None], x, 1000 * noise(2, 9, 3, seed=1))
    with torch.no_grad():
        answer = net(x, label, None, present)
        assert net(other, label, None, present).equal(answer)
        torch.testing.assert_close(answer[:1, :6], net(x[:1, :6], label[:1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(answer[1:], net(x[1:], label[1:]), atol=1e-5, rtol=0)
        assert not answer[0, 6:].any()
        assert not net(x, label, None, torch.zeros(2, 9, dtype=torch.bool)).any()


def test_noise_level_and_condition_matter_and_silence_is_silence():
    net, x = filled(DiT(3, Pictures(2), *SMALL, {"kind": Vector(3)})), noise(1, 3, 8, 8)
    with torch.no_grad():
        plain = net(x, torch.zeros(1))
        assert (net(x, torch.ones(1)) - plain).abs().max() > 1e-3
        assert (net(x, torch.zeros(1), {"kind": torch.eye(3)[1:2]}) - plain).abs().max() > 1e-3
        assert net(x, torch.zeros(1), {"kind": torch.zeros(1, 3)}).equal(plain)


@pytest.mark.parametrize(("width", "heads"), [(32, 5), (30, 5)])
def test_a_width_that_does_not_divide_is_refused(width, heads):
    with pytest.raises(UserError, match="multiple"):
        DiT(3, Pictures(2), width=width, depth=1, heads=heads)
