"""Time and peak memory of judging 60,000 pictures against 60,000 others.

python benchmarks/evaluating.py [--count 60000]

All figures without intervals, and the search for copies, each after the other in one process.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from fogcatcher.base.memory import peak_memory_mb
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.sprites import draw_many
from fogcatcher.judging.metrics.features import Pixels, builtin
from fogcatcher.judging.metrics.memorisation import measure
from fogcatcher.judging.metrics.scores import compare


def sprites(count: int, seed: int) -> Pictures:
    """Built-in sprites, (N, 4, 16, 16); of 5,000 different ones, for drawing takes longer than judging."""
    drawn = np.stack([sprite.pixels for sprite in draw_many(min(count, 5000), seed)])
    pictures = torch.from_numpy(drawn).permute(0, 3, 1, 2)
    chosen = torch.randint(len(pictures), (count,), generator=torch.Generator().manual_seed(seed))
    # A little noise tells the repeated ones apart.
    noise = torch.randint(0, 9, (count, 4, 16, 16), generator=torch.Generator().manual_seed(seed + 1))
    return (pictures[chosen].int() - noise.int()).clamp(0, 255).to(torch.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=60_000)
    count = parser.parse_args().count
    real, fake = sprites(count, 0), sprites(count, 1)
    print(f"{count:,} pictures on either side; {peak_memory_mb():,.0f} MB before")
    generator, start = torch.Generator().manual_seed(0), time.perf_counter()
    comparison = compare(real, fake, builtin(), generator, intervals=False)
    print(f"{len(comparison.scores)} figures at N = {comparison.real:,}: {time.perf_counter() - start:.0f} s")
    print(f"peak memory {peak_memory_mb():,.0f} MB", flush=True)
    start = time.perf_counter()
    found = measure(fake[:1000], real[: count - 1000], real[count - 1000 :], Pixels(8), generator)
    print(f"1,000 pictures among {count - 1000:,} and their variants: {time.perf_counter() - start:.0f} s")
    print(f"peak memory {peak_memory_mb():,.0f} MB; {found.verdict}")


if __name__ == "__main__":
    main()
