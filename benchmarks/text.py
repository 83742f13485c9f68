"""Does a model draw what it is asked in words, also what it was never shown, and look where the words are?

python benchmarks/text.py [--runs DIR] [--steps 2000] [--encoder DIR] [--only looking pooled] [--sheet FILE]

The built-in scenes, one of three shapes in one of three colours each, with captions of two words; two of the
nine pairs are never trained on. Each drawing is judged by the rule of its pixels, ``data/scenes.py``. As
nulls the same drawings are judged by captions that were shuffled, and the words of captions are looked for in
boxes of other drawings. A run already in --runs is not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

import fogcatcher
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.sheets import sheet
from fogcatcher.data.scenes import COLOURS, SHAPES, Box, Seen, seen
from fogcatcher.drawing.settings import STEP_BY_STEP, settings_of
from fogcatcher.explain.explaining import steps
from fogcatcher.explain.word_maps import word_maps
from fogcatcher.model.model import Model
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup

CAPTIONS = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
UNSEEN = ("red circle", "blue triangle")
LEFT_OUT = " and ".join(f"caption != '{caption}'" for caption in UNSEEN)
EACH = 40
"""Drawings of every caption."""
MAPPED = 6
"""Of every caption, for the maps."""
GUIDANCE = (1.0, 2.0, 3.0)
STEPS = 20


def trained(run: Path, count: int, seed: int, **choices: object) -> Model:
    if not (run / "done").exists():
        setup = Setup(
            "scenes",
            run,
            steps=count,
            seed=seed,
            conditions=("caption:text",),
            start_from="none",
            options=DataOptions(where=LEFT_OUT),
            **choices,  # type: ignore[arg-type]
        )
        for _ in follow(prepare(setup)):
            pass
        (run / "done").touch()
    return fogcatcher.load(run)


def drawn(model: Model, guidance: float) -> Mapping[str, Sequence[Seen]]:
    """What the pixels say of the drawings of every caption."""
    found = {}
    for caption in CAPTIONS:
        pictures = model.sample(EACH, {"caption": caption}, steps=STEPS, guidance=guidance).pictures
        found[caption] = [seen(picture.permute(1, 2, 0).numpy()) for picture in pictures]
    return found


def right(found: Mapping[str, Sequence[Seen]], captions: Sequence[str]) -> float:
    return float(np.mean([one.caption == caption for caption in captions for one in found[caption]]))


def shuffled(found: Mapping[str, Sequence[Seen]]) -> float:
    """The share that is right by captions in another order, the mean of many."""
    said = np.array([caption for caption in CAPTIONS for _ in found[caption]])
    shown = np.array([one.caption or "" for caption in CAPTIONS for one in found[caption]])
    random = np.random.default_rng(0)
    return float(np.mean([np.mean(random.permutation(said) == shown) for _ in range(200)]))


def looked_at(model: Model) -> None:
    """Print the share of each word's map that lies in the box of what was drawn, and in that of another."""
    settings = settings_of({"steps": STEPS, "guidance": 2.0}, STEP_BY_STEP)
    inside: dict[str, list[float]] = {"colour": [], "shape": []}
    maps, boxes = [], []
    for caption in CAPTIONS:
        for seed in range(MAPPED):
            shown = steps(model, seed, {"caption": caption}, settings)
            answer = model.config.pictures.from_model(shown.answer)[0].permute(1, 2, 0).numpy()
            found, words = seen(answer), word_maps(model, shown, {"caption": caption})
            if words is None:
                return
            if found.box is not None and found.caption == caption:
                maps.append([words.whole[words.words.index(word)] for word in caption.split()])
                boxes.append(found.box)
    for i, word in enumerate(inside):
        own = np.mean([within(m[i], box) for m, box in zip(maps, boxes, strict=True)])
        other = np.mean([within(m[i], box) for m, box in zip(maps, [*boxes[1:], boxes[0]], strict=True)])
        print(f"  map of the {word}: {own:.1%} in its object's box, {other:.1%} in another's")


def within(whole: torch.Tensor, box: Box) -> float:
    left, top, width, height = box
    return float(whole[top : top + height, left : left + width].sum())


def drawn_sheet(model: Model, file: Path) -> None:
    """Write a row of drawings for each caption."""
    pictures = [
        model.sample(8, {"caption": caption}, guidance=2.0, steps=STEPS).pictures for caption in CAPTIONS
    ]
    rows = [f"{caption} (unseen)" if caption in UNSEEN else caption for caption in CAPTIONS]
    sheet(torch.cat(pictures), 8, 2, rows).save(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/text"))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--encoder", help="folder of a text encoder of this machine")
    parser.add_argument("--only", nargs="+", default=["looking", "pooled"])
    parser.add_argument("--sheet", type=Path, help="only write what the model that looks draws, as this PNG")
    asked = parser.parse_args()
    if asked.sheet:
        drawn_sheet(trained(asked.runs / f"looking-{asked.seed}", asked.steps, asked.seed), asked.sheet)
        return
    ways: dict[str, dict[str, object]] = {
        "pooled": {"network_options": {"cross_attention": False}},
        "looking": {},
        "encoder": {"text_encoder": asked.encoder},
    }
    seen_pairs = [caption for caption in CAPTIONS if caption not in UNSEEN]
    for name in asked.only:
        model = trained(asked.runs / f"{name}-{asked.seed}", asked.steps, asked.seed, **ways[name])
        print(f"{name}: {asked.steps:,} steps")
        for guidance in GUIDANCE:
            found = drawn(model, guidance)
            print(
                f"  guidance {guidance:g}: {right(found, CAPTIONS):.1%} right; trained on "
                f"{right(found, seen_pairs):.1%}, never {right(found, UNSEEN):.1%}; "
                f"captions shuffled {shuffled(found):.1%}"
            )
        looked_at(model)


if __name__ == "__main__":
    main()
