"""Does the two-sample test see damage, and nothing where there is none?

    python benchmarks/telling_apart.py DATA [--count 400] [--steps 400]

DATA is anything that ``train`` takes. As many real pictures stand against others, untouched and damaged.
"""

from __future__ import annotations

import argparse
import time

import torch

from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import read_dataset
from fogcatcher.judging.metrics.damage import colour_noise, hue_noise, shuffled_blocks, shuffled_silhouettes
from fogcatcher.judging.metrics.two_sample import STEPS, two_sample_test


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    g = torch.Generator().manual_seed(0)
    rows = read_dataset(arguments.data, DataOptions(hold_out=0)).rows
    real, other = rows[torch.randperm(len(rows), generator=g)[: 2 * arguments.count]].chunk(2)
    cases = {
        "untouched": other,
        "blocks of 2 shuffled": shuffled_blocks(other, 2, g),
        "blocks of 4 shuffled": shuffled_blocks(other, 4, g),
        "blocks of 8 shuffled": shuffled_blocks(other, 8, g),
        "silhouettes shuffled": shuffled_silhouettes(other, g),
        "colour noise of 40": colour_noise(other, 40, g),
    }
    if other.shape[1] >= 3:
        cases["hue noise of 60 degrees"] = hue_noise(other, 60, g)
    for name, pictures in cases.items():
        start = time.perf_counter()
        found = two_sample_test(real, pictures, g, arguments.steps)
        seconds = time.perf_counter() - start
        print(
            f"{name:24} {found.accuracy:.3f}  [{found.low:.3f}, {found.high:.3f}]  {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
