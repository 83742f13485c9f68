"""One picture under the noise of a schedule, without any model: q(x_t | x_0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from PIL import Image

from fogcatcher.base.errors import Message, UserError, named
from fogcatcher.data.pictures.sheets import sheet
from fogcatcher.data.pictures.spec import Pictures, PictureSpec, to_model
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.tensors import Times
from fogcatcher.explain.explaining import Forward, forward
from fogcatcher.model.build import build_schedule, steps_of
from fogcatcher.model.choices import T_OF_NO_TABLE, check_options
from fogcatcher.model.config import Method
from fogcatcher.model.presets import PRESETS

FRAMES = 40
"""Pictures of the animation between none and the most noise."""


def times_of(text: str, steps: int) -> Times:
    """Return times in [0, 1] from "0,0.5,1", shares, or from "50,100,299", steps of T = ``steps``.

    They are shares where all lie from 0 to 1. Raises UserError for anything else.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1.0]
    if all(0 <= number <= 1 for number in numbers):
        return torch.tensor(numbers, dtype=torch.float64)
    if not all(0 <= number <= steps and number == int(number) for number in numbers):
        raise UserError(
            Message(
                "times '{text}' must be steps of T, whole numbers from 0 to {steps}, like {some}, "
                "or all of them shares from 0 to 1, like 0,0.1,0.5,1.",
                text=text,
                steps=steps,
                some=f"{steps // 20},{steps // 5},{steps}",
            )
        )
    return torch.tensor(numbers, dtype=torch.float64) / steps


@dataclass(frozen=True)
class Noised:
    """One picture at some times, and how that looks."""

    steps: int
    """T: of the schedule, or 1,000 where it is no table of betas."""
    at: Forward
    fading: Forward
    """From no noise to the most, for the animation."""
    pictures: PictureSpec

    @property
    def strip(self) -> Image.Image:
        return self._shown(self.at, len(self.at.t))

    @property
    def frames(self) -> list[Image.Image]:
        return [self._shown(self.fading, 1, i) for i in range(len(self.fading.t))]

    def _shown(self, forward: Forward, columns: int, only: int | None = None) -> Image.Image:
        rows = forward.seen if only is None else forward.seen[only : only + 1]
        return sheet(self.pictures.from_model(rows), columns)

    def rows(self) -> list[list[str]]:
        """Return a table for people: its head, then a row for each time."""
        at = self.at
        table = [["t", "step", "alpha", "sigma", "alpha_bar", "SNR", "mean of x_t", "spread of x_t"]]
        for i in range(len(at.t)):
            x_t = at.x_t[i].double()
            numbers = (at.alpha[i], at.sigma[i], at.alpha[i] ** 2, at.snr[i], x_t.mean(), x_t.std())
            table.append(
                [
                    f"{at.t[i].item():.4g}",
                    f"{at.t[i].item() * self.steps:g}",
                    *(f"{n.item():.4g}" for n in numbers),
                ]
            )
        return table


def schedule_of(
    preset: str, schedule: str | None = None, options: Mapping[str, float] | None = None
) -> Method:
    """Return a method with the schedule of a preset, or of its own name; nothing else of it counts.

    Raises UserError for a name or a number that cannot be.
    """
    name = schedule or named("preset", preset, PRESETS, about="preset").schedule
    method = Method(name, options=dict(options or {}))
    build_schedule(method)
    check_options({"schedule": name}, method.options)
    return method


def noised(picture: Pictures, pictures: PictureSpec, method: Method, times: str, seed: int = 0) -> Noised:
    """Return x_t = alpha x_0 + sigma eps of one picture, (1, C, H, W) uint8, under a method's schedule.

    The noise is that of ``seed``, the same at every time. ``times`` are shares or steps (``times_of``).
    Ho et al. 2020, equation 4. Raises UserError for times that cannot be.
    """
    process, steps = Process(build_schedule(method)), steps_of(method) or T_OF_NO_TABLE
    t, x0 = times_of(times, steps), to_model(picture)
    line = torch.linspace(0, 1, FRAMES + 1, dtype=torch.float64) * t.max()
    soft = replace(pictures, hard_alpha=False)
    return Noised(steps, forward(process, x0, t, seed), forward(process, x0, line, seed), soft)
