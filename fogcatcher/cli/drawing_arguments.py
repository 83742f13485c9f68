"""What the commands that change pictures have in common: how to draw, and where to put it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.cli.finish_arguments import FinishArguments
from fogcatcher.cli.ranges import Count
from fogcatcher.cli.settings_arguments import SettingsArguments
from fogcatcher.cli.yes_read import YesRead, allow_all

if TYPE_CHECKING:
    from fogcatcher.data.conditions.conditions import Wish
    from fogcatcher.diffusion.edits.edit import Edit
    from fogcatcher.drawing.drawing import Drawing
    from fogcatcher.model.model import Model

USUAL_COUNT = 8


@dataclass(kw_only=True)
class RunAndWish:
    """The model, and what it is to draw."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
    """Run directory, or a model that comes with the program: sprites."""
    condition: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]] = ()
    """What the picture is to show, for example kind=food. Default: what the picture's recipe says, if the
    picture is a drawing of such a model; else nothing is said."""


@dataclass(kw_only=True)
class SteeringArguments(SettingsArguments, RunAndWish):
    """The model, and how it draws."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for the pictures. Default: named by the command and the picture, next to where you are."""
    best: bool = False
    """Use the weights of the lowest held-out loss instead of the newest."""
    ema: Annotated[float | None, tyro.conf.arg(metavar="LENGTH", help_behavior_hint="")] = None
    """Use the weights averaged over another share of the run, 0.03 to 0.2; 0.1 is the usual one."""
    yes_read: YesRead = ()
    """Read this text encoder, too, where a model that was trained elsewhere names it."""

    def load(self) -> Model:
        from fogcatcher.model.model import load

        allow_all(self.yes_read)
        model = load(self.model, self.best, self.ema)
        self.check(model)
        return model


@dataclass(kw_only=True)
class DrawingArguments(FinishArguments, SteeringArguments):
    """The same, for several pictures, one from each seed."""

    n: Annotated[Count | None, tyro.conf.arg(metavar="N", help_behavior_hint="", aliases=["-n"])] = None
    """Number of pictures. Default: one per seed, or 8."""
    seeds: Annotated[str | None, tyro.conf.arg(metavar="SEEDS", help_behavior_hint="")] = None
    """Seeds, one picture each: 7, or 0-63, or 1,5,10-20. Default: 0, 1, 2 ..."""

    def draw(
        self, model: Model, edit: Edit, wish: Mapping[str, Wish] | None, out: str, more: Sequence[str] = ()
    ) -> Drawing:
        """Draw with this edit, write the pictures into ``out`` unless --out says where, and say so.

        ``more`` files are to be written there afterwards.
        """
        from fogcatcher.cli.arguments import parse_seeds
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.cli.costs import say_cost
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.model.drawing_files import Asked, files_of
        from fogcatcher.model.edit_files import edit_files

        count = USUAL_COUNT if self.n is None else self.n
        seeds = parse_seeds(self.seeds) if self.seeds else list(range(count))
        if self.n is not None and self.n != len(seeds):
            raise UserError(f"{self.n} pictures were asked for, with {len(seeds)} seeds.")
        folder = self.out or Path(out)
        check_ours(folder, {*files_of(Asked(seeds, finish=self.finish), model.config.kind), *more})
        say_cost(model, self.settings(), len(seeds), edit)
        with sampling_bar() as progress:
            drawing = edit_files(
                model,
                edit,
                wish,
                seeds,
                folder,
                settings=self.settings(),
                finish=self.finish,
                progress=progress,
            )
        print(f"{len(seeds)} {model.config.kind.drawn.name}: {folder}, all in one: {folder / 'sheet.png'}")
        self.say_sheet(folder / "sheet.png")
        return drawing


def wish_for(model: Model, condition: tuple[str, ...], picture: Path) -> dict[str, Wish]:
    """Return the wish of --condition; else that of the picture's own recipe, if this model understands it."""
    from fogcatcher.cli.arguments import parse_condition
    from fogcatcher.model.edit_files import wish_of_file

    return dict(parse_condition(condition)) if condition else wish_of_file(model, picture)
