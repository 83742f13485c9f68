"""The config tree of a run: what ``config.json`` holds and what a model is rebuilt from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fogcatcher.base.disk import write_atomically
from fogcatcher.base.errors import UserError
from fogcatcher.base.version import __version__
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.augmentation import Augmentation
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.networks.ddpm_unet import UNetShape
from fogcatcher.training.fit import Plan

FORMAT = 2
WEIGHTS = "model.safetensors"
BEST = "best.safetensors"
"""The weights of the lowest held-out loss."""
CONFIG, CONDITIONS = "config.json", "conditions.json"
T = TypeVar("T")


@dataclass(frozen=True)
class Method:
    """One choice per column of the table in docs/methods.md; the names are those of ``model/build.py``."""

    schedule: str = "edm"
    """How alpha and sigma run."""
    prediction: str = "edm"
    """What the raw network predicts."""
    times: str = "lognormal"
    """Which times are trained."""
    grid: str = "karras"
    """Sampling times."""
    loss: str = "l2"
    """How errors are measured: l2, l1, huber; or hybrid, with a learned variance."""
    weighting: str = "own"
    """What errors weigh: own (those of the network's target count equally), or another's."""
    label: str = "own"
    """How the network is told the noise level: own (log_snr, or step numbers for networks made for them),
    log_snr, t, step, step_from_0, sigma."""
    betas: tuple[float, ...] = ()
    """The table of the schedule "betas"."""
    shift: float = 1.0
    """Of the schedule "flow", towards noise."""


@dataclass(frozen=True)
class NetworkConfig:
    """Which network, and how large; the names are those of ``model/choose_network.py``."""

    name: str = "small"
    width: int = 32
    """Channels of the first level, the one dial of its size."""
    levels: int = 3
    """Number of resolutions of the small one; others have as many as their papers and the pictures say."""
    blocks: int = 1
    """Residual blocks per level of the small one, on the way down and again on the way up."""
    patch: int = 2
    """Side of the pixel blocks that become channels at the input of the small one (space to depth)."""
    shape: UNetShape | None = None
    """Of an imported one."""

    @staticmethod
    def from_json(tree: Mapping[str, Any]) -> NetworkConfig:
        shape = tree.get("shape")
        return NetworkConfig(**{**tree, "shape": _of(UNetShape)(shape) if shape else None})


@dataclass(frozen=True)
class DataConfig:
    """Where the pictures came from, and how they were read."""

    path: str
    """The folder, as it was given, or "sprites" for the built-in set."""
    conditions: tuple[str, ...]
    """The conditions asked for; none takes the usual ones."""
    pictures: int
    """How many pictures there are, those held out included."""
    fingerprint: str
    """Hash of the decoded pictures, of what is known about them, and of which are trained on."""
    options: DataOptions = field(default_factory=DataOptions)

    @staticmethod
    def from_json(tree: Mapping[str, Any]) -> DataConfig:
        options = DataOptions.from_json(tree["options"])
        return DataConfig(**{**tree, "conditions": tuple(tree["conditions"]), "options": options})


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run, but the pictures themselves."""

    pictures: PictureSpec
    method: Method
    network: NetworkConfig
    training: Plan
    data: DataConfig
    augmentation: Augmentation = field(default_factory=Augmentation)

    def to_json(self) -> dict[str, Any]:
        return {"fogcatcher": __version__, "format": FORMAT, **dataclasses.asdict(self)}

    @staticmethod
    def from_json(tree: Mapping[str, Any]) -> RunConfig:
        """Raises UserError when the tree was written by a newer version or is not complete."""
        if tree.get("format") == 1:
            tree = _from_format_1(tree)
        if tree.get("format") != FORMAT:
            raise UserError(
                f"this model was written by fogcatcher {tree.get('fogcatcher', '(unknown)')} in format "
                f"{tree.get('format')}; this is {__version__}, which reads formats 1 and {FORMAT}."
            )
        return RunConfig(
            _node(_of(PictureSpec), tree, "pictures"),
            _node(_of(Method), tree, "method"),
            _node(NetworkConfig.from_json, tree, "network"),
            _node(_of(Plan), tree, "training"),
            _node(DataConfig.from_json, tree, "data"),
            _node(_of(Augmentation), tree, "augmentation"),
        )


def _from_format_1(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Format 1 knew one column of labels, held nothing out, and changed no picture."""
    data = dict(tree["data"])
    column = data.pop("column")
    options = dataclasses.asdict(DataOptions(hold_out=0.0))
    data |= {"conditions": [column] if column else [], "options": options}
    return {**tree, "format": FORMAT, "data": data, "augmentation": {}}


def _of(kind: type[T]) -> Callable[[Mapping[str, Any]], T]:
    return lambda fields: kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def _node(read: Callable[[Mapping[str, Any]], T], tree: Mapping[str, Any], name: str) -> T:
    try:
        return read(tree[name])
    except (KeyError, TypeError) as error:
        raise UserError(f"config.json: '{name}' is missing or does not fit ({error}).") from error


def write_config(folder: Path, config: RunConfig, conditions: ConditionSpec) -> None:
    """Write both files; the config comes last, so that a folder with one is complete."""
    for name, tree in ((CONDITIONS, conditions.to_json()), (CONFIG, config.to_json())):
        write_atomically(folder / name, partial(write_json, tree=tree))


def write_json(path: Path, tree: object) -> None:
    path.write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")


def read_config(folder: Path) -> tuple[RunConfig, ConditionSpec]:
    """Return what ``config.json`` and ``conditions.json`` say.

    Raises UserError when they are missing or damaged.
    """
    try:
        tree = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        attributes = json.loads((folder / CONDITIONS).read_text(encoding="utf-8"))
        return RunConfig.from_json(tree), ConditionSpec.from_json(attributes)
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is not a run directory: it has no {Path(str(error.filename)).name}."
        ) from error
    except (ValueError, AttributeError, OSError) as error:
        raise UserError(f"{folder}: config.json or conditions.json is damaged ({error}).") from error
