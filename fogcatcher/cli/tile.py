"""``fogcatcher tile``: pictures that can be laid side by side without a seam."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fogcatcher.cli.drawing_arguments import COLUMNS, DrawingArguments

REPEATS = 3


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

        model = self.load()
        out = f"tiles-{folder_name(self.model)}"
        drawing = self.draw(model, TileEdit(), parse_condition(self.condition) or None, out)
        laid = (self.out or Path(out)) / "laid.png"
        drawing.save_laid(laid, COLUMNS // 2, REPEATS)
        print(f"each laid {REPEATS} x {REPEATS} times: {laid}")
