"""What is done to pictures after drawing, as flags: one for every field of ``drawing.Finish``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.drawing.settings import ColoursEach, Strays, Zoom

if TYPE_CHECKING:
    from fogcatcher.drawing.drawing import Drawing
    from fogcatcher.model.model import Model


@dataclass(kw_only=True)
class FinishArguments:
    """How pictures are finished, and how they lie in the sheet."""

    palette: Annotated[str, tyro.conf.arg(metavar="PALETTE")] = "none"
    """Give every pixel the nearest colour of a palette: train for that of the training pictures; a .gpl, .hex
    or picture file; pico8, gameboy or sprites; or a number of colours for all the pictures together. Pixels
    are then there or not: alpha becomes 0 or 255."""
    colours_each: Annotated[ColoursEach, tyro.conf.arg(metavar="N")] = 0
    """Give each picture at most N colours, of those it has; 0 leaves them as they are. Alpha as above."""
    hard_alpha: bool = False
    """Make alpha 0 or 255, also where the training pictures had half-transparent pixels."""
    strays: Annotated[Strays, tyro.conf.arg(metavar="N")] = 0
    """Take away islands of at most N pixels that touch nothing else; the largest island stays."""
    indexed: bool = False
    """Write PNG with a palette: the single pictures, and an atlas of at most 256 colours. Alpha as above."""
    zoom: Annotated[Zoom, tyro.conf.arg(metavar="K")] = 1
    """Write each pixel of the single pictures, and of an atlas, as K x K pixels."""
    atlas: bool = False
    """Write the sheet without labels and gaps, and a .json beside it, which says where each picture lies, as
    game engines read it."""
    power_of_two: bool = False
    """Make the sides of an atlas powers of two."""

    @property
    def changes_pictures(self) -> bool:
        """Whether anything was asked for that only pictures can have."""
        return any(getattr(self, f.name) != f.default for f in fields(FinishArguments))

    def finisher(self, model: Model) -> Callable[[Drawing], Drawing]:
        """Return what finishes a drawing. Raises UserError for choices that cannot be with this model."""
        from fogcatcher.drawing.finishing import Finish, asked_palette, colours_for

        if self.changes_pictures:
            _ = model.config.pictures  # which says so where a model draws none
        palette = asked_palette(self.palette, model.palette)
        own = {f.name: getattr(self, f.name) for f in fields(Finish) if f.name != "palette"}
        usual = Finish(**own)

        def finish(drawing: Drawing) -> Drawing:
            if palette is None:
                return drawing.finished(usual)
            return drawing.finished(Finish(palette=colours_for(drawing.pictures, palette), **own))

        return finish

    def save_sheet(self, drawing: Drawing, path: Path, columns: int, *, metadata: bool = True) -> None:
        """Write all pictures in one: for people, or as an atlas."""
        from fogcatcher.drawing.atlas import Atlas

        if self.atlas:
            drawing.save_atlas(path, Atlas(columns, self.power_of_two), metadata=metadata)
        else:
            drawing.save_sheet(path, columns, metadata=metadata)

    def say_sheet(self, path: Path) -> None:
        """Say what lies beside an atlas."""
        if self.atlas:
            print(f"where each picture lies in it: {path.with_suffix('.json')}")
