"""Generated pictures, with how each was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from fogcatcher.data.sheets import save_png, sheet, to_image
from fogcatcher.data.spec import Pictures
from fogcatcher.tensors import Samples

Limit = Literal["clip", "dynamic", "none"]
"""How the denoiser's answers are kept within the range of pictures, if at all."""


@dataclass(frozen=True)
class Settings:
    """How pictures are drawn; part of every recipe."""

    sampler: str
    steps: int
    guidance: float | Mapping[str, float]
    grid: str
    eta: float | None
    limit: Limit


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
