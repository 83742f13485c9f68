"""Train the shipped base for pictures of 24 to 64 pixels, on CC0 pixel art, without any label.

    python benchmarks/train_base.py cc0-tiles.zip --without dcss.zip --minutes 75 --out base-32

Of cc0-tiles.zip: what fits into 32 x 32 pixels, at its own size in the middle; not user interfaces, nothing
of fewer than three colours, no source named by --leave-out (kenney), and no tile of the game whose pictures
--without holds that has the name of one there. So both can be used to judge what starts from the base.

Shifts, flips and hues are changed, and the network is told. Noise levels are "lognormal_low": more of the low
ones than usual, where colours and flat areas are decided. Weights are kept in half precision.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import load_file, save_file

from fogcatcher.data.options import DataOptions
from fogcatcher.model.build import build_objective
from fogcatcher.model.config import WEIGHTS, RunConfig, write_config
from fogcatcher.model.model_card import model_card, usage_of
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.record import Run
from fogcatcher.runs.setup import Setup
from fogcatcher.training.fit import Plan, fit

SIDE = 32
LICENCE = "cc0-1.0"
TIMES = "lognormal_low"


@dataclass(frozen=True)
class TimedPlan(Plan):
    """A plan whose learning rate has fallen when the time is over."""

    begin: float = 0.0
    end: float = 1.0

    def learning_rate_at(self, step: int) -> float:
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        left = 1 - (time.monotonic() - self.begin) / (self.end - self.begin)
        return self.learning_rate * rise * max(0.01, min(1.0, left / self.fall))


def rows_of(file: zipfile.ZipFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read("train/metadata.jsonl").decode().splitlines()]


def short_name(row: dict[str, Any]) -> str:
    return PurePosixPath(row["file_name"]).stem.split("__")[-1].replace("-", "_").lower()


def chosen(tiles: Path, without: Path, left_out: Sequence[str]) -> Iterator[np.ndarray]:
    """Yield (32, 32, 4) pictures."""
    with zipfile.ZipFile(without) as file:
        known = {short_name(row) for row in rows_of(file)}
    with zipfile.ZipFile(tiles) as file:
        for row in rows_of(file):
            twin = row["source"] == "crawl" and short_name(row) in known
            if row["source"] in left_out or row["colours"] < 3 or row.get("category") == "ui" or twin:
                continue
            picture = np.array(Image.open(io.BytesIO(file.read(f"train/{row['file_name']}"))).convert("RGBA"))
            height, width = picture.shape[:2]
            if max(height, width) <= SIDE:
                canvas = np.zeros((SIDE, SIDE, 4), np.uint8)
                top, left = (SIDE - height) // 2, (SIDE - width) // 2
                canvas[top : top + height, left : left + width] = picture * (picture[..., 3:] > 0)
                yield canvas


def trained(pictures: np.ndarray, minutes: float, folder: Path, start_from: str) -> Run:
    np.save(folder / "pictures.npy", pictures)
    run = prepare(
        Setup(
            str(folder / "pictures.npy"),
            folder / "run",
            steps=10**9,
            augment="shift,flip,hue",
            start_from=start_from,
            options=DataOptions(),
        )
    )
    method = replace(run.config.method, times=TIMES)
    run = replace(run, config=replace(run.config, method=method), objective=build_objective(method))
    plan: dict[str, Any] = {f.name: getattr(run.config.training, f.name) for f in fields(Plan)}
    begin = time.monotonic()
    plan["warmup"] = 200
    timed = TimedPlan(**plan, begin=begin, end=begin + 60 * minutes)
    losses: list[float] = []
    for progress in fit(run.state, run.batches, run.objective, timed):
        losses.append(progress.loss)
        if progress.step % 500 == 0:
            print(f"step {progress.step:,}: loss {np.mean(losses[-500:]):.4f}", flush=True)
        if time.monotonic() >= timed.end:
            break
    return run


def write(run: Run, sources: str, out: Path) -> None:
    """Weights in half precision, both descriptions, and a card."""
    plan = replace(run.config.training, steps=run.state.step)
    config: RunConfig = replace(run.config, training=plan, data=replace(run.config.data, path=sources))
    out.mkdir(parents=True, exist_ok=True)
    run.model.save_weights(out)
    halves = {name: weight.half() for name, weight in load_file(out / WEIGHTS).items()}
    assert all(math.isfinite(weight.float().abs().max()) for weight in halves.values())
    save_file(halves, out / WEIGHTS)
    write_config(out, config, run.conditions)
    card = model_card(config, run.conditions, usage_of(out.name), out.name, licence=LICENCE)
    (out / "README.md").write_text(card, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tiles", type=Path)
    parser.add_argument("--without", type=Path, required=True)
    parser.add_argument("--leave-out", nargs="*", default=["kenney"])
    parser.add_argument("--minutes", type=float, default=75.0)
    parser.add_argument("--start-from", default="none", help="a model to go on from")
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    pictures = np.stack(list(chosen(a.tiles, a.without, a.leave_out)))
    print(f"{len(pictures):,} pictures", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write(trained(pictures, a.minutes, Path(folder), a.start_from), a.tiles.name, a.out)


if __name__ == "__main__":
    main()
