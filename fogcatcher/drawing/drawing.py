"""Generated pictures, or data of another kind, with how each was made."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image
from torch import Tensor

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.kind import Kind
from fogcatcher.data.pictures.sheets import save_gif, save_png, save_sprite_gif, sheet, to_image
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.pictures.store import Pictures
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.drawing.finishing import Finish
from fogcatcher.drawing.recipe import FileRecipe, PictureRecipe
from fogcatcher.drawing.recipe_text import parameters_text
from fogcatcher.drawing.sheet_forms import Columns, Laid, SheetForm


@dataclass(frozen=True)
class Drawing:
    """What a model drew, with the recipe of each."""

    kind: Kind
    """What was drawn."""
    rows: Tensor
    """The drawings as they lie on disk: pictures are (N, C, H, W) uint8, signals (N, C, L) floats."""
    raw: Samples
    """The same before quantisation, (N, C, ...), about [-1, 1]."""
    made: list[PictureRecipe]
    """How each was made; enough to make it again."""
    frames: list[Tensor]
    """The rows after every sampling step, if they were asked for."""
    finish: Finish = field(default_factory=Finish)
    """What was done to ``rows`` and ``frames`` after drawing; zoom and palettes are done to files."""

    @property
    def pictures(self) -> Pictures:
        """The drawings for people, (N, C, H, W) uint8: pictures themselves, or pictures of other data."""
        return self.kind.shown(self.rows)

    @property
    def recipes(self) -> list[dict[str, object]]:
        """How each picture was made, as its PNG says it."""
        return [made.to_json() for made in self.made]

    @property
    def images(self) -> list[Image.Image]:
        """The pictures for Pillow."""
        return self._images(self.rows)

    def _images(self, rows: Tensor) -> list[Image.Image]:
        pictures = self.kind.shown(self.finish.enlarged(rows))
        return [to_image(picture[None]) for picture in pictures]

    @property
    def names(self) -> list[str]:
        return names_of([made.seed for made in self.made])

    def finished(self, finish: Finish) -> Drawing:
        """Return the drawing finished: alpha, strays, colours, zoom; ``raw`` stays.

        Raises UserError where any is asked for and no pictures were drawn.
        """
        if finish == Finish():
            return self
        if not isinstance(self.kind, PictureSpec):
            raise UserError(
                f"palette, colours, alpha, strays and zoom are for pictures; these are {self.kind.name}."
            )
        return replace(
            self,
            rows=finish(self.rows),
            frames=[finish(frame) for frame in self.frames],
            finish=finish,
        )

    def sheet(self, columns: int = 8, frame: Tensor | None = None) -> Image.Image:
        """All drawings in one picture, or those of one of ``frames``; rows of one class carry its name."""
        pictures = self.kind.shown(self.rows if frame is None else frame)
        return sheet(pictures, columns, rows=self._row_names(columns))

    def _row_names(self, columns: int) -> list[str]:
        """What each row was asked for, if that differs between rows and not within them."""
        said = self.said
        rows = [set(said[i : i + columns]) for i in range(0, len(said), columns)]
        clear = all(len(row) == 1 for row in rows) and len(set(said)) > 1
        return [row.pop() for row in rows] if clear else []

    @property
    def said(self) -> list[str]:
        """What each picture was asked for, in words."""
        return [_in_words(made.condition) for made in self.made]

    # --- files ----------------------------------------------------------------------------------

    def save(self, folder: Path, columns: int = 8, *, metadata: bool = True) -> list[Path]:
        """Write one file per drawing, named by its seed, and ``sheet.png``; return all paths.

        Every PNG carries its recipe, unless ``metadata`` is off; signals have theirs in the sheet.
        """
        paths = self.save_singles(folder, metadata=metadata)
        self.save_sheet(folder / "sheet.png", columns, metadata=metadata)
        return [*paths, folder / "sheet.png"]

    def save_singles(
        self, folder: Path, names: Sequence[str] | None = None, *, metadata: bool = True
    ) -> list[Path]:
        """Write one file per drawing, named by its seed, into ``folder``, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}{self.kind.suffix}" for name in names or self.names]
        for number, (path, made) in enumerate(zip(paths, self.made, strict=True)):
            recipe = FileRecipe([made], self.finish) if metadata else None
            row = self.finish.enlarged(self.rows[number : number + 1])  # one by one: enlarged they are large
            if self.finish.indexed:
                self.write(self.finish.as_file(to_image(row)), path, recipe)
            else:
                self.kind.save(row, path, *self.chunks(recipe))
        return paths

    def save_sheet(self, path: Path, columns: int = 8, *, metadata: bool = True) -> None:
        """Write the sheet alone; it carries the recipes of all its pictures."""
        self.write(self.sheet(columns), path, self.recipe_of_all(Columns(columns)) if metadata else None)

    def laid(self, columns: int, repeats: int) -> Image.Image:
        """All pictures in one, each laid ``repeats`` x ``repeats`` times, as tiles lie."""
        return sheet(self.pictures.repeat(1, 1, repeats, repeats), columns, zoom=2)

    def save_laid(self, path: Path, columns: int, repeats: int) -> None:
        self.write(self.laid(columns, repeats), path, self.recipe_of_all(Laid(columns, repeats)))

    def save_atlas(self, path: Path, atlas: Atlas | None = None, *, metadata: bool = True) -> None:
        """Write a sheet for engines, and where each picture lies into a .json of the same name beside it."""
        atlas, images = atlas or Atlas(), self.images
        path.parent.mkdir(parents=True, exist_ok=True)
        self.write(
            self.finish.as_file(atlas.image(images)), path, self.recipe_of_all(atlas) if metadata else None
        )
        frames = [f"{name}.png" for name in self.names]
        document = atlas.to_json(frames, images[0].size, self.said, path.name)
        write_text(path.with_suffix(".json"), json.dumps(document, indent=1) + "\n")

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

    def recipe_of_all(self, sheet: SheetForm | None) -> FileRecipe:
        """Return the recipe of a file with all pictures; ``sheet`` says how they lie in it, None of one."""
        return FileRecipe(self.made, self.finish, sheet)

    def write(self, image: Image.Image, path: Path, recipe: FileRecipe | None) -> None:
        """Write a PNG of this drawing with its recipe inside, or without any where it has none."""
        save_png(image, path, *self.chunks(recipe))

    def chunks(self, recipe: FileRecipe | None) -> tuple[dict[str, object] | None, str]:
        """Return what a PNG says of itself: its recipe as JSON, and as the line that other programs show."""
        if recipe is None:
            return None, ""
        return recipe.to_json(), parameters_text(recipe.pictures[0], self.rows.shape[:1:-1])


def names_of(seeds: Sequence[object]) -> list[str]:
    """Return a name for the picture of each seed: 00007, with -2, -3 ... where a seed comes again."""
    met: Counter[str] = Counter()
    names = []
    for seed in seeds:
        name = f"{seed:05d}"
        met[name] += 1
        names.append(name if met[name] == 1 else f"{name}-{met[name]}")
    return names


def _in_words(condition: Mapping[str, Wish]) -> str:
    """ "food" for {"kind": "food"}; a mix as hero:1,food:0.6; nothing for nothing."""
    wishes = condition.values()
    mixes = (",".join(f"{k}:{v:g}" for k, v in w.items()) if isinstance(w, Mapping) else w for w in wishes)
    return " ".join(str(mix) for mix in mixes if mix is not None)
