"""``fogcatcher vary``: pictures that are like a picture."""

from __future__ import annotations

from dataclasses import dataclass

from fogcatcher.base.errors import UserError
from fogcatcher.cli.drawing_arguments import DrawingArguments, wish_for
from fogcatcher.cli.inpaint import PictureFile


@dataclass(kw_only=True)
class Vary(DrawingArguments):
    """Draw variations of a picture: put some noise on it, and take it off again.

    Example:  fogcatcher vary sprites hero.png --strength 0.9 -n 8
    """

    picture: PictureFile
    """Picture file in its true pixels (not enlarged)."""
    strength: float = 0.8
    """How far from the picture: 0 is the picture itself, 1 a fresh drawing. Small pictures change little
    below 0.6; 0.8 to 0.95 is where most happens."""

    def run(self) -> None:
        from fogcatcher.data.pictures.given_pictures import given_picture
        from fogcatcher.diffusion.edits.variation import Vary as VaryEdit

        if not 0 <= self.strength <= 1:
            raise UserError(f"--strength goes from 0 (the picture) to 1 (a new one), not {self.strength:g}.")
        model = self.load()
        picture = given_picture(self.picture, model.config.pictures.channels)
        wish = wish_for(model, self.condition, self.picture)
        self.draw(model, VaryEdit(picture, self.strength), wish, f"varied-{self.picture.stem}")
