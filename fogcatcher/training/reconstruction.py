"""What an autoencoder learns: to give pictures back, with latents that are fit to be diffused.

    L = 1/D sum |x - x_hat| + weight / D cost(z)         (mean over the batch; D = C H W of a picture)

Rombach et al. 2021, "High-Resolution Image Synthesis with Latent Diffusion Models", appendix G: both sums
are over all of a picture, so what the cost of the latents weighs against the error of a pixel depends
neither on the size of the pictures nor on that of the batch. With a mean over the latents it would be C h w
times less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.adversarial import Rival
from fogcatcher.diffusion.tensors import Condition, Samples
from fogcatcher.networks.autoencoder import Autoencoder

KL_WEIGHT, CODE_WEIGHT = 1e-6, 1.0
"""Of the cost of latents: for Gaussian ones as in the paper, for codes as van den Oord et al. 2017 have
it."""


@dataclass(frozen=True)
class Reconstruction:
    """The loss above, as a lesson for ``training/fit.py``."""

    weight: float
    sharpening: Sharpening | None = None

    @property
    def memory(self) -> Mapping[str, Tensor]:
        return self.sharpening.memory if self.sharpening else {}

    def __call__(
        self, network: Autoencoder, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """Return the mean loss of pictures, (B, C, H, W) in [-1, 1]; the condition is not heard."""
        x_hat, learnt = network.learnt(x0, generator)
        size = math.prod(x0.shape[1:])
        loss = ((x0 - x_hat).abs().flatten(1).sum(1) + self.weight * learnt.cost).mean() / size
        if self.sharpening is None or not torch.is_grad_enabled():
            return loss
        return loss + self.sharpening(x0, x_hat, loss, network.decoder.last_kernel)


class Sharpening:
    """A critic learns to tell patches of real pictures from returned ones, and these learn to be taken for
    real.

        L_D = 1/2 E relu(1 - D(x)) + 1/2 E relu(1 + D(x_hat));     L_G = -lambda E D(x_hat)
        lambda = factor |grad L| / (|grad E D(x_hat)| + 1e-4),  both with respect to the last kernel

    Rombach et al. 2021, appendix G, and Esser et al. 2021, "Taming Transformers for High-Resolution Image
    Synthesis", equations 4 to 7. It begins after ``starts`` steps, once there is something to be sharpened.
    """

    def __init__(self, rival: Rival, factor: float, starts: int) -> None:
        self.rival, self.factor, self.starts = rival, factor, starts
        self._seen = torch.zeros((), dtype=torch.int64)

    @property
    def memory(self) -> Mapping[str, Tensor]:
        """The critic with its optimiser, and the number of steps seen."""
        return {**self.rival.memory, "seen": self._seen}

    def __call__(self, real: Samples, returned: Samples, loss: Tensor, last: nn.Parameter) -> Tensor:
        """Return what to add to the loss of one batch, after a step of the critic; 0 before it begins."""
        self._seen += 1
        if int(self._seen) <= self.starts:
            return loss.new_zeros(())
        critic = self.rival.critic
        fooled = F.relu(1 - critic(real)).mean() + F.relu(1 + critic(returned.detach())).mean()
        self.rival.learn(fooled / 2)
        for weight in critic.parameters():
            weight.requires_grad_(False)
        try:
            taken = -critic(returned).mean()
        finally:
            for weight in critic.parameters():
                weight.requires_grad_(True)
        return self.balance(loss, taken, last) * taken

    def balance(self, loss: Tensor, taken: Tensor, last: Tensor) -> Tensor:
        """Return lambda, at most 10,000."""
        ours, theirs = (torch.autograd.grad(of, last, retain_graph=True)[0].norm() for of in (loss, taken))
        return self.factor * (ours / (theirs + 1e-4)).clamp(max=1e4).detach()


def usual_weight(codes: int) -> float:
    """Return what the cost of latents weighs, for so many codes; 0 are Gaussian latents."""
    return CODE_WEIGHT if codes else KL_WEIGHT
