"""``fogcatcher upscale``: small pictures, made large by a model that was trained for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fogcatcher.base.numbers import Seed
from fogcatcher.cli.drawing_arguments import SteeringArguments
from fogcatcher.cli.finish_arguments import FinishArguments
from fogcatcher.data.upscale_choices import NoiseLevel


@dataclass(kw_only=True)
class Upscale(FinishArguments, SteeringArguments):
    """Make pictures larger with a model trained with --upscale: one PNG each, named like its picture.

    The mean of each block of the new pixels is the old one, unless --loose or --noise lets go of it.

    Example:  fogcatcher upscale runs/large hero.png foes/ --out large
    """

    pictures: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="PICTURE")]
    """Picture files in their true pixels (not enlarged), or folders of them."""
    noise: NoiseLevel = 0.0
    """Noise put on the pictures first, 0 to 1: more lets the model change what looks damaged."""
    loose: bool = False
    """Let the model err about the pixels of the picture as it may."""
    seed: Seed = 0
    """Seed of every picture: the same details for the same picture, whatever others there are."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import parse_condition
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.data.pictures.given_pictures import given_pictures
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.model.upscale_files import Enlarging, files_upscaled, upscale_files

        model = self.load()
        pictures = given_pictures(self.pictures, model.config.pictures.channels)
        asked = Enlarging(pictures, self.noise, not self.loose, self.seed)
        out = self.out or Path("upscaled")
        check_ours(out, files_upscaled(asked, self.finish))
        wish = parse_condition(self.condition) or None
        with sampling_bar() as progress:
            sizes = upscale_files(
                model, asked, out, wish, settings=self.settings(), finish=self.finish, progress=progress
            )
        what = "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
        print(f"{what} ({', '.join(sizes)}): {out}")
