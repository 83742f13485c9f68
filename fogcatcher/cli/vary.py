"""``fogcatcher vary``: pictures that are like a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from fogcatcher.cli.drawing_arguments import DrawingArguments, wish_for
from fogcatcher.cli.inpaint import PictureFile
from fogcatcher.drawing.settings import Share

HARDLY_KNOWN = 0.42
"""Measured: 0.24 to 0.34 for models on pictures like theirs, 0.48 after 258 steps, 0.7 on foreign ones."""


@dataclass(kw_only=True)
class Vary(DrawingArguments):
    """Draw variations of a picture: put some noise on it, and take it off again.

    Example:  fogcatcher vary sprites hero.png --strength 0.9 -n 8
    """

    picture: PictureFile
    """Picture file in its true pixels (not enlarged)."""
    sampler: Annotated[str, tyro.conf.arg(metavar="NAME")] = "ddpm"
    """How to step, as for fogcatcher sample. The usual one draws fresh noise in every step, so that what is
    left of the noise put on the picture goes."""
    strength: Share = 0.8
    """How far from the picture: 0 is the picture itself, 1 a fresh drawing. Small pictures change little
    below 0.6; 0.8 to 0.95 is where most happens."""

    def run(self) -> None:
        from fogcatcher.data.pictures.given_pictures import given_picture
        from fogcatcher.diffusion.edits.variation import Vary as VaryEdit

        model = self.load()
        picture = given_picture(self.picture, model.config.pictures.channels)
        wish = wish_for(model, self.condition, self.picture)
        left = model.noise_left(picture, wish)
        if left > HARDLY_KNOWN and 0 < self.strength < 1:
            print(
                f"note: this model hardly knows such a picture: of a little noise it leaves {left:.0%}, "
                "well trained ones 20 to 35%. So variations get noisy; training longer helps, or --palette "
                f"{self.picture} to keep to its colours."
            )
        self.draw(model, VaryEdit(picture, self.strength), wish, f"varied-{self.picture.stem}")
