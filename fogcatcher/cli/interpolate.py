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
    from fogcatcher.drawing.drawing import Drawing
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
        model = self.load()
        finish = self.finisher(model)
        drawing = self._draw(model, self._end(model, self.a), self._end(model, self.b))
        self._save(finish(drawing), self.out or Path(f"between-{Path(self.a).stem}-{Path(self.b).stem}"))

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

    def _draw(self, model: Model, a: int | OnePicture, b: int | OnePicture) -> Drawing:
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.diffusion.edits.interpolation import Between

        ends = [end for end in (a, b) if not isinstance(end, int)]
        if len(ends) == 2 and ends[0].shape != ends[1].shape:
            raise UserError(f"{self.a} and {self.b} are of different sizes: nothing lies between them.")
        wish_a = self._wish(model, self.a, self.condition)
        wish_b = self._wish(model, self.b, self.to_condition or self.condition)
        weights = tuple(i / (self.frames - 1) for i in range(self.frames))
        # A sampler that adds noise of its own takes it from the first seed, and at the end from the last.
        seed_a, seed_b = (end if isinstance(end, int) else 0 for end in (a, b))
        guidance, sampler = ("1", "ddim") if ends else ("2", "dpmpp_2m")
        how = replace(self, guidance=self.guidance or guidance, sampler=self.sampler or sampler)
        with sampling_bar() as progress:
            return model.sample(
                condition=[model.conditions.between(wish_a, wish_b, u) for u in weights],
                seeds=[seed_a] * (self.frames - 1) + [seed_b],
                edit=Between(a, b, weights, wish_a, wish_b),
                progress=progress,
                settings=how.settings(),
            )

    def _save(self, drawing: Drawing, folder: Path) -> None:
        from fogcatcher.data.pictures.sheets import save_gif, sheet

        pictures = drawing.pictures
        drawing.save_singles(folder, [f"frame-{k:03d}" for k in range(len(pictures))])
        self.save_sheet(drawing, folder / "strip.png", len(pictures))
        save_gif([sheet(pictures[k : k + 1], 1) for k in range(len(pictures))], folder / "between.gif")
        print(
            f"{len(pictures)} pictures: {folder}, all in a row: {folder / 'strip.png'}, moving: between.gif"
        )
        self.say_sheet(folder / "strip.png")
