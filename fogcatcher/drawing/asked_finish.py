"""How a person asks for pictures to be finished, and to lie in their sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from fogcatcher.base.errors import UserError
from fogcatcher.data.kind import Kind
from fogcatcher.data.pictures.palettes import Palette
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.drawing.atlas import Atlas
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.finishing import Finish, asked_palette, colours_for


@dataclass(frozen=True)
class AskedFinish:
    """The fields of ``Finish``, with a palette by its name, and how the sheet is laid out."""

    palette: str = "none"
    """As ``finishing.asked_palette`` reads it."""
    colours_each: int = 0
    hard_alpha: bool = False
    strays: int = 0
    indexed: bool = False
    zoom: int = 1
    atlas: bool = False
    """The sheet without labels and gaps, with a .json beside it."""
    power_of_two: bool = False
    """Of the sides of an atlas."""

    def finisher(self, kind: Kind, trained: Palette | None) -> Callable[[Drawing], Drawing]:
        """Return what finishes a drawing of this kind; ``trained`` is the palette of the model's pictures.

        Raises UserError for choices that cannot be.
        """
        if self != AskedFinish() and not isinstance(kind, PictureSpec):
            raise UserError(f"this model draws {kind.name}, and what was asked for is about pictures.")
        palette = asked_palette(self.palette, trained)
        own = {f.name: getattr(self, f.name) for f in fields(Finish) if f.name != "palette"}
        usual = Finish(**own)

        def finish(drawing: Drawing) -> Drawing:
            if palette is None:
                return drawing.finished(usual)
            return drawing.finished(Finish(palette=colours_for(drawing.pictures, palette), **own))

        return finish

    def check_size(self, shape: Sequence[int], count: int, columns: int) -> None:
        """Raises UserError where an atlas of ``count`` pictures, (C, H, W) each, would be too large."""
        if self.atlas:
            height, width = (side * self.zoom for side in shape[1:])
            Atlas(columns, self.power_of_two).layout(count, (width, height))

    def files_of_sheet(self, name: str) -> set[str]:
        """Return the names of what ``save_sheet`` writes for the sheet ``name``."""
        return {name, str(Path(name).with_suffix(".json"))} if self.atlas else {name}

    def save_sheet(self, drawing: Drawing, path: Path, columns: int, *, metadata: bool = True) -> None:
        """Write all pictures in one: for people, or as an atlas."""
        if self.atlas:
            drawing.save_atlas(path, Atlas(columns, self.power_of_two), metadata=metadata)
        else:
            drawing.save_sheet(path, columns, metadata=metadata)


AS_DRAWN = AskedFinish()
"""Nothing is done, and the sheet is for people."""
