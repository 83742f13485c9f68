"""``fogcatcher noise``: a picture under the noise of a schedule, without any model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fogcatcher.base.numbers import Seed
from fogcatcher.cli.arguments import parse_options
from fogcatcher.model.choices import COLUMNS


@dataclass
class Noise:
    """Show a picture under growing noise, x_t = alpha x_0 + sigma eps, with the numbers. No model is needed.

    Example:  fogcatcher noise my-hero.png --preset annotated --t 50,100,299
    """

    picture: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PICTURE", help_behavior_hint="")]
    """Picture file."""
    t: Annotated[str, tyro.conf.arg(metavar="T,T,...")] = "0,0.1,0.2,0.4,0.6,0.8,1"
    """Times: steps of T, such as 50,100,299, or all of them shares from 0, the picture, to 1, noise."""
    preset: Annotated[str, tyro.conf.arg(metavar="NAME")] = "ddpm"
    """Whose schedule: that of a preset of fogcatcher train."""
    schedule: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="NAME",
            help_behavior_hint="",
            help=f"A schedule by name: {', '.join(COLUMNS['schedule'])}. Default: the preset's.",
        ),
    ] = None
    method_option: tyro.conf.UseAppendAction[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]
    ] = ()
    """A number of the schedule, for example T=300; docs/methods.md lists them."""
    size: Annotated[str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="")] = None
    """Bring the picture to 16, or 24x32, pixels first. Default: as pictures are read for training."""
    seed: Seed = 0
    """Which noise."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for strip and animation. Default: noise-NAME, next to where you are."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import parse_size
        from fogcatcher.data.options import DataOptions
        from fogcatcher.data.pictures.sheets import save_gif, save_png
        from fogcatcher.data.pictures.spec import spec_of
        from fogcatcher.data.reading import read_picture_file
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.explain.noising import noised, schedule_of

        numbers = parse_options(self.method_option, "--method-option", "T=300")
        method = schedule_of(self.preset, self.schedule, numbers)
        options = DataOptions(size=parse_size(self.size) if self.size else None)
        rows = read_picture_file(self.picture, options).rows[:]
        found = noised(rows, spec_of(rows), method, self.t, self.seed)
        widths = [max(map(len, column)) for column in zip(*found.rows(), strict=True)]
        for row in found.rows():
            print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))
        out = self.out or Path(f"noise-{self.picture.stem}")
        check_ours(out, {"strip.png", "noise.gif"})
        out.mkdir(parents=True, exist_ok=True)
        made_by = {
            "schedule": method.schedule,
            "options": dict(method.options),
            "t": self.t,
            "seed": self.seed,
        }
        save_png(found.strip, out / "strip.png", made_by)
        save_gif(found.frames, out / "noise.gif")
        print(f"strip and animation: {out / 'strip.png'}, {out / 'noise.gif'}")
