"""The config tree of a run: what ``config.json`` holds and what a model is rebuilt from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import printable
from fogcatcher.base.read_json import read_json
from fogcatcher.base.typed_json import Length, Range, Reads, shown, typed, typed_fields
from fogcatcher.base.version import __version__
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.kind import Kind
from fogcatcher.data.kinds import KINDS
from fogcatcher.data.latents.spec import LatentSpec
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.augmentation import Augmentation
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.pictures.upscaling import Upscaling
from fogcatcher.model.choices import ADVERSARIAL, COLUMNS, HYBRID, LOSSES, row_in_words
from fogcatcher.model.network_options import Values
from fogcatcher.model.places import CONFIG
from fogcatcher.networks.ddpm_unet import UNetShape
from fogcatcher.training.fit import Plan

FORMAT = 5
WEIGHTS = "model.safetensors"
BEST = "best.safetensors"
"""The weights of the lowest held-out loss."""
MEANFLOW = "meanflow"
"""The name of the distillation whose student is told where its steps go (``diffusion/flow_maps.py``)."""
CONDITIONS = "conditions.json"


@dataclass(frozen=True)
class Method:
    """One choice per column of the table in docs/methods.md; the names are those of ``model/choices.py``."""

    schedule: str = "edm"
    """How alpha and sigma run."""
    prediction: str = "edm"
    """What the raw network predicts."""
    times: str = "lognormal"
    """Which times are trained."""
    grid: str = "karras"
    """Sampling times."""
    loss: str = "l2"
    """How errors are measured; hybrid also learns the variance, adversarial to draw in few steps."""
    weighting: str = "own"
    """What errors weigh."""
    label: str = "own"
    """How the network is told the noise level: own (log_snr, or step numbers for networks made for them),
    log_snr, t, step, step_from_0, sigma, rate."""
    betas: Annotated[tuple[Annotated[float, Range(0, 1)], ...], Length(0, 100_000)] = ()
    """The table of the schedule "betas"."""
    options: Annotated[Mapping[str, float], Length(0, 40)] = field(default_factory=dict)
    """Numbers of these choices' own, by name; those not named are as ``model/choices.py`` has them."""

    @property
    def learns_variance(self) -> bool:
        return self.loss == HYBRID

    def of_adversary(self, option: str) -> float:
        """Return what the adversarial loss was told, or its usual; 0 where the loss is another."""
        if self.loss != ADVERSARIAL:
            return 0.0
        return self.options.get(option, LOSSES[ADVERSARIAL].options[option].default)

    @property
    def latents(self) -> int:
        """How many numbers pick one answer of the network; 0 where it gives the mean of all."""
        return int(self.of_adversary("latents"))

    @property
    def in_words(self) -> str:
        """The row of the table, with all its numbers."""
        row = row_in_words({column: getattr(self, column) for column in COLUMNS}, self.options)
        return f"{row}, grid {self.grid}, label {self.label}"


@dataclass(frozen=True)
class NetworkConfig:
    """Which network, and how large; the names are those of ``model/choose_network.py``."""

    name: str = "small"
    width: Annotated[int, Range(1, 65_536)] = 32
    """Channels of the first level, the one dial of its size."""
    levels: Annotated[int, Range(1, 16)] = 3
    """Number of resolutions of the small one; others have as many as their papers and the pictures say."""
    blocks: Annotated[int, Range(1, 16)] = 1
    """Residual blocks per level of the small one, on the way down and again on the way up."""
    patch: Annotated[int, Range(1, 64)] = 2
    """Side of the pixel blocks that become channels at the input of the small one (space to depth)."""
    shape: UNetShape | None = None
    """Of an imported one."""
    made_for: tuple[Annotated[int, Range(1, 65_536)], Annotated[int, Range(1, 65_536)]] | None = None
    """(height, width) by which attention stands in the small one; None is that of its own pictures."""
    options: Values = field(default_factory=dict)
    """What was chosen about it beside its width (``networks/variations.py``); the rest is as published."""


@dataclass(frozen=True)
class Start:
    """What a run started from."""

    name: Annotated[str, Length(0, 200)]
    hash: Annotated[str, Length(0, 64)]
    """Start of the SHA-256 of its weights file."""
    licence: Annotated[str, Length(0, 100)]
    """Of its weights, as its card says."""
    taken: Annotated[int, Range(0, 10**12)]
    """How many numbers of the network were taken."""
    new: Annotated[int, Range(0, 10**12)]
    """How many were made new."""


@dataclass(frozen=True)
class Distilled:
    """How a model came to draw in a few steps (``diffusion/distillation.py``)."""

    method: str
    """A name of ``model/distilling.py``."""
    steps: Annotated[int, Range(1, 1024)]
    """Steps in which it draws, with no sampler but DDIM: no others, unless it is told where they go."""
    grid: str
    """How they are spaced."""
    teacher_steps: Annotated[int, Range(2, 1024)]
    """Steps of the teacher, of which each of the student's does an equal part; with meanflow the number of
    times at which it is asked."""
    guidance: Annotated[float, Range(0, 100)]
    """With which the teacher drew; the student does so without a second call."""
    teacher: Annotated[str, Length(0, 200)]
    hash: Annotated[str, Length(0, 64)]
    """Start of the SHA-256 of the teacher's weights."""
    licence: Annotated[str, Length(0, 100)]
    """Of the teacher's weights, as its card says."""
    solver: Literal["ddim", "dpmpp_2m"] = "ddim"
    """How the teacher goes from one of its times to the next."""

    @property
    def is_told_where(self) -> bool:
        """Whether the student is told where its steps go, and so draws in fewer of them, too."""
        return self.method == MEANFLOW

    @property
    def numbers_of_steps(self) -> tuple[int, ...]:
        """In how many steps it may draw: ``steps``, and where it is told where they go its divisors, too."""
        least = 1 if self.is_told_where else self.steps
        return tuple(n for n in range(least, self.steps + 1) if self.steps % n == 0)


@dataclass(frozen=True)
class DataConfig:
    """Where the pictures came from, and how they were read."""

    path: str
    """The folder, as it was given, or "sprites" for the built-in set."""
    conditions: tuple[str, ...]
    """The conditions asked for; none takes the usual ones."""
    pictures: Annotated[int, Range(0, 10**12)]
    """How many pictures there are, those held out included."""
    fingerprint: str
    """Hash of the decoded pictures, of what is known about them, and of which are trained on."""
    options: DataOptions = field(default_factory=DataOptions)
    folder: Annotated[str, Length(0, 4096)] = ""
    """The path from the root of that machine's disk, so that it is found from any other folder."""


def _kind(value: object, place: str) -> Kind:
    """Raises ValueError for a kind that is unknown, or fields that do not fit it."""
    tree = dict(typed(value, dict[str, object], place))
    name = tree.pop("name", None)
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"{place}.name must be one of {', '.join(KINDS)}, not {shown(name)}")
    return typed_fields(KINDS[name].spec, tree, place)


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run, but the pictures themselves."""

    kind: Annotated[Kind, Reads(_kind)]
    """What the model draws."""
    method: Method
    network: NetworkConfig
    training: Plan
    data: DataConfig
    augmentation: Augmentation = field(default_factory=Augmentation)
    start: Start | None = None
    """The model that it started from; None where it began anew."""
    distilled: Distilled | None = None
    """How it learned to draw in few steps; None where it did not."""
    upscaling: Upscaling | None = None
    """How small pictures are made large; None where it draws without them."""

    def to_json(self) -> dict[str, Any]:
        tree = dataclasses.asdict(self)
        tree["kind"] = {"name": self.kind.name, **tree["kind"]}
        return {"fogcatcher": __version__, "format": FORMAT, **tree}

    @property
    def pictures(self) -> PictureSpec:
        """What the pictures look like that the model draws, in pixels or by way of latents.

        Raises UserError where it draws another kind of data.
        """
        drawn = self.kind.drawn
        if not isinstance(drawn, PictureSpec):
            raise UserError(f"this model draws {drawn.name}, and what was asked for is about pictures.")
        return drawn

    @property
    def pixels(self) -> PictureSpec:
        """The same where samples are the pixels themselves. Raises UserError where they are not."""
        if isinstance(self.kind, LatentSpec):
            raise UserError("this model draws latents of pictures, and what was asked for works on pixels.")
        return self.pictures

    @staticmethod
    def from_json(tree: object, where: object = CONFIG) -> RunConfig:
        """Raises UserError, with ``where`` and the place in it, when the tree was written by a newer version,
        is not complete, or holds what cannot be.
        """
        try:
            fields = dict(typed(tree, dict[str, object], ""))
            version, number = str(fields.pop("fogcatcher", "(unknown)")), fields.pop("format", None)
            if number == 1:
                fields = _from_format_1(fields)
            if number in (1, 2):
                fields = _from_format_2(fields)
            if number in (1, 2, 3):
                fields = _from_format_3(fields)
            if number in (1, 2, 3, 4):
                fields = _from_format_4(fields)
            elif number != FORMAT:
                raise UserError(
                    f"this model was written by fogcatcher {printable(version, 40)} in format "
                    f"{shown(number)}; this is {__version__}, which reads formats 1 to {FORMAT}."
                )
            return typed_fields(RunConfig, fields)
        except ValueError as error:
            raise UserError(f"{where}: {printable(str(error))}.") from error


def _from_format_1(tree: dict[str, object]) -> dict[str, object]:
    """Format 1 knew one column of labels, held nothing out, and changed no picture."""
    data = dict(typed(tree.get("data"), dict[str, object], "data"))
    column = data.pop("column", None)
    data |= {"conditions": [column] if column else [], "options": {"hold_out": 0.0}}
    return {**tree, "data": data, "augmentation": {}}


def _from_format_2(tree: dict[str, object]) -> dict[str, object]:
    """Format 2 knew no data but pictures."""
    pictures = typed(tree.get("pictures"), dict[str, object], "pictures")
    rest = {name: value for name, value in tree.items() if name != "pictures"}
    return {**rest, "kind": {"name": "pictures", **pictures}}


def _from_format_3(tree: dict[str, object]) -> dict[str, object]:
    """Up to format 3 the learning rate fell from the first step on, and rose for a tenth of all at most."""
    plan = dict(typed(tree.get("training"), dict[str, object], "training"))
    steps, warmup = plan.get("steps"), plan.get("warmup", 200)
    if isinstance(steps, int) and isinstance(warmup, int):
        plan |= {"warmup": min(warmup, steps // 10), "fall": 1.0}
    return {**tree, "training": plan}


def _from_format_4(tree: dict[str, object]) -> dict[str, object]:
    """Up to format 4 the shift of flow matching was the only number that could be chosen."""
    method = dict(typed(tree.get("method"), dict[str, object], "method"))
    shift = method.pop("shift", 1.0)
    return {**tree, "method": method if shift == 1 else {**method, "options": {"shift": shift}}}


def write_config(folder: Path, config: RunConfig, conditions: ConditionSpec) -> None:
    """Write both files; the config comes last, so that a folder with one is complete."""
    for name, tree in ((CONDITIONS, conditions.to_json()), (CONFIG, config.to_json())):
        write_json(folder / name, tree)


def write_json(path: Path, tree: object) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(tree, indent=2) + "\n")


def read_config(folder: Path) -> tuple[RunConfig, ConditionSpec]:
    """Return what ``config.json`` and ``conditions.json`` say.

    Raises UserError when they are missing or damaged.
    """
    try:
        config, attributes = (read_json(folder / name, object) for name in (CONFIG, CONDITIONS))
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is not a run directory: it has no {Path(str(error.filename)).name}."
        ) from error
    return (
        RunConfig.from_json(config, folder / CONFIG),
        ConditionSpec.from_json(attributes, folder / CONDITIONS),
    )
