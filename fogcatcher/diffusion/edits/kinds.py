"""The edits by name."""

from __future__ import annotations

from collections.abc import Mapping

from fogcatcher.diffusion.edits.edit import Edit
from fogcatcher.diffusion.edits.enlarging import Enlarge
from fogcatcher.diffusion.edits.inpainting import Inpaint
from fogcatcher.diffusion.edits.interpolation import Between
from fogcatcher.diffusion.edits.inversion import Invert
from fogcatcher.diffusion.edits.recoloring import Recolor
from fogcatcher.diffusion.edits.tiling import Tile
from fogcatcher.diffusion.edits.variation import Vary

EDITS: Mapping[str, type[Edit]] = {
    "inpaint": Inpaint,
    "vary": Vary,
    "invert": Invert,
    "between": Between,
    "recolor": Recolor,
    "tile": Tile,
    "enlarge": Enlarge,
}
