"""``fogcatcher explain``: one page that shows how a model draws, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.numbers import Seed
from fogcatcher.cli.yes_read import YesRead, allow_all
from fogcatcher.drawing.settings import STEP_BY_STEP, Steps, settings_of

if TYPE_CHECKING:
    pass


@dataclass
class Explain:
    """Show how a model draws: one page with pictures, formulas and the code behind them.

    It works offline and needs nothing but itself. Beside it lie strips as PNG, and an animation.

    Example:  fogcatcher explain sprites --picture my-hero.png --condition kind=hero --out explained
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
    """Run directory, or a model that comes with the program: sprites."""
    picture: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """A picture of yours to fade into noise. Default: one that the model draws."""
    seed: Seed = 0
    """Which noise to start from."""
    condition: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]] = ()
    """What to draw, for example kind=food. Default: one class, chosen by the seed."""
    steps: Steps = STEP_BY_STEP.steps
    """Number of sampling steps that are shown one by one."""
    times: Annotated[str | None, tyro.conf.arg(metavar="T,T,...", help_behavior_hint="")] = None
    """Times of the fading picture: shares such as 0,0.1,0.5,1, or steps of T such as 50,100,299. Default:
    nine that look evenly spaced."""
    yes_read: YesRead = ()
    """Read this text encoder, too, where a model that was trained elsewhere names it."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for the page and the pictures. Default: explain-NAME, next to where you are."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import parse_condition
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.data.for_model import read_for_model
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.explain.files import EXPLAINED, explain_files
        from fogcatcher.explain.noising import times_of
        from fogcatcher.model.build import steps_of
        from fogcatcher.model.choices import T_OF_NO_TABLE
        from fogcatcher.model.model import load

        allow_all(self.yes_read)
        model = load(self.model)
        steps = steps_of(model.config.method) or T_OF_NO_TABLE
        times = None if self.times is None else times_of(self.times, steps)
        own, pictures = None, model.config.pixels  # which says so where a model draws none
        if self.picture is not None:
            own = read_for_model(self.picture, pictures, model.config.data.options).rows[:1]
        name = Path(self.model).resolve().name
        out = self.out or Path(f"explain-{name}")
        check_ours(out, EXPLAINED)
        with sampling_bar() as progress:
            written = explain_files(
                model,
                name,
                out,
                picture=own,
                seed=self.seed,
                condition=parse_condition(self.condition) or None,
                settings=settings_of({"steps": self.steps}, STEP_BY_STEP),
                times=times,
                progress=progress,
            )
        print(f"page: {written}, with strips as PNG and denoising.gif beside it")
