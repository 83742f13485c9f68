"""Train the network behind the built-in features, the ones that judge pictures.

    python benchmarks/train_features.py dcss.zip cc0-tiles.zip [--steps 1600] [--out FOLDER]

Half an hour on one core. It learns from sprites drawn by rule, real tiles and digits (what they show, where
that is known), partly coloured anew, and from what every picture tells of itself: in which of fifteen ways it
was damaged and how much (``doses.py``), a thumbnail, contrasts, and that one pixel to the side is the same
picture (variance, invariance and covariance as in Bardes et al. 2022, "VICReg", equations 1 to 6). The same
arguments give the same network on the same machine.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import torch
from doses import DAMAGES, damaged, uniform
from feature_pictures import (
    CLASSES,
    digits,
    for_judging,
    rows_of,
    sprite_labels,
    sprite_pictures,
    squares,
)
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate, mse_loss, pad

from fogcatcher.data.sprites import draw_many
from fogcatcher.judging.metrics.feature_network import FEATURES, FeatureNetwork
from fogcatcher.judging.metrics.seeing import see

NO_LABEL = -100
SHARES = {"sprites": 28, "tiles of 16": 14, "tiles of 32": 44, "digits": 10}
"""Pictures of each sort in a batch; each is seen twice."""
NEW_COLOURS = 0.25
"""So many of the pictures are coloured anew."""


def recoloured(x: Tensor, g: torch.Generator) -> Tensor:
    """Turn the hues, tint, invert or change the lightness, fill the background; x is OKLab times alpha."""
    n = len(x)
    lightness, a, b, alpha = x.split(1, 1)
    angle, chroma = uniform(n, 0, 2 * math.pi, g), uniform(n, 0, 1.4, g)
    chroma = torch.where(uniform(n, 0, 1, g) < 0.2, 0, chroma)
    tint = 0.12 * torch.randn(n, 2, 1, 1, generator=g)
    a, b = (angle.cos() * a - angle.sin() * b) * chroma, (angle.sin() * a + angle.cos() * b) * chroma
    lightness = torch.where(uniform(n, 0, 1, g) < 0.2, alpha - lightness, lightness)
    lightness = uniform(n, 0.5, 1, g) * lightness + uniform(n, -0.1, 0.2, g) * alpha
    tinted = torch.cat([a, b], 1) + torch.where(chroma > 0, tint, 0) * lightness
    x = torch.cat([lightness, tinted, alpha], 1)
    ground = torch.cat(
        [uniform(n, 0, 1, g), 0.1 * torch.randn(n, 2, 1, 1, generator=g), torch.ones(n, 1, 1, 1)], 1
    )
    return torch.where(uniform(n, 0, 1, g) < 0.25, x + (1 - alpha) * ground, x)


def placed(x: Tensor, g: torch.Generator) -> Tensor:
    """Put pictures into 32x32: enlarged by a whole factor, or three in ten by a smaller one."""
    factor = 32 // x.shape[-1]
    if factor == 1:
        return x
    large = interpolate(x, scale_factor=factor, mode="nearest")
    free = (32 - x.shape[-1] * (factor // 2)) // 2
    small = pad(interpolate(x, scale_factor=factor // 2, mode="nearest"), (free, free, free, free))
    return torch.where(uniform(len(x), 0, 1, g) < 0.3, small, large)


def shifted(x: Tensor, g: torch.Generator) -> Tensor:
    """Move each picture by up to two pixels; what becomes free is transparent."""
    steps = torch.randint(0, 5, (len(x), 2), generator=g).tolist()
    roomy = pad(x, (2, 2, 2, 2))
    return torch.stack([p[:, i : i + 32, j : j + 32] for p, (i, j) in zip(roomy, steps, strict=True)])


def facts(x: Tensor) -> Tensor:
    """Return a thumbnail of 8x8, contrasts along both axes, spread and chroma, (B, 269)."""
    down, right = x.diff(dim=2).abs().mean((2, 3)), x.diff(dim=3).abs().mean((2, 3))
    chroma = x[:, 1:3].norm(dim=1).mean((1, 2))[:, None]
    texture = torch.cat([down, right, x.std((2, 3)), chroma], 1)
    return torch.cat([avg_pool2d(x, 4).flatten(1), 10 * texture], 1)


def vicreg(z: Tensor, other: Tensor) -> Tensor:
    """25 invariance + 25 variance + covariance, over 25, of two views (B, D)."""
    variance = covariance = torch.zeros(())
    for view in (z, other):
        view = view - view.mean(0)
        variance = variance + torch.relu(1 - (view.var(0) + 1e-4).sqrt()).mean()
        c = view.T @ view / (len(view) - 1)
        covariance = covariance + (c - c.diag().diag()).square().sum() / c.shape[0]
    return mse_loss(z, other) + variance + covariance / 25


class Pictures:
    """The sets to learn from, and batches of them."""

    def __init__(self, files: list[Path]) -> None:
        rows = [p for file in files for p in rows_of(file) if not for_judging(p)]
        self.categories = sorted({p.category for p in rows})
        sprites = draw_many(20_000, seed=7)
        shown, digit = digits()
        self.sets = {
            "sprites": (see(sprite_pictures(sprites), 16), sprite_labels(sprites)),
            "digits": (see(shown, 8), {"digit": digit}),
        }
        for side, (pictures, fit) in squares(rows).items():
            category = torch.tensor([self.categories.index(p.category) for p in fit])
            self.sets[f"tiles of {side}"] = (see(pictures, side), {"category": category})
        print({name: len(x) for name, (x, _) in self.sets.items()}, flush=True)

    @property
    def heads(self) -> dict[str, int]:
        shown = {name: len(names) for name, names in CLASSES.items()}
        return shown | {"category": len(self.categories), "digit": 10}

    def batch(self, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Return pictures (B, 4, 32, 32), how and how much they are damaged, and their classes per head."""
        found, ways, doses, labels = [], [], [], []
        for name, n in SHARES.items():
            pictures, known = self.sets[name]
            i = torch.randint(0, len(pictures), (n,), generator=g)
            x = pictures[i]
            x = torch.where(uniform(n, 0, 1, g) < (0 if name == "digits" else 0.5), x.flip(-1), x)
            new = torch.rand(n, generator=g) < NEW_COLOURS
            x = torch.where(new[:, None, None, None], recoloured(x, g), x)
            x, way, dose = damaged(x, g)
            said = {
                head: known[head][i] if head in known else torch.full((n,), NO_LABEL) for head in self.heads
            }
            said["palette"] = torch.where(new, NO_LABEL, said["palette"])
            found.append(placed(x, g))
            ways.append(way)
            doses.append(dose)
            labels.append(said)
        return (
            torch.cat(found),
            torch.cat(ways),
            torch.cat(doses),
            {head: torch.cat([said[head] for said in labels]) for head in self.heads},
        )


class Training(nn.Module):
    """The network and the heads that are thrown away afterwards."""

    def __init__(self, heads: dict[str, int], facts_count: int) -> None:
        super().__init__()
        self.network = FeatureNetwork()
        self.heads = nn.ModuleDict({name: nn.Linear(FEATURES, n) for name, n in heads.items()})
        self.way = nn.Linear(FEATURES, 1 + len(DAMAGES))
        self.dose = nn.Linear(FEATURES, len(DAMAGES))
        self.facts = nn.Sequential(nn.Linear(FEATURES, 128), nn.ReLU(), nn.Linear(128, facts_count))

    def loss(
        self, x: Tensor, way: Tensor, dose: Tensor, labels: dict[str, Tensor], g: torch.Generator
    ) -> dict[str, Tensor]:
        views = torch.cat([shifted(x, g), shifted(x, g)])
        z = self.network.look(views.contiguous(memory_format=torch.channels_last))
        found = {
            name: cross_entropy(head(z), labels[name].repeat(2), label_smoothing=0.05)
            for name, head in self.heads.items()
        }
        return found | {
            "vicreg": vicreg(*z.chunk(2)),
            "way": 3 * cross_entropy(self.way(z), way.repeat(2)),
            "dose": 10 * mse_loss(self.dose(z), dose.repeat(2, 1)),
            "facts": 10 * mse_loss(self.facts(z), facts(views)),
        }


def train(pictures: Pictures, steps: int) -> Training:
    torch.manual_seed(0)  # the first weights; all else is drawn from g
    g = torch.Generator().manual_seed(1)
    training = Training(pictures.heads, 269)
    optimiser = torch.optim.AdamW(training.parameters(), lr=2e-3, weight_decay=0.05)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.1)
    start = time.perf_counter()
    for step in range(1, steps + 1):
        losses = training.loss(*pictures.batch(g), g)
        optimiser.zero_grad()
        sum(losses.values()).backward()  # type: ignore[union-attr]
        optimiser.step()
        rates.step()
        if step % 50 == 0:
            parts = ", ".join(f"{name} {loss.item():.2f}" for name, loss in losses.items())
            print(f"step {step}: {parts}, {time.perf_counter() - start:.0f} s", flush=True)
    return training.eval()


@torch.no_grad()
def looks(network: FeatureNetwork, pictures: Tensor) -> Tensor:
    return torch.cat([network.look(x) for x in see(pictures, 32).split(250)]).double()


@torch.no_grad()
def standardise(network: FeatureNetwork, power: float = 1 / 4) -> None:
    """Make the features of sprites have mean 0 and standard deviation 1, and correlate less.

        unit = V E^(-power) V^T, columns scaled;   V E V^T the covariance of the features of sprites

    E^(-1/2) would whiten them: then noise and blur, which sprites do not have, outweigh missing classes.
    E^0 leaves faint noise unseen. The power between shows both (``feature_damage.py``).
    """
    z = looks(network, sprite_pictures(draw_many(5000, seed=8)))
    E, V = torch.linalg.eigh(torch.cov(z.T))
    unit = V @ E.pow(-power).diag() @ V.T
    network.mean.copy_(z.mean(0))
    network.unit.copy_(unit / (z @ unit).std(0))


@torch.no_grad()
def report(training: Training) -> None:
    sprites = draw_many(2000, seed=9)
    z = looks(training.network, sprite_pictures(sprites)).float()
    for name, truth in sprite_labels(sprites).items():
        right = (training.heads[name](z).argmax(1) == truth).double().mean().item()
        print(f"fresh sprites: {name} right {right:.3f}")


def save(network: FeatureNetwork, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    halved = {
        k: v.contiguous().half() if v.ndim > 1 and k != "unit" else v for k, v in network.state_dict().items()
    }
    save_file(halved, folder / "model.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", help="zip files of tiles")
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--out", type=Path, default=Path("fogcatcher/shipped/features"))
    arguments = parser.parse_args()
    training = train(Pictures(arguments.files), arguments.steps)
    standardise(training.network)
    report(training)
    save(training.network, arguments.out)


if __name__ == "__main__":
    main()
