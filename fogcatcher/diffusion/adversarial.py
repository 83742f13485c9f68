"""Few, large steps: a denoiser that draws x0 from p(x0 | x_t) instead of answering with its mean.

Where a step is large, p(x_s | x_t) has many modes, and no Gaussian around one mean is like it. A latent z
lets x0_hat(x_t, t, z) be any of the samples that may lie behind x_t; the posterior does the rest:

    p(x_s | x_t) = E_z q(x_s | x_t, x0 = x0_hat(x_t, t, z))

Xiao et al. 2022, "Tackling the Generative Learning Trilemma with Denoising Diffusion GANs", equation 5. Two
ways to learn it: ``Adversarial``, theirs, and ``EnergyScore``, which needs no second network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fogcatcher.diffusion.denoiser import DenoiserLike, PicksByLatent, picking
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.diffusion.tensors import Condition, Samples, Times


class Critic(Protocol):
    """Says how real x_s is, given the x_t that it was drawn from: (B, ...), (B, ...), (B,) -> (B,)."""

    def __call__(self, x_s: Samples, x_t: Samples, t: Times, cond: Condition | None = None) -> Tensor: ...


class Rival:
    """A critic and its Adam, whose numbers are all in ``memory``, so that a run saves and takes them up.

    Betas 0.5 and 0.9 as in the paper's code.
    """

    def __init__(self, critic: nn.Module, learning_rate: float) -> None:
        self.critic = critic
        self._adam = torch.optim.Adam(critic.parameters(), learning_rate, betas=(0.5, 0.9))
        for weight in critic.parameters():
            # As Adam itself would begin; made now, so that what is saved is always the same list.
            self._adam.state[weight] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    @property
    def memory(self) -> dict[str, Tensor]:
        """Weights and moments, by name; filled again in place."""
        found = {f"critic.{name}": weight.detach() for name, weight in self.critic.named_parameters()}
        for name, weight in self.critic.named_parameters():
            found |= {f"adam.{name}.{key}": value for key, value in self._adam.state[weight].items()}
        return found

    @property
    def steps(self) -> int:
        """How many it has done."""
        return int(next(iter(self._adam.state.values()))["step"])

    def learn(self, loss: Tensor) -> None:
        """Take one step, unless the loss or its gradient is not finite: then nothing is changed."""
        self._adam.zero_grad()
        loss.backward()
        gradients = [p.grad for p in self.critic.parameters() if p.grad is not None]
        if all(bool(gradient.isfinite().all()) for gradient in gradients):
            self._adam.step()
        self._adam.zero_grad()


@dataclass(frozen=True)
class _Latent(Objective):
    """Times are those of the few steps alone: i / ``steps``."""

    steps: int = 4

    def _draws(
        self, denoiser: PicksByLatent, x0: Samples, generator: torch.Generator
    ) -> tuple[Times, Samples, Tensor]:
        """Return times, (B,), noisy samples x_t, (B, ...), and latents, (B, latents)."""
        t = self.times.sample(len(x0), denoiser.process.schedule, generator).to(x0.device)
        x_t = denoiser.process.corrupt(x0, t, _noise(x0, generator))
        return t, x_t, _latent(denoiser, x0, generator)

    def at(
        self, denoiser: DenoiserLike, x0: Samples, t: Times, noise: Samples, cond: Condition | None = None
    ) -> Times:
        """Raises ValueError always: latents are drawn for a batch as a whole."""
        raise ValueError("a denoiser that learns with latents takes each batch whole")


@dataclass(frozen=True)
class EnergyScore(_Latent):
    """E |x0 - x0'| - 1/2 E |x0' - x0''| for two independent answers: least where they are drawn as x0 is.

    Gneiting & Raftery 2007, "Strictly Proper Scoring Rules", equation 21 with beta = 1; for denoisers De
    Bortoli et al. 2025, "Distributional Diffusion Models with Scoring Rules". Per root of a dimension.
    """

    def __call__(
        self, denoiser: DenoiserLike, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> Tensor:
        picks = picking(denoiser)
        t, x_t, latent = self._draws(picks, x0, generator)
        other = _latent(picks, x0, generator)
        one, two = (picks.with_latent(z)(x_t, t, cond).flatten(1) for z in (latent, other))
        real = x0.flatten(1)
        near = (_length(one - real) + _length(two - real)) / 2
        return ((near - _length(one - two) / 2) / math.sqrt(real.shape[1])).mean()


@dataclass(frozen=True)
class Adversarial(_Latent):
    """A critic D learns to tell x_s of the data from x_s' of the denoiser, which learns to be taken for data.

        L_D = E softplus(-D(x_s, x_t, t)) + E softplus(D(x_s', x_t, t)) + r1 / 2 E |grad_{x_s} D|^2
        L_G = E softplus(-D(x_s', x_t, t))

    Xiao et al. 2022, equations 3 and 4 and section 4; R1 by Mescheder et al. 2018, in every ``r1_every``-th
    step as in their code. Each call lets the rival take one step and returns L_G; where no gradient is asked
    for, the rival stays as it is.

    With ``paired`` each drawn step stands against a real one,

        L_D = E softplus(D(x_s', x_t, t) - D(x_s, x_t, t)) + r1 / 2 E (|grad_{x_s} D|^2 + |grad_{x_s'} D|^2)
        L_G = E softplus(D(x_s, x_t, t) - D(x_s', x_t, t))

    so that no mode of the data can be left out at rest: Jolicoeur-Martineau 2018, "The Relativistic
    Discriminator"; Huang et al. 2024, "The GAN is dead; long live the GAN!", equation 2 and section 2.2.
    """

    rival: Rival | None = None
    r1: float = 0.02
    r1_every: int = 15
    paired: bool = False

    @property
    def memory(self) -> dict[str, Tensor]:
        return self._known.memory

    @property
    def measured(self) -> Objective:
        """The energy score: what one network says of another tells nothing of how good either is."""
        return EnergyScore(self.times, steps=self.steps)

    @property
    def _known(self) -> Rival:
        if self.rival is None:
            raise ValueError("an adversarial objective needs a rival")
        return self.rival

    def __call__(
        self, denoiser: DenoiserLike, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> Tensor:
        if torch.is_grad_enabled():
            self.teach_rival(denoiser, x0, cond, generator)
        return self.judged(denoiser, x0, cond, generator)

    def teach_rival(
        self, denoiser: DenoiserLike, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> None:
        """Let the rival take one step."""
        with torch.no_grad():
            t, x_t, real, drawn = self._pair(picking(denoiser), x0, cond, generator)
        self._known.learn(self._loss_of_rival(real, drawn, x_t, t, cond))

    def judged(
        self, denoiser: DenoiserLike, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """Return L_G, a scalar, by the rival as it is."""
        critic = self._known.critic
        t, x_t, real, drawn = self._pair(picking(denoiser), x0, cond, generator)
        weights = [weight for weight in critic.parameters() if weight.requires_grad]
        for weight in weights:
            weight.requires_grad_(False)
        try:
            taken = critic(drawn, x_t, t, cond)
            against = critic(real, x_t, t, cond) if self.paired else 0.0
            return F.softplus(against - taken).mean()
        finally:
            for weight in weights:
                weight.requires_grad_(True)

    def _pair(
        self, denoiser: PicksByLatent, x0: Samples, cond: Condition | None, generator: torch.Generator
    ) -> tuple[Times, Samples, Samples, Samples]:
        """Return times t, (B,), and x_t, x_s of the data and of the denoiser, (B, ...), for s = t - 1/N."""
        t, x_t, latent = self._draws(denoiser, x0, generator)
        s = ((t * self.steps).round() - 1) / self.steps
        process, noise = denoiser.process, _noise(x0, generator)
        # q(x_s, x_t | x0) = q(x_t | x0) q(x_s | x_t, x0): drawn downwards, as the denoiser draws.
        real = process.draw(x_t, x0, t, s, noise)
        x0_hat = denoiser.with_latent(latent)(x_t, t, cond)
        return t, x_t, real, process.draw(x_t, x0_hat, t, s, _noise(x0, generator))

    def _loss_of_rival(
        self, real: Samples, drawn: Samples, x_t: Samples, t: Times, cond: Condition | None
    ) -> Tensor:
        rival = self._known
        due = rival.steps % self.r1_every == 0
        real, drawn = real.requires_grad_(due), drawn.requires_grad_(due and self.paired)
        of_real, of_drawn = rival.critic(real, x_t, t, cond), rival.critic(drawn, x_t, t, cond)
        if self.paired:
            loss = F.softplus(of_drawn - of_real).mean()
        else:
            loss = F.softplus(-of_real).mean() + F.softplus(of_drawn).mean()
        if due:
            loss = loss + self.r1 / 2 * _steepness(of_real, real)
            if self.paired:
                loss = loss + self.r1 / 2 * _steepness(of_drawn, drawn)
        return loss


def _steepness(answers: Tensor, asked: Samples) -> Tensor:
    """Mean of |grad|^2 of the answers, (B,), by what was asked, (B, ...): a scalar with a gradient."""
    (slope,) = torch.autograd.grad(answers.sum(), asked, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()


def _noise(x0: Samples, generator: torch.Generator) -> Samples:
    return torch.randn(x0.shape, generator=generator, device=generator.device).to(x0)


def _latent(denoiser: PicksByLatent, x0: Samples, generator: torch.Generator) -> Tensor:
    return torch.randn(len(x0), denoiser.latents, generator=generator, device=generator.device).to(x0)


def _length(rows: Tensor) -> Tensor:
    # The gradient of a root is infinite at 0.
    return (rows.square().sum(1) + 1e-12).sqrt()
