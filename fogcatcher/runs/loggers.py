"""Readers of a run's log beside the log itself: TensorBoard, and Weights & Biases. Off unless asked for."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.read_json import read_json

PROJECT = "fogcatcher"
WANDB_RUN = "wandb.json"
"""Beside the log: under which name W&B knows this run, so that a resumed one goes on there."""


@runtime_checkable
class Logger(Protocol):
    """Hears every row of metrics.jsonl and checks.jsonl as it is written."""

    def add(self, row: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    """Event files in RUN/tensorboard: ``tensorboard --logdir RUN/tensorboard``."""

    def __init__(self, folder: Path, step: int = 0) -> None:
        """Open the files of the run in ``folder``, which stands at ``step``: what came later is dropped.

        Raises UserError where the library is missing.
        """
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise UserError(
                Message("{@tensorboard} needs its library: pip install 'fogcatcher[tensorboard]'.")
            ) from error
        self._writer = SummaryWriter(folder / "tensorboard", purge_step=step + 1 if step else None)

    def add(self, row: Mapping[str, Any]) -> None:
        for name, value in scalars(row).items():
            self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of the project "fogcatcher" at wandb.ai, or on this machine with WANDB_MODE=offline.

    Sends the figures of the log and the config, and no pictures.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Open the run in ``folder``. Raises UserError where the library is missing, or refuses."""
        try:
            import wandb  # type: ignore[import-not-found]
        except ImportError as error:
            raise UserError(
                Message("{@wandb} needs its library: pip install 'fogcatcher[wandb]'.")
            ) from error
        try:
            self._run = wandb.init(
                project=PROJECT,
                name=folder.resolve().name,
                id=_identity(folder),
                resume="allow",
                dir=str(folder),
                config=dict(config),
            )
        except Exception as error:  # every kind of trouble with an account or a connection
            said = " ".join(str(error).split()).rstrip(".")
            raise UserError(
                f"W&B does not take this run ({said}): log in with wandb login, or set WANDB_MODE=offline."
            ) from error

    def add(self, row: Mapping[str, Any]) -> None:
        self._run.log(scalars(row), step=row["step"])

    def close(self) -> None:
        self._run.finish()


def scalars(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a row, without its step; those by noise level as "held_out/noise 0.8"."""
    numbers = {name: value for name, value in row.items() if name != "step" and _is_number(value)}
    for level in row.get("levels") or ():
        rest = {name: value for name, value in level.items() if name != "sigma" and _is_number(value)}
        numbers |= {f"{name}/noise {level['sigma']:g}": value for name, value in rest.items()}
    return {name: float(value) for name, value in numbers.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _identity(folder: Path) -> str:
    """The run's name at W&B: the one in its folder, or else a new one, kept there."""
    path = folder / WANDB_RUN
    try:
        return read_json(path, dict[str, str])["id"]
    except (FileNotFoundError, UserError, KeyError):
        identity = secrets.token_hex(4)
        text = json.dumps({"id": identity}) + "\n"
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        return identity
