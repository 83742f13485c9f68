"""``fogcatcher inpaint`` and ``outpaint``: draw a part of a picture anew, or more of it around."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.cli.drawing_arguments import DrawingArguments, wish_for
from fogcatcher.cli.ranges import Count, Pixels

if TYPE_CHECKING:
    from fogcatcher.diffusion.edits.inpainting import Inpaint as InpaintEdit
    from fogcatcher.diffusion.tensors import OnePicture

PictureFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PICTURE", help_behavior_hint="")]


@dataclass(kw_only=True)
class InpaintingArguments(DrawingArguments):
    """How the new pixels are made to fit the known ones."""

    picture: PictureFile
    """Picture file in its true pixels (not enlarged)."""
    method: Literal["repaint", "replace", "gradient"] = "repaint"
    """repaint goes through the noise again and again, so that the new suits the old; gradient pulls the
    answers towards the known pixels; replace is quickest, and the new heeds the old least."""
    jump: Count = 5
    """repaint: how many steps it goes back at once."""
    resamples: Count = 5
    """repaint: how often it goes through each stretch of the steps; 1 is replace."""
    weight: float = 5.0
    """gradient: how strongly it pulls."""

    def edit(self, known: OnePicture, mask: OnePicture) -> InpaintEdit:
        """Raises UserError for settings that cannot be."""
        from fogcatcher.diffusion.edits.inpainting import Inpaint

        try:
            return Inpaint(known, mask, self.method, self.jump, self.resamples, self.weight)
        except ValueError as error:
            raise UserError(f"{error}.") from error


@dataclass(kw_only=True)
class Inpaint(InpaintingArguments):
    """Draw the white part of a mask anew, and keep the black part to the byte.

    White = draw anew. Black = keep. If your mask is the other way round: --invert-mask.

    Example:  fogcatcher inpaint sprites hero.png --mask legs.png -n 8
    """

    mask: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """Picture of the same size: white where pixels are drawn anew, black where they stay."""
    invert_mask: bool = False
    """Draw the black part anew, and keep the white."""

    def run(self) -> None:
        from fogcatcher.data.pictures.given_pictures import given_mask, given_picture

        model = self.load()
        picture = given_picture(self.picture, model.config.pictures.channels)
        edit = self.edit(picture, given_mask(self.mask, picture, self.invert_mask))
        print(f"drawn anew: {int(edit.free.sum())} of {edit.free.numel()} pixels")
        wish = wish_for(model, self.condition, self.picture)
        self.draw(model, edit, wish, f"inpainted-{self.picture.stem}")


@dataclass(kw_only=True)
class Outpaint(InpaintingArguments):
    """Draw more of a picture around it; the picture itself stays to the byte.

    Example:  fogcatcher outpaint sprites hero.png --right 8 --left 8
    """

    left: Pixels = 0
    """Pixels to add at the left."""
    right: Pixels = 0
    """Pixels to add at the right."""
    top: Pixels = 0
    """Pixels to add at the top."""
    bottom: Pixels = 0
    """Pixels to add at the bottom."""
    to: Annotated[str | None, tyro.conf.arg(metavar="WxH", help_behavior_hint="")] = None
    """Size of the new picture, with the old one in its middle; instead of the sides."""

    def run(self) -> None:
        import torch.nn.functional as F

        from fogcatcher.data.pictures.given_pictures import given_picture

        model = self.load()
        own = model.config.pictures
        picture = given_picture(self.picture, own.channels)
        around = self._around(*picture.shape[-2:])
        known = F.pad(picture, around)
        mask = F.pad(0 * picture[:, :1], around, value=255)
        height, width = known.shape[-2:]
        edit = self.edit(known, mask)
        if (height, width) != (own.height, own.width):
            print(
                f"note: this model learned pictures of {own.width}x{own.height}; on {width}x{height} it sets "
                "more of the same beside each other."
            )
        wish = wish_for(model, self.condition, self.picture)
        self.draw(model, edit, wish, f"outpainted-{self.picture.stem}")

    def _around(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return how many pixels come left, right, top, bottom."""
        from fogcatcher.cli.arguments import parse_size

        sides = (self.left, self.right, self.top, self.bottom)
        if self.to is not None and any(sides):
            raise UserError("give --to, or --left, --right, --top and --bottom, not both.")
        if self.to is not None:
            new_height, new_width = parse_size(self.to)
            more_h, more_w = new_height - height, new_width - width
            sides = (more_w // 2, more_w - more_w // 2, more_h // 2, more_h - more_h // 2)
        if min(sides) < 0 or not any(sides):
            raise UserError(
                f"nothing to draw around a picture of {width}x{height}: say how many pixels to add, for "
                f"example --right {width}, or a larger size, for example --to {2 * width}x{height}."
            )
        return sides
