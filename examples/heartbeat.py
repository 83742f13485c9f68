"""Heartbeats: signals of 20 values, learned in about a minute on a CPU.

A toy problem of the first paper on diffusion models (Sohl-Dickstein et al. 2015, arXiv:1503.03585): 20 bits
hold a 1 in every fifth place, at one of five phases. So it is known what a good model draws: nothing but
these five, each as often as the others. The bits themselves diffuse in ``fogcatcher.diffusion.binomial``.

    python examples/heartbeat.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

import fogcatcher

PERIOD, LENGTH = 5, 20
BEATS = np.tile(np.eye(PERIOD, dtype=np.float32), LENGTH // PERIOD)  # (5, 20): one row for each phase


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "beats.npy", BEATS)
        options = fogcatcher.DataOptions(kind="signals", hold_out=0)
        run = fogcatcher.train(folder / "beats.npy", folder / "run", options=options, steps=600)
        drawn = fogcatcher.load(run).sample(500).rows[:, 0]  # (500, 20)
    found = (drawn[:, None] == torch.from_numpy(BEATS)).all(2)
    print(f"valid beats: {found.any(1).float().mean():.1%}")
    print("of each phase: " + ", ".join(f"{share:.1%}" for share in found.float().mean(0).tolist()))
    for beat in drawn[:8]:
        print("  " + "".join("|" if bit else "." for bit in beat))


if __name__ == "__main__":
    main()
