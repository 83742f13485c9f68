"""What it costs to make latents of many pictures: time, memory, and room on the disk.

    python benchmarks/latents.py runs/scenes-autoencoder --pictures 100000 --threads 1

The pictures are random bytes of the size that the autoencoder learned, in a store on the disk as large sets
are, so that memory holds only what passes at the time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch

from fogcatcher.base.memory import peak_memory_mb
from fogcatcher.data.latents.encoding import encoded
from fogcatcher.data.latents.spec import latents_of
from fogcatcher.data.pictures.store import PictureStore
from fogcatcher.exchange.diffusers_autoencoder import open_autoencoder

PART = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    stage = open_autoencoder(asked.run)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FOGCATCHER_CACHE"] = folder
        rows = _pictures(Path(folder) / "rows.bin", asked.pictures, stage.pictures.shape)
        before, start = peak_memory_mb(), time.perf_counter()
        kind = latents_of(stage, stage.pictures, rows, "pictures of a benchmark")
        seconds, again = time.perf_counter() - start, time.perf_counter()
        encoded(stage, rows, "pictures of a benchmark")
        files = list(Path(folder).rglob("pictures.bin"))
        print(f"{asked.pictures:,} {stage.pictures.in_words}, {asked.threads} threads")
        print(f"latents of {kind.shape}: {seconds:.0f} s, {asked.pictures / seconds:.0f} pictures/s")
        print(f"memory: {peak_memory_mb():.0f} MB at most, {before:.0f} MB before it began")
        print(f"disk: {sum(path.stat().st_size for path in files) / 1e6:.0f} MB")
        print(f"the second time: {time.perf_counter() - again:.2f} s")


def _pictures(path: Path, count: int, shape: tuple[int, ...]) -> PictureStore:
    """So many random pictures, on the disk."""
    generator = torch.Generator().manual_seed(0)
    with open(path, "wb") as file:
        for first in range(0, count, PART):
            size = (min(PART, count - first), *shape)
            file.write(torch.randint(0, 256, size, generator=generator, dtype=torch.uint8).numpy().data)
    channels, height, width = shape
    return PictureStore(path, (count, channels, height, width))


if __name__ == "__main__":
    main()
