"""Autoencoders and their bottlenecks, against closed forms."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from fogcatcher.networks.autoencoder import Autoencoder, AutoencoderShape
from fogcatcher.networks.bottlenecks import Codebook, Gaussian, used


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_cost_of_gaussian_latents_is_their_divergence_summed_over_all_of_a_picture():
    said = 3 * torch.randn(5, 8, 6, 4, generator=generator())
    mean, log_variance = said.chunk(2, 1)
    q = Normal(mean.double(), (log_variance.double() / 2).exp())
    expected = kl_divergence(q, Normal(0.0, 1.0)).sum((1, 2, 3))
    torch.testing.assert_close(
        Gaussian(4).learnt(said, generator()).cost.double(), expected, rtol=1e-5, atol=0
    )


def test_gaussian_latents_are_drawn_with_mean_and_deviation_and_encoded_without_chance():
    said = torch.cat([torch.full((1, 1, 300, 300), 2.0), torch.full((1, 1, 300, 300), 2 * math.log(3.0))], 1)
    drawn = Gaussian(1).learnt(said, generator()).latents
    assert drawn.mean().item() == pytest.approx(2, abs=0.03) and drawn.std().item() == pytest.approx(
        3, abs=0.03
    )
    assert torch.equal(Gaussian(1).latents(said), said[:, :1])
    wild = torch.cat([0 * said[:, :1], 1000 + 0 * said[:, :1]], 1)
    assert Gaussian(1).learnt(wild, generator()).cost.isfinite().all()


def test_every_position_becomes_its_nearest_code_and_gradients_pass_as_if_it_had_not():
    book = Codebook(3, 7).eval()
    book.codes = torch.randn(7, 3, generator=generator())
    said = torch.randn(2, 3, 4, 5, generator=generator(1), requires_grad=True)
    flat = said.detach().permute(0, 2, 3, 1).reshape(-1, 3)
    nearest = torch.cdist(flat, book.codes).argmin(1)
    learnt = book.learnt(said, generator())
    expected = book.codes[nearest].reshape(2, 4, 5, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(learnt.latents, expected)
    torch.testing.assert_close(book.settled(said.detach()), expected)
    weights = torch.randn(learnt.latents.shape, generator=generator(2))
    (gradient,) = torch.autograd.grad((weights * learnt.latents).sum(), said, retain_graph=True)
    torch.testing.assert_close(gradient, weights)
    # The cost draws each latent to its code: gradient 2 beta (z - e).
    (gradient,) = torch.autograd.grad(learnt.cost.sum(), said)
    torch.testing.assert_close(gradient, 2 * 0.25 * (said.detach() - expected))
    torch.testing.assert_close(learnt.cost, 0.25 * (said - expected).square().sum((1, 2, 3)))


def test_codes_go_where_latents_are_and_hardly_any_stays_unused():
    """Sixteen far points, and as many codes that start beside one of them: it alone would be chosen."""
    points = 10 * torch.randn(16, 2, generator=generator())
    book = Codebook(2, 16).train()
    book.codes = points[:1] + 0.01 * torch.randn(16, 2, generator=generator(1))
    for step in range(300):
        which = torch.randint(16, (64,), generator=generator(100 + step))
        book.learnt(points[which].T.reshape(1, 2, 8, 8), generator())
    latents = points.T.reshape(1, 2, 4, 4)
    assert used(book, latents) >= 0.8


def test_codes_stay_where_they_are_once_training_is_over():
    book = Codebook(2, 4).eval()
    before = book.codes.clone()
    book.learnt(torch.randn(1, 2, 4, 4), generator())
    assert torch.equal(book.codes, before)


@pytest.mark.parametrize("codes", [0, 8])
def test_sizes_of_both_ways_and_no_chance_in_either(codes):
    torch.manual_seed(0)
    network = Autoencoder(AutoencoderShape(3, (8, 8, 16), latent=5, codes=codes, groups=4)).eval()
    x = torch.randn(2, 3, 16, 24, generator=generator())
    z = network.encode(x)
    assert z.shape == (2, 5, 4, 6) and network.decode(z).shape == x.shape
    assert torch.equal(z, network.encode(x)) and torch.equal(network.decode(z), network.decode(z))
    with pytest.raises(ValueError, match="no multiples of 4"):
        network.encode(x[..., :22])


def test_latents_with_codes_are_those_before_the_choice_which_the_decoder_makes_again():
    torch.manual_seed(0)
    network = Autoencoder(AutoencoderShape(3, (8, 8), latent=2, codes=4, groups=4)).eval()
    z = network.encode(torch.randn(2, 3, 8, 8, generator=generator()))
    settled = network.bottleneck.settled(z)
    assert len(z.flatten(2).transpose(1, 2).reshape(-1, 2).unique(dim=0)) > 4
    assert len(settled.flatten(2).transpose(1, 2).reshape(-1, 2).unique(dim=0)) <= 4
    torch.testing.assert_close(network.decode(z), network.decode(settled))
