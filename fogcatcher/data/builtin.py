"""The built-in sprites as a source of pictures, like any folder."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fogcatcher.base.version import __version__
from fogcatcher.data import sprites
from fogcatcher.data.labels import Labels
from fogcatcher.data.sources import Frames, Source
from fogcatcher.data.values import Value

NAME = "sprites"
COUNT = 20_000


def sprite_source(count: int = COUNT, seed: int = 0) -> Source:
    """Return ``count`` sprites drawn by rule, with their kind, item and palette as labels."""

    @cache
    def drawn() -> list[sprites.Sprite]:
        return sprites.draw_many(count, seed)

    def frames(number: int) -> Frames:
        return [("RGBA", drawn()[number].pixels)]

    names = [f"{NAME}[{i}]" for i in range(count)]

    def labels() -> Labels:
        rows: dict[str, dict[str, Value]] = {}
        for name, s in zip(names, drawn(), strict=True):
            rows[name] = {"kind": s.kind, "item": s.item, "palette": s.palette}
        return Labels(rows)

    notes = [f"the built-in sprites: {count:,} drawn by rule"]
    return Source(names, frames, labels, f"{_rules()} {count} {seed}", notes)


def _rules() -> str:
    """A hash of the program text that draws: other rules are another data set."""
    digest = hashlib.sha256(__version__.encode())
    for file in sorted(Path(sprites.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
