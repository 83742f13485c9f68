"""Steering by the gradient of a classifier of noisy samples: Dhariwal & Nichol 2021, section 4.

For a classifier p(c | x_t), the score of p(x_t) p(c | x_t)^s is that of p(x_t) plus s times

    g = grad_x log p(c | x_t).

**Form of DDIM** (algorithm 2 there: eps_hat - s sigma_t g). With x0_hat = (x_t - sigma_t eps_hat) / alpha_t,
it is a denoiser, which suits every sampler:

    x0_hat + s sigma_t^2 / alpha_t g.

**Ancestral form** (algorithm 1 there: mean + s Sigma g). The mean of q(x_s | x_t, x0) is linear in x0,
with the factor alpha_s b^2 / sigma_t^2, and its variance is Sigma = b^2 sigma_s^2 / sigma_t^2
(``Process.bridge``). So to shift the mean by s Sigma g is to shift x0_hat, and the form is the one above
with the rates of the next time in place of those of this one:

    x0_hat + s sigma_s^2 / alpha_s g.

Both differ by a share of the step's variance b^2 (beta). The first is what models draw with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.diffusion.guidance import Wrapped
from fogcatcher.diffusion.tensors import Condition, PerSample, Samples, Times, expand_to

LogProb = Callable[[Samples, Times, Condition], PerSample]
"""log p(c | x_t) of each sample, up to a constant: (x_t, t, condition) -> (B,)."""
LEAST_SIGNAL = 1e-3
"""Below this alpha / sigma nothing can be told from x_t, and the gradient is 0."""


@dataclass(frozen=True)
class ClassifierGuided(Wrapped):
    """``x0_hat + s sigma^2 / alpha grad log p(c | x_t)``, the answer of ``inner`` steered by a classifier.

    s = 0 is off, exactly; s = 1 makes an unconditional denoiser conditional if the classifier is exact.
    """

    log_prob: LogProb
    s: float
    grid: Times | None = None
    """The falling times of the sampler, for the ancestral form; None is the form of DDIM."""

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        x0_hat = self.inner(x_t, t, cond)
        if self.s == 0 or cond is None:
            return x0_hat
        schedule = self.process.schedule
        at = t if self.grid is None else _next(self.grid, t)
        hears = schedule.alpha(t) / schedule.sigma(t) >= LEAST_SIGNAL
        gain = torch.where(hears, schedule.sigma(at) ** 2 / schedule.alpha(at), 0.0)
        return x0_hat + self.s * expand_to(gain, x_t) * log_prob_gradient(self.log_prob, x_t, t, cond)


def _next(grid: Tensor, t: Times) -> Times:
    """The times of the grid that come after ``t``, which are on it, too."""
    rising = grid.flip(0).to(t.device)
    return rising[(torch.searchsorted(rising, t.contiguous()) - 1).clamp(min=0)]


def log_prob_gradient(log_prob: LogProb, x_t: Samples, t: Times, cond: Condition) -> Samples:
    """Return the gradient of log p(c | x_t) with respect to ``x_t``, of its shape.

    Works where gradients are switched off.
    """
    with torch.enable_grad():
        x = x_t.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(log_prob(x, t, cond).sum(), x)
    return gradient
