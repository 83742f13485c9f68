"""Do steered pictures show what was asked for, and what does it cost?

python benchmarks/steering.py [--samples 200] [--run DIR] [--minutes 3] [--part kinds|attributes|sheet]

First the shipped model: the share of pictures of the kind asked for, named by the rules that drew the sprites
(the judge of unseen.py), at several kinds of guidance, with the calls of the network for each picture and
the seconds of the processor for all. --run is where the model is put with a classifier, trained for so many
minutes unless it is there already. Then a small model of coloured shapes, trained here: how often its shapes
and its colours are right as the weight of one of the two rises. Every shape comes in every colour. Last the
sheet of docs/steering.md.
"""

from __future__ import annotations

import argparse
import itertools
import math
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from unseen import Judge, combinations

import fogcatcher
from fogcatcher.cli.main import main as command
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.pictures.sheets import save_png, sheet
from fogcatcher.data.sprites import KINDS, draw_many
from fogcatcher.drawing.settings import Steering
from fogcatcher.model.model import Model

Choice = tuple[str, float, Steering]
CHOICES: list[Choice] = [
    *((f"guidance {w:g}", w, Steering()) for w in (0.0, 1.0, 2.0, 4.0)),
    ("guidance 4, within 0.2,2", 4.0, Steering(interval=(0.2, 2.0))),
    ("guidance 4, rescale 0.7", 4.0, Steering(rescale=0.7)),
    ("classifier 1 alone", 0.0, Steering(classifier=1.0)),
    ("classifier 4 alone", 0.0, Steering(classifier=4.0)),
    ("guidance 2 + classifier 1", 2.0, Steering(classifier=1.0)),
]


class Calls:
    """Counts the pictures that the network of a model is asked about."""

    def __init__(self, model: Model) -> None:
        self.pictures = 0
        model.denoiser.register_forward_pre_hook(self._count)

    def _count(self, module: torch.nn.Module, arguments: tuple[Tensor, ...]) -> None:
        self.pictures += len(arguments[0])


def right(judge: Judge, pictures: Tensor, asked: list[str]) -> float:
    """The share of the kind asked for."""
    return sum(name[0] == kind for name, kind in zip(judge.name(pictures), asked, strict=True)) / len(asked)


def kinds(run: Path, minutes: float, samples: int) -> None:
    """Print a row for each choice."""
    if not (run / "classifier").exists():
        command(["train-classifier", "sprites", "--out", str(run), "--minutes", str(minutes)])
    model, judge = fogcatcher.load(run), Judge(combinations())
    fresh = draw_many(1000, seed=10**8)
    pixels = torch.from_numpy(np.stack([s.pixels for s in fresh])).permute(0, 3, 1, 2)
    print(
        f"drawn by the rules (the ceiling of the judge): {right(judge, pixels, [s.kind for s in fresh]):.1%}"
    )
    asked = [kind for kind, _ in zip(itertools.cycle(KINDS), range(samples), strict=False)]
    wishes = [{"kind": kind} for kind in asked]
    calls = Calls(model)
    for what, w, steering in CHOICES:
        calls.pictures, start = 0, time.process_time()
        pictures = model.sample(samples, wishes, guidance=w, steering=steering).pictures
        seconds = time.process_time() - start
        share = right(judge, pictures, asked)
        error = math.sqrt(share * (1 - share) / samples)
        print(
            f"{what:28} right kind {share:6.1%} +- {error:.1%}   "
            f"{calls.pictures / samples:4.0f} calls   {seconds:5.1f} s",
            flush=True,
        )


SHAPES = ("disc", "square", "cross", "ring")
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (220, 60, 50),
    "green": (70, 190, 80),
    "blue": (60, 90, 220),
    "yellow": (230, 200, 60),
}


def mask(shape: str, size: float, x: float, y: float) -> Tensor:
    """One shape of about ``size`` pixels around (x, y), (16, 16) bool."""
    rows, columns = torch.meshgrid(torch.arange(16.0) - y, torch.arange(16.0) - x, indexing="ij")
    far, wide = (rows**2 + columns**2).sqrt(), torch.maximum(rows.abs(), columns.abs())
    drawn = {
        "disc": far <= size,
        "square": wide <= 0.85 * size,
        "cross": (wide <= size) & (torch.minimum(rows.abs(), columns.abs()) <= 0.35 * size),
        "ring": (far <= size) & (far >= 0.55 * size),
    }
    return drawn[shape]


def shapes(count: int, seed: int) -> tuple[Tensor, list[str], list[str]]:
    """Pictures (N, 4, 16, 16) uint8, their shapes and their colours, each drawn on its own."""
    generator = np.random.default_rng(seed)
    pictures = torch.zeros(count, 4, 16, 16, dtype=torch.uint8)
    forms, tones = generator.choice(SHAPES, count).tolist(), generator.choice(list(COLOURS), count).tolist()
    for i, (form, tone) in enumerate(zip(forms, tones, strict=True)):
        size, (x, y) = generator.uniform(4, 6.5), generator.uniform(6.5, 8.5, 2)
        inside = mask(form, size, x, y)
        shade = np.array(COLOURS[tone]) * generator.uniform(0.6, 1.0)
        pictures[i, :3] = torch.from_numpy(shade).round().byte()[:, None, None] * inside
        pictures[i, 3] = 255 * inside
    return pictures, forms, tones


def named(pictures: Tensor) -> tuple[list[str], list[str]]:
    """The shape whose rule comes nearest to each picture, of many sizes and places, and the colour."""
    places = itertools.product(
        SHAPES, np.linspace(4, 6.5, 6), np.linspace(6.5, 8.5, 5), np.linspace(6.5, 8.5, 5)
    )
    known = [(form, mask(form, size, x, y)) for form, size, x, y in places]
    masks = torch.stack([m for _, m in known]).flatten(1).float()
    alpha = (pictures[:, 3] > 127).flatten(1).float()
    forms = [known[i][0] for i in torch.cdist(alpha, masks).argmin(1).tolist()]
    mean = (pictures[:, :3].flatten(2) * alpha[:, None]).sum(2) / alpha.sum(1, keepdim=True).clamp(min=1)
    ramps = torch.tensor(list(COLOURS.values())).float()
    nearest = torch.nn.functional.normalize(mean, dim=1) @ torch.nn.functional.normalize(ramps, dim=1).T
    return forms, [list(COLOURS)[i] for i in nearest.argmax(1).tolist()]


def share(said: list[str], asked: list[str]) -> float:
    return sum(a == b for a, b in zip(said, asked, strict=True)) / len(asked)


def attributes(samples: int, steps: int) -> None:
    """Print how often shape and colour are right at each pair of weights."""
    folder = Path(tempfile.mkdtemp(prefix="shapes-"))
    pictures, forms, tones = shapes(4000, seed=0)
    np.savez(
        folder / "shapes.npz",
        pictures=pictures.permute(0, 2, 3, 1).numpy(),
        shape=np.array(forms),
        colour=np.array(tones),
    )
    asked = ("shape:category", "colour:category")
    run = fogcatcher.train(
        folder / "shapes.npz", folder / "run", steps=steps, conditions=asked, size_of_model="tiny"
    )
    model = fogcatcher.load(run)
    fresh, real_forms, real_tones = shapes(500, seed=1)
    seen_forms, seen_tones = named(fresh)
    print(f"drawn by the rules: shape {share(seen_forms, real_forms):.1%}, colour ", end="")
    print(f"{share(seen_tones, real_tones):.1%}; the model had {steps} steps of training")
    pairs = list(itertools.product(SHAPES, COLOURS))
    wanted = [pair for pair, _ in zip(itertools.cycle(pairs), range(samples), strict=False)]
    wishes = [{"shape": form, "colour": tone} for form, tone in wanted]
    for w in ({"shape": a, "colour": b} for a, b in ((0, 0), (1, 1), (3, 1), (1, 3), (3, 0), (0, 3), (3, 3))):
        drawn = named(model.sample(samples, wishes, guidance=w).pictures)
        agree = [share(said, [pair[i] for pair in wanted]) for i, said in enumerate(drawn)]
        weights = f"shape weight {w['shape']}, colour weight {w['colour']}"
        print(f"{weights}: shape {agree[0]:6.1%}, colour {agree[1]:6.1%}", flush=True)


SHOWN: list[tuple[str, dict[str, Wish], float, Steering]] = [
    *((f"w = {w}", {"kind": "food"}, float(w), Steering()) for w in (0, 1, 2, 4, 8)),
    ("8, within 0.2,2", {"kind": "food"}, 8.0, Steering(interval=(0.2, 2.0))),
    ("8, rescale 0.7", {"kind": "food"}, 8.0, Steering(rescale=0.7)),
    ("side, w = 2", {"kind": "side"}, 2.0, Steering()),
    ("not hero", {"kind": "side"}, 2.0, Steering(negative={"kind": "hero"})),
    ("hero, w = 2", {"kind": "hero"}, 2.0, Steering()),
    ("hero:1,food:0.6", {"kind": {"hero": 1.0, "food": 0.6}}, 2.0, Steering()),
    ("food, w = 2", {"kind": "food"}, 2.0, Steering()),
]
COLUMNS = 10


def show(path: Path) -> None:
    """Write the sheet of docs/steering.md: a choice a row, a seed a column."""
    model = fogcatcher.load("sprites")
    rows = [
        model.sample(seeds=range(COLUMNS), condition=wish, guidance=w, steering=steering).pictures
        for _, wish, w, steering in SHOWN
    ]
    image = sheet(torch.cat(rows), COLUMNS, zoom=3, rows=[name for name, *_ in SHOWN])
    save_png(image.quantize(256), path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--run", type=Path, default=Path("runs/steering"))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--steps", type=int, default=400, help="of training on coloured shapes")
    parser.add_argument("--part", choices=("kinds", "attributes", "sheet"))
    parser.add_argument("--sheet", type=Path, default=Path("docs/steering.png"))
    arguments = parser.parse_args()
    if arguments.part in (None, "kinds"):
        kinds(arguments.run, arguments.minutes, arguments.samples)
    if arguments.part in (None, "attributes"):
        attributes(2 * arguments.samples, arguments.steps)
    if arguments.part in (None, "sheet"):
        show(arguments.sheet)


if __name__ == "__main__":
    main()
