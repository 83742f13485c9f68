"""Are tags followed? Each picture has two of them, and the rules that drew the set say what came out.

    python benchmarks/followed.py [--pictures 1800] [--colours 6] [--what kind] [--minutes 10] [--run DIR]

Built-in sprites with one condition, ``tags``: what a sprite is, of five kinds or 76 items (--what item), and
its main colour, of --colours.
Models are asked for both tags, and for one alone.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from unseen import Combination, Judge, combinations, drawn_by_rule, told_apart

import fogcatcher
from fogcatcher.data.sprites import KINDS, PALETTES, draw_many

PLACE = {"kind": 0, "item": 1}
"""Where a combination says what a sprite is."""
ASKED = 300


def train(arguments: argparse.Namespace) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="followed-"))
    colours = PALETTES[: arguments.colours]
    drawn = draw_many(arguments.pictures * 12 // arguments.colours)
    sprites = [s for s in drawn if s.palette in colours][: arguments.pictures]
    np.savez(
        folder / "sprites.npz",
        pictures=np.stack([s.pixels for s in sprites]),
        tags=np.array([f"{getattr(s, arguments.what)}, {s.palette}" for s in sprites]),
    )
    print(f"{len(sprites)} pictures", flush=True)
    return fogcatcher.train(
        folder / "sprites.npz",
        arguments.run or folder / "run",
        conditions=("tags:tags",),
        steps=arguments.steps,
        minutes=None if arguments.steps else arguments.minutes,
    )


def shares(asked: list[Combination], named: list[Combination], what: str) -> str:
    kinds = [a[PLACE[what]] == b[PLACE[what]] for a, b in zip(asked, named, strict=True)]
    colours = [a[2] == b[2] for a, b in zip(asked, named, strict=True)]
    return f"{what} {np.mean(kinds):.3f}  colour {np.mean(colours):.3f}  tags {np.mean([kinds, colours]):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=1800)
    parser.add_argument("--colours", type=int, default=6)
    parser.add_argument("--what", choices=PLACE, default="kind")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--steps", type=int, help="instead of minutes")
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0, 2.0, 4.0])
    parser.add_argument("--run", type=Path, help="where the run is, or is to be")
    arguments = parser.parse_args()
    there = arguments.run and (arguments.run / "config.json").exists()
    model = fogcatcher.load(arguments.run if there else train(arguments))
    known = combinations()
    judge = Judge(known)
    fresh = [c for c in known for _ in range(4)]
    named = judge.name(torch.cat([drawn_by_rule(c, 4, 10**8) for c in known]))
    clear = told_apart(fresh, named)[True]
    kept = [i for i, c in enumerate(fresh) if c[1] in clear]
    print(
        f"drawn by the rules, where they tell  "
        f"{shares([fresh[i] for i in kept], [named[i] for i in kept], arguments.what)}"
    )
    colours, place = PALETTES[: arguments.colours], PLACE[arguments.what]
    if arguments.what == "kind":
        pairs = [(kind, "", colour) for kind in KINDS for colour in colours]
    else:
        pairs = [c for c in known if c[2] in colours and c[1] in clear]
    asked = [pairs[i * len(pairs) // ASKED] for i in range(ASKED)]
    for guidance in arguments.guidance:
        for what, wishes in (
            ("both tags", [[c[place], c[2]] for c in asked]),
            ("what it is", [[c[place]] for c in asked]),
            ("its colour", [[c[2]] for c in asked]),
        ):
            drawn = model.sample(len(asked), [{"tags": tags} for tags in wishes], guidance=guidance).pictures
            answers = judge.name(drawn)
            told = [i for i, answer in enumerate(answers) if answer[1] in clear]
            said = shares([asked[i] for i in told], [answers[i] for i in told], arguments.what)
            print(
                f"guidance {guidance:g}, {what:11} {said}  ({len(told)} of {len(asked)} can be told)",
                flush=True,
            )


if __name__ == "__main__":
    main()
