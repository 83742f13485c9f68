"""Does the Frechet distance in the built-in features grow with every kind of damage?

    python benchmarks/feature_damage.py FASHION_MNIST_FOLDER [--tiles FOLDER_OF_PICTURES] [--pixels]

One half of pictures that the features were not trained on is compared with the other half, damaged more and
more: level 0 is the distance of two untouched halves.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad
from train_features import sprite_pictures

from fogcatcher.data.idx import read_idx
from fogcatcher.data.kind import Extractor
from fogcatcher.data.sprites import draw_many
from fogcatcher.judging.metrics.features import Pixels, builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
Sorted = tuple[Tensor, Tensor]
"""Pictures (N, C, H, W), and the number of the class of each."""


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


def distances(extractor: Extractor, real: Tensor, other: Sorted, name: str) -> None:
    reference = gaussian(extractor(real))

    def row(what: str, sets: list[Tensor]) -> None:
        found = [frechet(reference, gaussian(extractor(x))) for x in sets]
        grows = all(a < b for a, b in itertools.pairwise(found))
        print(f"{name:8} {what:15}", *[f"{f:9.3f}" for f in found], "grows" if grows else "NOT MONOTONE")

    pictures, classes = other
    for damage in DAMAGES:
        g = torch.Generator().manual_seed(1)
        row(damage.__name__, [damage(pictures, u, g) for u in LEVELS])
    count = int(classes.max()) + 1
    kept = [pictures[classes >= missing] for missing in range(min(count, 5))]
    least = min(len(k) for k in kept)  # as many pictures each time, for the bias depends on it
    g = torch.Generator().manual_seed(1)
    row("missing classes", [k[torch.randperm(len(k), generator=g)[:least]] for k in kept])


def sprites() -> Sorted:
    drawn = draw_many(4000, seed=123)
    kinds = sorted({s.kind for s in drawn})
    return sprite_pictures(drawn), torch.tensor([kinds.index(s.kind) for s in drawn])


def fashion(folder: Path) -> Sorted:
    grey = read_idx(folder / "t10k-images-idx3-ubyte.gz")[:4000]
    classes = read_idx(folder / "t10k-labels-idx1-ubyte.gz")[:4000]
    return torch.from_numpy(grey.copy())[:, None], torch.from_numpy(classes.astype(np.int64))


def tiles(folder: Path) -> Sorted:
    files = sorted(folder.rglob("*.png"))
    names = sorted({f.parent.name for f in files})
    pictures = np.stack([np.asarray(Image.open(f).convert("RGBA")) for f in files])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.tensor(
        [names.index(f.parent.name) for f in files]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the four files of Fashion-MNIST, gzipped IDX")
    parser.add_argument("--tiles", type=Path, help="pictures of one size, sorted into folders")
    parser.add_argument("--pixels", action="store_true", help="raw pixels instead of the network")
    arguments = parser.parse_args()
    extractor: Extractor = Pixels() if arguments.pixels else builtin()
    print(f"{extractor.name} {extractor.hash}; levels {LEVELS}; missing classes 0 to 4")
    sets = {"sprites": sprites(), "fashion": fashion(arguments.folder)}
    if arguments.tiles:
        sets["tiles"] = tiles(arguments.tiles)
    for name, (pictures, classes) in sets.items():
        order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
        a, b = order.chunk(2)
        distances(extractor, pictures[a], (pictures[b], classes[b]), name)


if __name__ == "__main__":
    main()
