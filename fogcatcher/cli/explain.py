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
    from fogcatcher.explain.explaining import Explanation
    from fogcatcher.model.model import Model


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
        from fogcatcher.base.disk import write_text
        from fogcatcher.cli.arguments import parse_condition
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.data.for_model import read_for_model
        from fogcatcher.data.pictures.spec import to_model
        from fogcatcher.explain.explaining import explain
        from fogcatcher.explain.noising import times_of
        from fogcatcher.explain.page import page
        from fogcatcher.model.build import steps_of
        from fogcatcher.model.choices import T_OF_NO_TABLE
        from fogcatcher.model.model import load

        allow_all(self.yes_read)
        model = load(self.model)
        steps = steps_of(model.config.method) or T_OF_NO_TABLE
        times = None if self.times is None else times_of(self.times, steps)
        own, pictures = None, model.config.pictures  # which says so where a model draws none
        if self.picture is not None:
            own = read_for_model(self.picture, pictures, model.config.data.options).rows[:1]
        with sampling_bar() as progress:
            found = explain(
                model,
                picture=None if own is None else to_model(own),
                seed=self.seed,
                condition=parse_condition(self.condition) or None,
                settings=settings_of({"steps": self.steps}, STEP_BY_STEP),
                times=times,
                progress=progress,
            )
        name = Path(self.model).resolve().name
        out = self.out or Path(f"explain-{name}")
        out.mkdir(parents=True, exist_ok=True)
        text = page(found, pictures, name, out, own is not None)
        write_text(out / "explain.html", text)
        self._save_pictures(model, found, out)
        print(f"page: {out / 'explain.html'}, with strips as PNG and denoising.gif beside it")

    def _save_pictures(self, model: Model, found: Explanation, out: Path) -> None:
        """Write each strip, with how it was made inside, and the animation."""
        from fogcatcher.data.pictures.sheets import save_gif, save_png
        from fogcatcher.explain.strips import frames, strips

        made_by = {"model": model.hash, "seed": found.seed, "condition": dict(found.wish)}
        for name, image in strips(found, model.config.pictures).items():
            save_png(image, out / f"{name}.png", made_by | {"strip": name})
        drawn = frames(found.steps, model.config.pictures)
        save_gif(drawn, out / "denoising.gif")
