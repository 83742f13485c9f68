"""Diffusion of bits: a noising process that is not Gaussian.

Sohl-Dickstein et al. 2015, "Deep Unsupervised Learning using Nonequilibrium Thermodynamics", appendix. In
every step a bit is kept with probability 1 - beta_t, and otherwise thrown anew like a fair coin:

    q(x_t = 1 | x_{t-1}) = x_{t-1} (1 - beta_t) + beta_t / 2

A ``BinomialProcess`` has the methods of ``Process``, with x in {0., 1.} and x0_hat = P(x0 = 1 | x_t); what
samples with one samples with the other. Here too are the exact denoiser of a set of sequences and the
bound on log p(x0).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fogcatcher.diffusion.randomness import randn_like
from fogcatcher.diffusion.schedules import BetaSchedule
from fogcatcher.diffusion.tensors import Condition, Samples, Times, expand_to


def erasing_betas(steps: int) -> Tensor:
    """beta_t = 1 / (T - t + 1), (steps,): every step erases the same share of the data, the last one all.

    Sohl-Dickstein et al. 2015, section 2.4: prod_{i <= t} (1 - beta_i) = 1 - t / T.
    """
    return 1 / torch.arange(steps, 0, -1, dtype=torch.float64)


class BinomialProcess:
    """Corruption of bits by a table of betas, (T,) in (0, 1]; step i of T stands at t = i / T.

    Noise comes in as for any process, standard normal and of the shape of x: it throws the coins. Raises
    ValueError when a beta lies outside (0, 1].
    """

    def __init__(self, betas: Tensor) -> None:
        self.schedule = BetaSchedule(betas)

    @property
    def steps(self) -> int:
        """T, the number of steps."""
        return self.schedule.steps

    def flip(self, s: Times, t: Times) -> Times:
        """Return P(x_t != x_s) for s < t, (1 - prod_{s < i <= t} (1 - beta_i)) / 2."""
        return -torch.expm1(self.schedule.log_alpha_bar(t) - self.schedule.log_alpha_bar(s)) / 2

    def transition(self, x_s: Samples, s: Times, t: Times) -> Samples:
        """Return P(x_t = 1 | x_s) for s < t; ``x_s`` may be probabilities."""
        flip = expand_to(self.flip(s, t), x_s)
        return x_s * (1 - flip) + (1 - x_s) * flip

    def marginal(self, x0: Samples, t: Times) -> Samples:
        """Return P(x_t = 1 | x0) = 1/2 + (x0 - 1/2) prod (1 - beta); ``x0`` may be probabilities."""
        return self.transition(x0, torch.zeros_like(t), t)

    def posterior(self, x_t: Samples, x0: Samples, s: Times, t: Times) -> Samples:
        """Return P(x_s = 1 | x_t, x0) for s < t, by the rule of Bayes.

        For a probability ``x0`` it is the mean over both values of x0. Given x0 = E[x0 | x_t] that is
        P(x_s = 1 | x_t) of each bit, exactly.
        """
        flip = expand_to(self.flip(torch.zeros_like(s), s), x_t)  # P(x_s != x0)
        one = self.transition(x_t, s, t)  # P(x_t | x_s = 1)
        zero = self.transition(1 - x_t, s, t)  # P(x_t | x_s = 0)
        given_0 = flip * one / (flip * one + (1 - flip) * zero)
        given_1 = (1 - flip) * one / ((1 - flip) * one + flip * zero)
        return (1 - x0) * given_0 + x0 * given_1

    def prior(self, t: Times, noise: Samples) -> Samples:
        """Return where sampling starts: fair coins, at any ``t``."""
        return _coin(torch.full_like(noise, 0.5), noise)

    def corrupt(self, x0: Samples, t: Times, noise: Samples) -> Samples:
        """Return x_t drawn from ``q(x_t | x0)``."""
        return _coin(self.marginal(x0, t), noise)

    def renoise(self, x_s: Samples, s: Times, t: Times, noise: Samples) -> Samples:
        """Return x_t drawn from ``q(x_t | x_s)``, climbing from ``s`` up to ``t``."""
        return _coin(self.transition(x_s, s, t), noise)

    def draw(self, x_t: Samples, x0: Samples, t: Times, s: Times, noise: Samples) -> Samples:
        """Return x_s drawn from ``q(x_s | x_t, x0)`` for s < t; ``x0`` may be probabilities."""
        return _coin(self.posterior(x_t, x0, s, t), noise)


def _coin(p: Samples, noise: Samples) -> Samples:
    """Return 1 with probability ``p``, else 0: where standard normal noise falls below its p-quantile."""
    # A probability that rounding has carried past 1 would have no quantile.
    return (noise < torch.special.ndtri(p.clamp(0, 1))).to(p)


class BinomialDatasetDenoiser:
    """The exact denoiser of sequences drawn evenly from ``points``, (N, ...), of 0 and 1.

        r_k proportional to q(x_t | points_k) = flip^d (1 - flip)^(D - d),  x0_hat = sum_k r_k points_k

    d is the number of the D bits in which x_t and point k differ. The contract is that of every denoiser.
    """

    def __init__(self, process: BinomialProcess, points: Samples) -> None:
        self._process = process
        self.points = points

    @property
    def process(self) -> BinomialProcess:
        return self._process

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        """Return P(x0 = 1 | x_t), (B, ...), for times in (0, 1]. The condition is ignored."""
        x, points = x_t.flatten(1).double(), self.points.to(x_t.device).flatten(1).double()
        d = x.sum(1)[:, None] + points.sum(1) - 2 * x @ points.T  # (B, N)
        flip = expand_to(self.process.flip(torch.zeros_like(t), t), d)
        log_r = torch.xlogy(d, flip) + torch.xlogy(points.shape[1] - d, 1 - flip)
        return (torch.softmax(log_r, dim=1) @ points).reshape(x_t.shape).to(x_t)


def bernoulli_kl(q: Tensor, p: Tensor) -> Tensor:
    """Return KL(q || p) of two coins in nats, elementwise; rates are kept within [1e-6, 1 - 1e-6]."""
    q, p = q.clamp(1e-6, 1 - 1e-6), p.clamp(1e-6, 1 - 1e-6)
    return q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()


def bound(
    process: BinomialProcess,
    denoiser: Callable[[Samples, Times], Samples],
    x0: Samples,
    generator: torch.Generator,
    terms: int | None = None,
) -> Times:
    """Return an estimate of the lower bound on log2 p(x0), in bits, (B,), with one x_t for each term.

        -log p(x0) <= KL(q(x_T | x0) || prior)
                      + sum_{t >= 2} KL(q(x_{t-1} | x_t, x0) || p(x_{t-1} | x_t)) - log p(x0 | x_1)

    Sohl-Dickstein et al. 2015, appendix B, with its three entropies gathered into the two end terms. p is
    the posterior given the denoiser's x0_hat, every bit on its own. The term of t = 1 is the same KL, since
    q(x_0 | x_1, x0) is certain. ``terms`` None takes all T of them; a number draws that many different
    ones, which is right on average. ``x0``, (B, ...), is of 0 and 1.
    """
    steps = 1 + torch.randperm(process.steps, generator=generator, device=generator.device)[:terms]
    times = torch.arange(process.steps + 1, dtype=torch.float64) / process.steps
    at_the_end = process.marginal(x0, times[-1])
    nats = _sum(bernoulli_kl(at_the_end, torch.full_like(x0, 0.5)))
    for i in steps.tolist():
        s, t = times[i - 1].expand(len(x0)), times[i].expand(len(x0))
        x_t = process.corrupt(x0, t, randn_like(x0, generator))
        q, p = process.posterior(x_t, x0, s, t), process.posterior(x_t, denoiser(x_t, t), s, t)
        nats = nats + _sum(bernoulli_kl(q, p)) * (process.steps / len(steps))
    return -nats / math.log(2)


def _sum(x: Samples) -> Times:
    """Return the sum over each sample, (B,), in float64."""
    return x.flatten(1).double().sum(1)
