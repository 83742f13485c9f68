"""Sections of the page: the schedule of the model in the letters of the lectures, and among others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, hypot

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    linear_betas,
)
from fogcatcher.drawing.html import Points
from fogcatcher.drawing.letters import formula, lettered, sentence
from fogcatcher.explain.explaining import Rates
from fogcatcher.explain.own_schedule import OwnSchedule
from fogcatcher.explain.seen import schedules_seen
from fogcatcher.explain.shown import Section, chart, charts, code, figure, numbers, section, sentences

LOG_SNR_SHOWN = 12.0
POINTS = 200
"""At most, of a curve."""


def own_schedule_section(own: OwnSchedule, name: str) -> Section:
    every = max(1, own.steps // POINTS)

    def curve(values: Tensor) -> Points:
        """Every so many steps, and the first and last."""
        pairs = list(zip(own.t.tolist(), values.tolist(), strict=True))
        return [*pairs[:-1:every], pairs[-1]]

    def row(step: int) -> list[str]:
        i = step - 1
        values = (own.beta, own.kept, own.alpha_bar, own.sigma**2, own.log_snr, own.posterior)
        return [str(step), f"{own.t[i].item():.3g}", *(figure_of(value[i].item()) for value in values)]

    whose = (
        f"This model has the schedule {name}, a table of T = {own.steps:,} betas."
        if own.is_table
        else f"This model has the schedule {name}, which has no steps of its own: here are {own.steps:,}."
    )
    head = ("step", "t", "beta", "alpha_t of lectures", "alpha_bar", "sigma^2", "log SNR", "beta_tilde")
    chosen = sorted(
        {1, 2, own.steps // 10, own.steps // 4, own.steps // 2, 3 * own.steps // 4, own.steps} - {0}
    )
    return section(
        "The schedule of this model",
        [
            sentence(whose),
            formula(
                "beta_t = sigma_t^2 - a^2 sigma_s^2   a = alpha_t / alpha_s   alpha_bar_t = alpha_t^2",
                "beta_tilde_t = beta_t sigma_s^2 / sigma_t^2",
            ),
            sentence(
                "beta is the variance that one step adds, beta_tilde that of q(x_s | x_t, x0): how far "
                "apart the x_s may lie from which this x_t came. The alpha_t of the lectures is a^2, the "
                "signal that one step keeps, and alpha_bar the product of all up to t; alpha here is the "
                "root of alpha_bar. Where the variance is preserved a^2 = 1 - beta and sigma^2 = 1 - "
                "alpha_bar."
            ),
            numbers([lettered(name) for name in head], [row(step) for step in chosen]),
        ],
        code(BetaSchedule if own.is_table else Process.step_variance, Process.bridge_variance)
        + charts(
            chart({"beta": curve(own.beta), "beta tilde": curve(own.posterior)}, "t", "variance", dots=False),
            chart(
                {"beta tilde / beta": curve(own.posterior / own.beta)},
                "t",
                "beta tilde / beta",
                dots=False,
                ends=[(0, 0), (1, 1)],
            ),
        ),
        charts(
            chart(
                {
                    "alpha bar": curve(own.alpha_bar),
                    "alpha": curve(own.alpha),
                    "sigma": curve(own.sigma),
                }
                if bool((own.sigma <= 2).all())
                else {"sigma": curve(own.sigma)},
                "t",
                "rates" if bool((own.sigma <= 2).all()) else "sigma; alpha is 1 throughout",
                dots=False,
            ),
            chart(
                {"log SNR": curve(own.log_snr.clamp(-LOG_SNR_SHOWN, LOG_SNR_SHOWN))},
                "t",
                f"log SNR, cut off at {LOG_SNR_SHOWN:g} either way",
                dots=False,
            ),
        ),
    )


def figure_of(value: float) -> str:
    return f"{value + 0.0:.3g}" if abs(value) < 1e4 else figure(value)


def schedules_section(rates: Sequence[Rates]) -> Section:
    def curves(value: Callable[[Rates], Tensor]) -> dict[str, Points]:
        return {r.name: list(zip(r.t.tolist(), value(r).tolist(), strict=True)) for r in rates}

    def size(r: Rates) -> Tensor:
        return hypot(r.alpha, r.sigma)

    return section(
        "Schedules: how fast the picture fades",
        [
            sentence(
                "The schedule of this model among others. alpha and sigma are divided by sqrt(alpha^2 + "
                "sigma^2), for some schedules add noise 80 times as strong as the picture."
            ),
            formula('"log SNR" = log(alpha^2 / sigma^2)'),
            sentences(schedules_seen(rates)),
            charts(
                chart(curves(lambda r: r.alpha / size(r)), "t", "share of the picture", dots=False),
                chart(curves(lambda r: r.sigma / size(r)), "t", "share of noise", dots=False),
                chart(
                    curves(lambda r: r.log_snr.clamp(-LOG_SNR_SHOWN, LOG_SNR_SHOWN)),
                    "t",
                    f"log SNR, cut off at {LOG_SNR_SHOWN:g} either way",
                    dots=False,
                ),
            ),
        ],
        code(EDMSchedule, CosineSchedule, FlowSchedule, linear_betas),
    )
