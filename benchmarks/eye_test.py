"""Do the figures prefer what a person prefers? Sixty pairs of sheets, judged blind, then compared.

    python benchmarks/eye_test.py make FOLDER --real DATA --drawn A.npy B.npy [--real DATA --drawn ...]
    # look at FOLDER/pairs-1.png ... pairs-6.png, and write a letter for each pair into FOLDER/answers.txt:
    # l or r, the side that looks more like pictures somebody would keep
    python benchmarks/eye_test.py score FOLDER --real DATA --drawn A.npy B.npy [...]

The sets are real pictures, real ones damaged in five ways, and what models drew; of each real set, two of
them at a time, eight pictures a side. ``make`` computes no figure and says nothing of which side is which
(that is in key.json). ``score`` prints how often FD(builtin) and the two-sample test prefer the side that the
person did.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
from pathlib import Path

import torch

from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.sheets import save_png, sheet
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.reading import read_dataset
from fogcatcher.judging.metrics.damage import colour_noise, hue_noise, shuffled_blocks
from fogcatcher.judging.metrics.features import builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.judging.metrics.two_sample import two_sample_test

PAIRS, A_PAGE, SHOWN, SETS = 60, 10, 8, 400
DAMAGED = {
    "noise 12": lambda x, g: colour_noise(x, 12, g),
    "noise 40": lambda x, g: colour_noise(x, 40, g),
    "hue 60": lambda x, g: hue_noise(x, 60, g),
    "blocks of 2": lambda x, g: shuffled_blocks(x, 2, g),
    "blocks of 4": lambda x, g: shuffled_blocks(x, 4, g),
}


def sets_of(real: Pictures, drawn: dict[str, Pictures]) -> dict[str, Pictures]:
    """What is compared: name -> (n, 4, H, W)."""
    half = real[SETS : 2 * SETS]
    damages = {name: damage(half, torch.Generator().manual_seed(1)) for name, damage in DAMAGED.items()}
    return {"real": half, **damages, **{name: pictures[:SETS] for name, pictures in drawn.items()}}


def make(arguments: argparse.Namespace) -> None:
    arguments.folder.mkdir(parents=True, exist_ok=True)
    dice, possible, all_sets = random.Random(0), [], []
    for number, (data, files) in enumerate(groups(arguments)):
        sets = sets_of(pictures_of(data), {Path(file).stem: pictures_of(file) for file in files})
        all_sets.append(sets)
        possible += [(number, *pair) for pair in itertools.combinations(sets, 2)]
    dice.shuffle(possible)
    key, sides = [], []
    for number, *pair in possible[:PAIRS]:
        dice.shuffle(pair)
        key.append([number, *pair])
        shown = [dice.sample(range(len(all_sets[number][name])), SHOWN) for name in pair]
        both = [all_sets[number][name][rows] for name, rows in zip(pair, shown, strict=True)]
        sides.append(torch.cat([fitted(part) for part in both]))
    for page in range(0, len(sides), A_PAGE):
        names = [str(page + i + 1) for i in range(len(sides[page : page + A_PAGE]))]
        image = sheet(torch.cat(sides[page : page + A_PAGE]), 2 * SHOWN, zoom=2, rows=names)
        save_png(image, arguments.folder / f"pairs-{page // A_PAGE + 1}.png")
    (arguments.folder / "key.json").write_text(json.dumps(key))
    print(f"{len(key)} pairs: write an l or r for each into {arguments.folder / 'answers.txt'}")


def score(arguments: argparse.Namespace) -> None:
    key = json.loads((arguments.folder / "key.json").read_text())
    answers = (arguments.folder / "answers.txt").read_text().split()
    assert len(answers) == len(key), f"{len(answers)} answers for {len(key)} pairs"
    figures: dict[tuple[int, str], tuple[float, float]] = {}
    look = builtin()
    for number, (data, files) in enumerate(groups(arguments)):
        real = pictures_of(data)
        against = real[:SETS]
        for name, pictures in sets_of(real, {Path(f).stem: pictures_of(f) for f in files}).items():
            fd = frechet(gaussian(look(against)), gaussian(look(pictures)))
            told = two_sample_test(against, pictures, torch.Generator().manual_seed(0)).accuracy
            figures[number, name] = fd, told
            print(f"{data} {name:12} FD {fd:8.2f}  told apart {told:.3f}", flush=True)
    for place, figure in enumerate(("FD(builtin)", "two-sample test")):
        right = [
            (figures[number, left][place] < figures[number, right][place]) == (answer == "l")
            for (number, left, right), answer in zip(key, answers, strict=True)
        ]
        print(f"{figure} prefers what the person did in {sum(right)} of {len(right)} pairs")
        wrong = [key[i][1:] for i, same in enumerate(right) if not same]
        print("  not in: " + "; ".join(" / ".join(pair) for pair in wrong))


def groups(arguments: argparse.Namespace) -> list[tuple[str, list[str]]]:
    return list(zip(arguments.real, arguments.drawn, strict=True))


def pictures_of(data: str) -> Pictures:
    """All pictures, in an order by chance."""
    rows = read_dataset(data, DataOptions()).rows[:]
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]


def fitted(pictures: Pictures) -> Pictures:
    """16 pixels are shown as large as 32."""
    return pictures.repeat_interleave(2, 2).repeat_interleave(2, 3) if pictures.shape[-1] <= 16 else pictures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("make", "score"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--real", action="append", required=True)
    parser.add_argument("--drawn", action="append", nargs="*", required=True)
    arguments = parser.parse_args()
    (make if arguments.what == "make" else score)(arguments)


if __name__ == "__main__":
    main()
