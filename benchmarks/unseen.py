"""Are combinations drawn that were never trained on?

python benchmarks/unseen.py [--minutes 10] [--run DIR]

The built-in sprites have a kind, an item and a main colour (palette). One pair of item and palette in eight
is left out of training; then those pairs are asked for. The judge is the generator itself: a drawn sprite is
the item that the rules drew in their most similar picture, out of every item in every palette, in the palette
in which the rules give that item most nearly the same tones. The same judge looks at fresh sprites by the
rules, for the most that can be reached, and at pairs that were trained on.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import fogcatcher
from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.data.sprites import ITEMS, draw, draw_many, palettes_of
from fogcatcher.data.sprites.palettes import HAIR, MAIN, MATERIALS, SKIN

Combination = tuple[str, str, str]
VARIANTS = 48
"""Sprites per combination that the judge compares with."""


def combinations() -> list[Combination]:
    """Every (kind, item, palette) that the rules draw of themselves."""
    return [(k, item, p) for k, items in ITEMS.items() for item in items for p in palettes_of(k, item)]


def is_left_out(combination: Combination) -> bool:
    return hashlib.sha256(" ".join(combination).encode()).digest()[0] % 8 == 0


def looks(pictures: Tensor) -> Tensor:
    """What the judge compares, (N, 4 H W): alpha, and OKLab where alpha is."""
    rgba = pictures.permute(0, 2, 3, 1).float() / 255
    alpha = rgba[..., 3:]
    return torch.cat([oklab_from_srgb(rgba[..., :3]) * alpha, 0.5 * alpha], -1).flatten(1)


def drawn_by_rule(combination: Combination, count: int, seed: int) -> Tensor:
    kind, item, palette = combination
    pixels = [draw(seed + i, kind, item, palette).pixels for i in range(count)]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def tones(pictures: Tensor) -> Tensor:
    """How many visible pixels have a tone of each main colour, (N, palettes): the rules' own ramps."""
    rgba = pictures.permute(0, 2, 3, 1).flatten(1, 2).float() / 255
    nearest = torch.cdist(oklab_from_srgb(rgba[..., :3]), RAMPS.expand(len(rgba), -1, -1)).argmin(-1)
    counted = torch.nn.functional.one_hot(RAMP_OF[nearest], len(MAIN) + 1)[..., :-1]
    return (counted * rgba[..., 3:]).sum(1)


_OTHERS = (*SKIN, *HAIR, *MATERIALS.values())
RAMPS = oklab_from_srgb(torch.tensor([*MAIN.values(), *_OTHERS]).flatten(0, 1) / 255)
RAMP_OF = torch.tensor([*range(len(MAIN)), *[len(MAIN)] * len(_OTHERS)]).repeat_interleave(4)


class Judge:
    """Names the item that the rules drew in the picture most similar to a given one, and the palette in which
    the rules give that item most nearly the same tones."""

    def __init__(self, known: list[Combination]) -> None:
        self.known = known
        drawn = [drawn_by_rule(c, VARIANTS, 10**6) for c in known]
        self.looks = torch.cat([looks(pictures) for pictures in drawn])
        self.halves = self.looks.square().sum(1) / 2
        self.tones = torch.stack([tones(pictures).mean(0) for pictures in drawn])

    def name(self, pictures: Tensor) -> list[Combination]:
        nearest = [(part @ self.looks.T - self.halves).argmax(1) for part in looks(pictures).split(256)]
        named = []
        for number, seen in zip(torch.cat(nearest).tolist(), tones(pictures), strict=True):
            item = self.known[number // VARIANTS][:2]
            possible = [i for i, c in enumerate(self.known) if c[:2] == item]
            distance = (self.tones[possible] - seen).norm(dim=1)
            named.append(self.known[possible[int(distance.argmin())]])
        return named


def report(what: str, asked: list[Combination], named: list[Combination]) -> None:
    """Print the shares of hits, of each part and of all three together."""
    hits = np.array([[a == b for a, b in zip(x, y, strict=True)] for x, y in zip(asked, named, strict=True)])
    kind, item, palette = hits.mean(0)
    every = hits.all(1).mean()
    print(f"{what:34} kind {kind:.3f}  item {item:.3f}  palette {palette:.3f}  all three {every:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--steps", type=int, help="instead of minutes")
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--run", help="a run of an earlier call, to judge again without training")
    arguments = parser.parse_args()
    every = combinations()
    unseen, seen = [c for c in every if is_left_out(c)], [c for c in every if not is_left_out(c)]
    print(f"{len(every)} combinations, {len(unseen)} left out of training")
    folder = arguments.run or train(arguments.minutes, arguments.steps)
    model, judge = fogcatcher.load(folder), Judge(every)
    fresh = [c for c in every for _ in range(4)]
    named = judge.name(torch.cat([drawn_by_rule(c, 4, 10**8) for c in every]))
    report("drawn by the rules (the ceiling)", fresh, named)
    told = told_apart(fresh, named)
    print(f"the judge cannot tell the palette of {', '.join(sorted(told[False]))}: little of them has it")
    for what, chosen in (("trained on", seen[:: max(1, len(seen) // len(unseen))]), ("never seen", unseen)):
        asked = [c for c in chosen for _ in range(8)]
        wishes = [{"kind": kind, "item": item, "palette": palette} for kind, item, palette in asked]
        answers = judge.name(model.sample(len(asked), wishes, guidance=arguments.guidance).pictures)
        report(what, asked, answers)
        clear = [i for i, c in enumerate(asked) if c[1] in told[True]]
        report(f"{what}, palette can be told", [asked[i] for i in clear], [answers[i] for i in clear])


def told_apart(asked: list[Combination], named: list[Combination]) -> dict[bool, set[str]]:
    """The items whose rule-drawn sprites the judge names right nine times in ten (True), and the others."""
    right: dict[str, list[bool]] = {}
    for a, b in zip(asked, named, strict=True):
        right.setdefault(a[1], []).append(a == b)
    return {
        clear: {i for i, hits in right.items() if (np.mean(hits) >= 0.9) == clear} for clear in (True, False)
    }


def train(minutes: float, steps: int | None) -> Path:
    """Train on 20,000 sprites without the combinations left out."""
    folder = Path(tempfile.mkdtemp(prefix="unseen-"))
    sprites = [s for s in draw_many(23_000) if not is_left_out((s.kind, s.item, s.palette))][:20_000]
    names = {name: np.array([getattr(s, name) for s in sprites]) for name in ("kind", "item", "palette")}
    names["pictures"] = np.stack([s.pixels for s in sprites])
    np.savez(folder / "sprites.npz", **names)  # type: ignore[arg-type]
    conditions = ("kind:category", "item", "palette")
    run = fogcatcher.train(
        folder / "sprites.npz",
        folder / "run",
        conditions=conditions,
        steps=steps,
        minutes=None if steps else minutes,
    )
    print(f"trained: {run}")
    return run


if __name__ == "__main__":
    main()
