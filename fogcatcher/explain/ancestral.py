"""One step of DDPM's ancestral sampler in numbers, for one pixel.

    x_s = 1 / a (x_t - beta / sigma_t eps_hat) + std z,   a = alpha_t / alpha_s

Ho et al. 2020, equation 11, where sigma_t is sqrt(1 - alpha_bar_t) and a is sqrt(1 - beta_t); so written it
holds in every schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.drawing.settings import Settings
from fogcatcher.explain.explaining import Steps, by, steps
from fogcatcher.model.model import Model


@dataclass(frozen=True)
class AncestralStep:
    """The numbers of one pixel in one step."""

    number: int
    """Of the step, from 1."""
    of: int
    t: float
    s: float
    alpha_bar_t: float
    alpha_bar_s: float
    sigma_t: float
    a: float
    beta: float
    """sigma_t^2 - a^2 sigma_s^2."""
    std: float
    """The root of beta-tilde."""
    x_t: float
    eps_hat: float
    mean: float
    z: float
    x_s: float


def ancestral_step(
    model: Model, seed: int, wish: Mapping[str, Wish], settings: Settings, pixel: tuple[int, int, int]
) -> AncestralStep:
    """Draw the picture of a seed by DDPM, and return the step that sets out nearest to sigma = alpha.

    ``pixel`` is channel, y and x. Raises UserError as ``Model.sample``.
    """
    settings = replace(by("ddpm", settings), steps=max(2, settings.steps))
    shown = steps(model, seed, wish, settings)
    # Of the last step, which adds no noise, there is nothing to see.
    i = int((shown.sigma / shown.alpha).log().abs()[:-1].argmin())
    return of_step(model, shown, i, pixel)


def of_step(model: Model, shown: Steps, i: int, pixel: tuple[int, int, int]) -> AncestralStep:
    """Return the numbers of step ``i``, from 0, of steps that DDPM took; not of the last."""
    process, (t, s) = model.denoiser.process, shown.t[i : i + 2]
    a, beta = shown.alpha[i] / shown.alpha[i + 1], process.step_variance(t, s)
    x_t, eps_hat, x_s = (x[(i, *pixel)].double() for x in (shown.x_t, shown.eps_hat, shown.x_t[1:]))
    mean = (x_t - beta / shown.sigma[i] * eps_hat) / a
    std = process.bridge_variance(t, s).sqrt()
    numbers = (t, s, shown.alpha[i] ** 2, shown.alpha[i + 1] ** 2, shown.sigma[i], a, beta, std)
    values = (x_t, eps_hat, mean, (x_s - mean) / std, x_s)
    return AncestralStep(i + 1, len(shown.t), *(float(n) for n in (*numbers, *values)))
