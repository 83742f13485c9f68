"""A run made from a run: a student that draws in a few steps what its teacher draws in many."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from fogcatcher.base.errors import Message, UserError, named
from fogcatcher.data.kinds import read_of_kind
from fogcatcher.data.named_places import data_named, from_root, remember
from fogcatcher.data.reading import Reading
from fogcatcher.data.splitting import split
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.choose_network import learning_rate_of
from fogcatcher.model.config import MEANFLOW, Distilled, RunConfig
from fogcatcher.model.distilling import MATCHING, METHODS, USUAL, grid_of, why_not_matching
from fogcatcher.model.model import Model, load
from fogcatcher.model.own_way import own_way
from fogcatcher.model.start_from import START_RATE, licence_of, name_of
from fogcatcher.model.told_where import begin_as, check_mean
from fogcatcher.runs.devices import ONE_DEVICE, Devices
from fogcatcher.runs.fingerprint import fingerprint
from fogcatcher.runs.forecast import DEFAULT_MINUTES
from fogcatcher.runs.prepare import assemble, for_minutes
from fogcatcher.runs.record import Run
from fogcatcher.runs.setup import check_length, free_folder
from fogcatcher.training.fit import Plan

TEACHER_STEPS = 32
"""Of a teacher that draws in any number of steps, for methods that ask it for one of them at a time."""
BATCH, RATE = 128, 0.2
"""Of matching: two laws are told apart by many samples; and Adam at this share of the usual rate of Muon."""
SUBSTEPS = 4
"""Of such a teacher, by the second order, within each step of a student that learns all of them at once."""
ASKED_AT = 1024
"""Times at which a student is asked that learns steps of every length."""
SLOWER = 0.1
"""The learning rate of such a student, as a share of the others': its targets are its own answers."""


@dataclass(frozen=True)
class DistillSetup:
    """What a person may choose about a distillation."""

    run: str
    """The teacher: a run, or a model that comes with the program."""
    data: str | None = None
    """The pictures to noise; None is what the teacher learned from."""
    out: Path | None = None
    steps: int = 4
    """Steps, and calls of the network, in which the student draws."""
    method: str = "auto"
    guidance: float | None = None
    """Of the teacher, which the student learns along; None is 1: as the data were."""
    teacher_steps: int | None = None
    """None is 32, four for each of the student's steps where it learns progressively, or those of a teacher
    that was distilled itself."""
    minutes: float | None = None
    updates: int | None = None
    """Number of training steps, instead of a time."""
    seed: int = 0


def prepare_distillation(
    setup: DistillSetup, progress: Reading | None = None, devices: Devices = ONE_DEVICE
) -> Run:
    """Read teacher and data and build everything; nothing is written yet.

    Raises UserError for what cannot be distilled, and for data that are not of the teacher's kind.
    """
    started = time.monotonic()
    check_length(setup.minutes, setup.updates)
    teacher = load(setup.run)
    few = _few(setup, teacher)
    if setup.data:
        remember(setup.data)
    data = setup.data or data_named(teacher.config.data.path, teacher.config.data.folder)
    with devices.processes.first_of_each_machine_first():
        dataset = read_of_kind(teacher.config.kind, data, teacher.config.data.options, progress)
    missing = [a.name for a in teacher.conditions.attributes if a.name not in dataset.columns]
    if missing:
        raise UserError(
            Message(
                "{data} says nothing about {name}, which the teacher was told.", data=data, name=missing[0]
            )
        )
    parts = split(dataset, teacher.config.data.options, teacher.conditions)
    config = _config(setup, teacher, few)
    config = replace(
        config,
        data=replace(
            config.data,
            path=data,
            pictures=len(dataset),
            fingerprint=fingerprint(dataset, teacher.conditions, parts),
            folder=from_root(data),
        ),
    )
    denoiser = build_denoiser(config, teacher.conditions)
    begin_as(denoiser, teacher)
    folder = setup.out or free_folder(f"{few.teacher}-{few.steps}-steps")
    run = assemble(folder, config, teacher.conditions, dataset, parts, devices, denoiser, teacher)
    run.notes.append(_in_words(few))
    if setup.updates is None:
        minutes = DEFAULT_MINUTES if setup.minutes is None else setup.minutes
        run = for_minutes(run, minutes, started)
    return run


def _few(setup: DistillSetup, teacher: Model) -> Distilled:
    """Raises UserError for steps and methods that cannot be."""
    before = teacher.config.distilled
    if teacher.config.method.latents:
        own = own_way(teacher.config)["steps"]
        raise UserError(f"{setup.run} draws in its own {own} steps, each by chance: it cannot teach fewer.")
    if before and before.is_told_where:
        numbers = " ".join(str(n) for n in before.numbers_of_steps)
        raise UserError(
            f"{setup.run} is told where its steps go, and so draws in each of {numbers} of them: it teaches "
            f"no other; learn from its teacher, {before.teacher}."
        )
    guidance = 1.0 if setup.guidance is None else setup.guidance
    method = USUAL if setup.method == "auto" else setup.method
    named("method", method, METHODS, about="method")
    if method == MATCHING:
        _check_matching(setup, teacher, guidance)
    steps, usual = setup.steps, TEACHER_STEPS if method == "consistency" else SUBSTEPS * setup.steps
    if method == MEANFLOW:
        check_mean(teacher, setup.run)
        usual = ASKED_AT // steps * steps
    of = setup.teacher_steps or (before.steps if before else usual)
    if before and (of != before.steps or steps >= before.steps):
        raise UserError(
            f"{setup.run} itself draws in {before.steps} steps: it can teach fewer, and takes no other "
            f"number of its own; or learn from its teacher, {before.teacher}."
        )
    if not 1 <= steps < of:
        raise UserError(f"a student takes from 1 to {of - 1} steps here, not {steps}.", about="steps")
    if of % steps:
        near = min((n for n in range(1, of) if of % n == 0), key=lambda n: abs(n - steps))
        raise UserError(
            f"{of} steps of the teacher are not {steps} equal parts: the nearest number of steps is {near}.",
            about="steps",
        )
    if before and guidance != 1:
        raise UserError(
            f"{setup.run} draws with the guidance of its teacher: leave it out.", about="guidance"
        )
    return Distilled(
        method,
        steps,
        grid_of(teacher.config),
        of,
        guidance,
        name_of(teacher),
        teacher.hash,
        licence_of(teacher.folder),
        # A student is right only where its own steps, of DDIM, lead.
        "ddim" if before or method not in ("progressive", "reflow") else "dpmpp_2m",
    )


def _in_words(few: Distilled) -> str:
    if few.method == MATCHING:
        return f"{few.method}: {few.steps} steps learn from the data, as {few.teacher} sees them"
    of = f"{few.teacher_steps} of {few.teacher}"
    if few.is_told_where:
        of = f"{few.teacher}, asked at {few.teacher_steps} times"
    return f"{few.method}: {few.steps} steps learn from {of}, guidance {few.guidance:g}"


def _check_matching(setup: DistillSetup, teacher: Model, guidance: float) -> None:
    """Raises UserError where a student cannot learn by matching, or was told what means nothing there."""
    if why_not := why_not_matching(teacher.config, guidance):
        raise UserError(why_not, about="method")
    if setup.teacher_steps is not None:
        raise UserError(
            Message("matching learns from no steps of the teacher: leave out {@teacher_steps}."),
            about="teacher_steps",
        )


def _config(setup: DistillSetup, teacher: Model, few: Distilled) -> RunConfig:
    theirs = teacher.config
    plan: Plan = replace(
        theirs.training,
        steps=setup.updates or 1,
        learning_rate=START_RATE * (SLOWER if few.is_told_where else 1) * learning_rate_of(theirs.network),
        warmup=Plan.warmup,
        fall=Plan.fall,
        ends=(),
        seed=setup.seed,
    )
    if few.method == MATCHING:
        rate = RATE * learning_rate_of(theirs.network)
        plan = replace(plan, batch_size=BATCH, optimizer="adam", learning_rate=rate)
    return replace(theirs, training=plan, distilled=few)
