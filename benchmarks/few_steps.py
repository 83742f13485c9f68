"""How good are few calls: students of every method beside their undistilled teacher.

python benchmarks/few_steps.py [--teacher sprites] [--updates 500] [--students 4 8] [--methods progressive]
                               [--samples 1000] [--out runs/few-steps]

A row for each way of drawing: calls of the network for a picture, FD(builtin) of the samples, each kind as
often, against 2,000 training pictures, kinds right by the rules that drew the sprites, recall, copies (held
against sprites drawn anew), and CPU seconds to draw and to train. Students that are in --out already are not
trained again. The teacher draws with guidance 1, as its students learn. By meanflow one student learns all
numbers of calls.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import torch
from steering import right
from torch import Tensor
from unseen import Judge, combinations

from fogcatcher.data.kinds import read_of_kind
from fogcatcher.data.splitting import split
from fogcatcher.data.sprites import KINDS, draw_many
from fogcatcher.judging.metrics.features import Pixels, builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.judging.metrics.memorisation import measure
from fogcatcher.judging.metrics.neighbours import precision_recall
from fogcatcher.model.config import MEANFLOW
from fogcatcher.model.model import Model, load
from fogcatcher.runs.distill import DistillSetup, prepare_distillation
from fogcatcher.runs.follow import follow

TEACHER_CALLS = (1, 2, 4, 8, 20, 50)
WAYS = (("dpmpp_2m", "karras"), ("dpmpp_2m", "straight"), ("ddim", "straight"))
REAL = 2000
FRESH = 1000
SEARCHED = 4000
"""So many training pictures are searched for copies."""


class Figures:
    """What every row is measured with."""

    def __init__(self, teacher: Model, samples: int) -> None:
        options = teacher.config.data.options
        dataset = read_of_kind(teacher.config.kind, teacher.config.data.path, options, None)
        parts = split(dataset, options, teacher.conditions)
        rows, generator = torch.as_tensor(parts.train), torch.Generator().manual_seed(0)
        rows = rows[torch.randperm(len(rows), generator=generator)]
        self.training = dataset.rows[rows[:SEARCHED]]
        fresh = np.stack([sprite.pixels for sprite in draw_many(FRESH, seed=10**8)])
        self.fresh = torch.from_numpy(fresh).permute(0, 3, 1, 2)
        self.look, self.judge = builtin(), Judge(combinations())
        self.real = self.look(self.training[:REAL])
        self.asked = [kind for kind, _ in zip(itertools.cycle(KINDS), range(samples), strict=False)]

    def row(self, name: str, pictures: Tensor, calls: int, drawing: float, training: float) -> None:
        features = self.look(pictures)
        copied = measure(pictures, self.training, self.fresh, Pixels(8), torch.Generator().manual_seed(0))
        figures = (
            frechet(gaussian(self.real), gaussian(features)),
            100 * right(self.judge, pictures, self.asked),
            precision_recall(self.real, features).recall,
            100 * copied.copied,
        )
        print(
            f"{name:28} {calls:3} calls   FD {figures[0]:6.2f}   kinds {figures[1]:5.1f} %"
            f"   recall {figures[2]:.3f}   copies {figures[3]:.1f} %"
            f"   {drawing:5.1f} s   trained {training:6.0f} s",
            flush=True,
        )


def student(given: argparse.Namespace, method: str, steps: int) -> tuple[Model, float]:
    """Return a student, and the CPU seconds of its training (0 if it was there)."""
    steps = max(given.students) if method == MEANFLOW else steps
    out, start = given.out / f"{method}-{steps}", time.process_time()
    if not (out / "model.safetensors").exists():
        setup = DistillSetup(given.teacher, out=out, steps=steps, method=method, updates=given.updates)
        for _ in follow(prepare_distillation(setup)):
            pass
        return load(out), time.process_time() - start
    return load(out), 0.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--teacher", default="sprites")
    parser.add_argument("--updates", type=int, default=500)
    parser.add_argument("--students", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--methods", nargs="*", default=["matching", "progressive", "consistency"])
    parser.add_argument("--calls", type=int, nargs="*", default=list(TEACHER_CALLS), help="of the teacher")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("runs/few-steps"))
    given = parser.parse_args()
    teacher = load(given.teacher)
    figures = Figures(teacher, given.samples)
    wishes = [{"kind": kind} for kind in figures.asked]
    for method, steps in itertools.product(given.methods, given.students):
        model, seconds = student(given, method, steps)
        start = time.process_time()
        drawn = model.sample(len(wishes), wishes, steps=steps).pictures
        figures.row(f"{method} {steps}", drawn, steps, time.process_time() - start, seconds)
    for calls, (sampler, grid) in itertools.product(given.calls, WAYS):
        start = time.process_time()
        drawn = teacher.sample(
            len(wishes), wishes, guidance=1.0, steps=calls, sampler=sampler, grid=grid
        ).pictures
        figures.row(f"teacher, {sampler}, {grid}", drawn, calls, time.process_time() - start, 0.0)


if __name__ == "__main__":
    main()
