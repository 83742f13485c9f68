"""``fogcatcher recolor``: new colours for a picture, its shapes and its light as they are."""

from __future__ import annotations

from dataclasses import dataclass

from fogcatcher.cli.drawing_arguments import DrawingArguments, wish_for
from fogcatcher.cli.inpaint import PictureFile


@dataclass(kw_only=True)
class Recolor(DrawingArguments):
    """Give a picture new colours. Every colour becomes another one of the same lightness, wherever it stands;
    the model decides which, differently for every seed. Shapes and transparency stay.

    A model that was trained with colours or palettes as a condition can be told where to go.

    Example:  fogcatcher recolor sprites hero.png -n 8
    """

    picture: PictureFile
    """Picture file in its true pixels (not enlarged)."""

    def run(self) -> None:
        from fogcatcher.data.pictures.given_pictures import given_picture
        from fogcatcher.diffusion.edits.recoloring import Recolor

        model = self.load()
        picture = given_picture(self.picture, model.config.pictures.channels)
        wish = wish_for(model, self.condition, self.picture)
        self.draw(model, Recolor(picture), wish, f"recoloured-{self.picture.stem}")
