"""Latent diffusion from the beginning: does a model of latents draw what two words ask for?

python benchmarks/latent_scenes.py [--out runs/latent-scenes] [--first 700] [--steps 2500] [--codes 0]
                                   [--factor 4] [--weight W] [--unseen] [--encoder DIR]

An autoencoder learns from 4,000 of the built-in scenes, then a model learns 9,000 in its
latents, with captions such as "red circle". Drawings are judged by the rule of their pixels
(``data/scenes.py``), as are they with captions that were shuffled, and real scenes that only were encoded
and decoded. With --unseen the model is another, which was never shown two of the nine pairs; --encoder is
the folder of a frozen text encoder for it. What is in --out already is not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from text import CAPTIONS, LEFT_OUT, UNSEEN, drawn, right, shuffled

from fogcatcher.data import scenes
from fogcatcher.data.options import DataOptions
from fogcatcher.judging.reconstruction import judged
from fogcatcher.model.autoencoder_files import load_autoencoder
from fogcatcher.model.model import Model, load
from fogcatcher.runs.autoencoder import AutoencoderSetup, follow_autoencoder, prepare_autoencoder
from fogcatcher.runs.train import train

FIRST, SECOND = 4000, 9000
"""Scenes that the autoencoder, and the model, learn from."""
FRESH = 450


def autoencoder(given: argparse.Namespace) -> Path:
    out = given.out / "autoencoder"
    if not out.exists():
        setup = AutoencoderSetup(
            "scenes",
            out,
            DataOptions(limit=FIRST),
            factor=given.factor,
            steps=given.first,
            codes=given.codes,
            weight=given.weight,
        )
        for _ in follow_autoencoder(prepare_autoencoder(setup)):
            pass
    return out


def model(given: argparse.Namespace, latents: Path) -> Model:
    out = given.out / ("unseen" if given.unseen else "model")
    if given.encoder:
        out = out.with_name(f"{out.name}-encoder")
    options = DataOptions(limit=SECOND, where=LEFT_OUT if given.unseen else None)
    if not out.exists():
        train(
            "scenes",
            out,
            steps=given.steps,
            latents=str(latents),
            conditions="caption:text",
            options=options,
            text_encoder=given.encoder,
        )
    return load(out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/latent-scenes"))
    parser.add_argument("--first", type=int, default=700)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--codes", type=int, default=0)
    parser.add_argument("--factor", type=int, default=4)
    parser.add_argument("--weight", type=float, help="of the cost of latents")
    parser.add_argument("--unseen", action="store_true")
    parser.add_argument("--encoder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    place = autoencoder(given)
    stage, fresh = load_autoencoder(place), scenes.draw_many(FRESH, seed=77)
    rows = torch.from_numpy(np.stack([one.pixels[..., :3] for one in fresh])).permute(0, 3, 1, 2).contiguous()
    print(judged(stage, rows).in_words)
    back = [scenes.seen(picture.permute(1, 2, 0).numpy()).caption for picture in stage.returned(rows)]
    read = np.mean([caption == one.caption for caption, one in zip(back, fresh, strict=True)])
    print(f"of {FRESH} scenes that come back, {read:.1%} are still what they were")
    made = model(given, place)
    raw = torch.cat([*stage.encoded(rows)])
    print(f"latents: deviation {raw.std():.2f}, scaled {made.config.kind.to_model(rows).std():.3f}")
    for guidance in (1.0, 2.0, 3.0):
        found = drawn(made, guidance)
        said = f"guidance {guidance:g}: right {right(found, CAPTIONS):.1%}, by shuffled captions"
        alone = f"; {', '.join(UNSEEN)}: {right(found, UNSEEN):.1%}" if given.unseen else ""
        print(said, f"{shuffled(found):.1%}{alone}")


if __name__ == "__main__":
    main()
