"""``python -m tests.trained_in_double DATA STEPS OUT``: trains in float64, with all processes started."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from fogcatcher.base.processes import joined, told
from fogcatcher.diffusion.tensors import Condition, Samples
from fogcatcher.runs.devices import Devices
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from fogcatcher.training.batches import WHOLE, Batches
from fogcatcher.training.checkpoints import save_state
from fogcatcher.training.fit import TrainingState, fit


class InDouble(Batches):
    def at(
        self, step: int, size: int, device: torch.device | None = None, share: slice = WHOLE
    ) -> tuple[Samples, Condition]:
        x0, condition = super().at(step, size, device, share)
        return x0.double(), {name: rows.double() for name, rows in condition.items()}


def train(data: Path, steps: int, out: Path) -> list[float]:
    """Leave the last state in ``out``, and return the losses."""
    with joined() as processes:
        setup = Setup(str(data), steps=steps, width=16, batch_size=9, augment="shift,flip,hue")
        run = prepare(setup, devices=Devices(processes))
        plan = run.config.training
        state = TrainingState.start(run.state.denoiser.double(), plan)
        batches = InDouble(**vars(replace(run.batches)))
        losses = [progress.loss for progress in fit(state, batches, run.objective, plan, processes)]
        if processes.is_first:
            save_state(state, out)
        return losses


if __name__ == "__main__":
    losses = train(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    if told().is_first:
        print(*losses)
