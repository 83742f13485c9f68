"""Generated pictures, with how each was made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from fogcatcher.data.conditions import Wish
from fogcatcher.data.sheets import save_png, sheet, to_image
from fogcatcher.data.spec import Pictures
from fogcatcher.errors import UserError
from fogcatcher.tensors import Samples

Limit = Literal["clip", "dynamic", "none"]
"""How the denoiser's answers are kept within the range of pictures, if at all."""


@dataclass(frozen=True)
class Steering:
    """What guidance does besides its scale; docs/steering.md shows each. Nothing, by default.

    Raises UserError for numbers that cannot be.
    """

    negative: Mapping[str, Wish] | None = None
    """What to lead away from, instead of from saying nothing."""
    interval: Sequence[float] | None = None
    """Guide only where low < sigma / alpha <= high: parts of noise for one of signal."""
    rescale: float = 0.0
    """0 to 1: how far the contrast of guided answers goes back to that of unguided ones."""
    guide_with: str | None = None
    """Autoguidance, by a weaker model: a length of the average ("0.2"), a step of the run ("500"), a run."""
    classifier: float = 0.0
    """Scale of the guidance by the classifier in RUN/classifier."""

    def __post_init__(self) -> None:
        if self.interval is not None:
            low, high = self.interval[0], self.interval[-1]
            if len(self.interval) != 2 or not (0 <= low < high < math.inf):
                raise UserError(
                    "a guidance interval needs two noise levels sigma / alpha, 0 or more and rising, "
                    f"such as 0.2,2, not {low:g},{high:g}."
                )
        if not 0 <= self.rescale <= 1:
            raise UserError(f"rescale must be from 0 (off) to 1, not {self.rescale:g}.")
        if not math.isfinite(self.classifier):
            raise UserError(f"the scale of classifier guidance must be a number, not {self.classifier:g}.")
        if self.guide_with is not None and self.negative is not None:
            raise UserError(
                "a weaker model and a negative condition both say what to lead away from: give one of them."
            )


@dataclass(frozen=True)
class Settings:
    """How pictures are drawn; part of every recipe."""

    sampler: str
    steps: int
    guidance: float | Mapping[str, float]
    grid: str
    eta: float | None
    limit: Limit
    steering: Steering = Steering()


@dataclass(frozen=True)
class Drawing:
    """Generated pictures with the recipe of each."""

    pictures: Pictures
    """(N, C, H, W) uint8."""
    raw: Samples
    """The same before quantisation, (N, C, H, W), about [-1, 1]."""
    recipes: list[dict[str, object]]
    """How each picture was made; enough to make it again."""
    frames: list[Pictures]
    """What was there after every sampling step, if it was asked for."""

    @property
    def images(self) -> list[Image.Image]:
        """The pictures for Pillow."""
        return [to_image(self.pictures[i : i + 1]) for i in range(len(self.pictures))]

    def sheet(self, columns: int = 8, frame: Pictures | None = None) -> Image.Image:
        """All pictures in one, enlarged, or one of ``frames``; rows of one class carry its name."""
        return sheet(self.pictures if frame is None else frame, columns, rows=self._row_names(columns))

    def _row_names(self, columns: int) -> list[str]:
        """What each row was asked for, if that differs between rows and not within them."""
        said = [_in_words(recipe["condition"]) for recipe in self.recipes]
        rows = [set(said[i : i + columns]) for i in range(0, len(said), columns)]
        clear = all(len(row) == 1 for row in rows) and len(set(said)) > 1
        return [row.pop() for row in rows] if clear else []

    def save(self, folder: Path, columns: int = 8) -> list[Path]:
        """Write one PNG per picture, named by its seed, and ``sheet.png``; return all paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for image, recipe in zip(self.images, self.recipes, strict=True):
            paths.append(folder / f"{recipe['seed']:05d}.png")
            save_png(image, paths[-1], recipe)
        paths.append(folder / "sheet.png")
        self.save_sheet(paths[-1], columns)
        return paths

    def save_sheet(self, path: Path, columns: int = 8) -> None:
        """Write the sheet alone; it carries the recipes of all its pictures."""
        save_png(self.sheet(columns), path, {"pictures": self.recipes})


def _in_words(condition: object) -> str:
    """ "food" for {"kind": "food"}; a mix as hero:1,food:0.6; nothing for nothing."""
    wishes = condition.values() if isinstance(condition, dict) else []
    mixes = (",".join(f"{k}:{v:g}" for k, v in w.items()) if isinstance(w, dict) else w for w in wishes)
    return " ".join(str(mix) for mix in mixes if mix is not None)
