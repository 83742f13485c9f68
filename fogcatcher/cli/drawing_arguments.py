"""What the commands that change pictures have in common: how to draw, and where to put it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from fogcatcher.data.conditions import Wish
    from fogcatcher.drawing import Drawing
    from fogcatcher.editing import Edit
    from fogcatcher.model import Model

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
    sampler: Annotated[str, tyro.conf.arg(metavar="NAME")] = "dpmpp_2m"
    """How to step; fogcatcher sample --help lists the names."""
    steps: int = 20
    """Number of sampling steps."""
    eta: Annotated[float | None, tyro.conf.arg(metavar="ETA", help_behavior_hint="")] = None
    """Fresh noise in ddim steps: 0 none, 1 as much as ddpm."""
    grid: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """Spacing of the steps: karras, log_snr, uniform, leading, linspace. Default: the model's own."""
    limit: Literal["clip", "dynamic", "none"] = "clip"
    """Keep every answer of the network within the range of pictures."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for the pictures. Default: named by the command and the picture, next to where you are."""
    best: bool = False
    """Use the weights of the lowest held-out loss instead of the newest."""
    ema: Annotated[float | None, tyro.conf.arg(metavar="LENGTH", help_behavior_hint="")] = None
    """Use the weights averaged over another share of the run, 0.03 to 0.2; 0.1 is the usual one."""

    def load(self) -> Model:
        from fogcatcher.model import load

        return load(self.model, self.best, self.ema)


@dataclass(kw_only=True)
class DrawingArguments(SteeringArguments):
    """The same, for several pictures, one from each seed."""

    n: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="", aliases=["-n"])] = None
    """Number of pictures. Default: one per seed, or 8."""
    seeds: Annotated[str | None, tyro.conf.arg(metavar="SEEDS", help_behavior_hint="")] = None
    """Seeds, one picture each: 7, or 0-63, or 1,5,10-20. Default: 0, 1, 2 ..."""

    def draw(self, model: Model, edit: Edit, wish: Mapping[str, Wish] | None, out: str) -> Drawing:
        """Draw with this edit, write the pictures into ``out`` unless --out says where, and say so."""
        from fogcatcher.cli.arguments import parse_guidance, parse_seeds
        from fogcatcher.cli.bars import sampling_bar

        count = USUAL_COUNT if self.n is None else self.n
        seeds = parse_seeds(self.seeds) if self.seeds else list(range(count))
        with sampling_bar() as progress:
            drawing = model.sample(
                self.n,
                wish,
                guidance=parse_guidance(self.guidance),
                sampler=self.sampler,
                steps=self.steps,
                seeds=seeds,
                eta=self.eta,
                grid=self.grid,
                limit=self.limit,
                edit=edit,
                progress=progress,
            )
        folder = self.out or Path(out)
        drawing.save(folder, COLUMNS)
        print(f"{len(seeds)} pictures: {folder}, all in one: {folder / 'sheet.png'}")
        return drawing


def wish_for(model: Model, condition: tuple[str, ...], picture: Path) -> dict[str, Wish]:
    """Return the wish of --condition; else that of the picture's own recipe, if this model understands it."""
    from fogcatcher.cli.arguments import parse_condition
    from fogcatcher.data.sheets import read_recipe
    from fogcatcher.errors import UserError

    if condition:
        return dict(parse_condition(condition))
    said = (read_recipe(picture) or {}).get("condition")
    try:
        return dict(model.conditions.clean(said)) if isinstance(said, dict) else {}
    except UserError:
        return {}
