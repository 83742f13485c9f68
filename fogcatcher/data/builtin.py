"""The built-in pictures, drawn by rule, as sources like any folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fogcatcher.base.version import __version__
from fogcatcher.data import scenes, sprites
from fogcatcher.data.labels import Labels
from fogcatcher.data.sources import Frames, Source

COUNT = 20_000
"""How many pictures of a built-in set are drawn."""


@runtime_checkable
class Drawn(Protocol):
    """One picture drawn by rule, (H, W, 4) uint8 RGBA; what it shows are attributes of their own."""

    @property
    def pixels(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class BuiltIn:
    """One set of pictures drawn by rule."""

    rules: ModuleType
    draw_many: Callable[[int, int], Sequence[Drawn]]
    """How many and a seed -> that many pictures."""
    labels: tuple[str, ...]
    """The attributes of a picture that are its labels."""

    def source(self, name: str, count: int = COUNT, seed: int = 0) -> Source:
        """Return ``count`` pictures of this set, which is called ``name``, with their labels."""

        @cache
        def drawn() -> Sequence[Drawn]:
            return self.draw_many(count, seed)

        def frames(number: int) -> Frames:
            return [("RGBA", drawn()[number].pixels)]

        names = [f"{name}[{i}]" for i in range(count)]

        def labels() -> Labels:
            return Labels(
                {
                    name: {label: getattr(picture, label) for label in self.labels}
                    for name, picture in zip(names, drawn(), strict=True)
                }
            )

        notes = [f"the built-in {name}: {count:,} drawn by rule"]
        return Source(names, frames, labels, f"{self._hash()} {count} {seed}", notes)

    def _hash(self) -> str:
        """A hash of the program text that draws: other rules are another data set."""
        digest = hashlib.sha256(__version__.encode())
        file = Path(str(self.rules.__file__))
        for part in sorted(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]:
            digest.update(part.read_bytes())
        return digest.hexdigest()


SETS: Mapping[str, BuiltIn] = {
    "sprites": BuiltIn(sprites, sprites.draw_many, ("kind", "item", "palette")),
    "scenes": BuiltIn(scenes, scenes.draw_many, ("caption", "shape", "colour")),
}


def is_built_in(path: str | Path) -> bool:
    """Return whether that is the name of a built-in set; a folder of this name goes first."""
    return str(path) in SETS and not Path(path).exists()


def open_built_in(name: str) -> Source:
    """Return the built-in pictures of one of the names in ``SETS``."""
    return SETS[name].source(name)
