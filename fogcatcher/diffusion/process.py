"""The noising process. This is the only file that adds noise to data."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Samples, Times, expand_to


@dataclass(frozen=True)
class Process:
    """Gaussian corruption ``q(x_t | x0) = N(alpha x0, sigma^2)`` with the rates of a schedule."""

    schedule: Schedule

    def rates(self, t: Times, x: Samples) -> tuple[Tensor, Tensor]:
        """Return alpha(t) and sigma(t), each shaped to multiply ``x``, (B, ...)."""
        return expand_to(self.schedule.alpha(t), x), expand_to(self.schedule.sigma(t), x)

    def prior(self, t: Times, noise: Samples) -> Samples:
        """Return where sampling starts at time ``t``: sigma(t) times standard normal noise."""
        return expand_to(self.schedule.sigma(t), noise) * noise

    def corrupt(self, x0: Samples, t: Times, noise: Samples) -> Samples:
        """Return ``x_t = alpha(t) x0 + sigma(t) noise`` (Ho et al. 2020, equation 4)."""
        alpha, sigma = self.rates(t, x0)
        return alpha * x0 + sigma * noise

    def renoise(self, x_s: Samples, s: Times, t: Times, noise: Samples) -> Samples:
        """Return x_t drawn from ``q(x_t | x_s)``, climbing from ``s`` up to ``t``.

        q(x_t | x_s) = N(a x_s, sigma_t^2 - a^2 sigma_s^2) with a = alpha_t / alpha_s.
        """
        a, variance = self._transition(s, t)
        return expand_to(a, x_s) * x_s + expand_to(variance.sqrt(), x_s) * noise

    def bridge(self, x_t: Samples, x0: Samples, t: Times, s: Times) -> tuple[Samples, Times]:
        """Return mean, (B, ...), and standard deviation of ``q(x_s | x_t, x0)`` for s < t.

            mean = a sigma_s^2 / sigma_t^2 x_t + alpha_s b^2 / sigma_t^2 x0
            variance = b^2 sigma_s^2 / sigma_t^2    (beta-tilde)

        with a = alpha_t / alpha_s and b^2 = sigma_t^2 - a^2 sigma_s^2. For a table of betas these are
        equations 6 and 7 of Ho et al. 2020 (there a^2 = 1 - beta_t and b^2 = beta_t).
        """
        a, b2 = self._transition(s, t)
        alpha_s, sigma_s = self.schedule.alpha(s), self.schedule.sigma(s)
        sigma_t2 = self.schedule.sigma(t) ** 2
        keep = expand_to(a * sigma_s**2 / sigma_t2, x_t)
        pull = expand_to(alpha_s * b2 / sigma_t2, x_t)
        return keep * x_t + pull * x0, self.bridge_variance(t, s).sqrt()

    def draw(self, x_t: Samples, x0: Samples, t: Times, s: Times, noise: Samples) -> Samples:
        """Return x_s drawn from ``q(x_s | x_t, x0)`` for s < t."""
        mean, std = self.bridge(x_t, x0, t, s)
        return mean + expand_to(std, x_t) * noise

    def bridge_variance(self, t: Times, s: Times) -> Times:
        """Return the variance of ``q(x_s | x_t, x0)``, beta-tilde of DDPM; 0 where s = 0."""
        sigma_t, sigma_s = self.schedule.sigma(t), self.schedule.sigma(s)
        return self._transition(s, t)[1] * (sigma_s / sigma_t) ** 2

    def step_variance(self, t: Times, s: Times) -> Times:
        """Return the variance that one forward step adds from ``s`` to ``t`` (beta_t of DDPM)."""
        return self._transition(s, t)[1]

    def _transition(self, s: Times, t: Times) -> tuple[Times, Times]:
        """Return scale and variance of ``q(x_t | x_s)``."""
        a = self.schedule.alpha(t) / self.schedule.alpha(s)
        variance = self.schedule.sigma(t) ** 2 - (a * self.schedule.sigma(s)) ** 2
        return a, variance.clamp(min=0)
