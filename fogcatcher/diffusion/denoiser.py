"""From a raw network to a denoiser.

    x0_hat(x_t, t, cond) = c_skip(t) x_t + c_out(t) F(c_in(t) x_t; c_noise(t), cond)

Karras et al. 2022, equation 7, written for any alpha and sigma. A preconditioning is the choice of
the four c's, and with it of what the network F has to predict.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import Condition, Samples, Times, expand_to

LEAST_SIGNAL = 1e-6
"""With a smaller share of signal at t = 1, x0 = (x_t - sigma eps) / alpha is rounding error in float32."""


@runtime_checkable
class DenoiserLike(Protocol):
    """The one contract: anything that answers "what is the clean sample?" can be sampled.

    A trained network, an exact solution and a guided denoiser all obey it.
    """

    @property
    def process(self) -> Process: ...

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples: ...


@runtime_checkable
class Label(Protocol):
    """c_noise, the number by which a network is told the noise level: schedule and times (B,) -> (B,)."""

    def __call__(self, schedule: Schedule, t: Times) -> Times: ...


@dataclass(frozen=True)
class LogSNRLabel:
    """-scale log_snr + shift. As it is, EDM's ln(sigma) / 4, which fits every schedule."""

    scale: float = 1 / 8
    shift: float = 0.0

    def __call__(self, schedule: Schedule, t: Times) -> Times:
        # The ends have infinite log-SNR; 40 is beyond what float32 data can tell from clean.
        return self.shift - self.scale * schedule.log_snr(t).clamp(-40, 40)


@dataclass(frozen=True)
class StepLabel:
    """The number of the step, of T; ``first`` is that of the first one. With T = 1, the time itself."""

    steps: int = 1
    first: int = 1

    def __call__(self, schedule: Schedule, t: Times) -> Times:
        return (t.double() * self.steps + (self.first - 1)).clamp(min=0)


@dataclass(frozen=True)
class SigmaLabel:
    """sigma T, as networks trained by flow matching are often told."""

    steps: int = 1000

    def __call__(self, schedule: Schedule, t: Times) -> Times:
        return schedule.sigma(t) * self.steps


@dataclass(frozen=True)
class RateLabel:
    """sqrt(alpha_bar), the share of signal: 1 at t = 0 (Saharia et al. 2021, "SR3", section 2.3)."""

    def __call__(self, schedule: Schedule, t: Times) -> Times:
        return (schedule.log_snr(t) / 2).exp().arctan().sin()


@dataclass(frozen=True)
class Preconditioning(ABC):
    """c_skip, c_out, c_in as functions of the rates, and the number the network is told."""

    label: Label = LogSNRLabel()

    def check(self, schedule: Schedule) -> None:
        """Raises ValueError where this cannot be predicted at every time of the schedule."""
        return

    @abstractmethod
    def c_skip(self, alpha: Times, sigma: Times) -> Times: ...

    @abstractmethod
    def c_out(self, alpha: Times, sigma: Times) -> Times: ...

    def c_in(self, alpha: Times, sigma: Times) -> Times:
        """Scale to unit variance, for data of unit variance."""
        return (alpha**2 + sigma**2).rsqrt()

    def c_noise(self, schedule: Schedule, t: Times) -> Times:
        return self.label(schedule, t)


@dataclass(frozen=True)
class PredictEps(Preconditioning):
    """F predicts the noise (Ho et al. 2020). Undefined where no signal is left (alpha = 0)."""

    def check(self, schedule: Schedule) -> None:
        if schedule.signal_left < LEAST_SIGNAL:
            raise ValueError(
                "the noise says nothing about the picture where no signal is left, as at the end of this "
                "schedule; predict v, x0 or edm instead"
            )

    def c_skip(self, alpha: Times, sigma: Times) -> Times:
        return 1 / alpha

    def c_out(self, alpha: Times, sigma: Times) -> Times:
        return -sigma / alpha


@dataclass(frozen=True)
class PredictX0(Preconditioning):
    """F predicts the clean sample."""

    def c_skip(self, alpha: Times, sigma: Times) -> Times:
        return alpha * 0

    def c_out(self, alpha: Times, sigma: Times) -> Times:
        return alpha * 0 + 1


@dataclass(frozen=True)
class PredictV(Preconditioning):
    """F predicts v = alpha eps - sigma x0, the rates scaled to alpha^2 + sigma^2 = 1.

    Salimans & Ho 2022, appendix D; on variance-preserving schedules the scaling does nothing.
    """

    def c_skip(self, alpha: Times, sigma: Times) -> Times:
        return alpha / (alpha**2 + sigma**2)

    def c_out(self, alpha: Times, sigma: Times) -> Times:
        return -sigma * (alpha**2 + sigma**2).rsqrt()


@dataclass(frozen=True)
class PredictVelocity(Preconditioning):
    """F predicts eps - x0 (flow matching) and sees x_t as it is."""

    def c_skip(self, alpha: Times, sigma: Times) -> Times:
        return 1 / (alpha + sigma)

    def c_out(self, alpha: Times, sigma: Times) -> Times:
        return -sigma / (alpha + sigma)

    def c_in(self, alpha: Times, sigma: Times) -> Times:
        return alpha * 0 + 1


@dataclass(frozen=True)
class EDMPreconditioning(Preconditioning):
    """F sees and predicts unit variance at every noise level (Karras et al. 2022, Table 1).

    With n^2 = alpha^2 sigma_data^2 + sigma^2 the paper's c's become, for any alpha,
    c_skip = alpha sigma_data^2 / n^2, c_out = sigma sigma_data / n, c_in = 1 / n.
    ``sigma_data`` is the standard deviation of the data.
    """

    sigma_data: float = 0.5

    def c_skip(self, alpha: Times, sigma: Times) -> Times:
        return alpha * self.sigma_data**2 / self._variance(alpha, sigma)

    def c_out(self, alpha: Times, sigma: Times) -> Times:
        return sigma * self.sigma_data * self._variance(alpha, sigma).rsqrt()

    def c_in(self, alpha: Times, sigma: Times) -> Times:
        return self._variance(alpha, sigma).rsqrt()

    def _variance(self, alpha: Times, sigma: Times) -> Times:
        """n^2."""
        return (alpha * self.sigma_data) ** 2 + sigma**2


class Denoiser(nn.Module):
    """A network with its process and preconditioning: ``denoiser(x_t, t, cond) -> x0_hat``.

    The network is called as ``network(x, c_noise, cond)``: (B, ...), (B,), mapping -> (B, ...).
    Raises ValueError where the preconditioning and the schedule do not go together.
    """

    def __init__(self, network: nn.Module, process: Process, preconditioning: Preconditioning) -> None:
        super().__init__()
        preconditioning.check(process.schedule)
        self.network = network
        self.process = process
        self.preconditioning = preconditioning

    def forward(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        """Return the expected clean sample, (B, ...), of ``x_t``, (B, ...), at times ``t``, (B,)."""
        return self._x0_hat(x_t, t, self._raw(x_t, t, cond))

    def _raw(self, x_t: Samples, t: Times, cond: Condition | None) -> Tensor:
        c, (alpha, sigma) = self.preconditioning, self._rates(t)
        noise_label: Tensor = c.c_noise(self.process.schedule, t).to(x_t)
        return self.network(expand_to(c.c_in(alpha, sigma), x_t) * x_t, noise_label, cond)

    def _x0_hat(self, x_t: Samples, t: Times, raw: Tensor) -> Samples:
        c, (alpha, sigma) = self.preconditioning, self._rates(t)
        skip, out = expand_to(c.c_skip(alpha, sigma), x_t), expand_to(c.c_out(alpha, sigma), x_t)
        return skip * x_t + out * raw.to(x_t.dtype)

    def _rates(self, t: Times) -> tuple[Times, Times]:
        return self.process.schedule.alpha(t), self.process.schedule.sigma(t)


def preconditioning_of(denoiser: DenoiserLike) -> Preconditioning:
    """Return what the network of a denoiser predicts, also through what is wrapped around it.

    Raises ValueError when there is no network.
    """
    found = getattr(denoiser, "preconditioning", None)
    if found is None and isinstance(inner := getattr(denoiser, "inner", None), DenoiserLike):
        return preconditioning_of(inner)
    if not isinstance(found, Preconditioning):
        raise ValueError("this denoiser has no network whose errors could be counted")
    return found


class LearnedVarianceDenoiser(Denoiser):
    """A denoiser whose network answers twice the channels: the second half places the variance.

    -1 is beta-tilde and 1 is beta (Nichol & Dhariwal 2021, equation 15, where v runs from 0 to 1).
    """

    def forward(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        return self.x0_and_fraction(x_t, t, cond)[0]

    def x0_and_fraction(
        self, x_t: Samples, t: Times, cond: Condition | None = None
    ) -> tuple[Samples, Samples]:
        """Return x0_hat and where the log variance lies, from beta-tilde (0) to beta (1), (B, ...) each."""
        raw, v = self._raw(x_t, t, cond).chunk(2, dim=1)
        return self._x0_hat(x_t, t, raw), (v.to(x_t.dtype) + 1) / 2


LATENT = "latent"
"""Under this name the network of a ``LatentDenoiser`` is told its latent, beside the condition."""


class LatentDenoiser(Denoiser):
    """A denoiser that answers with one clean sample of many, which a ``latent`` picks.

    ``latent`` is standard normal, (B, ``latents``). So p(x0 | x_t) may have any number of modes (Xiao et al.
    2022, "Denoising Diffusion GANs", equation 5). Without one it answers as for a latent of zeros.
    """

    def __init__(
        self, network: nn.Module, process: Process, preconditioning: Preconditioning, latents: int
    ) -> None:
        super().__init__(network, process, preconditioning)
        self.latents = latents

    def with_latent(self, latent: Tensor) -> DenoiserLike:
        """Return the denoiser with its latent, (B, latents), filled in."""
        return _Picked(self, latent)


@dataclass(frozen=True)
class _Picked:
    inner: LatentDenoiser
    latent: Tensor

    @property
    def process(self) -> Process:
        return self.inner.process

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        return self.inner(x_t, t, {**(cond or {}), LATENT: self.latent})


@runtime_checkable
class PicksByLatent(Protocol):
    """A denoiser, or what is wrapped around one, that answers with the clean sample a latent picks."""

    @property
    def process(self) -> Process: ...

    @property
    def latents(self) -> int: ...

    def with_latent(self, latent: Tensor) -> DenoiserLike: ...

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples: ...


def picking(denoiser: DenoiserLike) -> PicksByLatent:
    """Raises ValueError for a denoiser that has no latent."""
    if not isinstance(denoiser, PicksByLatent):
        raise ValueError("this needs a model with a latent, which picks one clean picture of many")
    return denoiser
