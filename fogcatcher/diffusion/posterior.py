"""One step down as the model believes it: p(x_s | x_t), a Gaussian with a choice of variances."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.tensors import Condition, Samples, Times, expand_to

Variance = Literal["small", "large", "learned"]


@runtime_checkable
class LearnsVariance(DenoiserLike, Protocol):
    """A denoiser that also says where the variance lies between beta-tilde (0) and beta (1)."""

    def x0_and_fraction(
        self, x_t: Samples, t: Times, cond: Condition | None = None
    ) -> tuple[Samples, Samples]: ...


def reverse(
    denoiser: DenoiserLike,
    x_t: Samples,
    t: Times,
    s: Times,
    variance: Variance,
    cond: Condition | None = None,
    above: Times | None = None,
) -> tuple[Samples, Samples, Tensor]:
    """Return x0_hat, (B, ...), and mean, (B, ...), and log variance of p(x_s | x_t), which broadcasts.

    The mean is that of q(x_s | x_t, x0_hat) (Ho et al. 2020, equation 7). t and s are () or (B,);
    ``above`` is the time before t on the grid (see ``clipped_log_variance``), and counts where s = 0 alone.
    Raises ValueError when a variance was to be learned and the denoiser has none.
    """
    times = t.expand(len(x_t))
    if variance == "learned":
        if not isinstance(denoiser, LearnsVariance):
            raise ValueError("this denoiser has not learned a variance: use ddpm or ddpm_large")
        x0_hat, fraction = denoiser.x0_and_fraction(x_t, times, cond)
        log_variance = learned_log_variance(denoiser.process, fraction, t, s, above)
    else:
        x0_hat = denoiser(x_t, times, cond)
        large = denoiser.process.step_variance(t, s)
        small = clipped_log_variance(denoiser.process, t, s, above)
        fixed = large.log() if variance == "large" else small
        log_variance = expand_to(fixed, x_t)
    return x0_hat, denoiser.process.bridge(x_t, x0_hat, t, s)[0], log_variance


def learned_log_variance(
    process: Process, fraction: Samples, t: Times, s: Times, above: Times | None = None
) -> Samples:
    """fraction log beta + (1 - fraction) log beta-tilde: Nichol & Dhariwal 2021, equation 15.

    ``fraction``, (B, ...), is not kept within [0, 1].
    """
    large = expand_to(process.step_variance(t, s).log(), fraction)
    small = expand_to(clipped_log_variance(process, t, s, above), fraction)
    return fraction * large + (1 - fraction) * small


def clipped_log_variance(process: Process, t: Times, s: Times, above: Times | None = None) -> Times:
    """Return log beta-tilde; for the last step, to s = 0, where it is -inf, that of the step above.

    The step above leads from ``above`` to t. Unless told it is as long as the last one, as on an even grid.
    Where there is none, with above = t, the last step has log beta.
    """
    above = (2 * t - s).clamp(max=1) if above is None else above
    last = torch.where(above > t, process.bridge_variance(above, t), process.step_variance(t, s))
    return torch.where(s > 0, process.bridge_variance(t, s), last).log()
