"""Training in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from fogcatcher.base.processes import joined
from fogcatcher.data.options import DataOptions
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Devices, Setup
from fogcatcher.training.fit import Progress


def train(
    data: str | Path,
    out: str | Path | None = None,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    size: int | tuple[int, int] | None = None,
    conditions: str | Sequence[str] = (),
    augment: str = "auto",
    preset: str = "default",
    network: str = "small",
    size_of_model: str | None = None,
    options: DataOptions | None = None,
    seed: int = 0,
    stop_early: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Train a model on pictures (a path as for ``read_dataset``) and return its run directory.

    ``conditions`` names columns, NAME or NAME:TYPE; ``options`` says how pictures are read and chosen.
    ``preset`` is a row of docs/methods.md; ``network`` and ``size_of_model`` are those of docs/networks.md:
    tiny, small, medium, large, or a number of parameters such as "3M". ``stop_early`` ends training when a
    check finds that more of it does harm.
    """
    options = options or DataOptions()
    if size is not None:
        options = replace(options, size=(size, size) if isinstance(size, int) else size)
    asked = (conditions,) if isinstance(conditions, str) else tuple(conditions)
    out = Path(out) if out else None
    setup = Setup(
        str(data),
        out,
        minutes,
        steps,
        options,
        asked,
        augment=augment,
        seed=seed,
        preset=preset,
        network=network,
        size_of_model=size_of_model,
    )
    with joined() as processes:
        run = prepare(setup, devices=Devices(processes))
        for step in follow(run, stop_early=stop_early):
            if progress:
                progress(step)
    return run.folder
