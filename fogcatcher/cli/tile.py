"""``fogcatcher tile``: pictures that can be laid side by side without a seam."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fogcatcher.cli.drawing_arguments import DrawingArguments


@dataclass(kw_only=True)
class Tile(DrawingArguments):
    """Draw seamless tiles: what leaves at one edge comes in at the opposite one.

    A model of textures gives textures. A model of single things, such as sprites, which has hardly seen a
    picture without a border, gives patterns made of their parts.

    Example:  fogcatcher tile sprites -n 16 --condition kind=creature
    """

    def run(self) -> None:
        from fogcatcher.cli.arguments import folder_name, parse_condition
        from fogcatcher.diffusion.edits.tiling import Tile as TileEdit
        from fogcatcher.model.edit_files import LAID, REPEATS, save_tiles

        model = self.load()
        out = self.out or Path(f"tiles-{folder_name(self.model)}")
        drawing = self.draw(model, TileEdit(), parse_condition(self.condition) or None, str(out), [LAID])
        print(f"each laid {REPEATS} x {REPEATS} times: {save_tiles(drawing, out)}")
