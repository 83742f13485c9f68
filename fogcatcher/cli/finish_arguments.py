"""What is done to pictures after drawing, as flags: one for every field of ``drawing.Finish``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.drawing.settings import ColoursEach, Strays, Zoom

if TYPE_CHECKING:
    from fogcatcher.drawing.asked_finish import AskedFinish


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
    def finish(self) -> AskedFinish:
        from fogcatcher.drawing.asked_finish import AskedFinish

        return AskedFinish(**{f.name: getattr(self, f.name) for f in fields(FinishArguments)})

    def say_sheet(self, path: Path) -> None:
        """Say what lies beside an atlas."""
        if self.atlas:
            print(f"where each picture lies in it: {path.with_suffix('.json')}")
