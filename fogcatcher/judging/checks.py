"""What is measured now and then while a model trains: quality, copies, and the loss on held-out pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch

from fogcatcher.base.typed_json import AnyFloat, typed_fields
from fogcatcher.data.kind import Kind
from fogcatcher.data.reading import Dataset
from fogcatcher.data.splitting import Split
from fogcatcher.diffusion.baselines import Baselines
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.drawing.settings import AS_THE_DATA
from fogcatcher.judging.evaluation import Settings, copies, draw, usual_look
from fogcatcher.judging.losses import NOISE_LEVELS, Rows, errors_at, known_little
from fogcatcher.judging.metrics import memorisation
from fogcatcher.judging.metrics.kernel import mmd2
from fogcatcher.judging.metrics.rows import Features
from fogcatcher.model.model import Model
from fogcatcher.training.fit import Plan

CHECKS = 10
"""So many in a run, evenly spread."""
SHARE = 0.05
"""About the share of all work that the checks' drawing may take."""
FEWEST, MOST = 32, 256
"""Pictures drawn per check; a run too short for the fewest is not checked."""
SAMPLING_STEPS = 20
JUDGES = 1000
"""So many real pictures are compared with, and searched for copies."""
LOSSES = 512
LEVELS = NOISE_LEVELS[::2]
"""sigma / alpha at which half as many pictures as are drawn are judged: a quarter of drawing's passes."""
PATIENCE = 3
"""Checks without a lower held-out loss after which a run has stopped learning."""


@dataclass(frozen=True)
class Check:
    """What one check found; the averaged weights are judged."""

    step: int
    kernel_distance: AnyFloat | None
    """Of features, to real pictures: held-out ones, unless there are fewer than 32. Unbiased."""
    copied: AnyFloat | None
    """Share of drawn pictures that count as copies of training pictures, of ``JUDGES`` of them."""
    chance: AnyFloat | None
    """The chance of so many if drawn pictures were like held-out ones."""
    training_loss: AnyFloat
    held_out_loss: AnyFloat | None
    """The objective on the same pictures, times and noise at every check; None without held-out pictures."""
    levels: Sequence[Mapping[str, AnyFloat]] = ()
    """By noise level: sigma, the mean squared errors of x0_hat on training and held_out pictures, and on the
    latter zero and gaussian of ``Baselines``. Empty without held-out pictures."""

    @property
    def is_copying(self) -> bool:
        return self.chance is not None and self.chance < memorisation.SURE

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of_rows(rows: Iterable[Mapping[str, Any]]) -> list[Check]:
        """Return the checks of a log; a row that says too little or too much of one is left out."""
        found = []
        for row in rows:
            with contextlib.suppress(ValueError):
                found.append(typed_fields(Check, row))
        return found

    @property
    def in_words(self) -> str:
        parts = []
        if self.kernel_distance is not None:
            parts.append(f"kernel distance {self.kernel_distance:.4f}")
        if self.held_out_loss is not None:
            parts.append(f"loss {self.training_loss:.4f}, held out {self.held_out_loss:.4f}")
        if self.copied is not None:
            parts.append(f"copies {self.copied:.1%}" + (" (more than chance)" if self.is_copying else ""))
        return f"step {self.step:,}: {', '.join(parts)}"


class Monitor:
    """Checks a model at a few steps known beforehand, so that a resumed run checks at the same ones."""

    def __init__(self, kind: Kind, dataset: Dataset, parts: Split, objective: Objective, plan: Plan) -> None:
        self._kind, self._dataset = kind, dataset
        self._objective = objective.measured
        self._seed = plan.seed
        self.due: list[int] = []
        self.plan(plan)
        training = parts.train.unique()
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(plan.seed))
        self._training, self._held_out = training[order], parts.held_out

    def plan(self, plan: Plan, step: int = 0) -> None:
        """Say at which steps of this plan a check is due: after ``step``, none soon after the one before."""
        # Training takes about three passes of a picture through the network, drawing one pass a step.
        passes = SHARE * 3 * plan.steps * plan.batch_size
        self._pictures = min(int(passes / (CHECKS * SAMPLING_STEPS)), MOST)
        due = [plan.steps * (k + 1) // CHECKS for k in range(CHECKS)] if self._pictures >= FEWEST else []
        before = [at for at in self.due if at <= step]
        soon = before[-1] + plan.steps / CHECKS / 2 if before else 0
        self.due = [*before, *(at for at in due if at > soon)]

    def check(self, step: int, model: Model) -> Check:
        """Draw with ``model`` and measure; nothing of the training is touched."""
        asked = self._training[torch.arange(self._pictures) % len(self._training)]
        settings = Settings(drawing=replace(AS_THE_DATA, steps=SAMPLING_STEPS), seed=self._seed)
        samples, look = draw(model, self._dataset, asked, settings), usual_look(self._kind.drawn)
        rows = self._dataset.rows
        copied = None
        if len(self._held_out):
            copied = copies(
                self._kind.drawn,
                samples,
                rows[self._training[:JUDGES]],
                rows[self._held_out[:JUDGES]],
                torch.Generator().manual_seed(self._seed),
            )
        return Check(
            step,
            mmd2(self._real, look(samples)) if len(self._real) > 1 else None,
            copied.copied if copied else None,
            copied.p if copied else None,
            self._loss(model, self._training),
            self._loss(model, self._held_out) if len(self._held_out) else None,
            self._levels(model) if len(self._held_out) else (),
        )

    def _levels(self, model: Model) -> list[dict[str, float]]:
        """The same pictures and noise at every check."""
        n = max(1, self._pictures // 2)
        sides = {"training": self._training[:n], "held_out": self._held_out[:n]}
        known, found = model.conditions.encode_pictures(self._dataset.columns), []
        for sigma in LEVELS:
            row = {"sigma": sigma}
            for name, rows in sides.items():
                row[name] = errors_at(sigma, model, self._dataset, rows, known, self._seed).mean().item()
            found.append(row | {"zero": self._simple.zero, "gaussian": self._simple.gaussian(sigma)})
        return found

    @cached_property
    def _real(self) -> Features:
        """Of the real pictures that drawn ones are compared with, the same at every check."""
        judges = self._held_out if len(self._held_out) >= FEWEST else self._training
        return usual_look(self._kind.drawn)(self._dataset.rows[judges[:JUDGES]])

    @cached_property
    def _simple(self) -> Baselines:
        return known_little(self._kind, self._dataset, self._training, self._held_out[:LOSSES])

    def _loss(self, model: Model, rows: Rows) -> float:
        """The mean of the objective, with the same times and noise every time."""
        generator = torch.Generator().manual_seed(self._seed)
        known = model.conditions.encode_pictures(self._dataset.columns)
        device, total, count = model.device, 0.0, 0
        for part in rows[:LOSSES].split(64):
            x0 = self._kind.to_model(self._dataset.rows[part]).to(device)
            cond = {name: values[part].to(device) for name, values in known.items()} | model.told_of(x0)
            with torch.no_grad():
                total += len(part) * self._objective(model.denoiser, x0, cond, generator).item()
            count += len(part)
        return total / count


def best_of(checks: Sequence[Check]) -> Check | None:
    """Return the check of the lowest held-out loss; None where nothing was held out."""
    known = [check for check in checks if check.held_out_loss is not None]
    return min(known, key=lambda check: check.held_out_loss or 0.0, default=None)


def reason_to_stop(checks: Sequence[Check]) -> str:
    """Return why training longer would do harm, in words; "" while it does not."""
    best = best_of(checks)
    if checks and checks[-1].is_copying:
        return f"drawn pictures are copies of training pictures ({checks[-1].copied:.1%} of them)"
    if best and sum(check.step > best.step for check in checks) >= PATIENCE:
        return f"the held-out loss has not fallen since step {best.step:,}"
    return ""
