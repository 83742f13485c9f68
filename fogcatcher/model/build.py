"""From names to objects: the only file that knows both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from fogcatcher.base.errors import UserError, known_name, named, unknown_name
from fogcatcher.data.conditions.conditions import Attribute, ConditionSpec, Text
from fogcatcher.data.conditions.encoded import EncodedText
from fogcatcher.data.pictures import augmentation
from fogcatcher.diffusion.denoiser import (
    LATENT,
    Denoiser,
    Label,
    LatentDenoiser,
    LearnedVarianceDenoiser,
    LogSNRLabel,
    Preconditioning,
    RateLabel,
    SigmaLabel,
    StepLabel,
)
from fogcatcher.diffusion.flow_maps import FEATURES, UNTIL, FlowMap
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import (
    Grid,
    KarrasGrid,
    LeadingGrid,
    LinspaceGrid,
    LogSNRGrid,
    NestedKarrasGrid,
    OpenLinspaceGrid,
    PolyexponentialGrid,
    StraightGrid,
    UniformGrid,
)
from fogcatcher.diffusion.sampling.samplers import Step
from fogcatcher.diffusion.sampling.table import SAMPLERS
from fogcatcher.diffusion.schedules import BetaSchedule, Schedule
from fogcatcher.model.choices import (
    COLUMNS,
    LOSSES,
    PREDICTIONS,
    SCHEDULES,
    TIMES,
    WEIGHTINGS,
    check_options,
)
from fogcatcher.model.choose_network import Wanted, build_network, row_of
from fogcatcher.model.config import Method, RunConfig
from fogcatcher.networks.embeddings import Form, Vector
from fogcatcher.networks.sequences import Vectors, Words

GRIDS: Mapping[str, Callable[[int | None], Grid]] = {
    "karras": lambda steps: KarrasGrid(),
    "karras_nested": lambda steps: NestedKarrasGrid(),
    "straight": lambda steps: StraightGrid(),
    "uniform": lambda steps: UniformGrid(),
    "leading": lambda steps: LeadingGrid(steps or 1000),
    "linspace": lambda steps: LinspaceGrid(steps or 1000),
    "linspace_open": lambda steps: OpenLinspaceGrid(steps or 1000),
    "log_snr": lambda steps: LogSNRGrid(),
    "polyexponential": lambda steps: PolyexponentialGrid(),
}
SPREAD = LogSNRLabel(1000 / 32, 500.0)
"""Log-SNRs from 16 to -16 as the numbers 0 to 1,000, for networks made for step numbers."""
OWN_TABLE = "betas"
"""The schedule whose table stands in the config itself, as of an imported model."""
VISIBLE_SIGNAL = 0.05
"""With more signal than this left at the end, sampling from pure noise is visibly mismatched."""


def build_denoiser(config: RunConfig, conditions: ConditionSpec) -> Denoiser:
    """Return the untrained denoiser of a config; its weights follow from the seed.

    Raises UserError where two choices cannot work together.
    """
    method = config.method
    schedule = build_schedule(method)
    prediction = build_prediction(method, config.kind.sigma_data)
    prediction = replace(prediction, label=_label(config, schedule))
    _check_pair(method, schedule, prediction)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        net = build_network(wanted_of(config, conditions))
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if method.latents:
        return LatentDenoiser(net, Process(schedule), prediction, method.latents)
    if config.distilled and config.distilled.is_told_where:
        return FlowMap(net, Process(schedule), prediction)
    kind = LearnedVarianceDenoiser if method.learns_variance else Denoiser
    return kind(net, Process(schedule), prediction)


def check_method(method: Method) -> None:
    """Raises UserError for names and numbers that cannot be, and for choices that do not go together."""
    chosen = {column: getattr(method, column) for column in COLUMNS}
    for column, name in chosen.items():
        if not (column == "schedule" and name == OWN_TABLE):
            named(column, name, COLUMNS[column], about=column)
    check_options(chosen, method.options)
    _check_pair(method, build_schedule(method), build_prediction(method))
    build_objective(method)


def _check_pair(method: Method, schedule: Schedule, prediction: Preconditioning) -> None:
    try:
        prediction.check(schedule)
    except ValueError as error:
        raise UserError(
            f"{method.prediction}-prediction and the {method.schedule} schedule do not go together: {error}.",
            about="prediction",
        ) from error


def wanted_of(config: RunConfig, conditions: ConditionSpec) -> Wanted:
    """Return what the network of a config is built from."""
    return Wanted(
        config.network,
        config.kind.shape[0],
        config.kind.shape[1:],
        _inputs(config, conditions),
        answers=2 if config.method.learns_variance else 1,
        upscaled=config.upscaling.factor if config.upscaling else 1,
    )


def _label(config: RunConfig, schedule: Schedule) -> Label:
    """How the network is told the noise level; its own way is the one that its waves are made for."""
    steps = schedule.steps if isinstance(schedule, BetaSchedule) else 1000
    label = config.method.label
    if label == "own" and row_of(config.network.name).counts_steps:
        return StepLabel(steps) if isinstance(schedule, BetaSchedule) else SPREAD
    labels: Mapping[str, Label] = {
        "own": LogSNRLabel(),
        "log_snr": LogSNRLabel(),
        "t": StepLabel(1),
        "step": StepLabel(steps),
        "step_from_0": StepLabel(steps, first=0),
        "sigma": SigmaLabel(steps),
        "rate": RateLabel(),
    }
    return named("label", label, labels)


def build_schedule(method: Method) -> Schedule:
    """Return the schedule of a method; "betas" has a table of its own."""
    if method.schedule == OWN_TABLE:
        if not method.betas:
            raise UserError("the schedule betas needs a table of them: config.json holds none.")
        return BetaSchedule(torch.tensor(method.betas, dtype=torch.float64))
    return named("schedule", method.schedule, SCHEDULES, about="schedule")(given=method.options)


def build_prediction(method: Method, sigma_data: float = 0.5) -> Preconditioning:
    """Return what the network predicts, without the way in which it is told the noise level."""
    return named("prediction", method.prediction, PREDICTIONS, about="prediction")(sigma_data)


def steps_of(method: Method) -> int | None:
    """Return T, where the schedule is a table of T betas."""
    schedule = build_schedule(method)
    return schedule.steps if isinstance(schedule, BetaSchedule) else None


def warnings_of(method: Method) -> list[str]:
    """Return what a person should know of a method before training with it."""
    left = build_schedule(method).signal_left
    if left <= VISIBLE_SIGNAL:
        return []
    return [
        f"the {method.schedule} schedule ends with signal left (sqrt(alpha_bar_T) = {left:.3f}, above "
        f"{VISIBLE_SIGNAL}): pictures drawn from pure noise will be a little off in brightness and contrast"
    ]


def _form(attribute: Attribute) -> Form:
    match attribute:
        case Text():
            return Words(attribute.vocabulary)
        case EncodedText():
            return Vectors(attribute.count, attribute.width)
    return Vector(attribute.features, attribute.length)


def _inputs(config: RunConfig, conditions: ConditionSpec) -> dict[str, Form]:
    """What the network is told besides the noise level, and in which form."""
    inputs: dict[str, Form] = {a.name: _form(a) for a in conditions.attributes}
    if config.method.latents:
        inputs[LATENT] = Vector(config.method.latents, math.sqrt(config.method.latents))
    if config.distilled and config.distilled.is_told_where:
        inputs[UNTIL] = Vector(FEATURES)
    if config.augmentation:
        inputs[augmentation.NAME] = Vector(config.augmentation.features)
    return inputs


def build_objective(method: Method, sigma_data: float = 0.5) -> Objective:
    """Raises UserError for names that are unknown or do not go together."""
    given = method.options
    times = named("time distribution", method.times, TIMES, about="times")(steps_of(method), given=given)
    weighting = named("weighting", method.weighting, WEIGHTINGS, about="weighting")(sigma_data, given=given)
    return named("loss", method.loss, LOSSES, about="loss")(times, weighting, given=given)


def build_grid(name: str, method: Method) -> Grid:
    return GRIDS[grid_name(name)](steps_of(method))


def grid_name(name: str) -> str:
    """Return the name of a grid as it is written. Raises UserError that lists the valid ones."""
    return known_name("grid", name, GRIDS, about="grid")


def sampler_name(name: str) -> str:
    """Return the name of a sampler as it is written. Raises UserError that lists the valid ones."""
    return known_name("sampler", name, SAMPLERS, about="sampler")


def build_sampler(name: str, options: Mapping[str, float] | None = None) -> Step:
    """Return the step of this name, with some of its options set.

    Raises UserError for a name that is unknown, and for options that this sampler has not or that cannot be.
    """
    name = sampler_name(name)
    sampler = SAMPLERS[name]
    for option in options or {}:
        if option not in sampler.options:
            raise _no_option(name, option)
    try:
        return sampler.step(options or {})
    except ValueError as error:
        raise UserError(f"{name}: {error}.", about="sampler_options") from error


def _no_option(sampler: str, option: str) -> UserError:
    """An option of other samplers, or of none."""
    others = [name for name, row in SAMPLERS.items() if option in row.options]
    if not others:
        return unknown_name(
            f"option of {sampler}", option, SAMPLERS[sampler].options, about="sampler_options"
        )
    *most, last = others
    all_of_them = f"{', '.join(most)} and {last} samplers" if most else f"{last} sampler"
    return UserError(
        f"{option} is a setting of the {all_of_them}; {sampler} has none.",
        about=option if option == "eta" else "sampler_options",
    )
