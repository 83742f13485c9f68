"""A model of latents or one of pixels, at equal time: which draws better, and how fast?

python benchmarks/latents_or_pixels.py photos montages:TILES [--size 64] [--factor 4] [--minutes 8]
                                       [--share 0.35] [--samples 400] [--count 4000] [--out DIR]

photos are --count crops of the two photographs that come with scikit-learn, shrunk by two; montages four
tiles of a set of 32 px in a square, over each other's background. One core, one after the other, for each
set: an autoencoder for a share of the minutes, then a model in its latents for the rest; and a model of
pixels for all of them, both from nothing. FD(builtin) to training pictures, also of pictures only encoded and
decoded; images/s of training and of drawing with 20 steps, and which of the two training chooses by itself.
What is in --out already is not trained again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images
from torch import Tensor

from fogcatcher.data.kinds import read_any
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import read_dataset
from fogcatcher.judging.metrics.features import builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.model.model import Model, load
from fogcatcher.runs.autoencoder import AutoencoderSetup, follow_autoencoder, prepare_autoencoder
from fogcatcher.runs.first_stage import auto_factor
from fogcatcher.runs.setup import Setup
from fogcatcher.runs.train import train

REAL = 2000
DATA = "pictures.npy"


def photos(count: int, size: int) -> NDArray[np.uint8]:
    """(N, H, W, 3): crops of the photographs at half their size, every other one mirrored."""
    dice = np.random.default_rng(0)
    halves = [
        photo[: photo.shape[0] // 2 * 2, : photo.shape[1] // 2 * 2]
        .reshape(photo.shape[0] // 2, 2, photo.shape[1] // 2, 2, 3)
        .mean((1, 3))
        .round()
        .astype(np.uint8)
        for photo in load_sample_images().images
    ]
    crops = []
    for i in range(count):
        photo = halves[i % len(halves)]
        top, left = (int(dice.integers(0, side - size)) for side in photo.shape[:2])
        crop = photo[top : top + size, left : left + size]
        crops.append(crop[:, ::-1] if dice.random() < 0.5 else crop)
    return np.stack(crops)


def montages(tiles: str, count: int, size: int) -> NDArray[np.uint8]:
    """(N, H, W, 3): four tiles beside each other over a plain colour of their own."""
    rows = read_dataset(tiles, DataOptions(size=(size // 2, size // 2))).rows[:]
    dice = torch.Generator().manual_seed(0)
    rgb, alpha = rows[:, :3].float(), rows[:, 3:].float() / 255
    chosen = torch.randint(0, len(rows), (count, 4), generator=dice)
    ground = torch.randint(20, 120, (count, 1, 3, 1, 1), generator=dice)
    laid = rgb[chosen] * alpha[chosen] + ground * (1 - alpha[chosen])
    top, bottom = (torch.cat([laid[:, k], laid[:, k + 1]], -1) for k in (0, 2))
    return torch.cat([top, bottom], -2).round().byte().permute(0, 2, 3, 1).numpy()


def autoencoder(given: argparse.Namespace, place: Path) -> Path:
    out = place / "autoencoder"
    if not out.exists():
        setup = AutoencoderSetup(
            str(place / DATA), out, factor=given.factor, minutes=given.share * given.minutes
        )
        for _ in follow_autoencoder(prepare_autoencoder(setup)):
            pass
    return out


def model(place: Path, name: str, minutes: float, latents: str) -> Model:
    out = place / name
    if not (out / "model.safetensors").exists():
        data = place / DATA
        train(data, out, minutes=minutes, latents=latents, conditions="none", start_from="none")
    return load(out)


def speed_of_training(folder: Path) -> float:
    """Images/s over the second half of a log."""
    log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    seconds = [row["seconds_per_step"] for row in log[len(log) // 2 :]]
    batch = json.loads((folder / "config.json").read_text())["training"]["batch_size"]
    return batch / (sum(seconds) / len(seconds))


def chosen(data: Path) -> str:
    """What training chooses by itself."""
    setup = Setup(str(data), conditions=("none",), start_from="none")
    row, dataset = read_any(setup.data, setup.options)
    return "latents" if auto_factor(setup, row.measure(dataset.rows), dataset) else "pixels"


def compare(given: argparse.Namespace, name: str) -> None:
    kind, _, tiles = name.partition(":")
    place: Path = given.out / kind
    place.mkdir(parents=True, exist_ok=True)
    data = place / DATA
    if not data.exists():
        made = montages(tiles, given.count, given.size) if tiles else photos(given.count, given.size)
        np.save(data, made)
    print(f"{kind}: training chooses {chosen(data)}", flush=True)
    stage = autoencoder(given, place)
    latents = model(place, "latents", (1 - given.share) * given.minutes, str(stage))
    pixels = model(place, "pixels", given.minutes, "none")

    look = builtin()
    rows = torch.from_numpy(np.load(data)).permute(0, 3, 1, 2)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    half = min(REAL, len(rows) // 2)
    real = gaussian(look(rows[order[:half]]))

    def report(name: str, drawn: Tensor, speeds: str = "") -> None:
        print(f"{name:24} FD {frechet(real, gaussian(look(drawn))):7.2f}   {speeds}", flush=True)

    others = rows[order[half : half + given.samples]]
    report("other real pictures", others)
    spec = latents.config.kind
    report("encoded and decoded", spec.from_model(spec.to_model(others)))
    for name, drawer in (("latents", latents), ("pixels", pixels)):
        start = time.perf_counter()
        drawn = drawer.sample(given.samples).rows
        seconds = time.perf_counter() - start
        trained = speed_of_training(place / name)
        report(name, drawn, f"drawn {len(drawn) / seconds:6.1f}/s   trained {trained:6.1f}/s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--factor", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--share", type=float, default=0.35)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=Path("runs/latents-or-pixels"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.data:
        compare(given, name)


if __name__ == "__main__":
    main()
