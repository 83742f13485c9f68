"""``fogcatcher grid``: the same seeds with many settings, in one labelled picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.base.numbers import number
from fogcatcher.base.typed_json import shown
from fogcatcher.cli.settings_arguments import SettingsArguments, setting_of
from fogcatcher.cli.yes_read import YesRead, allow_all
from fogcatcher.drawing.settings import NAMES

if TYPE_CHECKING:
    from fogcatcher.explain.comparing import Axis

MOST = 400
"""Cells of one table."""


@dataclass(kw_only=True)
class Table:
    """What is drawn, and what changes."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
    """Run directory, or a model that comes with the program: sprites."""
    x: Annotated[str, tyro.conf.arg(metavar="NAME=V,V,...", help_behavior_hint="")]
    """What changes from column to column."""
    y: Annotated[str | None, tyro.conf.arg(metavar="NAME=V,V,...", help_behavior_hint="")] = None
    """What changes from row to row."""
    z: Annotated[str | None, tyro.conf.arg(metavar="NAME=V,V,...", help_behavior_hint="")] = None
    """What changes from block to block, below each other."""
    seeds: Annotated[str, tyro.conf.arg(metavar="SEEDS")] = "0-7"
    """The seeds that every cell draws: 7, or 0-7, or 1,5,10-20."""
    condition: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]] = ()
    """What to draw in every cell, for example kind=food. Default: each class in turn, for eight seeds."""


@dataclass(kw_only=True)
class Grid(SettingsArguments, Table):
    """Compare settings: the same seeds in every cell of a table, with its network calls and seconds.

    An axis is NAME=VALUE,VALUE,... NAME is SETTINGS, checkpoint, ema, run, seed, or a
    condition of the model (kind=hero,food). Values that hold commas are parted by semicolons. How to draw
    where no axis says is told as for fogcatcher sample.

    Example:  fogcatcher grid sprites --x sampler=ddim,heun,dpmpp_2m --y steps=5,10,20 --z guidance=1,4
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for grid.png, grid.csv and grid.json. Default: grid-NAME, next to where you are."""
    yes_read: YesRead = ()
    """Read this text encoder, too, where a model that was trained elsewhere names it."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import folder_name, parse_condition, parse_seeds
        from fogcatcher.cli.bars import sampling_bar
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.explain.comparing import Request, compare
        from fogcatcher.explain.files import TABLE, save_table

        allow_all(self.yes_read)
        axes = [parse_axis(option, text) for option, text in self._axes().items()]
        _check(axes)
        base = Request(
            self.model,
            settings=self.settings(),
            condition=parse_condition(self.condition),
            seeds=tuple(parse_seeds(self.seeds)),
        )
        out = self.out or Path(f"grid-{folder_name(self.model)}")
        check_ours(out, TABLE)
        with sampling_bar() as progress:
            cells = compare(base, axes, progress, lambda cost: print(cost.in_words, flush=True))
        save_table(cells, axes, out)
        seconds = sum(cell.seconds for cell in cells)
        print(f"{len(cells)} cells in {seconds:.1f} s: {out / 'grid.png'}, as a table: {out / 'grid.csv'}")

    def _axes(self) -> dict[str, str]:
        """The axes that were given, blocks first and columns last."""
        given = {"--z": self.z, "--y": self.y, "--x": self.x}
        return {option: text for option, text in given.items() if text is not None}


Grid.__doc__ = (Grid.__doc__ or "").replace("SETTINGS", ", ".join(NAMES))


def parse_axis(option: str, text: str) -> Axis:
    """Return the axis of "steps=5,10,20". Raises UserError where the form or a number is wrong."""
    from fogcatcher.cli.arguments import parse_seeds
    from fogcatcher.explain.comparing import Axis

    name, equals, rest = text.partition("=")
    in_pairs = name.strip() == "interval" or ";" in rest
    values = [part.strip() for part in rest.split(";" if in_pairs else ",")]
    values = [part for part in values if part]
    if not equals or not name.strip() or not values:
        raise UserError(f"{option} {shown(text)} needs the form NAME=VALUE,VALUE, for example steps=5,10,20.")
    name = name.strip()
    if name == "seed":
        return Axis(name, parse_seeds(",".join(values)))
    return Axis(name, [_value(name, value) for value in values])


def _value(name: str, text: str) -> object:
    """Return a value as the type that its axis has. Raises UserError for what is no number."""
    try:
        if name == "ema":
            return number(text)
        return setting_of(name, text) if name in NAMES else text
    except ValueError:
        what = "a whole number" if name == "steps" else "a number"
        raise UserError(f"{name}={text}: {shown(text)} is not {what}.") from None


def _check(axes: list[Axis]) -> None:
    """Raises UserError where two axes have one name, or the table would be too large."""
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two axes are called {name}: give each a name of its own.")
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST:
        raise UserError(f"the table would have {count:,} cells: name fewer values, for at most {MOST}.")
