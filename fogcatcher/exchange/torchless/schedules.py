"""How much signal and noise there is at a time, and at which times to draw, from what a file says of it.

A schedule and a grid are mappings: "kind", the name of the class in ``fogcatcher/diffusion/schedules.py`` or
``fogcatcher/diffusion/sampling/grids.py``, with its fields. There stand the papers and the equations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fogcatcher.base.errors import UserError

Times = NDArray[np.float64]
Fields = Mapping[str, Any]
HALVINGS = 100


def rates(schedule: Fields, t: Times) -> tuple[Times, Times]:
    """Return alpha and sigma at times ``t`` in [0, 1]. Raises UserError for an unknown schedule."""
    match schedule:
        case {"kind": "EDMSchedule", "sigma_max": largest}:
            return np.ones_like(t), largest * t
        case {"kind": "VESchedule", "sigma_min": low, "sigma_max": high}:
            return np.ones_like(t), low * np.sqrt(np.expm1(2 * np.log(high / low) * t))
        case {"kind": "FlowSchedule", "shift": shift}:
            return (1 - t) / (1 + (shift - 1) * t), shift * t / (1 + (shift - 1) * t)
        case {"kind": "CosineSchedule"}:
            return np.sin((1 - t) * np.pi / 2), np.sin(t * np.pi / 2)
        case {"kind": "VPSchedule" | "SubVPSchedule" as kind, "beta_min": low, "beta_max": high}:
            integral = t * (low + (high - low) * t / 2)
            noise = -np.expm1(-integral)
            return np.exp(-integral / 2), np.sqrt(noise) if kind == "VPSchedule" else noise
        case {"kind": "BetaSchedule", "betas": betas}:
            return _rates_of_table(np.asarray(betas, dtype=np.float64), t)
    raise UserError(f"this version cannot draw by the schedule {schedule.get('kind')}: use a newer one.")


def _rates_of_table(betas: Times, t: Times) -> tuple[Times, Times]:
    with np.errstate(divide="ignore"):  # a last beta of 1 leaves no signal
        table = np.concatenate([[0.0], np.log1p(-betas).cumsum().clip(min=-2000)])
    log_alpha_bar = np.interp(t * len(betas), np.arange(len(table)), table)
    return np.exp(log_alpha_bar / 2), np.sqrt(-np.expm1(log_alpha_bar))


def log_snr(schedule: Fields, t: Times) -> Times:
    """log(alpha^2 / sigma^2): infinite at t = 0, and -infinite where no signal is left."""
    alpha, sigma = rates(schedule, t)
    with np.errstate(divide="ignore"):
        return 2 * (np.log(alpha) - np.log(sigma))


def t_from_log_snr(schedule: Fields, wanted: Times) -> Times:
    """Return the times with these log-SNR, or the nearest end: halving an interval, since they only fall."""
    low, high = np.zeros_like(wanted), np.ones_like(wanted)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        noisier = log_snr(schedule, middle) <= wanted
        low, high = np.where(noisier, low, middle), np.where(noisier, middle, high)
    return high


def times(grid: Fields, schedule: Fields, steps: int) -> Times:
    """Return (steps + 1,) falling times that end at 0, of 1 step or more. Raises UserError for too many."""
    return np.concatenate([_noisy_times(grid, schedule, steps), [0.0]])


def _noisy_times(grid: Fields, schedule: Fields, steps: int) -> Times:
    ramp, last = np.linspace(0, 1, steps), log_snr(schedule, np.ones(1))[0]
    match grid:
        case {"kind": "UniformGrid"}:
            return 1 - np.arange(steps) / steps
        case {"kind": "LeadingGrid", "trained_steps": trained}:
            return (np.arange(steps)[::-1] * (_at_most(trained, steps) // steps) + 1) / trained
        case {"kind": "LinspaceGrid", "trained_steps": trained}:
            return (np.linspace(_at_most(trained, steps) - 1, 0, steps).round() + 1) / trained
        case {"kind": "OpenLinspaceGrid", "trained_steps": trained}:
            return (np.linspace(_at_most(trained, steps + 1) - 1, 0, steps + 1).round()[:-1] + 1) / trained
        case {
            "kind": "KarrasGrid" | "NestedKarrasGrid" as kind,
            "sigma_min": smallest,
            "sigma_max": largest,
            "rho": rho,
        }:
            # The nested one ends with the data where the other still asks at sigma_min.
            ramp = np.linspace(0, 1, steps + (kind == "NestedKarrasGrid"))[:steps]
            high, low = min(np.exp(-last / 2), largest) ** (1 / rho), smallest ** (1 / rho)
            return t_from_log_snr(schedule, -2 * rho * np.log(high + ramp * (low - high)))
        case {"kind": "StraightGrid", "shift": shift}:
            u = (1 - np.arange(1, steps) / steps) / (1 + shift * np.exp(last / 2))
            return np.concatenate([[1.0], t_from_log_snr(schedule, -2 * np.log(shift * u / (1 - u)))])
        case {"kind": "LogSNRGrid", "sigma_min": smallest, "sigma_max": largest}:
            first = max(last, -2 * np.log(largest))
            return t_from_log_snr(schedule, first + ramp * (-2 * np.log(smallest) - first))
        case {"kind": "PolyexponentialGrid", "sigma_min": smallest, "sigma_max": largest, "rho": rho}:
            first, end = max(last, -2 * np.log(largest)), -2 * np.log(smallest)
            return t_from_log_snr(schedule, end + (1 - ramp) ** rho * (first - end))
    raise UserError(f"this version cannot draw by the grid {grid.get('kind')}: use a newer one.")


def _at_most(trained: int, steps: int) -> int:
    if steps > trained:
        raise UserError(f"{steps} steps do not fit into {trained} trained ones.")
    return trained
