"""Train the network behind the built-in features, the ones that judge pictures.

    python benchmarks/train_features.py FASHION_MNIST_FOLDER [--steps 2600] [--out FOLDER]

Ten minutes on one core. It learns from the built-in sprites (kind, item, palette) and from Fashion-MNIST
(classes), coloured at random, and from what every picture tells of itself: how it was damaged and how much, a
thumbnail, contrasts, and that one pixel to the side is the same picture (variance, invariance and covariance
as in Bardes et al. 2022, "VICReg", equations 1 to 6). The same arguments give the same network on the same
machine.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate, mse_loss, pad

from fogcatcher.data.idx import read_idx
from fogcatcher.data.sprites import ITEMS, KINDS, PALETTES, Sprite, draw_many
from fogcatcher.judging.metrics.feature_network import FEATURES, FeatureNetwork
from fogcatcher.judging.metrics.seeing import see

CLASSES = {
    "kind": list(KINDS),
    "item": [f"{kind}/{item}" for kind in KINDS for item in ITEMS[kind]],
    "palette": list(PALETTES),
}
NO_LABEL = -100
SPRITES, FASHION = 72, 56
"""Pictures of each sort in a batch; each is seen twice."""
DAMAGES = ("noise", "blur", "dropped pixels", "mixed halves")


def sprite_pictures(sprites: list[Sprite]) -> Tensor:
    return torch.from_numpy(np.stack([s.pixels for s in sprites])).permute(0, 3, 1, 2)


def sprite_labels(sprites: list[Sprite]) -> dict[str, Tensor]:
    said = {
        "kind": [s.kind for s in sprites],
        "item": [f"{s.kind}/{s.item}" for s in sprites],
        "palette": [s.palette for s in sprites],
    }
    return {name: torch.tensor([CLASSES[name].index(x) for x in said[name]]) for name in said}


def uniform(n: int, low: float, high: float, g: torch.Generator) -> Tensor:
    """Return (n, 1, 1, 1) numbers, one per picture."""
    return low + (high - low) * torch.rand(n, 1, 1, 1, generator=g)


def recoloured(x: Tensor, g: torch.Generator) -> Tensor:
    """Turn the hues, tint, invert or change the lightness, fill the background; x is OKLab times alpha."""
    n = len(x)
    lightness, a, b, alpha = x.split(1, 1)
    angle, chroma = uniform(n, 0, 2 * math.pi, g), uniform(n, 0, 1.4, g)
    tint = 0.12 * torch.randn(n, 2, 1, 1, generator=g)
    a, b = (angle.cos() * a - angle.sin() * b) * chroma, (angle.sin() * a + angle.cos() * b) * chroma
    lightness = torch.where(uniform(n, 0, 1, g) < 0.2, alpha - lightness, lightness)
    lightness = uniform(n, 0.5, 1, g) * lightness + uniform(n, -0.1, 0.2, g) * alpha
    x = torch.cat([lightness, torch.cat([a, b], 1) + tint * lightness, alpha], 1)
    ground = torch.cat(
        [uniform(n, 0, 1, g), 0.1 * torch.randn(n, 2, 1, 1, generator=g), torch.ones(n, 1, 1, 1)], 1
    )
    return torch.where(uniform(n, 0, 1, g) < 0.25, x + (1 - alpha) * ground, x)


def damaged(x: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Damage half of the pictures in one of four ways; return them and how much, (n, 4) in [0, 1]."""
    n, _, height, width = x.shape
    u = uniform(n, 0, 1, g)
    kind = torch.randint(0, 2 * len(DAMAGES), (n,), generator=g)
    noise = 0.25 * u * torch.randn(n, 3, height, width, generator=g)
    noisy = torch.cat([x[:, :3] + noise * x[:, 3:], x[:, 3:]], 1)
    soft = avg_pool2d(pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    blurred = x + u * (soft - x)
    kept = torch.rand(n, 1, height, width, generator=g) > 0.4 * u
    black = (uniform(n, 0, 1, g) < 0.5) & (torch.arange(4) == 3)[None, :, None, None]
    dropped = torch.where(kept | black, x, 0)
    side = torch.arange(width) >= width * (1 - u / 2)
    halves = torch.where(side, x.roll(1, 0), x)
    for number, version in enumerate((noisy, blurred, dropped, halves)):
        x = torch.where((kind == number)[:, None, None, None], version, x)
    strength = torch.stack([(kind == number) * u.flatten() for number in range(len(DAMAGES))], 1)
    return x, strength


def placed(x: Tensor, g: torch.Generator) -> Tensor:
    """Put pictures into 32x32: 16x16 ones enlarged twofold, or a third of them as they are."""
    if x.shape[-1] == 32:
        return x
    small = uniform(len(x), 0, 1, g) < 0.3
    return torch.where(small, pad(x, (8, 8, 8, 8)), interpolate(x, scale_factor=2, mode="nearest"))


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
    """The two sets to learn from, and batches of them."""

    def __init__(self, folder: Path) -> None:
        sprites = draw_many(20_000, seed=7)
        self.sprites, self.labels = see(sprite_pictures(sprites), 16), sprite_labels(sprites)
        grey = read_idx(folder / "train-images-idx3-ubyte.gz")[:20_000]
        classes = read_idx(folder / "train-labels-idx1-ubyte.gz")[:20_000]
        self.fashion = see(torch.from_numpy(grey.copy())[:, None], 32)
        self.fashion_class = torch.from_numpy(classes.astype(np.int64))

    def batch(self, g: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return pictures (B, 4, 32, 32), how they are damaged (B, 4), and their classes (B,) per head."""
        i = torch.randint(0, len(self.sprites), (SPRITES,), generator=g)
        j = torch.randint(0, len(self.fashion), (FASHION,), generator=g)
        ours, theirs = self.sprites[i], self.fashion[j]
        labels = {
            name: torch.cat([c[i], torch.full((FASHION,), NO_LABEL)]) for name, c in self.labels.items()
        }
        labels["fashion"] = torch.cat([torch.full((SPRITES,), NO_LABEL), self.fashion_class[j]])

        new = torch.rand(SPRITES, generator=g) < 0.3
        ours = torch.where(new[:, None, None, None], recoloured(ours, g), ours)
        labels["palette"][:SPRITES][new] = NO_LABEL
        cut = uniform(FASHION, 0, 1, g) < 0.3
        theirs = torch.where(cut & (theirs[:, :1] < 0.2), 0, theirs)
        theirs = torch.where(uniform(FASHION, 0, 1, g) < 0.7, recoloured(theirs, g), theirs)

        ours, hurt = damaged(ours, g)
        theirs, theirs_hurt = damaged(theirs, g)
        return torch.cat([placed(ours, g), theirs]), torch.cat([hurt, theirs_hurt]), labels


class Training(nn.Module):
    """The network and the heads that are thrown away afterwards."""

    def __init__(self, facts_count: int) -> None:
        super().__init__()
        self.network = FeatureNetwork({name: len(names) for name, names in CLASSES.items()} | {"fashion": 10})
        self.damage = nn.Linear(FEATURES, len(DAMAGES))
        self.facts = nn.Sequential(nn.Linear(FEATURES, 128), nn.ReLU(), nn.Linear(128, facts_count))

    def loss(self, x: Tensor, hurt: Tensor, labels: dict[str, Tensor], g: torch.Generator) -> Tensor:
        views = torch.cat([shifted(x, g), shifted(x, g)])
        z = self.network.look(views)
        total = vicreg(*z.chunk(2))
        for name, head in self.network.heads.items():
            total = total + cross_entropy(head(z), labels[name].repeat(2), label_smoothing=0.05)
        total = total + 10 * mse_loss(self.damage(z), hurt.repeat(2, 1))
        return total + 10 * mse_loss(self.facts(z), facts(views))


def train(pictures: Pictures, steps: int) -> FeatureNetwork:
    torch.manual_seed(0)  # the first weights; all else is drawn from g
    g = torch.Generator().manual_seed(1)
    training = Training(facts(pictures.fashion[:2]).shape[1])
    optimiser = torch.optim.AdamW(training.parameters(), lr=2e-3, weight_decay=0.05)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.1)
    start = time.perf_counter()
    for step in range(1, steps + 1):
        loss = training.loss(*pictures.batch(g), g)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}, {time.perf_counter() - start:.0f} s", flush=True)
    return training.network.eval()


@torch.no_grad()
def standardise(network: FeatureNetwork) -> None:
    """Make the features of sprites have mean 0 and standard deviation 1, and correlate less.

        unit = V E^(-1/4) V^T, columns scaled;   V E V^T the covariance of the features of sprites

    E^(-1/2) would whiten them: then noise and blur, which sprites do not have, outweigh missing classes.
    E^0 leaves faint noise unseen. The power between shows both (``feature_damage.py``).
    """
    z = torch.cat([network.look(x) for x in see(sprite_pictures(draw_many(5000, seed=8)), 32).split(500)])
    z = z.double()
    E, V = torch.linalg.eigh(torch.cov(z.T))
    unit = V @ E.pow(-1 / 4).diag() @ V.T
    network.mean.copy_(z.mean(0))
    network.unit.copy_(unit / (z @ unit).std(0))


@torch.no_grad()
def report(network: FeatureNetwork) -> None:
    sprites = draw_many(2000, seed=9)
    z = torch.cat([network.look(x) for x in see(sprite_pictures(sprites), 32).split(500)])
    for name, truth in sprite_labels(sprites).items():
        right = (network.heads[name](z).argmax(1) == truth).double().mean().item()
        print(f"fresh sprites: {name} right {right:.3f}")


def save(network: FeatureNetwork, folder: Path) -> None:
    del network.heads["fashion"]
    halved = {k: v.half() if v.ndim > 1 and k != "unit" else v for k, v in network.state_dict().items()}
    save_file(halved, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"classes": CLASSES}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the four files of Fashion-MNIST, gzipped IDX")
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--out", type=Path, default=Path("fogcatcher/shipped/features"))
    arguments = parser.parse_args()
    network = train(Pictures(arguments.folder), arguments.steps)
    standardise(network)
    report(network)
    arguments.out.mkdir(parents=True, exist_ok=True)
    save(network, arguments.out)


if __name__ == "__main__":
    main()
