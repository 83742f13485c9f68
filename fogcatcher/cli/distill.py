"""``fogcatcher distill``: of a model that draws in many steps one that draws in a few."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fogcatcher.base.numbers import Seed
from fogcatcher.cli.yes_read import YesRead, allow_all
from fogcatcher.drawing.settings import Steps
from fogcatcher.runs.setup import Minutes, Setup
from fogcatcher.runs.setup import Steps as Updates


@dataclass(kw_only=True)
class Distill:
    """Make of a model one that draws in a few steps: a new run, which learns from the old one.

    Ctrl-C once saves and stops; fogcatcher train DATA --resume --out DIR goes on.

    Example:  fogcatcher distill sprites --steps 4 --minutes 10 --out runs/fast
    """

    run_: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
    """Run directory, or a model that comes with the program: the teacher."""
    data: Annotated[str | None, tyro.conf.arg(metavar="DATA", help_behavior_hint="")] = None
    """Pictures to learn with. Default: those that the teacher learned from."""
    steps: Annotated[Steps, tyro.conf.arg(metavar="N")] = 4
    """Steps in which the new model draws, each one call of the network."""
    method: Annotated[str, tyro.conf.arg(metavar="NAME")] = "auto"
    """matching: what is drawn in N steps is set beside the data, as the teacher sees them; progressive: all
    steps of the teacher within one of the student's; consistency: one step of the teacher, and the student's
    own answer for the rest; meanflow: steps of every length, so that the new model draws in N steps and in
    every number that divides N; reflow: pairs of noise and what the teacher draws from it; auto is
    progressive."""
    guidance: Annotated[float | None, tyro.conf.arg(metavar="W", help_behavior_hint="")] = None
    """Guidance of the teacher, which the new model then has without a second call. Default: 1, as the data
    were."""
    teacher_steps: Annotated[Steps | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Steps of the teacher. Default: four times --steps, or 32 with consistency; with meanflow the number of
    times at which it is asked, 1,024. A model that was distilled teaches in its own; half of them is one
    halving of the paper."""
    minutes: Annotated[Minutes | None, tyro.conf.arg(metavar="M", help_behavior_hint="")] = None
    """Time to train. Default: 10."""
    updates: Annotated[Updates | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Number of training steps, instead of a time."""
    seed: Seed = Setup.seed
    """Seed of the whole run."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Run directory. Default: runs/TEACHER-N-steps."""
    yes_read: YesRead = ()
    """Read these data, too, where a teacher that was trained elsewhere names them."""

    def run(self) -> None:
        from fogcatcher.base.processes import joined
        from fogcatcher.cli.bars import reading_bar
        from fogcatcher.cli.train import describe_run, follow_on_screen
        from fogcatcher.runs.devices import Devices
        from fogcatcher.runs.distill import DistillSetup, prepare_distillation
        from fogcatcher.runs.follow import follow

        allow_all(self.yes_read)
        setup = DistillSetup(
            self.run_,
            self.data,
            self.out,
            self.steps,
            self.method,
            self.guidance,
            self.teacher_steps,
            self.minutes,
            self.updates,
            self.seed,
        )
        with joined() as processes:
            with reading_bar() as progress:
                made = prepare_distillation(setup, progress, Devices(processes))
            describe_run(made)
            follow_on_screen(made, follow(made, command="distill"))
