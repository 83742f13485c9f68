"""Generated pictures, with how each was made."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from fogcatcher.atlas import Atlas
from fogcatcher.data.conditions import Wish
from fogcatcher.data.sheets import save_gif, save_png, save_sprite_gif, sheet, to_image
from fogcatcher.data.spec import Pictures
from fogcatcher.errors import UserError
from fogcatcher.finishing import Finish
from fogcatcher.parameters_text import parameters_text
from fogcatcher.tensors import Samples

Limit = Literal["clip", "dynamic", "none"]
"""How the denoiser's answers are kept within the range of pictures, if at all."""


OF_THE_SAME_RUN = r"\d*\.\d+|\d+"
"""The form of a weaker model of the same run: a length of its average, or one of its steps."""


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

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as arguments of ``Model.sample``, whose parameters have these names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


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
    finish: Finish = field(default_factory=Finish)
    """What was done to ``pictures`` and ``frames`` after drawing, and is done to ``images``: zoom."""

    @property
    def images(self) -> list[Image.Image]:
        """The pictures for Pillow."""
        return self._images(self.pictures)

    def _images(self, pictures: Pictures) -> list[Image.Image]:
        return [self.finish.enlarged(to_image(pictures[i : i + 1])) for i in range(len(pictures))]

    @property
    def names(self) -> list[str]:
        return names_of([recipe["seed"] for recipe in self.recipes])

    def finished(self, finish: Finish) -> Drawing:
        """Return the drawing with this alpha, these colours, this zoom; ``raw`` stays."""
        return replace(
            self,
            pictures=finish(self.pictures),
            frames=[finish(frame) for frame in self.frames],
            finish=finish,
        )

    def sheet(self, columns: int = 8, frame: Pictures | None = None) -> Image.Image:
        """All pictures in one, enlarged, or one of ``frames``; rows of one class carry its name."""
        return sheet(self.pictures if frame is None else frame, columns, rows=self._row_names(columns))

    def _row_names(self, columns: int) -> list[str]:
        """What each row was asked for, if that differs between rows and not within them."""
        said = self._said()
        rows = [set(said[i : i + columns]) for i in range(0, len(said), columns)]
        clear = all(len(row) == 1 for row in rows) and len(set(said)) > 1
        return [row.pop() for row in rows] if clear else []

    def _said(self) -> list[str]:
        return [_in_words(recipe.get("condition")) for recipe in self.recipes]

    # --- files ----------------------------------------------------------------------------------

    def save(self, folder: Path, columns: int = 8, *, metadata: bool = True) -> list[Path]:
        """Write one PNG per picture, named by its seed, and ``sheet.png``; return all paths.

        Every PNG carries its recipe, unless ``metadata`` is off.
        """
        paths = self.save_singles(folder, metadata=metadata)
        self.save_sheet(folder / "sheet.png", columns, metadata=metadata)
        return [*paths, folder / "sheet.png"]

    def save_singles(
        self, folder: Path, names: Sequence[str] | None = None, *, metadata: bool = True
    ) -> list[Path]:
        """Write one PNG per picture, named by its seed, into ``folder``, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.png" for name in names or self.names]
        for image, path, recipe in zip(self.images, paths, self.recipes, strict=True):
            self.write(image, path, recipe if metadata else None)
        return paths

    def save_sheet(self, path: Path, columns: int = 8, *, metadata: bool = True) -> None:
        """Write the sheet alone; it carries the recipes of all its pictures."""
        recipe = self.recipe_of_all({"columns": columns})
        self.write(self.sheet(columns), path, recipe if metadata else None)

    def laid(self, columns: int, repeats: int) -> Image.Image:
        """All pictures in one, each laid ``repeats`` x ``repeats`` times, as tiles lie."""
        return sheet(self.pictures.repeat(1, 1, repeats, repeats), columns, zoom=2)

    def save_laid(self, path: Path, columns: int, repeats: int) -> None:
        recipe = self.recipe_of_all({"columns": columns, "repeats": repeats})
        self.write(self.laid(columns, repeats), path, recipe)

    def save_atlas(self, path: Path, atlas: Atlas | None = None, *, metadata: bool = True) -> None:
        """Write a sheet for engines, and where each picture lies into a .json of the same name beside it."""
        atlas, images = atlas or Atlas(), self.images
        path.parent.mkdir(parents=True, exist_ok=True)
        recipe = self.recipe_of_all({"atlas": True, **asdict(atlas)})
        self.write(atlas.image(images), path, recipe if metadata else None)
        frames = [f"{name}.png" for name in self.names]
        document = atlas.to_json(frames, images[0].size, self._said(), path.name)
        path.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    def save_gif(self, path: Path, columns: int = 8) -> None:
        """Write the sheet as an animation of ``frames``, from noise to pictures."""
        save_gif([self.sheet(columns, frame) for frame in self.frames], path)

    def save_gifs(self, folder: Path) -> list[Path]:
        """Write an animation of each picture, with its zoom and transparency, named by its seed."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.gif" for name in self.names]
        frames = [self._images(frame) for frame in self.frames]
        for path, each in zip(paths, zip(*frames, strict=True), strict=True):
            save_sprite_gif(each, path)
        return paths

    def recipe_of_all(self, sheet: Mapping[str, object]) -> dict[str, object]:
        """Return the recipe of a file with all pictures; ``sheet`` says how they lie in it."""
        return {"pictures": self.recipes, "sheet": sheet}

    def write(self, image: Image.Image, path: Path, recipe: Mapping[str, object] | None) -> None:
        """Write a PNG of this drawing with its recipe and finish inside, or without any where it has none."""
        if recipe is None:
            save_png(image, path)
            return
        if self.finish != Finish():
            recipe = {**recipe, "finish": asdict(self.finish)}
        height, width = self.pictures.shape[-2:]
        first = recipe if "seed" in recipe else self.recipes[0]
        save_png(image, path, recipe, parameters_text(first, (width, height)))


def names_of(seeds: Sequence[object]) -> list[str]:
    """Return a name for the picture of each seed: 00007, with -2, -3 ... where a seed comes again."""
    met: Counter[str] = Counter()
    names = []
    for seed in seeds:
        name = f"{seed:05d}"
        met[name] += 1
        names.append(name if met[name] == 1 else f"{name}-{met[name]}")
    return names


def _in_words(condition: object) -> str:
    """ "food" for {"kind": "food"}; a mix as hero:1,food:0.6; nothing for nothing."""
    wishes = condition.values() if isinstance(condition, dict) else []
    mixes = (",".join(f"{k}:{v:g}" for k, v in w.items()) if isinstance(w, dict) else w for w in wishes)
    return " ".join(str(mix) for mix in mixes if mix is not None)
