"""What a model draws, as one object: its shape and scale, and how it comes from disk and goes to people.

A kind of data is a dataclass of numbers, measured from the rows of a data set and kept in ``config.json``.
Rows are what lies on disk, (N, C, ...); inside, they are samples in about [-1, 1]. Each kind has a folder of
its own in ``data/`` and one row in ``data/kinds.py``. The mathematics, networks and training know none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor

from fogcatcher.data.pictures.store import Pictures, PictureTensor
from fogcatcher.diffusion.tensors import Samples


@runtime_checkable
class Extractor(Protocol):
    """Turns rows, (N, C, ...), into features by which a judge compares them; same rows, same features."""

    @property
    def name(self) -> str: ...

    @property
    def hash(self) -> str:
        """The first 12 digits of the SHA-256 of its weights, or of its definition."""
        ...

    def __call__(self, pictures: Tensor) -> Float64[Tensor, "N D"]: ...


class Prepared(NamedTuple):
    """What batches are taken from, and how a part of it becomes samples."""

    data: PictureTensor
    to_model: Callable[[Tensor], Samples]


class Kind(ABC):
    """What the rows of a data set, and so the drawings of its model, look like."""

    name: ClassVar[str]
    """As people call it, and many of it: pictures."""
    suffix: ClassVar[str]
    """Of the files of its rows."""
    sigma_data: float
    """Standard deviation of the samples."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(C, ...) of one sample."""

    @property
    @abstractmethod
    def in_words(self) -> str:
        """Size and channels, as one says them: pictures of 16 x 16 pixels (RGBA)."""

    @abstractmethod
    def to_model(self, rows: Tensor) -> Samples:
        """Return rows, (B, C, ...), as samples in [-1, 1]."""

    @abstractmethod
    def from_model(self, x: Samples) -> Tensor:
        """Return samples, (B, C, ...), as rows; what no row could be is brought to the nearest that could."""

    @abstractmethod
    def nonsense(self, count: int, generator: torch.Generator) -> Tensor:
        """Return so many rows of pure chance: the worst that a judge compares with."""

    @abstractmethod
    def mean(self, rows: Tensor) -> Tensor:
        """Return the row, (1, C, ...), that is the mean of all."""

    @abstractmethod
    def shown(self, rows: Tensor) -> Pictures:
        """Return rows as pictures for people."""

    @abstractmethod
    def save(
        self, rows: Tensor, path: Path, recipe: Mapping[str, object] | None = None, text: str = ""
    ) -> None:
        """Write rows into one file, with how they were made where such files can hold it.

        ``text`` is the recipe as other programs show it.
        """

    @abstractmethod
    def read(self, path: Path, count: int) -> Tensor:
        """Return the ``count`` rows of a file that ``save`` wrote."""

    @property
    def drawn(self) -> Kind:
        """The kind of what people are given: this one, unless samples stand for something else."""
        return self

    def prepared(self, rows: PictureTensor, digest: str) -> Prepared:
        """Return what training takes its batches from, for all rows of a data set; ``digest`` names them."""
        return Prepared(rows, self.to_model)

    def sample_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the sample, (C, ...), of a row of this shape."""
        return shape

    def free_in_samples(self, free: Tensor) -> Tensor:
        """Return where samples are free to change, for rows that are where ``free`` says so, booleans."""
        return free

    def look(self) -> Extractor | None:
        """Return the features by which rows are judged; None for the network that the judge brings along."""
        return None
