"""Few pictures of one's own, ten minutes of one core: what comes out, and how good is it?

    pip install --no-deps denoising-diffusion-pytorch einops ema-pytorch accelerate   # with --peers
    python benchmarks/own_art.py DATA [--pictures 300] [--minutes 10] [--base base-32] [--peers]
                                      [--where EXPRESSION] [--side 32] [--sheets FOLDER]

Trained in turns of five seconds in one process, each by its own clock: the default started from a base, the
default begun anew, the default network of the version before (patches of two pixels, width 32), and with
--peers diffusers and denoising-diffusion-pytorch as in quality_vs_time.py. All learn from the same pictures,
and are judged against others of the same set that none has seen:

- FD(builtin) and KD(builtin), and their floor: what as many other real pictures get;
- told: in how many of 100 cases a small network, trained to, tells drawn from real (50 is the floor);
- hue, light: how much neighbouring opaque pixels differ in colour and in lightness, as multiples of real;
- grain: the same of lightness alone, the median, which edges do not reach;
- coverage: the share of held-out pictures with a drawn one near; copies: of training pictures.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from quality_vs_time import Clock, DenoisingDiffusion, DiffusersExample, Ours, Trainer, take_turns

from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.sheets import save_png, sheet
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.reading import read_dataset
from fogcatcher.judging.evaluation import copies
from fogcatcher.judging.metrics.features import builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.judging.metrics.kernel import mmd2
from fogcatcher.judging.metrics.neighbours import density_coverage
from fogcatcher.judging.metrics.two_sample import two_sample_test
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.config import NetworkConfig
from fogcatcher.training.fit import TrainingState

SAMPLES = 600


class Anew(Ours):
    name = "begun anew"
    augment = "auto"


class FromBase(Anew):
    name = "from a base"


class Before(Anew):
    """The default before: pixels in patches of two."""

    name = "before"

    def start(self) -> None:
        config = replace(self.run.config, network=NetworkConfig(width=32, levels=3, patch=2))
        self.run.state = TrainingState.start(build_denoiser(config, self.run.conditions), config.training)
        self.run.config = config
        super().start()


@dataclass(frozen=True)
class Neighbours:
    """How neighbouring opaque pixels differ in OKLab, on average."""

    hue: float
    light: float
    grain: float
    """The median of the differences in lightness."""


def neighbours(pictures: Pictures) -> Neighbours:
    lab = oklab_from_srgb(pictures[:, :3].movedim(1, -1).float() / 255)
    opaque = pictures[:, 3] >= 128 if pictures.shape[1] == 4 else torch.ones_like(pictures[:, 0]).bool()
    found = []
    for axis in (1, 2):
        n = lab.shape[axis] - 1
        both = opaque.narrow(axis, 0, n) & opaque.narrow(axis, 1, n)
        found.append((lab.narrow(axis, 1, n) - lab.narrow(axis, 0, n))[both])
    steps = torch.cat(found)
    light, hue = steps[:, 0].abs(), steps[:, 1:].norm(dim=1)
    return Neighbours(hue.mean().item(), light.mean().item(), light.median().item())


def judged(trained_on: Pictures, held_out: Pictures, drawn: Pictures, trainer: Trainer) -> dict[str, float]:
    look, generator = builtin(), torch.Generator().manual_seed(0)
    n = min(len(drawn), len(held_out) // 2)
    real, other, fake = (look(part) for part in (held_out[:n], held_out[n : 2 * n], drawn[:n]))
    tested = min(400, n)
    of_real, of_drawn = neighbours(held_out), neighbours(drawn)
    found = {
        "FD": frechet(gaussian(real), gaussian(fake)),
        "floor": frechet(gaussian(real), gaussian(other)),
        "KD": mmd2(real, fake),
        "told": 100 * two_sample_test(held_out[:tested], drawn[:tested], generator).accuracy,
        "hue": of_drawn.hue / of_real.hue,
        "light": of_drawn.light / of_real.light,
        "grain": of_drawn.grain / max(of_real.grain, 1e-9),
        "coverage": density_coverage(real, fake).coverage,
    }
    if isinstance(trainer, Ours):
        kind = trainer.run.config.kind
        found["copies %"] = 100 * copies(kind, drawn, trained_on[:1000], held_out[:1000], generator).copied
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--where", help="of the pictures, as for fogcatcher train")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--pictures", type=int, help="learn from so many; the default is four fifths of all")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--base", default="base-32", help="a shipped model or a run; none leaves it out")
    parser.add_argument("--only", nargs="+", help="names of those to train; the default is all")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--sheets", type=Path, help="folder for what they draw")
    a = parser.parse_args()
    torch.manual_seed(0)
    pictures = read_dataset(a.data, DataOptions(size=(a.side, a.side), where=a.where)).rows[:]
    pictures = pictures[torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))]
    n = min(a.pictures or len(pictures), len(pictures) * 4 // 5)
    trained_on, held_out = pictures[:n], pictures[n:]
    print(f"{n:,} pictures {tuple(pictures.shape[1:])} to learn from, {len(held_out):,} to judge by")
    seconds = 60 * a.minutes
    kinds = [Anew, Before, *([DiffusersExample, DenoisingDiffusion] if a.peers else [])]
    trainers: list[Trainer] = [FromBase(trained_on, Clock(seconds), a.base)] if a.base != "none" else []
    trainers += [kind(trained_on, Clock(seconds)) for kind in kinds]
    trainers = [trainer for trainer in trainers if not a.only or trainer.name in a.only]
    take_turns(trainers, seconds)
    distances = {}
    for trainer in trainers:
        drawn = trainer.draw(SAMPLES)
        found = judged(trained_on, held_out, drawn, trainer)
        distances[trainer.name] = found["FD"]
        told = "  ".join(f"{name} {value:.3g}" for name, value in found.items())
        print(f"{trainer.name:28} {trainer.parameters / 1e6:.2f} M  {told}", flush=True)
        if a.sheets:
            a.sheets.mkdir(parents=True, exist_ok=True)
            save_png(sheet(drawn[:64], 16, zoom=3), a.sheets / f"{trainer.name.replace(' ', '-')}.png")
    first = trainers[0].name
    for name, distance in distances.items():
        print(f"FD of {first} / {name}: {distances[first] / distance:.3f}")


if __name__ == "__main__":
    main()
