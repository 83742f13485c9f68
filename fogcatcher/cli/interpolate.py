"""``fogcatcher interpolate``: the pictures between two pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import Range, shown
from fogcatcher.cli.drawing_arguments import SteeringArguments, wish_for
from fogcatcher.cli.finish_arguments import FinishArguments

if TYPE_CHECKING:
    from fogcatcher.data.conditions.conditions import Wish
    from fogcatcher.diffusion.tensors import OnePicture
    from fogcatcher.model.model import Model

LONGEST_PATH = 4096
Frames = Annotated[int, Range(2, 1000)]
"""The two ends are two."""
End = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SEED|PICTURE", help_behavior_hint="")]


@dataclass(kw_only=True)
class Interpolate(FinishArguments, SteeringArguments):
    """Draw the way from one picture to another: the frames, a strip of them, and a GIF.

    Each end is the seed of a drawing or a picture file, of which the noise is found first (DDIM inversion).

    Example:  fogcatcher interpolate sprites 3 19 --frames 12
    """

    a: End
    """Where it begins."""
    b: End
    """Where it ends."""
    frames: Frames = 8
    """Number of pictures, with both ends."""
    to_condition: tyro.conf.UseAppendAction[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]
    ] = ()
    """What the last picture is to show. Default: as --condition; without, what each end shows by itself."""
    guidance: Annotated[str | None, tyro.conf.arg(metavar="W", help_behavior_hint="")] = None  # type: ignore
    """How strongly to follow the condition. Default: 2 between seeds, 1 with a picture, which a stronger one
    would not find back."""
    sampler: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None  # type: ignore
    """How to step. Default: dpmpp_2m between seeds, ddim with a picture, for its noise is found by that."""

    def run(self) -> None:
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.cli.costs import say_cost
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.model.edit_files import draw_between, files_between, save_between, usual_settings

        model = self.load()
        a, b = self._end(model, self.a), self._end(model, self.b)
        wishes = (
            self._wish(model, self.a, self.condition),
            self._wish(model, self.b, self.to_condition or self.condition),
        )
        usual = usual_settings([a, b])
        guidance, sampler = self.guidance or f"{usual['guidance']:g}", self.sampler or str(usual["sampler"])
        settings = replace(self, guidance=guidance, sampler=sampler).settings()
        finish = self.finish.finisher(model.config.kind.drawn, model.palette)
        self.finish.check_size(model.config.kind.drawn.shape, self.frames, self.frames)
        folder = self.out or Path(f"between-{Path(self.a).stem}-{Path(self.b).stem}")
        check_ours(folder, files_between(self.frames, self.finish))
        say_cost(model, settings, self.frames)
        with sampling_bar() as progress:
            drawing = draw_between(model, a, b, wishes, self.frames, settings, progress=progress)
        save_between(finish(drawing), folder, self.finish)
        print(f"{self.frames} pictures: {folder}, all in a row: {folder / 'strip.png'}, moving: between.gif")
        self.say_sheet(folder / "strip.png")

    def _end(self, model: Model, text: str) -> int | OnePicture:
        """A seed or a picture."""
        from fogcatcher.data.pictures.given_pictures import given_picture

        if re.fullmatch(r"\d{1,18}", text):
            return int(text)
        if len(text) > LONGEST_PATH or not Path(text).exists():
            raise UserError(f"{shown(text)} is neither a seed (a whole number such as 7) nor a picture file.")
        return given_picture(Path(text), model.config.pictures.channels)

    def _wish(self, model: Model, text: str, condition: tuple[str, ...]) -> Mapping[str, Wish]:
        """What an end shows: as told, or for a seed what ``fogcatcher sample`` would draw."""
        if condition or not text.isdecimal():
            return model.conditions.clean(wish_for(model, condition, Path(text)))
        return model.wish_of_seed(int(text))
