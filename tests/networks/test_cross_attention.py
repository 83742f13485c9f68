"""Words that places look at one by one: in every network that can, silence is silence to the bit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from fogcatcher.networks.ddpm_unet import DDPMUNet, UNetShape
from fogcatcher.networks.embeddings import ConditionEmbedding, Form, Vector
from fogcatcher.networks.sequences import Vectors, Words, WordsEmbedding
from fogcatcher.networks.transformer import DiT, Pictures
from fogcatcher.networks.unet import SignalUNet, UNet

FORMS: dict[str, Form] = {"said": Words(9), "kind": Vector(3), "heard": Vectors(4, 6)}
SHAPE = UNetShape((8, 16), (False, True), (False, True), (False, False), (False, False), blocks=1, groups=4)
BUILD: dict[str, Callable[[bool], nn.Module]] = {
    "small": lambda looks: UNet(2, (16, 16), (8, 16), attributes=FORMS, cross_attention=looks),
    "signals": lambda looks: SignalUNet(2, 16, (8, 16), attributes=FORMS, cross_attention=looks),
    "ddpm": lambda looks: DDPMUNet(
        2, UNetShape(**{**vars(SHAPE), "cross_attention": looks, "head_channels": 8}), FORMS
    ),
    "transformer": lambda looks: DiT(2, Pictures(4), 16, 2, 2, FORMS, cross_attention=looks),
}


def network(name: str, looks: bool = True) -> nn.Module:
    """With no weight that is zero by its start, so that everything shows."""
    torch.manual_seed(0)
    net = BUILD[name](looks)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return net.eval()


def noisy(name: str, rows: int = 1) -> Tensor:
    shape = (rows, 2, 16) if name == "signals" else (rows, 2, 16, 16)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def told(*rows: tuple[float, ...]) -> Tensor:
    """Word numbers, padded to five."""
    return torch.tensor([[*row, *[0.0] * (5 - len(row))] for row in rows])


@pytest.mark.parametrize("name", BUILD)
def test_silence_adds_exactly_nothing(name: str):
    net, x, t = network(name), noisy(name), torch.zeros(1)
    silent = {"said": told(()), "kind": torch.zeros(1, 3), "heard": torch.zeros(1, 24)}
    with torch.no_grad():
        plain = net(x, t)
        assert net(x, t, silent).equal(plain)
        assert (net(x, t, silent | {"said": told((3, 4))}) - plain).abs().max() > 1e-3
        # Nor does a neighbour that says something change the silent one, or padding one that speaks.
        both = {"said": told((3, 4), ())}
        together = net(noisy(name).expand(2, *x.shape[1:]), torch.zeros(2), both)
        torch.testing.assert_close(together[1:], plain, atol=1e-5, rtol=1e-4)
        longer = {"said": torch.nn.functional.pad(told((3, 4)), (0, 7))}
        torch.testing.assert_close(net(x, t, longer), together[:1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", BUILD)
def test_the_order_of_vectors_means_nothing_and_only_one_that_looks_has_layers_for_it(name: str):
    """Whoever encoded a text has put the places of its words into their vectors."""
    x, t = noisy(name), torch.zeros(1)
    a, b = torch.randn(2, 6, generator=torch.Generator().manual_seed(2))
    one, other = (torch.cat([*pair, torch.zeros(12)])[None] for pair in ((a, b), (b, a)))
    for looks in (False, True):
        net = network(name, looks)
        with torch.no_grad():
            answer = net(x, t, {"heard": one})
            torch.testing.assert_close(net(x, t, {"heard": other}), answer, atol=1e-5, rtol=1e-4)
            assert (net(x, t, {"heard": torch.cat([a, torch.zeros(18)])[None]}) - answer).abs().max() > 1e-3
        assert any(".words.out." in key for key in net.state_dict()) == looks


def test_words_one_by_one_are_those_whose_mean_is_pooled():
    torch.manual_seed(0)
    embedding = ConditionEmbedding(16, {"said": Words(9), "heard": Vectors(4, 6)}, one_by_one=True)
    cond = {"said": told((3, 4, 5), ()), "heard": torch.randn(2, 24)}
    cond["heard"][:, 12:] = 0
    said = embedding.said(cond, torch.zeros(2, 16))
    assert said is not None
    tokens, present = said
    assert tokens.shape == (2, 1 + 5 + 4, 16)
    assert present.tolist() == [
        [True, True, True, True, False, False, True, True, False, False],
        [True, False, False, False, False, False, True, True, False, False],
    ]
    assert tokens[:, 0].equal(embedding.no_word.expand(2, -1))
    pooled = tokens[:1, 1:4].mean(1) + tokens[:1, 6:8].mean(1)
    torch.testing.assert_close(embedding(cond, torch.zeros(2, 16))[:1], pooled, atol=1e-5, rtol=1e-4)
    silent = embedding.said({"said": told(())}, torch.zeros(1, 16))
    assert silent is not None and not silent.present.any()


def test_pooled_words_are_what_they_were():
    """One layer of attention over the words, by torch's own; the mean of what comes out of it."""
    torch.manual_seed(0)
    ours, theirs = WordsEmbedding(24, 9), nn.MultiheadAttention(64, 4, batch_first=True)
    assert set(ours.state_dict()) == {
        "places",
        *(f"{layer}.weight" for layer in ("words", "norm", "qkv", "mix", "out")),
        *(f"{layer}.bias" for layer in ("norm", "qkv", "mix")),
    }
    with torch.no_grad():
        for there, here in (("in_proj_", "qkv."), ("out_proj.", "mix.")):
            for kind in ("weight", "bias"):
                theirs.get_parameter(there + kind).copy_(ours.get_parameter(here + kind))
        h = ours.words(torch.tensor([[3, 4, 5]])) + ours.places[:3]
        normed = ours.norm(h)
        mixed = theirs(normed, normed, normed, need_weights=False)[0]
        expected = ours.out(torch.nn.functional.silu(h + mixed).mean(1))
        torch.testing.assert_close(ours(told((3, 4, 5))), expected, atol=1e-5, rtol=1e-4)


def test_checkpointing_changes_no_bit_of_what_words_teach():
    grads = []
    for checkpointed in (False, True):
        net = network("ddpm")
        assert isinstance(net, DDPMUNet)
        net.checkpointed = checkpointed
        net(noisy("ddpm"), torch.zeros(1), {"said": told((3, 4))}).square().sum().backward()
        grads.append([weight.grad for weight in net.parameters() if weight.grad is not None])
    assert len(grads[0]) == len(grads[1]) > 0
    assert all(a.equal(b) for a, b in zip(*grads, strict=True))


def test_many_words_are_told_apart_in_half_precision():
    """Word numbers above 256 are no numbers of bfloat16: 300 and 301 would be one word."""
    torch.manual_seed(0)
    embedding = ConditionEmbedding(16, {"said": Words(400)}, one_by_one=True)
    cond, like = {"said": torch.tensor([[300.0], [301.0]])}, torch.zeros(2, 16, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        pooled, said = embedding(cond, like), embedding.said(cond, like)
    assert said is not None
    for heard in (pooled, said.tokens[:, 1]):
        assert (heard[0] - heard[1]).abs().max() > 0.05


@pytest.mark.parametrize("name", BUILD)
def test_half_precision_hears_the_same(name: str):
    net, x, cond = network(name), noisy(name), {"said": told((3, 4))}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = net(x, torch.zeros(1), cond).float()
    with torch.no_grad():
        whole = net(x, torch.zeros(1), cond)
    assert (half - whole).square().mean().sqrt() < 0.05 * whole.square().mean().sqrt()
