"""From names to objects: the only file that knows both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch

from fogcatcher.data.conditions import ConditionSpec, Text
from fogcatcher.denoiser import (
    Denoiser,
    EDMPreconditioning,
    Preconditioning,
    PredictEps,
    PredictV,
    PredictVelocity,
    PredictX0,
)
from fogcatcher.errors import UserError, unknown_name
from fogcatcher.grids import Grid, KarrasGrid, LeadingGrid, LogSNRGrid, UniformGrid
from fogcatcher.networks.embeddings import Vector, Words
from fogcatcher.networks.unet import UNet
from fogcatcher.objectives import (
    LogitNormalTimes,
    LogNormalTimes,
    Objective,
    TimeDistribution,
    UniformTimes,
)
from fogcatcher.process import Process
from fogcatcher.recipes.config import Method, RunConfig
from fogcatcher.samplers import DDIM, DDPM, DPMpp2M, Euler, Heun, Step
from fogcatcher.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    Schedule,
    cosine_betas,
    linear_betas,
)
from fogcatcher.training import augmentation

T = TypeVar("T")

SCHEDULES: Mapping[str, Callable[[], Schedule]] = {
    "edm": EDMSchedule,
    "flow": FlowSchedule,
    "cosine": CosineSchedule,
    "ddpm": lambda: BetaSchedule(linear_betas(1000)),
    "iddpm": lambda: BetaSchedule(cosine_betas(4000)),
}
PREDICTIONS: Mapping[str, Callable[[float], Preconditioning]] = {
    "edm": lambda sigma_data: EDMPreconditioning(sigma_data=sigma_data),
    "eps": lambda sigma_data: PredictEps(),
    "x0": lambda sigma_data: PredictX0(),
    "v": lambda sigma_data: PredictV(),
    "velocity": lambda sigma_data: PredictVelocity(),
}
TIMES: Mapping[str, Callable[[], TimeDistribution]] = {
    "lognormal": lambda: LogNormalTimes(-0.4, 1.2),
    "uniform": UniformTimes,
    "discrete": lambda: UniformTimes(steps=1000),
    "logitnormal": LogitNormalTimes,
}
GRIDS: Mapping[str, Callable[[], Grid]] = {
    "karras": KarrasGrid,
    "uniform": UniformGrid,
    "leading": LeadingGrid,
    "log_snr": LogSNRGrid,
}
SAMPLERS: Mapping[str, Callable[[float], Step]] = {
    "dpmpp_2m": lambda eta: DPMpp2M(),
    "heun": lambda eta: Heun(),
    "euler": lambda eta: Euler(),
    "ddim": DDIM,
    "ddpm": lambda eta: DDPM(),
}
METHODS: Mapping[str, Method] = {
    "edm": Method(),
    "ddpm": Method("ddpm", "eps", "discrete", "uniform"),
    "iddpm": Method("iddpm", "eps", "uniform", "uniform"),
    "v": Method("cosine", "v", "uniform", "uniform"),
    "flow": Method("flow", "velocity", "logitnormal", "uniform"),
}


def named(what: str, name: str, table: Mapping[str, T]) -> T:
    """Return ``table[name]``. Raises UserError that lists the valid names."""
    if name not in table:
        raise unknown_name(what, name, table)
    return table[name]


def build_denoiser(config: RunConfig, conditions: ConditionSpec) -> Denoiser:
    """Return the untrained denoiser of a config; its weights follow from the seed.

    Raises UserError where two choices cannot work together.
    """
    method, size = config.method, (config.pictures.height, config.pictures.width)
    schedule = named("schedule", method.schedule, SCHEDULES)()
    prediction = named("prediction", method.prediction, PREDICTIONS)(config.pictures.sigma_data)
    if isinstance(prediction, PredictEps) and schedule.alpha(torch.ones((), dtype=torch.float64)) < 1e-6:
        raise UserError(
            f"eps-prediction says nothing where no signal is left, and the {method.schedule} schedule "
            "ends without any: use v, x0 or edm prediction."
        )
    network = config.network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        net = UNet(
            channels=config.pictures.channels,
            size=size,
            widths=[network.width * 2**level for level in range(network.levels)],
            blocks=network.blocks,
            patch=network.patch,
            attributes=_inputs(config, conditions),
        )
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Denoiser(net, Process(schedule), prediction)


def _inputs(config: RunConfig, conditions: ConditionSpec) -> dict[str, Vector | Words]:
    """What the network is told besides the noise level, and in which form."""
    inputs: dict[str, Vector | Words] = {
        a.name: Words(a.vocabulary) if isinstance(a, Text) else Vector(a.features)
        for a in conditions.attributes
    }
    if config.augmentation:
        inputs[augmentation.NAME] = Vector(config.augmentation.features)
    return inputs


def build_objective(method: Method) -> Objective:
    return Objective(named("time distribution", method.times, TIMES)())


def build_grid(name: str) -> Grid:
    return named("grid", name, GRIDS)()


def build_sampler(name: str, eta: float | None = None) -> Step:
    """Return the step of this name. ``eta`` belongs to ddim alone."""
    if eta is not None and name != "ddim":
        raise UserError(f"eta is a setting of the ddim sampler; {name} has none.")
    return named("sampler", name, SAMPLERS)(eta or 0.0)
