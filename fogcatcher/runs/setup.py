"""What a person may choose about a new run, and on what it is trained."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from fogcatcher.base.errors import UserError
from fogcatcher.base.processes import ALONE, Processes
from fogcatcher.data.options import DataOptions


@dataclass(frozen=True)
class Setup:
    """What a person may choose about a new run."""

    data: str
    out: Path | None = None
    minutes: float | None = None
    steps: int | None = None
    options: DataOptions = field(default_factory=DataOptions)
    conditions: tuple[str, ...] = ()
    text_encoder: str | None = None
    augment: str = "auto"
    seed: int = 0
    preset: str = "default"
    network: str = "small"
    size_of_model: str | None = None
    """tiny, small, medium, large, or a number of parameters such as 3M; None is the network's own."""
    width: int | None = None
    """Of the network, instead of a size."""
    batch_size: int | None = None
    """None is what suits the network."""
    precision: str = "auto"
    """float32, bfloat16, or auto: bfloat16 on GPUs that have it."""


@dataclass(frozen=True)
class Devices:
    """On what a run is trained; the result is the same to rounding."""

    processes: Processes = ALONE
    micro_batch: int | None = None
    """Most pictures that one process passes through the network at once; None is its whole share."""
    shard: bool = False
    """Each process keeps only its part of weights, averages and optimisers."""

    def check(self, batch_size: int, network: str = "small") -> None:
        """Raises UserError when a batch, or a network, cannot be divided so."""
        count = self.processes.count
        if self.micro_batch is not None and self.micro_batch < 1:
            raise UserError(f"--micro-batch must be at least 1, not {self.micro_batch}.")
        if batch_size < count:
            raise UserError(
                f"a batch of {batch_size} cannot be divided among {count} processes: "
                f"start fewer, or give --batch-size {count} or more."
            )
        if self.shard and count == 1:
            raise UserError("--shard divides a model among processes: start several with torchrun.")
        if self.shard and batch_size % count:
            raise UserError(
                f"--shard needs equal shares: {batch_size} pictures cannot be divided evenly among {count} "
                f"processes; start a number that divides {batch_size}."
            )
        if self.shard and network == "edm2":
            raise UserError(
                "--shard does not go with edm2, which sets the norm of its weights while it computes, where "
                "each process has only a copy: leave out --shard, or choose another --network."
            )


ONE_DEVICE = Devices()


def default_folder(data: str) -> Path:
    """runs/NAME after the data's folder."""
    return Path("runs", re.sub(r"[^\w.-]+", "-", Path(data).resolve().name) or "run")


def check(setup: Setup) -> None:
    if setup.minutes is not None and setup.steps is not None:
        raise UserError("give --minutes or --steps, not both.")
    if setup.steps is not None and setup.steps < 1:
        raise UserError(f"--steps must be at least 1, not {setup.steps}.")
    if setup.minutes is not None and not (setup.minutes > 0 and math.isfinite(setup.minutes)):
        raise UserError(f"--minutes must be more than 0, not {setup.minutes:g}.")
    if setup.batch_size is not None and setup.batch_size < 1:
        raise UserError(f"--batch-size must be at least 1, not {setup.batch_size}.")
    if setup.out is not None and (setup.out / "config.json").exists():
        raise UserError(f"{setup.out} already holds a run: add --resume to go on, or choose another --out.")


def free_folder(data: str) -> Path:
    """The default folder of the data; with -2, -3 ... where that is taken."""
    first = default_folder(data)
    folders = (first if i == 1 else first.with_name(f"{first.name}-{i}") for i in range(1, 10_000))
    return next(folder for folder in folders if not folder.exists())
