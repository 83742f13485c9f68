"""What a network may predict, and how each prediction becomes any other.

Given ``x_t = alpha x0 + sigma eps`` all of these say the same thing in other words:

    x0        the clean sample
    eps       the noise                       Ho et al. 2020, equation 12
    v         alpha eps - sigma x0            Salimans & Ho 2022, section 4
    velocity  eps - x0                        Lipman et al. 2022 (time reversed)
    score     -eps / sigma                    Song et al. 2021, "Score-Based Generative Modeling"

Every prediction is a pair of pure functions to and from x0; there is no other conversion code.
Converting divides by alpha (eps, score to x0) or sigma (x0 to eps, velocity, score): not at the ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from fogcatcher.diffusion.tensors import Samples

Conversion = Callable[[Samples, Samples, Tensor, Tensor], Samples]
"""(x_t, value, alpha, sigma) -> value; the rates already have the shape to multiply x_t."""


@dataclass(frozen=True)
class Prediction:
    """One way of saying what the clean sample is."""

    name: str
    to_x0: Conversion
    from_x0: Conversion


def _eps_from_x0(x_t: Samples, x0: Samples, alpha: Tensor, sigma: Tensor) -> Samples:
    return (x_t - alpha * x0) / sigma


X0 = Prediction("x0", lambda x_t, x0, alpha, sigma: x0, lambda x_t, x0, alpha, sigma: x0)
EPS = Prediction(
    "eps",
    lambda x_t, eps, alpha, sigma: (x_t - sigma * eps) / alpha,
    _eps_from_x0,
)
V = Prediction(
    "v",
    lambda x_t, v, alpha, sigma: (alpha * x_t - sigma * v) / (alpha**2 + sigma**2),
    lambda x_t, x0, alpha, sigma: alpha * _eps_from_x0(x_t, x0, alpha, sigma) - sigma * x0,
)
VELOCITY = Prediction(
    "velocity",
    lambda x_t, u, alpha, sigma: (x_t - sigma * u) / (alpha + sigma),
    lambda x_t, x0, alpha, sigma: _eps_from_x0(x_t, x0, alpha, sigma) - x0,
)
SCORE = Prediction(
    "score",
    lambda x_t, score, alpha, sigma: (x_t + sigma**2 * score) / alpha,
    lambda x_t, x0, alpha, sigma: -_eps_from_x0(x_t, x0, alpha, sigma) / sigma,
)
PREDICTIONS = (X0, EPS, V, VELOCITY, SCORE)


def convert(
    value: Samples, source: Prediction, target: Prediction, x_t: Samples, alpha: Tensor, sigma: Tensor
) -> Samples:
    """Return the ``target`` prediction that says what the ``source`` prediction ``value`` says."""
    return target.from_x0(x_t, source.to_x0(x_t, value, alpha, sigma), alpha, sigma)
