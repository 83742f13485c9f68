"""Does the Frechet distance in the built-in features grow with every kind of damage?

    python benchmarks/feature_damage.py dcss.zip cc0-tiles.zip [--weights FOLDER] [--pixels]

One half of pictures that the features were not trained on is compared with the other half, damaged: first as
no good model draws, as a multiple of what two untouched halves get, with precision; then more and more, in
five levels, of which level 0 is two untouched halves.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from pathlib import Path

import torch
from feature_pictures import digits, judged_sets
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from fogcatcher.data.kind import Extractor
from fogcatcher.judging.metrics.damage import colour_noise, hue_noise, shuffled_blocks, shuffled_silhouettes
from fogcatcher.judging.metrics.features import Builtin, Pixels, builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.judging.metrics.neighbours import precision_recall

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST = 800
"""So many pictures a half."""
SPOILED: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "untouched": lambda x, g: x,
    "blocks of 2 shuffled": lambda x, g: shuffled_blocks(x, 2, g),
    "blocks of 4 shuffled": lambda x, g: shuffled_blocks(x, 4, g),
    "blocks of 8 shuffled": lambda x, g: shuffled_blocks(x, 8, g),
    "silhouettes shuffled": shuffled_silhouettes,
    "colour noise of 12": lambda x, g: colour_noise(x, 12, g),
    "colour noise of 40": lambda x, g: colour_noise(x, 40, g),
    "hue noise of 60": lambda x, g: hue_noise(x, 60, g),
}


def back(x: Tensor) -> Tensor:
    return x.round().clamp(0, 255).to(torch.uint8)


def noise(x: Tensor, u: float, g: torch.Generator) -> Tensor:
    shaken = back(x + 40 * u * torch.randn(x.shape, generator=g))
    return torch.cat([shaken[:, :3], x[:, 3:]], 1)


def blur(x: Tensor, u: float, g: torch.Generator) -> Tensor:
    soft = avg_pool2d(pad(x.float(), (1, 1, 1, 1), mode="replicate"), 3, 1)
    return back(x + u * (soft - x))


def colour_shift(x: Tensor, u: float, g: torch.Generator) -> Tensor:
    by = torch.tensor([60.0, -30.0, -60.0])[: min(3, x.shape[1])].reshape(1, -1, 1, 1)
    return torch.cat([back(x[:, :3] + u * by), x[:, 3:]], 1)


def dropped_pixels(x: Tensor, u: float, g: torch.Generator) -> Tensor:
    return x * (torch.rand(len(x), 1, *x.shape[2:], generator=g) > 0.3 * u)


def mixed_halves(x: Tensor, u: float, g: torch.Generator) -> Tensor:
    """A share u of the pictures have the right half of another one."""
    mixed = x.clone()
    n, middle = int(u * len(x)), x.shape[3] // 2
    mixed[:n, :, :, middle:] = x.roll(1, 0)[:n, :, :, middle:]
    return mixed


DAMAGES = (noise, blur, colour_shift, dropped_pixels, mixed_halves)


def spoiled(extractor: Extractor, real: Tensor, other: Tensor, name: str) -> None:
    rows = extractor(real)
    reference, floor = gaussian(rows), 0.0
    for what, damage in SPOILED.items():
        if "hue" in what and other.shape[1] < 3:
            continue
        found = extractor(damage(other, torch.Generator().manual_seed(1)))
        distance = frechet(reference, gaussian(found))
        floor = floor or distance
        precision = precision_recall(rows, found).precision
        print(
            f"{name:8} {what:21} {distance:9.3f} {distance / floor:8.1f} floors, precision {precision:.3f}",
            flush=True,
        )


def levels(extractor: Extractor, real: Tensor, other: Tensor, name: str) -> None:
    reference = gaussian(extractor(real))
    for damage in DAMAGES:
        g = torch.Generator().manual_seed(1)
        found = [frechet(reference, gaussian(extractor(damage(other, u, g)))) for u in LEVELS]
        grows = all(a < b for a, b in itertools.pairwise(found))
        figures = "".join(f"{f:9.3f}" for f in found)
        print(f"{name:8} {damage.__name__:15}{figures} {'grows' if grows else 'NOT MONOTONE'}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", help="zip files of tiles")
    parser.add_argument("--weights", type=Path, help="folder of another network than the shipped one")
    parser.add_argument("--pixels", action="store_true", help="raw pixels instead of the network")
    arguments = parser.parse_args()
    mine = Builtin(arguments.weights) if arguments.weights else builtin()
    extractor: Extractor = Pixels() if arguments.pixels else mine
    sets = judged_sets(arguments.files) | {"digits": digits()[0]}
    print(f"{extractor.name} {extractor.hash}; levels {LEVELS}")
    for name, pictures in sets.items():
        order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
        real, other = (pictures[half[:MOST]] for half in order.chunk(2))
        print(f"{name}: {len(real)} against {len(other)}")
        spoiled(extractor, real, other, name)
        levels(extractor, real, other, name)


if __name__ == "__main__":
    main()
