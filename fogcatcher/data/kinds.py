"""The kinds of data by name: how each is recognised, read and measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fogcatcher.base.errors import Message, UserError, known_name
from fogcatcher.data.inspection import describe_pictures
from fogcatcher.data.kind import Kind
from fogcatcher.data.latents.spec import LatentSpec
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures import spec as pictures
from fogcatcher.data.reading import Dataset, Reading, read_dataset
from fogcatcher.data.signals import spec as signals
from fogcatcher.data.signals.reading import describe_signals, read_signals, reads_signals

AUTO = "auto"


@dataclass(frozen=True)
class KindRow:
    """One kind of data."""

    spec: type[Kind]
    recognises: Callable[[str | Path], bool]
    """Whether what lies at a path can only be this kind; where none says so, it is pictures."""
    read: Callable[[str | Path, DataOptions | None, Reading | None], Dataset]
    describe: Callable[[Dataset, bool, Callable[[str], str]], list[str]]
    """What was read, in sentences; every skipped file too, if asked; each is told by the last argument."""
    measure: Callable[[Any], Kind]
    """From all rows of a data set to its spec."""


KINDS: Mapping[str, KindRow] = {
    "pictures": KindRow(
        pictures.PictureSpec, lambda path: False, read_dataset, describe_pictures, pictures.spec_of
    ),
    "signals": KindRow(signals.SignalSpec, reads_signals, read_signals, describe_signals, signals.spec_of),
    # Of pictures a model makes latents: nothing on a disk is recognised as such.
    "latents": KindRow(LatentSpec, lambda path: False, read_dataset, describe_pictures, pictures.spec_of),
}


def kind_of(path: str | Path, options: DataOptions) -> str:
    """Return the name of the kind asked for, or else recognised. Raises UserError for unknown ones."""
    if options.kind.lower() != AUTO:
        kind = known_name("kind of data", options.kind, KINDS)
        if kind == LatentSpec.name:
            raise UserError(Message("latents are made of pictures, by {@latents:'RUN'} of an autoencoder."))
        return kind
    return next((name for name, row in KINDS.items() if row.recognises(path)), "pictures")


def read_any(
    path: str | Path, options: DataOptions, progress: Reading | None = None
) -> tuple[KindRow, Dataset]:
    """Read a data set of whatever kind it is. Raises UserError as the reader of that kind."""
    row = KINDS[kind_of(path, options)]
    return row, row.read(path, options, progress)


def read_of_kind(
    kind: Kind, path: str | Path, options: DataOptions, progress: Reading | None = None
) -> Dataset:
    """Read a data set for a model of this kind. Raises UserError as its reader, and where shapes differ."""
    dataset = KINDS[kind.name].read(path, options, progress)
    theirs = KINDS[kind.name].measure(dataset.rows[:1])
    drawn = kind.drawn
    if theirs.shape != drawn.shape:
        raise UserError(
            f"these are {theirs.in_words}, and the model draws {drawn.in_words}: "
            f"give {drawn.name} like those it was trained on."
        )
    return dataset
