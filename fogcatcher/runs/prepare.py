"""From choices, or from what lies on disk, to a run that is ready to train."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from fogcatcher.base.devices import best_device
from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.lock import check_free
from fogcatcher.base.memory import check_room
from fogcatcher.data.conditions.column_types import choose_controls
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.kind import Kind
from fogcatcher.data.kinds import read_any, read_of_kind
from fogcatcher.data.latents.first_stage import FirstStage
from fogcatcher.data.latents.spec import latents_of
from fogcatcher.data.named_places import from_root, remember
from fogcatcher.data.pictures.augmentation import Augmentation, choose
from fogcatcher.data.pictures.spec import PictureSpec, hard_share
from fogcatcher.data.pictures.upscaling import upscaling_for
from fogcatcher.data.reading import Dataset, Reading
from fogcatcher.data.splitting import Split, split, tiny_classes
from fogcatcher.diffusion.adversarial import Adversarial
from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.model.autoencoder_files import open_stage_of
from fogcatcher.model.build import build_denoiser, build_objective, wanted_of, warnings_of
from fogcatcher.model.choose_network import (
    LARGE_BATCH_FROM,
    choose_network,
    learning_rate_of,
    looking_at_words,
    parameters_of,
)
from fogcatcher.model.config import (
    DataConfig,
    Method,
    NetworkConfig,
    RunConfig,
    read_config,
)
from fogcatcher.model.distilling import TEACHER, build_distillation
from fogcatcher.model.model import Model, load
from fogcatcher.model.presets import RECIPES
from fogcatcher.model.rival import with_rival
from fogcatcher.model.start_from import START_RATE, network_of, take_over, usual_base
from fogcatcher.runs.budget import Budget
from fogcatcher.runs.choose_method import (
    augment_of,
    check_names,
    in_words,
    method_of,
    network_name,
    network_parts,
    plan_of,
    silenced,
)
from fogcatcher.runs.devices import ONE_DEVICE, Devices
from fogcatcher.runs.fingerprint import fingerprint
from fogcatcher.runs.first_stage import SHARE, TrainFirst, auto_factor, given_stage, trained_first
from fogcatcher.runs.forecast import DEFAULT_MINUTES, steps_in, time_step
from fogcatcher.runs.record import Run
from fogcatcher.runs.setup import Setup, check, check_length, free_folder, is_network_chosen
from fogcatcher.training.batches import Batches
from fogcatcher.training.checkpoints import checkpoints_in, load_newest_state
from fogcatcher.training.condition_dropout import ConditionDropout
from fogcatcher.training.fit import TrainingState
from fogcatcher.training.precision import precision_on

_FIRST = Message(
    "photographs of this size are drawn better in latents: an autoencoder learns first, for {share:.0%} of "
    "the time ({@latents:'none'}: pixels)",
    share=SHARE,
)
COPIES = {"cpu": 6, "cuda": 2}
"""Of a network in training, in the machine's own memory: weights, gradient, two averages, two moments."""


def prepare(
    setup: Setup,
    progress: Reading | None = None,
    devices: Devices = ONE_DEVICE,
    train_first: TrainFirst | None = None,
) -> Run:
    """Read the data and build everything for a new run; nothing is written yet.

    A time budget becomes a number of steps here, after a few timed ones. Raises UserError for wrong
    input. ``progress`` hears how far the reading is. Where the model is to draw in latents and no autoencoder
    was given, ``train_first`` trains one, which is written into the folder of the run; without it, or with
    several processes, the model draws pixels.
    """
    check(setup)
    if setup.out is not None:
        check_free(setup.out)
    method, plan = method_of(setup), plan_of(setup)
    check_names(setup)
    stage = given_stage(setup)
    remember(setup.data)
    started = time.monotonic()
    with devices.processes.first_of_each_machine_first():
        row, dataset = read_any(setup.data, setup.options, progress)
    controls = choose_controls(dataset.columns, setup.conditions, setup.text_encoder)
    measured, folder = row.measure(dataset.rows), setup.out or free_folder(setup.data)
    factor = auto_factor(setup, measured, dataset) if devices.processes.count == 1 else None
    if factor and train_first:
        stage = trained_first(setup, folder, factor, train_first)
        # One that was taken up, or took longer, leaves the model its share.
        started = max(started, time.monotonic() - 60 * SHARE * (setup.minutes or DEFAULT_MINUTES))
    kind = _kind(stage, measured, dataset)
    parts = split(dataset, setup.options, controls.spec)
    augmentation, said = _augmentation(augment_of(setup), kind, dataset, parts)
    config = RunConfig(
        kind=kind,
        method=method,
        network=NetworkConfig(),
        training=replace(
            plan,
            steps=setup.steps or 1,
            precision=precision_on(best_device(), setup.precision),
            seed=setup.seed,
            **silenced(setup, controls),
        ),
        data=DataConfig(
            setup.data,
            setup.conditions,
            len(dataset),
            fingerprint(dataset, controls.spec, parts),
            setup.options,
            from_root(setup.data),
        ),
        augmentation=augmentation,
        upscaling=upscaling_for(setup.upscale, setup.upscale_noise, kind.shape) if setup.upscale else None,
    )
    source = _source(setup, kind, dataset)
    config = _with_network(config, controls.spec, setup, source)
    denoiser = build_denoiser(config, controls.spec)
    if source:
        start, told = take_over(source, denoiser, config, controls.spec)
        config, said = replace(config, start=start), [*said, *told]
    run = assemble(folder, config, controls.spec, dataset, parts, devices, denoiser)
    run.notes += [*controls.notes, *tiny_classes(dataset, controls.spec, parts)]
    run.notes += [*_of_alpha(kind, dataset), *said, *in_words(setup, config), *warnings_of(config.method)]
    run.notes += [_FIRST] if factor else []
    if setup.steps is None:
        minutes = setup.minutes if setup.minutes is not None else DEFAULT_MINUTES
        run = for_minutes(run, minutes, started)
    return run


def _kind(stage: FirstStage | None, measured: Kind, dataset: Dataset) -> Kind:
    """What the model draws: the data themselves, or what an autoencoder makes of them."""
    if stage is None:
        return measured
    if not isinstance(measured, PictureSpec):
        raise UserError(Message("{@latents} is for pictures; these are {kind}.", kind=measured.name))
    return latents_of(stage, measured, dataset.rows, dataset.digest)


def for_minutes(run: Run, minutes: float, started: float) -> Run:
    """The run with a plan of about so many minutes more, which is corrected while it trains."""
    plan, per_step = run.config.training, time_step(run, 1.0)
    budget = Budget(started + 60 * minutes)
    left = max(0.0, budget.deadline - time.monotonic())
    steps = run.state.step + steps_in(left / 60, per_step)
    run.notes.append(
        f"{minutes:g} minutes are about {steps - run.state.step:,} steps here ({per_step * 1000:.0f} ms each)"
    )
    config = replace(run.config, training=replace(plan, steps=steps))
    return replace(run, config=config, budget=budget, seconds_per_step=per_step)


def resume(
    folder: Path,
    data: str,
    progress: Reading | None = None,
    devices: Devices = ONE_DEVICE,
    minutes: float | None = None,
    steps: int | None = None,
) -> Run:
    """Take up the run in ``folder`` at its newest complete checkpoint, on any number of devices.

    Its own config counts. A run that has reached its end goes on for so many ``minutes`` or ``steps`` more,
    where one is given; any other goes to its planned end. Raises UserError when there is nothing to go on
    from.
    """
    started = time.monotonic()
    remember(data)
    config, conditions = read_config(folder)
    check_free(folder)
    open_stage_of(config.kind, folder)
    with devices.processes.first_of_each_machine_first():
        dataset = read_of_kind(config.kind, data, config.data.options, progress)
    parts = split(dataset, config.data.options, conditions)
    if fingerprint(dataset, conditions, parts) != config.data.fingerprint:
        parts = split(dataset, config.data.options)  # as runs of before could hold out all of a class
    if fingerprint(dataset, conditions, parts) != config.data.fingerprint:
        raise UserError(
            Message(
                "{data} is not what {folder} was trained on ({now} {kind} now, {then} then): "
                "give the same data, or start a new run with another {@out}.",
                data=data,
                folder=folder,
                now=len(dataset),
                kind=config.kind.drawn.name,
                then=config.data.pictures,
            ),
            about="data",
        )
    _check_size(folder, config, conditions)
    denoiser = build_denoiser(config, conditions)
    run = assemble(folder, config, conditions, dataset, parts, devices, denoiser)
    try:
        run.notes += load_newest_state(run.state, folder / "state")
    except FileNotFoundError as error:
        raise UserError(
            Message(
                "there is nothing to resume from ({reason}): start again without {@resume}.",
                reason=error,
            )
        ) from error
    if devices.micro_batch:
        run.state.setbacks = replace(run.state.setbacks, micro_batch=devices.micro_batch)
    run.gather()
    run.notes.append(f"resumed at step {run.state.step:,} of {config.training.steps:,}")
    if run.state.step < config.training.steps or (minutes is None and steps is None):
        return run
    check_length(minutes, steps)
    plan = replace(config.training, ends=(*config.training.ends, config.training.steps))
    plan = replace(plan, steps=run.state.step + (steps or 1))
    run = replace(run, config=replace(config, training=plan))
    return run if minutes is None else for_minutes(run, minutes, started)


def _check_size(folder: Path, config: RunConfig, conditions: ConditionSpec) -> None:
    """Raises UserError for a network that is larger than any checkpoint: no room is to be made for it."""
    sizes = [path.stat().st_size for path in (folder / "state").glob("step-*.safetensors")]
    parameters = parameters_of(wanted_of(config, conditions))
    if sizes and 4 * parameters > max(sizes):
        raise UserError(
            f"the config.json of {folder} describes a network of {parameters:,} parameters, more than any "
            "checkpoint holds: put back the one that the run was started with."
        )
    check_room(parameters, COPIES[best_device().type])


def _augmentation(augment: str, kind: Kind, dataset: Dataset, parts: Split) -> tuple[Augmentation, list[str]]:
    """What is done to make more of few pictures, and what to say of it; other kinds stay as they are."""
    if isinstance(kind, PictureSpec):
        return choose(augment, dataset.rows, len(parts.train))
    if augment not in ("auto", "none"):
        raise UserError(Message("{@augment} is for pictures; these are {kind}.", kind=kind.name))
    return Augmentation(), []


def _of_alpha(kind: Kind, dataset: Dataset) -> list[str]:
    """What to say where a few soft pixels will not be drawn."""
    share = hard_share(dataset.rows) if isinstance(kind, PictureSpec) and kind.hard_alpha else 1.0
    if share == 1.0:
        return []
    return [f"alpha: {share:.1%} of the pixels are opaque or not there, and so are all of those drawn"]


def _source(setup: Setup, kind: Kind, dataset: Dataset) -> Model | None:
    """The model to start from. Auto takes one only where nothing else was said about the network."""
    name: str | None = setup.start_from
    if name == "none":
        return None
    if name == "auto":
        if is_network_chosen(setup) or method_of(setup) != Method():
            return None
        name = usual_base(kind, dataset.pixel_art)
    return load(name) if name else None


def _with_network(
    config: RunConfig, conditions: ConditionSpec, setup: Setup, source: Model | None
) -> RunConfig:
    """The config with the network that was asked for, and the learning rate and batch that suit it."""
    wanted, recipe = wanted_of(config, conditions), RECIPES.get(setup.preset)
    if source and not is_network_chosen(setup):
        network = looking_at_words(network_of(source.config), wanted.inputs)
    else:
        network = choose_network(
            network_name(setup), setup.size_of_model, wanted, setup.width, network_parts(setup)
        )
    plan = config.training
    parameters = parameters_of(replace(wanted, config=network))
    check_room(parameters, COPIES[best_device().type])
    large = parameters > LARGE_BATCH_FROM
    batch_size = plan.batch_size if recipe or not large else 64
    rate = plan.learning_rate if recipe else learning_rate_of(network)
    plan = replace(
        plan,
        batch_size=setup.batch_size or batch_size,
        learning_rate=setup.learning_rate or rate * (START_RATE if source else 1.0),
    )
    return replace(config, network=network, training=plan)


def assemble(
    folder: Path,
    config: RunConfig,
    conditions: ConditionSpec,
    dataset: Dataset,
    parts: Split,
    devices: Devices,
    denoiser: Denoiser,
    teacher: Model | None = None,
) -> Run:
    """Put together what trains. A new distillation gives its ``teacher``; an old one has it in its folder."""
    plan = config.training
    devices.check(plan.batch_size, config.network.name)
    data, to_model = config.kind.prepared(dataset.rows, dataset.digest)
    batches = Batches(
        data,
        conditions.encode_pictures(dataset.columns),
        plan.seed,
        parts.train,
        ConditionDropout(plan.condition_dropout, plan.attribute_dropout, plan.single_dropout),
        config.augmentation,
        to_model,
        config.upscaling,
    )
    gathered = None
    if devices.shard:
        gathered = TrainingState.start(denoiser, plan)
        state = TrainingState.start_in_parts(denoiser, plan, devices.processes)
    else:
        state = TrainingState.start(denoiser.to(best_device()), plan)
    state.setbacks = replace(state.setbacks, micro_batch=devices.micro_batch)
    if config.distilled:
        teacher = teacher or load(folder / TEACHER)
        objective = build_distillation(config, teacher.denoiser)
    else:
        objective = build_objective(config.method, config.kind.sigma_data)
    if isinstance(objective, Adversarial):
        objective = with_rival(objective, config, conditions)
    state.memory = objective.memory
    if (state.memory or objective.by_batch) and devices.processes.count > 1:
        raise UserError(
            Message(
                "importance times, the adversarial loss and matching learn from every picture, and each "
                "process sees only its own: train in one process, or choose other {@times}, another {@loss} "
                "or another {@method}."
            )
        )
    return Run(
        folder,
        config,
        conditions,
        dataset,
        parts,
        state,
        batches,
        objective,
        processes=devices.processes,
        gathered=gathered,
        known=checkpoints_in(folder / "state"),
        teacher=teacher,
    )
