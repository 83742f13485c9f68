"""Does the judge see what a network has learnt by heart, and only that?

python benchmarks/memorising.py [--steps 2000]

The same network is trained on 32 and on 1,024 of scikit-learn's handwritten digits (8x8, grey), for as many
steps. The first has seen every picture a thousand times and draws copies; the second cannot. Beside them: the
exact denoiser of the 32 digits, which can draw nothing else, and real digits that nobody trained on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

import fogcatcher
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.diffusion.exact import dataset_denoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import KarrasGrid
from fogcatcher.diffusion.sampling.samplers import sample
from fogcatcher.diffusion.sampling.solvers import DPMpp2M
from fogcatcher.diffusion.schedules import EDMSchedule
from fogcatcher.judging.metrics.features import Pixels
from fogcatcher.judging.metrics.memorisation import measure

SAMPLES = 500


def digits() -> Pictures:
    """All 1,797, in a fixed random order, (N, 1, 8, 8) uint8."""
    from sklearn.datasets import load_digits

    rows, _ = load_digits(return_X_y=True)
    values = np.round(np.asarray(rows) * (255 / 16)).astype(np.uint8)
    pictures = torch.from_numpy(values).reshape(-1, 1, 8, 8)
    return pictures[torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))]


def drawn_by_a_network(training: Pictures, steps: int, folder: Path) -> Pictures:
    folder.mkdir()
    np.save(folder / "digits.npy", training[:, 0].numpy())
    options = DataOptions(hold_out=0.0)
    run = fogcatcher.train(
        folder / "digits.npy", folder / "run", steps=steps, options=options, augment="none"
    )
    return fogcatcher.load(run).sample(SAMPLES, guidance=1.0).pictures


def drawn_by_heart(training: Pictures) -> Pictures:
    schedule = EDMSchedule()
    noise = torch.randn(SAMPLES, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    times = KarrasGrid()(schedule, 20)
    denoiser = dataset_denoiser(Process(schedule), training.double() / 127.5 - 1)
    *_, last = sample(denoiser, 80 * noise, times, DPMpp2M(), torch.Generator())
    return ((last.x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2000)
    arguments = parser.parse_args()
    every = digits()
    few, many, held_out, fresh = every[:32], every[:1024], every[1024:1400], every[1400:]
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        for what, training, pictures in (
            ("exact denoiser of 32 digits", few, drawn_by_heart(few)),
            ("trained on 32 digits", few, drawn_by_a_network(few, arguments.steps, here / "few")),
            ("trained on 1,024 digits", many, drawn_by_a_network(many, arguments.steps, here / "many")),
            ("real digits, not trained on", many, fresh),
        ):
            found = measure(pictures, training, held_out, Pixels(8), torch.Generator().manual_seed(2))
            print(f"{what:30} {found.copied:6.1%}   {found.verdict}", flush=True)


if __name__ == "__main__":
    main()
