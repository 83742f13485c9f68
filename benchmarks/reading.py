"""How long and how much memory reading takes: 100,000 small PNG files, and tar shards of 3 GB.

python benchmarks/reading.py [--files 100000] [--gigabytes 3] [--folder DIR]

Each measurement is a process of its own. The peer reads the same files in the same run as people do who
have no such library: Pillow, convert("RGBA"), one array (and knows nothing of sizes, labels, twins or
damage). The shards are used at their full size of 96 x 96, so that the decoded pictures are 3 GB as well.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from fogcatcher.data.sprites import draw_many

READ = """
import sys, time
from fogcatcher.memory import peak_memory_mb
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import read_dataset
size = (int(sys.argv[2]),) * 2
before, start = peak_memory_mb(), time.perf_counter()
dataset = read_dataset(sys.argv[1], DataOptions(size=size))
print(time.perf_counter() - start)
print(f"{len(dataset):,} pictures, peak memory {peak_memory_mb():,.0f} MB ({before:,.0f} MB before)")
"""
TRAIN = """
import sys, time
from pathlib import Path
from fogcatcher.data.options import DataOptions
from fogcatcher.memory import peak_memory_mb
from fogcatcher.runs import Setup, prepare
from fogcatcher.training.fit import fit
run = prepare(Setup(sys.argv[1], Path(sys.argv[2]), steps=20, options=DataOptions(size=(96, 96))))
start = time.perf_counter()
for progress in fit(run.state, run.batches, run.objective, run.config.training): pass
print(time.perf_counter() - start)
size = len(run.dataset.rows) * run.dataset.rows[:1].numel()
print(f"{size / 1e9:.2f} GB of decoded pictures, peak memory {peak_memory_mb():,.0f} MB")
"""
PEER = """
import sys, time
from pathlib import Path
import numpy as np
from PIL import Image
start = time.perf_counter()
files = sorted(Path(sys.argv[1]).rglob("*.png"))
pictures = np.stack([np.array(Image.open(path).convert("RGBA")) for path in files])
print(time.perf_counter() - start)
print(f"{len(pictures):,} pictures")
"""


def many_files(folder: Path, count: int) -> None:
    """Sprites in ten sub-folders; a counter in the corner makes every picture another."""
    sprites = [sprite.pixels for sprite in draw_many(500)]
    for i in range(count):
        pixels = sprites[i % len(sprites)].copy()
        pixels[0, 0] = (i & 255, i >> 8 & 255, i >> 16, 255)
        path = folder / f"class-{i % 10}" / f"{i:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels, "RGBA").save(path, compress_level=1)


def large_shards(folder: Path, size: float) -> None:
    """Tar shards of 250 MB with noise of 96 x 96, which no format makes smaller, and a class each."""
    folder.mkdir(parents=True)
    rng, written, shard = np.random.default_rng(0), 0, 0
    while written < size:
        with tarfile.open(folder / f"shard-{shard:04}.tar", "w") as tar:
            for i in range(int(250e6 / (96 * 96 * 3))):
                png = io.BytesIO()
                noise = rng.integers(0, 256, (96, 96, 3), np.uint8)
                Image.fromarray(noise).save(png, "PNG", compress_level=0)
                for suffix, content in ((".png", png.getvalue()), (".cls", str(i % 10).encode())):
                    info = tarfile.TarInfo(f"{shard:04}-{i:06}{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
                    written += info.size
        shard += 1


def timed(what: str, peer: float | None, code: str, *arguments: object) -> float:
    """Run code in a process of its own, which prints its seconds and then a text; return the seconds."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    seconds, said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split(
        "\n", 1
    )
    ratio = f"{float(seconds) / peer:5.2f} x Pillow's time" if peer else ""
    print(f"{what:18}{float(seconds):7.1f} s  {ratio:24}{said.strip()}", flush=True)
    return float(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, help="where the files are made; default: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        here = Path(name)
        os.environ["FOGCATCHER_CACHE"] = str(here / "cache")
        many_files(here / "files", arguments.files)
        pillow = timed("Pillow in a loop", None, PEER, here / "files")
        for what in ("first start", "second start"):
            timed(what, pillow, READ, here / "files", 16)
        large_shards(here / "shards", arguments.gigabytes * 1e9)
        for what in ("first start", "second start"):
            timed(f"{arguments.gigabytes:g} GB, {what}", None, READ, here / "shards", 96)
        timed("20 steps on it", None, TRAIN, here / "shards", here / "run")


if __name__ == "__main__":
    main()
