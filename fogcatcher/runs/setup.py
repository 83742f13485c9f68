"""What a person may choose about a new run: every choice and its default stand here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypedDict

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.numbers import Seed, check_fields, check_value
from fogcatcher.base.typed_json import Range
from fogcatcher.data.conditions.asked import asked_for
from fogcatcher.data.options import DataOptions
from fogcatcher.data.upscale_choices import MOST_TRAINED, Factor, NoiseLevel
from fogcatcher.model.network_options import Values

Minutes = Annotated[float, Range(1e-6, 1e6)]
Steps = Annotated[int, Range(1, 10**9)]
Seconds = Annotated[float, Range(0, 1e6)]
Rate = Annotated[float, Range(1e-12, 10)]
Batch = Annotated[int, Range(1, 10**6)]
Width = Annotated[int, Range(1, 65_536)]


@dataclass(frozen=True)
class Setup:
    """What a person may choose about a new run."""

    data: str
    out: Path | None = None
    minutes: Minutes | None = None
    steps: Steps | None = None
    options: DataOptions = field(default_factory=DataOptions)
    conditions: tuple[str, ...] = ()
    text_encoder: str | None = None
    latents: str = "auto"
    """The run of an autoencoder in whose latents the model draws; none, pixels; or auto, those of one
    that is trained first, where that is known to draw better (``runs/first_stage.py``)."""
    augment: str = "auto"
    seed: Seed = 0
    preset: str = "default"
    """A row of the table of methods; what follows chooses single columns of it anew."""
    schedule: str | None = None
    prediction: str | None = None
    times: str | None = None
    loss: str | None = None
    weighting: str | None = None
    """Names of ``model/choices.py``; None is the preset's."""
    method_options: Mapping[str, float] = field(default_factory=dict)
    """Numbers of these choices' own, by name."""
    learning_rate: Rate | None = None
    """Highest learning rate; None is what suits the network."""
    optimizer: str | None = None
    """muon or adam; None is the preset's."""
    start_from: str = "auto"
    """A run, a shipped model or one of the Hub whose weights are taken as far as they fit; auto, the shipped
    one that suits the pictures; or none."""
    network: str = "auto"
    """auto is the preset's, or small."""
    size_of_model: str | None = None
    """tiny, small, medium, large, or a number of parameters such as 3M; None is the network's own."""
    width: Width | None = None
    """Of the network, instead of a size."""
    network_options: Values = field(default_factory=dict)
    """Parts of the network, by name (``networks/variations.py``)."""
    batch_size: Batch | None = None
    """None is what suits the network."""
    precision: str = "auto"
    """float32, bfloat16, or auto: bfloat16 on GPUs that have it."""
    upscale: Factor | None = None
    """Learn to draw the pictures from small ones, so many times narrower and lower; None draws from noise
    alone."""
    upscale_noise: NoiseLevel = MOST_TRAINED
    """Most noise on the small pictures in training, 0 to 1."""


class Choices(TypedDict, total=False):
    """The fields of Setup that ``train`` takes as they are, for editors and type checkers."""

    minutes: float | None
    steps: int | None
    text_encoder: str | None
    latents: str
    augment: str
    seed: int
    preset: str
    schedule: str | None
    prediction: str | None
    times: str | None
    loss: str | None
    weighting: str | None
    method_options: Mapping[str, float]
    learning_rate: float | None
    optimizer: str | None
    start_from: str
    network: str
    size_of_model: str | None
    width: int | None
    network_options: Values
    batch_size: int | None
    precision: str
    upscale: int | None
    upscale_noise: float


def is_network_chosen(setup: Setup) -> bool:
    """Whether a network was asked for by name, by size or by a part of it."""
    sized = setup.size_of_model is not None or setup.width is not None
    return setup.network != Setup.network or sized or bool(setup.network_options)


def default_folder(data: str) -> Path:
    """runs/NAME after the data's folder."""
    return Path("runs", re.sub(r"[^\w.-]+", "-", Path(data).resolve().name) or "run")


def check_length(minutes: float | None, steps: int | None) -> None:
    """Raises UserError for a time and a number of steps that cannot be, or for both."""
    if minutes is not None and steps is not None:
        raise UserError(Message("give {@minutes} or {@steps}, not both."))
    check_value("steps", steps, Steps | None)
    check_value("minutes", minutes, Minutes | None)


def check(setup: Setup) -> None:
    """Raises UserError for what cannot be, before any picture is read."""
    check_fields(setup)
    check_length(setup.minutes, setup.steps)
    for text in setup.conditions:
        asked_for(text)
    if setup.out is not None and (setup.out / "config.json").exists():
        raise UserError(
            Message(
                "{folder} already holds a run: add {@resume} to go on, or choose another {@out}.",
                folder=setup.out,
            ),
            about="out",
        )


def free_folder(data: str) -> Path:
    """The default folder of the data; with -2, -3 ... where that is taken."""
    first = default_folder(data)
    folders = (first if i == 1 else first.with_name(f"{first.name}-{i}") for i in range(1, 10_000))
    return next(folder for folder in folders if not folder.exists())
