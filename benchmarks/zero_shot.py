"""Can a model that was trained to draw also tell what it sees, and where?

python benchmarks/zero_shot.py [--only digits ellipses] [--runs DIR] [--steps 4000 2000]

Digits: a class-conditional model of scikit-learn's 8x8 digits; 300 held-out pictures are given the class
whose noise it predicts best. The table says what sharing the noise between the classes is worth, what
dropping classes saves, which weighting of the errors is best, and what is left when the labels' embedding is
shuffled.
Ellipses: parts of pictures whose brightness says nothing, learnt from a few of them, on features of the
trained network and of the same network before training. A run already in --runs is not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor

import fogcatcher
from fogcatcher.applications.segmentation import Features, learn, mean_iou
from fogcatcher.applications.zero_shot import Pairs, candidates, classify, errors_of
from fogcatcher.data.masks import MARK, Labelled, read_labelled
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.spec import to_model
from fogcatcher.data.reading import read_dataset
from fogcatcher.model.build import build_denoiser, build_objective
from fogcatcher.model.model import Model
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup

PAIRS = (5, 10, 20, 50, 100)
SAME, OWN, SCATTERED = "the same for all classes", "each class its own", "  at scattered times"
SEEDS = 1
SHUFFLES = 10
TEST = 300
SIDE = 16
LEARNT_FROM = (20, 5, 3)
ELLIPSES = {"train": 800, "labelled": 20, "test": 100}


def trained(data: Path, run: Path, steps: int) -> Model:
    if not (run / "done").exists():
        setup = Setup(
            str(data),
            run,
            steps=steps,
            augment="none",
            size_of_model="tiny",
            options=DataOptions(size=(8, 8) if "digits" in run.name else (SIDE, SIDE)),
        )
        for _ in follow(prepare(setup)):
            pass
        (run / "done").touch()
    return fogcatcher.load(run)


# --- digits -------------------------------------------------------------------------------------


def save_digits(folder: Path) -> None:
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    for part, rows in (("test", order[:TEST]), ("train", order[TEST:])):
        for i in rows:
            path = folder / part / str(labels[i]) / f"{i:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((pixels[i].reshape(8, 8) * 255 / 16).round().astype(np.uint8)).save(path)


def all_errors(model: Model, x0: Tensor, count: int, seed: int, how: str) -> tuple[Tensor, Tensor]:
    """Errors, (N, K, J), and times, (K, J); all classes have the same pairs or their own."""
    cond = model.conditions.encode(candidates(model))
    classes = len(next(iter(cond.values())))
    times, schedule = build_objective(model.config.method).times, model.denoiser.process.schedule
    errors, t = [], []
    for k in range(classes):
        generator = torch.Generator().manual_seed(1000 * seed + (0 if how == SAME else k))
        pairs = Pairs.draw(count, x0.shape[1:], times, schedule, generator)
        if how == SCATTERED:
            u = torch.rand(count, dtype=torch.float64, generator=generator)
            pairs = Pairs(times.quantile(u, schedule), pairs.noise)
        n, j = torch.meshgrid(torch.arange(len(x0)), torch.arange(count), indexing="ij")
        found = errors_of(model.denoiser, x0, cond, pairs)(
            n.flatten(), torch.full_like(n, k).flatten(), j.flatten()
        )
        errors.append(found.reshape(n.shape))
        t.append(pairs.t)
    return torch.stack(errors, 1), torch.stack(t)


def accuracy(errors: Tensor, truth: Tensor) -> float:
    return 100 * (errors.mean(2).argmin(1) == truth).double().mean().item()


def digits(folder: Path, steps: int) -> None:
    data = folder / "digits-data"
    if not data.exists():
        save_digits(data)
    model = trained(data / "train", folder / "digits", steps)
    test = read_dataset(data / "test", model.config.data.options)
    x0 = to_model(test.rows[:])
    truth = torch.tensor([int(str(label)) for label in test.columns["label"]])
    print(f"digits: % right of {len(x0)} held-out pictures, mean over {SEEDS} draws of the pairs", flush=True)
    print(f"{'pairs for each class':28}" + "".join(f"{count:8}" for count in PAIRS))
    rows: dict[str, list[Tensor]] = {}
    for seed in range(SEEDS):
        for name in (SAME, OWN, SCATTERED):
            errors, t = all_errors(model, x0, PAIRS[-1], seed, name)
            weights = {name: torch.ones_like(t)}
            if name == SAME:
                alpha, sigma = (
                    model.denoiser.process.schedule.alpha(t),
                    model.denoiser.process.schedule.sigma(t),
                )
                c_out = model.denoiser.preconditioning.c_out(alpha, sigma)
                weights |= {"  weighted as eps": (c_out * alpha / sigma) ** 2, "  weighted as x0": c_out**2}
            for row, w in weights.items():
                found = [accuracy((errors * w)[:, :, :count], truth) for count in PAIRS]
                rows.setdefault(row, []).append(torch.tensor(found))
    for row, found in rows.items():
        print(f"{row:28}" + "".join(f"{value:8.1f}" for value in torch.stack(found).mean(0).tolist()))
    for clearly in (2.0, 3.0, 4.0):
        found = classify(model, test.rows[:], pairs=PAIRS[-1], clearly=clearly)
        right = 100 * (found.choice == truth).double().mean().item()
        calls = found.calls / len(x0)
        print(f"dropped {clearly:g} errors behind: {right:.1f} %, {calls:.0f} calls of {10 * PAIRS[-1]}")
    spoilt = shuffled(model, x0[::3], truth[::3])
    print(f"embedding shuffled (mean of {SHUFFLES}; 5 pairs, 100 pictures): {spoilt:.1f} %")


def shuffled(model: Model, x0: Tensor, truth: Tensor) -> float:
    """The mean accuracy when the numbers of the labels' embedding are shuffled; spoils the model."""
    embedding = next(p for name, p in model.denoiser.named_parameters() if "condition.tables" in name)
    found = []
    for seed in range(SHUFFLES):
        order = torch.randperm(embedding.numel(), generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            embedding.copy_(embedding.flatten()[order].reshape(embedding.shape))
        found.append(accuracy(all_errors(model, x0[:100], 5, seed, SAME)[0], truth[:100]))
    return sum(found) / len(found)


# --- ellipses -----------------------------------------------------------------------------------


def ellipse(generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Stripes up and down inside, across outside, with noise; both have the same mean and histogram."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    cx, cy = generator.uniform(0.3 * SIDE, 0.7 * SIDE, 2)
    a, b = generator.uniform(0.2 * SIDE, 0.38 * SIDE, 2)
    angle = generator.uniform(0, np.pi)
    u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    mask = (u / a) ** 2 + (v / b) ** 2 < 1

    def stripes(axis: NDArray[np.float64]) -> NDArray[np.float64]:
        period, phase = generator.uniform(3, 5), generator.uniform(0, 2 * np.pi)
        return np.sin(2 * np.pi * axis / period + phase)

    inside, outside = stripes(x), stripes(y)
    picture = 127.5 + 50 * np.where(mask, inside, outside) + generator.normal(0, 25, mask.shape)
    return np.clip(picture, 0, 255).round().astype(np.uint8), mask


def save_ellipses(folder: Path) -> None:
    for seed, (part, count) in enumerate(ELLIPSES.items(), start=1):
        generator = np.random.default_rng(seed)
        (folder / part).mkdir(parents=True)
        for i in range(count):
            picture, mask = ellipse(generator)
            Image.fromarray(picture).save(folder / part / f"{i:03d}.png")
            if part != "train":
                Image.fromarray(255 * mask.astype(np.uint8)).save(folder / part / f"{i:03d}{MARK}")


def best_threshold(known: Labelled) -> float:
    """The mean IoU of the best single threshold, chosen with the truth in hand."""
    grey = known.pictures[:, 0]
    cuts = [(grey > cut).long() for cut in range(0, 255, 5)]
    return max(mean_iou(side, known.masks) for cut in cuts for side in (cut, 1 - cut))


def otsu(known: Labelled) -> float:
    """Otsu 1979: for each picture the threshold with the largest variance between the two sides."""
    masks = []
    for grey in known.pictures[:, 0].double():
        above = [grey > cut for cut in range(256)]
        spread = [
            (m.double().mean() * (1 - m.double().mean()) * (grey[m].mean() - grey[~m].mean()) ** 2).item()
            if m.any() and not m.all()
            else 0.0
            for m in above
        ]
        masks.append(above[int(np.argmax(spread))].long())
    return mean_iou(torch.stack(masks), known.masks)


def ellipses(folder: Path, steps: int) -> None:
    data = folder / "ellipses-data"
    if not data.exists():
        save_ellipses(data)
    model = trained(data / "train", folder / "ellipses", steps)
    new = Model(build_denoiser(model.config, model.conditions), model.config, model.conditions)
    known, test = (read_labelled(data / part, model.config.pictures) for part in ("labelled", "test"))
    print(f"ellipses: mean IoU of {len(test.pictures)} pictures")
    print(f"Otsu {otsu(test):.3f}, best threshold {best_threshold(test):.3f}", flush=True)
    print(f"{'learnt from':24}" + "".join(f"{count:8}" for count in LEARNT_FROM))
    for name, which in (("features, trained", model), ("features, untrained", new)):
        found = []
        for count in LEARNT_FROM:
            segmenter = learn(Features(which), known.pictures[:count], known.masks[:count])
            found.append(mean_iou(segmenter(test.pictures), test.masks))
        print(f"{name:24}" + "".join(f"{iou:8.3f}" for iou in found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=("digits", "ellipses"), default=("digits", "ellipses"))
    parser.add_argument("--runs", type=Path, default=Path("runs/zero-shot"))
    parser.add_argument("--steps", type=int, nargs=2, default=(4000, 2000), metavar=("DIGITS", "ELLIPSES"))
    arguments = parser.parse_args()
    if "digits" in arguments.only:
        digits(arguments.runs, arguments.steps[0])
    if "ellipses" in arguments.only:
        ellipses(arguments.runs, arguments.steps[1])


if __name__ == "__main__":
    main()
