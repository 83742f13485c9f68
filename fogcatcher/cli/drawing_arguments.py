"""What the commands that change pictures have in common: how to draw, and where to put it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from fogcatcher.data.conditions.conditions import Wish
    from fogcatcher.diffusion.edits.edit import Edit
    from fogcatcher.drawing.drawing import Drawing
    from fogcatcher.model.model import Model

USUAL_COUNT = 8
COLUMNS = 8


@dataclass(kw_only=True)
class SteeringArguments:
    """The model, and how it draws."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
    """Run directory, or a model that comes with the program: sprites."""
    condition: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]] = ()
    """What the picture is to show, for example kind=food. Default: what the picture's recipe says, if the
    picture is a drawing of such a model; else nothing is said."""
    guidance: Annotated[str, tyro.conf.arg(metavar="W")] = "2"
    """How strongly to follow the condition: 1 as the data did, 0 not at all, 2 to 4 more clearly."""
    negative: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]] = ()
    """What to lead away from, for example kind=food; it needs guidance above 1. Default: from saying
    nothing."""
    guidance_interval: Annotated[str | None, tyro.conf.arg(metavar="LOW,HIGH", help_behavior_hint="")] = None
    """Guide only between two noise levels, in parts of noise for one of signal (sigma / alpha), for example
    0.2,2: less sameness at the same strength, and faster. Default: everywhere."""
    rescale: Annotated[float, tyro.conf.arg(metavar="PHI")] = 0.0
    """Take back the contrast that guidance adds: 0 not, 1 all of it; 0.7 suits strong guidance."""
    guide_with: Annotated[str | None, tyro.conf.arg(metavar="WEAKER", help_behavior_hint="")] = None
    """Lead away from a weaker model instead: an average of other length (0.2), an earlier step of the run
    (500), or another run's directory."""
    classifier_guidance: Annotated[float, tyro.conf.arg(metavar="S")] = 0.0
    """How strongly to follow the classifier of fogcatcher train-classifier, besides --guidance; add
    --guidance 0 to follow it alone."""
    sampler: Annotated[str, tyro.conf.arg(metavar="NAME")] = "dpmpp_2m"
    """How to step: dpmpp_2m, dpmpp_3m, dpmpp_2s, unipc_2, unipc_3, lms, heun, euler, ddim, rk45; with fresh
    noise ddpm, ddpm_large, ddpm_learned, dpmpp_2m_sde, churn, euler_maruyama, predictor_corrector,
    annealed_langevin."""
    steps: int = 20
    """Number of sampling steps."""
    eta: Annotated[float | None, tyro.conf.arg(metavar="ETA", help_behavior_hint="")] = None
    """Fresh noise in ddim steps: 0 none, 1 as much as ddpm."""
    grid: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """Spacing of the steps: karras, log_snr, uniform, leading, linspace. Default: the model's own."""
    limit: Literal["clip", "dynamic", "none"] = "clip"
    """Keep every answer of the network within the range of pictures: clip; dynamic scales it there, which
    suits strong guidance; none."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for the pictures. Default: named by the command and the picture, next to where you are."""
    best: bool = False
    """Use the weights of the lowest held-out loss instead of the newest."""
    ema: Annotated[float | None, tyro.conf.arg(metavar="LENGTH", help_behavior_hint="")] = None
    """Use the weights averaged over another share of the run, 0.03 to 0.2; 0.1 is the usual one."""

    def load(self) -> Model:
        from fogcatcher.model.model import load

        return load(self.model, self.best, self.ema)

    def sampling(self) -> dict[str, Any]:
        """Return how to draw, as arguments of ``Model.sample``."""
        from fogcatcher.cli.arguments import parse_condition, parse_guidance, parse_interval
        from fogcatcher.drawing.settings import Steering

        steering = Steering(
            negative=parse_condition(self.negative, "--negative") or None,
            interval=parse_interval(self.guidance_interval) if self.guidance_interval else None,
            rescale=self.rescale,
            guide_with=self.guide_with,
            classifier=self.classifier_guidance,
        )
        return {
            "guidance": parse_guidance(self.guidance),
            "steering": steering,
            "sampler": self.sampler,
            "steps": self.steps,
            "eta": self.eta,
            "grid": self.grid,
            "limit": self.limit,
        }


@dataclass(kw_only=True)
class DrawingArguments(SteeringArguments):
    """The same, for several pictures, one from each seed."""

    n: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="", aliases=["-n"])] = None
    """Number of pictures. Default: one per seed, or 8."""
    seeds: Annotated[str | None, tyro.conf.arg(metavar="SEEDS", help_behavior_hint="")] = None
    """Seeds, one picture each: 7, or 0-63, or 1,5,10-20. Default: 0, 1, 2 ..."""

    def draw(self, model: Model, edit: Edit, wish: Mapping[str, Wish] | None, out: str) -> Drawing:
        """Draw with this edit, write the pictures into ``out`` unless --out says where, and say so."""
        from fogcatcher.cli.arguments import parse_seeds
        from fogcatcher.cli.bars import sampling_bar

        count = USUAL_COUNT if self.n is None else self.n
        seeds = parse_seeds(self.seeds) if self.seeds else list(range(count))
        with sampling_bar() as progress:
            drawing = model.sample(self.n, wish, seeds=seeds, edit=edit, progress=progress, **self.sampling())
        folder = self.out or Path(out)
        drawing.save(folder, COLUMNS)
        print(f"{len(seeds)} pictures: {folder}, all in one: {folder / 'sheet.png'}")
        return drawing


def wish_for(model: Model, condition: tuple[str, ...], picture: Path) -> dict[str, Wish]:
    """Return the wish of --condition; else that of the picture's own recipe, if this model understands it."""
    from fogcatcher.base.errors import UserError
    from fogcatcher.cli.arguments import parse_condition
    from fogcatcher.drawing.sheets import read_recipe

    if condition:
        return dict(parse_condition(condition))
    said = (read_recipe(picture) or {}).get("condition")
    try:
        return dict(model.conditions.clean(said)) if isinstance(said, dict) else {}
    except UserError:
        return {}
