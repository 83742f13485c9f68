"""The loss of autoencoders: what counts against what, whatever the size of picture and batch."""

import pytest
import torch
from torch import nn

from fogcatcher.diffusion.adversarial import Rival
from fogcatcher.networks.autoencoder import Autoencoder, AutoencoderShape
from fogcatcher.networks.bottlenecks import Learnt
from fogcatcher.networks.critic import PatchCritic
from fogcatcher.training.reconstruction import Reconstruction, Sharpening


class Off(Autoencoder):
    """Gives pictures back a quarter too bright, at a cost of 2 for each of 3 h w latents."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def learnt(self, x, generator):
        latents = torch.zeros(len(x), 3, x.shape[2] // 4, x.shape[3] // 4)
        return x + 0.25, Learnt(latents, torch.full((len(x),), 2.0 * latents[0].numel()))


@pytest.mark.parametrize("batch", [1, 6])
@pytest.mark.parametrize("side", [8, 32])
def test_the_weight_of_latents_depends_neither_on_batch_nor_on_size(batch, side):
    """Per pixel value: 1/4 of error, and weight x 2 x 3 / (16 x 3) of cost."""
    x = torch.rand(batch, 3, side, side)
    loss = Reconstruction(0.5)(Off(), x, None, torch.Generator())
    assert loss.item() == pytest.approx(0.25 + 0.5 * 2 * 3 / (16 * 3), rel=1e-6)


def test_the_critic_weighs_as_much_as_its_gradient_is_smaller():
    """Of two losses linear in the last kernel the gradients are known: (3, 4) and (0, 0.5)."""
    last = nn.Parameter(torch.tensor([1.0, 2.0]))
    loss, taken = (last * torch.tensor([3.0, 4.0])).sum(), (last * torch.tensor([0.0, 0.5])).sum()
    sharpening = Sharpening(Rival(PatchCritic(1), 1e-3), 0.5, 0)
    assert sharpening.balance(loss, taken, last).item() == pytest.approx(0.5 * 5 / (0.5 + 1e-4))
    flat = (last * 0.0).sum()
    assert sharpening.balance(loss, flat, last).item() == pytest.approx(0.5 * 1e4)


def test_the_critic_learns_to_tell_what_comes_back_once_it_begins():
    torch.manual_seed(0)
    network = Autoencoder(AutoencoderShape(1, (4, 4), groups=2))
    rival = Rival(PatchCritic(1, 8), 1e-2)
    lesson = Reconstruction(0.0, Sharpening(rival, 0.5, starts=2))
    x = torch.sign(torch.randn(8, 1, 16, 16))
    weights = [weight.clone() for weight in rival.critic.parameters()]

    def taught(by: Reconstruction, step: int) -> float:
        return by(network, x, None, torch.Generator().manual_seed(step)).item()

    plain = [taught(Reconstruction(0.0), step) for step in range(60)]
    assert [taught(lesson, step) for step in range(2)] == plain[:2]
    assert all(torch.equal(a, b) for a, b in zip(weights, rival.critic.parameters(), strict=True))
    loss = [taught(lesson, step) for step in range(2, 60)][-1]
    x_hat = network.learnt(x, torch.Generator().manual_seed(0))[0]
    with torch.no_grad():
        assert rival.critic(x).mean() > rival.critic(x_hat).mean() + 0.5
    assert loss > plain[-1] and rival.steps == 58
    with torch.no_grad():  # who only measures teaches nothing
        lesson(network, x, None, torch.Generator())
    assert rival.steps == 58
