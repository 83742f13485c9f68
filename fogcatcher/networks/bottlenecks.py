"""What stands between the two halves of an autoencoder, so that its latents are fit to be diffused.

Without it an encoder may spread its latents as it likes. ``Gaussian`` pulls them towards a standard normal,
``Codebook`` lets each position be one of a few vectors. Both are asked three things: the latents of what the
encoder says (``latents``, without chance), those of a step of training with what they cost (``learnt``), and
what the decoder is to see of latents (``settled``).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_VARIANCES = (-30.0, 20.0)
"""Between these, log variances are kept: beyond, their exponential is no number of use."""


class Learnt(NamedTuple):
    """Latents for the decoder in a step of training, and what each picture pays for its own."""

    latents: Tensor
    """(B, C, h, w)"""
    cost: Tensor
    """(B,), summed over C, h and w: so what it weighs against an error that is summed over the pixels does
    not depend on the size of picture or batch."""


class Gaussian(nn.Module):
    """q(z | x) = N(mean, variance), with the divergence from a standard normal as its cost.

        KL = 1/2 sum (mean^2 + variance - 1 - log variance)

    Kingma & Welling 2013, "Auto-Encoding Variational Bayes", appendix B; as the latents of Rombach et al.
    2021, "High-Resolution Image Synthesis with Latent Diffusion Models", section 3.1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.asked = 2 * channels

    def latents(self, said: Tensor) -> Tensor:
        """Return the mean, (B, C, h, w), of what the encoder says, (B, 2 C, h, w)."""
        return said.chunk(2, dim=1)[0]

    def learnt(self, said: Tensor, generator: torch.Generator) -> Learnt:
        """Return a draw of q and its KL."""
        mean, log_variance = said.chunk(2, dim=1)
        log_variance = log_variance.clamp(*LOG_VARIANCES)
        noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
        kl = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        return Learnt(mean + (log_variance / 2).exp() * noise, kl.flatten(1).sum(1))

    def settled(self, latents: Tensor) -> Tensor:
        return latents


class Codebook(nn.Module):
    """The nearest of ``codes`` vectors at every position; gradients pass as if nothing had happened.

        z_q = e_k,  k = argmin_j |z - e_j|;    cost = ``commitment`` sum |z - sg(z_q)|^2

    van den Oord et al. 2017, "Neural Discrete Representation Learning", equations 1 to 3. The codes are
    running means of the latents that chose them (their appendix A.1). A code that hardly any latent chooses
    would stay unused for good, so it becomes one of the latents of the batch (Dhariwal et al. 2020,
    "Jukebox", section 3.1): at which places of the batch is a matter of counting, so nothing random is
    drawn.

    ``latents`` are those before the choice, which is made again in ``settled``: so that what is diffused is
    smooth, and the decoder sees codes alone (Rombach et al. 2021, section 3.1).
    """

    def __init__(
        self, channels: int, codes: int, commitment: float = 0.25, decay: float = 0.97, dead: float = 0.2
    ) -> None:
        """``dead``: of the share that all codes would have if they were used alike."""
        super().__init__()
        self.asked, self.commitment, self.decay, self.dead = channels, commitment, decay, dead
        self.codes: Tensor
        self.sums: Tensor
        self.counts: Tensor
        self.register_buffer("codes", torch.randn(codes, channels) / codes)
        # Nothing is counted yet, so the first step puts all codes where latents are.
        self.register_buffer("sums", torch.zeros(codes, channels))
        self.register_buffer("counts", torch.zeros(codes))

    def chosen(self, latents: Tensor) -> Tensor:
        """Return the number of the nearest code at every position, (B, h, w)."""
        flat = latents.permute(0, 2, 3, 1)
        # |z - e|^2 = |z|^2 - 2 z e + |e|^2, of which the first is the same for all codes.
        return (self.codes.square().sum(1) - 2 * flat @ self.codes.T).argmin(-1)

    def latents(self, said: Tensor) -> Tensor:
        return said

    def settled(self, latents: Tensor) -> Tensor:
        """Return the nearest code at every position, (B, C, h, w)."""
        return self._at(self.chosen(latents), latents)

    def _at(self, chosen: Tensor, like: Tensor) -> Tensor:
        return F.embedding(chosen, self.codes).permute(0, 3, 1, 2).to(like)

    def learnt(self, said: Tensor, generator: torch.Generator) -> Learnt:
        """Return the codes with the gradient of the latents; while training, codes go where latents are."""
        chosen = self.chosen(said)
        if self.training:
            self._move(said.detach().permute(0, 2, 3, 1).flatten(0, 2), chosen.flatten())
            chosen = self.chosen(said)
        codes = self._at(chosen, said)
        cost = self.commitment * (said - codes.detach()).square().flatten(1).sum(1)
        return Learnt(said + (codes - said).detach(), cost)

    @torch.no_grad()
    def _move(self, flat: Tensor, chosen: Tensor) -> None:
        """Take in the latents, (N, C), of one batch and the codes that they chose, (N,)."""
        flat, keep = flat.float(), self.decay
        counts = torch.zeros_like(self.counts).index_add_(0, chosen, torch.ones_like(flat[:, 0]))
        sums = torch.zeros_like(self.sums).index_add_(0, chosen, flat)
        self.counts.mul_(keep).add_(counts, alpha=1 - keep)
        self.sums.mul_(keep).add_(sums, alpha=1 - keep)
        share = len(flat) / len(self.codes)
        unused = (self.counts < self.dead * share).nonzero()[:, 0]
        places = torch.arange(len(unused), device=flat.device) * len(flat) // max(1, len(unused))
        self.counts[unused] = share
        self.sums[unused] = flat[places] * share
        self.codes.copy_(self.sums / self.counts[:, None])


def used(codebook: Codebook, latents: Tensor) -> float:
    """Return the share of codes that any position of these latents, (B, C, h, w), chooses."""
    return len(codebook.chosen(latents).unique()) / len(codebook.codes)
