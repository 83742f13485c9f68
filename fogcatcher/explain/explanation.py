"""Everything that the page about a model shows, computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import get_args

import torch

from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.diffusion.tensors import Samples, Times
from fogcatcher.drawing.settings import STEP_BY_STEP, Limit, Settings
from fogcatcher.explain.ancestral import AncestralStep, ancestral_step
from fogcatcher.explain.bound_curve import BoundCurve, bound_curve
from fogcatcher.explain.explaining import (
    Forward,
    Rates,
    Steps,
    Variant,
    by,
    even_times,
    forward,
    rates,
    steps,
    variant,
)
from fogcatcher.explain.own_schedule import OwnSchedule, own_schedule
from fogcatcher.explain.parts import Parts, parts
from fogcatcher.explain.training_side import TrainingSide, training_side
from fogcatcher.explain.word_maps import WordMaps, word_maps
from fogcatcher.model.model import Model

SOLVERS = ("ddpm", "ddim", "heun", "dpmpp_2m")
STEPS = (5, 10, 20, 50)
ETAS = (0.0, 0.25, 0.5, 0.75, 1.0)
GUIDANCES = (0.0, 1.0, 2.0, 4.0, 8.0)
SEEDS = 4
"""Seeds in a row that show what a setting does."""


@dataclass(frozen=True)
class Explanation:
    """Everything that the page shows of one model."""

    seed: int
    wish: Mapping[str, Wish]
    settings: Settings
    forward: Forward
    steps: Steps
    samplers: list[Variant]
    """Each of SOLVERS with each of STEPS, one seed."""
    noise: list[Variant]
    """DDIM with each of ETAS, then DDPM; SEEDS seeds."""
    guidance: list[Variant]
    """Each of GUIDANCES; empty where the model knows no conditions."""
    limits: list[Variant]
    """clip, dynamic and none, with strong guidance."""
    rates: list[Rates]
    pixel: tuple[int, int, int]
    """Channel, y and x of the one that is followed."""
    ancestral: AncestralStep
    training: TrainingSide
    parts: Parts
    bound: BoundCurve
    own_schedule: OwnSchedule
    words: WordMaps | None
    """None where no words were asked for, or the network does not look at them one by one."""


def explain(
    model: Model,
    *,
    picture: Samples | None = None,
    seed: int = 0,
    condition: Mapping[str, Wish] | None = None,
    settings: Settings = STEP_BY_STEP,
    times: Times | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Explanation:
    """Compute what the page shows.

    ``picture``, (1, C, H, W) in [-1, 1], is the one to noise; by default the model draws it from ``seed``.
    ``settings`` are those of the steps that are shown one by one, and each comparison changes some of them.
    ``times`` are the times of the forward strip, (T,). ``progress`` hears how many of all drawings are done.
    Raises UserError as ``Model.sample``.
    """
    main = model.conditions.main
    wish = model.conditions.clean(
        condition or ({main.name: main.classes[seed % len(main.classes)]} if main else {})
    )
    process, shown = model.denoiser.process, list(range(seed, seed + SEEDS))
    strong, ddim = replace(settings, guidance=GUIDANCES[-1]), by("ddim", settings)
    jobs = [
        [([seed], replace(by(name, settings), steps=n)) for name in SOLVERS for n in STEPS],
        [(shown, replace(ddim, eta=eta)) for eta in ETAS] + [(shown, by("ddpm", settings))],
        [(shown, replace(settings, guidance=w)) for w in GUIDANCES] if model.conditions.attributes else [],
        [(shown, replace(strong, limit=limit)) for limit in get_args(Limit)],
    ]
    own = steps(model, seed, wish, settings)
    done: list[list[Variant]] = []
    total = sum(map(len, jobs))
    for group in jobs:
        done.append([])
        for seeds, chosen in group:
            done[-1].append(variant(model, seeds, wish, chosen))
            if progress:
                progress(sum(map(len, done)), total)
    x0 = own.answer if picture is None else picture.to(own.answer)
    line = even_times(process.schedule) if times is None else times
    samplers, noise, guidance, limits = done
    curves = rates(model, torch.linspace(0, 1, 101, dtype=torch.float64))
    pixel = own.longest_way()
    return Explanation(
        seed,
        wish,
        settings,
        forward(process, x0, line, seed),
        own,
        samplers,
        noise,
        guidance,
        limits,
        curves,
        pixel,
        ancestral_step(model, seed, wish, settings, pixel),
        training_side(model, x0, wish, seed),
        parts(model, x0, wish, seed),
        bound_curve(model, x0, wish, seed),
        own_schedule(model),
        word_maps(model, own, wish),
    )
