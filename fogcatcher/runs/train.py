"""Training in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from fogcatcher.base.processes import joined
from fogcatcher.data.options import DataOptions
from fogcatcher.runs.autoencoder import AutoencoderRun, follow_autoencoder
from fogcatcher.runs.devices import Devices
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Choices, Setup
from fogcatcher.training.fit import Progress


def train(
    data: str | Path,
    out: str | Path | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    conditions: str | Sequence[str] = (),
    options: DataOptions | None = None,
    stop_early: bool = False,
    progress: Callable[[Progress], None] | None = None,
    **choices: Unpack[Choices],
) -> Path:
    """Train a model on pictures (a path as for ``read_dataset``) and return its run directory.

    ``conditions`` names columns, NAME or NAME:TYPE; ``options`` says how pictures are read and chosen, and
    ``size`` is short for that of ``options``. ``stop_early`` ends training when a check finds that more of it
    does harm. All further choices are the fields of ``runs.setup.Setup``, where their defaults stand:
    ``preset`` is a row of docs/methods.md; ``network`` and ``size_of_model`` are those of docs/networks.md:
    tiny, small, medium, large, or a number of parameters such as "3M".
    """
    options = options or DataOptions()
    if size is not None:
        options = replace(options, size=(size, size) if isinstance(size, int) else size)
    asked = (conditions,) if isinstance(conditions, str) else tuple(conditions)
    setup = Setup(str(data), Path(out) if out else None, options=options, conditions=asked, **choices)
    with joined() as processes:

        def train_first(first: AutoencoderRun) -> None:
            for step in follow_autoencoder(first):
                if progress:
                    progress(step)

        run = prepare(setup, devices=Devices(processes), train_first=train_first)
        for step in follow(run, stop_early=stop_early):
            if progress:
                progress(step)
    return run.folder
