"""From the settings of a drawing to one guided denoiser: which wrapper goes around which."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fogcatcher.diffusion.classifier_guidance import ClassifierGuided, LogProb
from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.guidance import Autoguided, ClassifierFree, Guide, Rescaled, Within
from fogcatcher.diffusion.tensors import Condition
from fogcatcher.drawing.settings import Steering


def guided(
    denoiser: DenoiserLike,
    w: float | Mapping[str, float],
    how: Steering,
    *,
    negative: Condition | None = None,
    weaker: DenoiserLike | None = None,
    log_prob: LogProb | None = None,
) -> DenoiserLike:
    """Return ``denoiser`` with guidance of scale ``w`` and all of ``how``, still to be asked for a condition.

    From the inside: away from the negative condition or the weaker model; along the classifier; back to the
    usual contrast; all of it only within the interval. Raises ValueError for a weaker model with one scale
    per attribute.
    """

    def guide(inner: DenoiserLike) -> DenoiserLike:
        led = _led_away(inner, w, negative, weaker)
        return led if log_prob is None else ClassifierGuided(led, log_prob, how.classifier)

    whole: Guide = partial(Rescaled, guide=guide, phi=how.rescale) if how.rescale else guide
    return (
        whole(denoiser) if how.interval is None else Within(denoiser, whole, how.interval[0], how.interval[1])
    )


def _led_away(
    inner: DenoiserLike,
    w: float | Mapping[str, float],
    negative: Condition | None,
    weaker: DenoiserLike | None,
) -> DenoiserLike:
    if weaker is None:
        return ClassifierFree(inner, w, negative)
    if isinstance(w, Mapping):
        raise ValueError("guidance by a weaker model takes one scale")
    return Autoguided(inner, weaker, w)
