"""``fogcatcher plot``: how one run went, or several side by side, in one picture and in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.cli.flags import in_flags

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHING = 0.04
"""A point of a smooth curve averages over about this share of the run."""
COLOURS = ("#4f6fb5", "#d0873a", "#4f9d69", "#b0548f", "#7a6a4f", "#3aa6b0", "#c0504d", "#8c8f9b")
INK, SOFT = "#23252d", "#6b6f7b"
STEP, NOISE = "training step", "noise / signal"


@dataclass
class Plot:
    """Draw how a run went: losses, gradients, speed, checks, and the loss by noise level.

    Then says in words whether it improves, stands still or memorises. It may still be training.

    Example:  fogcatcher plot runs/first runs/second --out both.png
    """

    runs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN", help_behavior_hint="")
    ]
    """Run directories; several share one picture."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE.png", help_behavior_hint="")] = None
    """The picture; .svg and .pdf work too. Default: plot.png in the first run's folder."""

    def run(self) -> None:
        from fogcatcher.base.disk import write_atomically
        from fogcatcher.drawing.ours import check_own
        from fogcatcher.runs.summary import summary

        if not self.runs:
            raise UserError("name at least one run directory.")
        told = {folder: summary(folder) for folder in self.runs}
        out = self.out or self.runs[0] / "plot.png"
        check_own(out)
        try:
            drawn = figure([Curves.of(folder) for folder in self.runs])
            write_atomically(out, lambda part: drawn.savefig(part, metadata=_made_by(out)))
        except ImportError as error:
            raise UserError("plotting needs matplotlib: pip install 'fogcatcher[plots]'.") from error
        except ValueError as error:
            raise UserError(f"{out} cannot be drawn ({error}): give --out a name like plot.png.") from error
        for folder, lines in told.items():
            print("\n  ".join([f"{folder}:", *map(in_flags, lines)]))
        print(f"picture: {out}")


def _made_by(path: Path) -> dict[str, str]:
    """What the file says of its maker, so that a later one may replace it."""
    from fogcatcher.data.pictures.sheets import RECIPE_KEY

    return {RECIPE_KEY: '{"plot": true}'} if path.suffix.lower() == ".png" else {"Creator": "fogcatcher"}


@dataclass(frozen=True)
class Curves:
    """What was logged of one run."""

    name: str
    metrics: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]
    batch_size: int | None

    @staticmethod
    def of(folder: Path) -> Curves:
        from fogcatcher.runs.log import CHECKS, METRICS, read_rows
        from fogcatcher.runs.summary import batch_size

        return Curves(
            folder.resolve().name,
            read_rows(folder / METRICS),
            read_rows(folder / CHECKS),
            batch_size(folder),
        )


Points = Sequence[tuple[float, float]]
Draw = Callable[["Axes", Curves, str], None]
"""Adds one run to a panel, in a colour."""


@dataclass(frozen=True)
class Panel:
    title: str
    y: str
    draw: Draw
    logarithmic: bool = False
    x: str = STEP
    percent: bool = False
    styles: tuple[str, ...] = ()
    """What kinds of lines there are, beside the colours of the runs."""


def figure(runs: Sequence[Curves]) -> Figure:
    """Return eight panels, a colour for each run. Raises ImportError without matplotlib."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    whole = Figure(figsize=(17, 8.5), dpi=110, layout="constrained")
    for axes, panel in zip(whole.subplots(2, 4).flat, PANELS, strict=True):
        for run, colour in zip(runs, cycle(COLOURS), strict=False):
            panel.draw(axes, run, colour)
        _finish(axes, panel)
    names = [
        Line2D([], [], color=colour, linewidth=2.5, label=run.name)
        for run, colour in zip(runs, cycle(COLOURS), strict=False)
    ]
    whole.legend(handles=names, loc="outside upper left", ncols=4, frameon=False, labelcolor=INK)
    return whole


def around(points: Points, middle: Callable[[list[float]], float]) -> list[tuple[float, float]]:
    """Return the middle of each point's neighbours, as many as SMOOTHING says, fewer at the ends."""
    reach = round(SMOOTHING * len(points) / 2)
    near = [points[max(0, k - reach) : k + reach + 1] for k in range(len(points))]
    return [(x, middle([y for _, y in some])) for (x, _), some in zip(points, near, strict=True)]


def _logged(name: str) -> Draw:
    """A figure of every ten steps: as it is, faint, and its course."""

    def draw(axes: Axes, run: Curves, colour: str) -> None:
        from fogcatcher.runs.summary import series

        _faint_and_smooth(axes, series(run.metrics, name), fmean, colour)

    return draw


def _rate(axes: Axes, run: Curves, colour: str) -> None:
    from fogcatcher.runs.summary import series

    _line(axes, series(run.metrics, "learning_rate"), color=colour)


def _speed(axes: Axes, run: Curves, colour: str) -> None:
    """The median leaves out the few rows in which checks and previews were made; they show faintly."""
    from fogcatcher.runs.summary import series

    seconds = series(run.metrics, "seconds_per_step")
    speeds = [(step, (run.batch_size or 1) / each) for step, each in seconds if each > 0]
    _faint_and_smooth(axes, speeds, median, colour)


def _faint_and_smooth(
    axes: Axes, points: Points, middle: Callable[[list[float]], float], colour: str
) -> None:
    _line(axes, points, color=colour, alpha=0.25, linewidth=0.8)
    _line(axes, around(points, middle), color=colour, linewidth=1.8)


def _checked(**styles: Mapping[str, Any]) -> Draw:
    """Figures of the checks, each in its style."""

    def draw(axes: Axes, run: Curves, colour: str) -> None:
        from fogcatcher.runs.summary import series

        for name, style in styles.items():
            _line(axes, series(run.checks, name), color=colour, **{"marker": "o", "markersize": 3.5, **style})

    return draw


def _levels(axes: Axes, run: Curves, colour: str) -> None:
    """The last check's losses by noise level, and those of the baselines, in the run's colour too."""
    levels = (run.checks[-1].get("levels") or ()) if run.checks else ()
    for name, style in LEVEL_STYLES.items():
        _line(axes, [(row["sigma"], row[name]) for row in levels], color=colour, **style)


def _line(axes: Axes, points: Points, **style: Any) -> None:  # noqa: ANN401
    if points:
        axes.plot([x for x, _ in points], [y for _, y in points], **style)


def _finish(axes: Axes, panel: Panel) -> None:
    """Titles, scales and a legend of styles; where nothing was measured, a word that says so."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_title(panel.title, loc="left", color=INK, fontweight="bold", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", colors=SOFT)
    if not axes.lines:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=SOFT)
        return
    axes.set_xlabel(panel.x, color=SOFT)
    axes.set_ylabel(panel.y, color=SOFT)
    axes.grid(alpha=0.25)
    if panel.x == NOISE:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter("{x:,.0f}")
    if panel.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif panel.percent:
        top = max(0.05, axes.dataLim.y1)
        axes.set_ylim(-0.02 * top, 1.05 * top)
        axes.yaxis.set_major_formatter("{x:.0%}")
    else:
        # A kernel distance may be a little below 0.
        axes.set_ylim(min(1.1 * axes.dataLim.y0, 0.0), axes.get_ylim()[1])
    if panel.styles:
        styles = {**CHECK_STYLES, **LEVEL_STYLES}
        for name in panel.styles:
            axes.plot([], [], color=SOFT, label=SAID[name], **styles[name])
        axes.legend(frameon=False, labelcolor=INK, fontsize=9)


CHECK_STYLES: dict[str, Mapping[str, Any]] = {"held_out_loss": {}, "training_loss": {"linestyle": "--"}}
LEVEL_STYLES: dict[str, Mapping[str, Any]] = {
    "held_out": {"marker": "o", "markersize": 3.5},
    "training": {"marker": "o", "markersize": 3.5, "linestyle": "--"},
    "gaussian": {"linestyle": ":", "linewidth": 2},
    "zero": {"linestyle": "-.", "linewidth": 1, "alpha": 0.6},
}
SAID = {
    "held_out_loss": "held-out pictures",
    "training_loss": "training pictures",
    "held_out": "held-out pictures",
    "training": "training pictures",
    "gaussian": "Gaussian baseline",
    "zero": "an answer of zero",
}
PANELS = (
    Panel("training loss", "weighted squared error", _logged("loss"), logarithmic=True),
    Panel(
        "loss at the checks",
        "weighted squared error",
        _checked(**CHECK_STYLES),
        True,
        styles=tuple(CHECK_STYLES),
    ),
    Panel(
        "loss by noise level, last check",
        "squared error of the clean picture",
        _levels,
        True,
        NOISE,
        styles=tuple(LEVEL_STYLES),
    ),
    Panel("kernel distance to real pictures", "squared distance of features", _checked(kernel_distance={})),
    Panel("gradient norm", "length, before clipping", _logged("gradient_norm"), logarithmic=True),
    Panel("learning rate", "step size", _rate),
    Panel("speed", "pictures per second", _speed),
    Panel("copies", "share of drawn pictures", _checked(copied={}), percent=True),
)
