"""Can a small network tell real and drawn pictures apart? A two-sample test that knows the data at hand.

Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests" (arXiv:1610.06545). The pictures are parted
in two halves; a network learns on each to tell real from drawn, and is asked about the other. If both come
from one source it is right in half of the cases. Features that were learned elsewhere play no part.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.store import Pictures
from fogcatcher.data.pictures.twins import exact_duplicates, near_duplicates
from fogcatcher.judging.metrics.seeing import in_oklab

STEPS, BATCH, WIDTH, CHANNELS, AT_ONCE = 400, 64, 32, 4, 256
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.05
FEWEST = 8
Z = 1.959964
"""Of a normal distribution, 95 % lies as many deviations from its mean."""


Drawn = UInt8[Tensor, "M C H W"]
"""As many as there are, of the shape of the real ones."""


@dataclass(frozen=True)
class TwoSample:
    """How often the network was right about pictures that it had not seen."""

    accuracy: float
    """0.5: it cannot tell them apart; 1: it always can. Both sides count equally."""
    low: float
    high: float
    """The ends of an interval that holds the truth in 95 of 100 cases or more (Wilson 1927)."""
    real: Float[Tensor, " N"]
    """How surely the network took each real picture for real, from 0 to 1."""
    drawn: Float[Tensor, " M"]
    """How surely it took each drawn picture for real."""
    looked: Float[Tensor, "M H W"]
    """How much each pixel of the drawn pictures weighed in that, as slope times value, 0 to 1."""

    @property
    def in_words(self) -> str:
        ends = f"{100 * self.low:.0f} to {100 * self.high:.0f}"
        return (
            f"a machine tells them apart in {100 * self.accuracy:.0f} of 100 cases ({ends}; 50 is guessing)"
        )

    def within(self, real: Int64[Tensor, " N"], drawn: Int64[Tensor, " M"]) -> dict[int, tuple[float, int]]:
        """Return class number -> how often the network was right within it, and among how many pictures.

        ``real`` and ``drawn`` are the classes of both sides; below 0 is none. A class needs eight a side.
        """
        found = {}
        for number in sorted(set(real[real >= 0].tolist()) & set(drawn.tolist())):
            ours, theirs = self.real[real == number], self.drawn[drawn == number]
            if min(len(ours), len(theirs)) >= FEWEST:
                rights = (ours > 0.5).double().mean() + (theirs <= 0.5).double().mean()
                found[number] = (rights.item() / 2, len(ours) + len(theirs))
        return found


def two_sample_test(
    real: UInt8[Tensor, "N C H W"],
    drawn: Drawn,
    generator: torch.Generator,
    steps: int = STEPS,
    progress: Callable[[int, int], None] | None = None,
) -> TwoSample:
    """Test (N, C, H, W) against (M, C, H, W), both uint8, with two networks of ``steps`` steps each.

    Pictures that look nearly alike stay in one half, so none is known by its twin. ``progress`` hears how
    many of all steps are done. Raises UserError for fewer than eight pictures on either side.
    """
    if min(len(real), len(drawn)) < FEWEST:
        raise UserError(f"telling pictures apart needs {FEWEST} real and {FEWEST} drawn ones.")
    sides = _seen(real, drawn)
    families = [_families(pictures) for pictures in (real, drawn)]
    halves = [_halves(family, generator) for family in families]
    logits, looked = [torch.zeros(len(side)) for side in sides], torch.zeros_like(sides[1][:, 0])
    for number, learns in enumerate((False, True)):
        known = [side[half == learns] for side, half in zip(sides, halves, strict=True)]
        network = _trained(known, steps, generator, _from(progress, number * steps, 2 * steps))
        (real_part, drawn_part) = (half != learns for half in halves)
        logits[0][real_part], _ = _asked(network, sides[0][real_part])
        logits[1][drawn_part], looked[drawn_part] = _asked(network, sides[1][drawn_part])
    rights = [(logits[0] > 0).double().mean().item(), (logits[1] <= 0).double().mean().item()]
    accuracy = sum(rights) / 2
    low, high = wilson(accuracy, _trials(*families))
    return TwoSample(accuracy, low, high, logits[0].sigmoid(), logits[1].sigmoid(), looked)


def _trials(*families: Int64[Tensor, " _"]) -> float:
    """Return how many independent trials the answers about two sides are worth.

    What the first half teaches about the second, the second teaches about the first: by chance alone both
    networks are right together, or wrong, so the pictures of one half count, not of both. Members of a
    family are known together as well: m_1, m_2, ... alike count as (sum m)^2 / sum m^2 pictures. The mean of
    the rates of two sides of n_1 and n_2 varies as that of 4 / (1 / n_1 + 1 / n_2).
    """
    members = [family.bincount().double() for family in families]
    n_1, n_2 = (((m.sum() ** 2 / m.square().sum()).item()) for m in members)
    return 4 / (1 / n_1 + 1 / n_2) / 2


def wilson(share: float, n: float, z: float = Z) -> tuple[float, float]:
    """Return the ends of the interval for a share found in n trials. Wilson 1927.

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
    """
    middle, length = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (middle - length) / (1 + z**2 / n), (middle + length) / (1 + z**2 / n)


def _from(progress: Callable[[int, int], None] | None, before: int, in_all: int) -> Callable[[int], None]:
    return lambda step: progress(before + step, in_all) if progress else None


# --- who learns from whom -----------------------------------------------------------------------


def _halves(family: Int64[Tensor, " N"], generator: torch.Generator) -> Bool[Tensor, " N"]:
    """Two halves, about equal, with each family on one side."""
    members = family.bincount(minlength=len(family))
    side, counts = torch.zeros(len(family), dtype=torch.bool), [0, 0]
    for number in torch.randperm(len(family), generator=generator).tolist():
        if members[number]:  # the first of a family stands for it
            less = counts[1] < counts[0]
            side[family == number] = less
            counts[less] += int(members[number])
    return side


def _families(pictures: Pictures) -> Int64[Tensor, " N"]:
    """The number of the first picture of the family of each: all that a chain of near-twins joins."""
    first = list(range(len(pictures)))

    def head(i: int) -> int:
        while first[i] != i:
            first[i] = first[first[i]]
            i = first[i]
        return i

    pairs = [(group[0], other) for group in exact_duplicates(pictures) for other in group[1:]]
    for i, j in [*pairs, *((i, j) for i, j, _ in near_duplicates(pictures))]:
        a, b = sorted((head(i), head(j)))
        first[b] = a
    return torch.tensor([head(i) for i in range(len(pictures))])


# --- the network --------------------------------------------------------------------------------


def _seen(real: Pictures, drawn: Drawn) -> list[Float[Tensor, "_ 4 H W"]]:
    """Both sides as OKLab times alpha, and alpha, each channel at unit variance over both."""
    sides = [in_oklab(real), in_oklab(drawn)]
    both = torch.cat(sides).transpose(0, 1).flatten(1)
    mean, spread = both.mean(1)[:, None, None], both.std(1).clamp_min(1e-3)[:, None, None]
    return [(side - mean) / spread for side in sides]


def _network() -> nn.Module:
    def stage(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
        return [
            nn.Conv2d(inputs, outputs, 3, stride, padding=1),
            nn.GroupNorm(outputs // 16, outputs),
            nn.SiLU(),
        ]

    layers = [*stage(CHANNELS, WIDTH, 1), *stage(WIDTH, 2 * WIDTH, 2), *stage(2 * WIDTH, 4 * WIDTH, 2)]
    return nn.Sequential(*layers, _Pooled(), nn.Linear(8 * WIDTH, 1), nn.Flatten(0))


class _Pooled(nn.Module):
    """Means and largest values over all positions."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)


def _trained(
    known: list[Tensor], steps: int, generator: torch.Generator, progress: Callable[[int], None]
) -> nn.Module:
    """Each batch holds as many real as drawn pictures, some of them mirrored and moved by a pixel."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        network = _network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    decay = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    target = torch.cat([torch.full((BATCH // 2,), 0.95), torch.full((BATCH // 2,), 0.05)])
    for step in range(1, steps + 1):
        x = torch.cat([side[torch.randint(len(side), (BATCH // 2,), generator=generator)] for side in known])
        loss = F.binary_cross_entropy_with_logits(network(_moved(x, generator)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        progress(step)
    return network.eval()


def _moved(x: Tensor, generator: torch.Generator) -> Tensor:
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(-1), x)
    down, right = torch.randint(-1, 2, (2,), generator=generator).tolist()
    # With channels side by side in memory, a CPU needs two thirds of the time.
    return x.roll((down, right), (2, 3)).contiguous(memory_format=torch.channels_last)


def _asked(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The logits (N,) of pictures, and how much each of their pixels weighs, (N, H, W) from 0 to 1."""
    logits, weights = [torch.zeros(0)], [torch.zeros_like(x[:0, 0])]
    for part in x.split(AT_ONCE):
        part = part.requires_grad_()
        found = network(part)
        (slope,) = torch.autograd.grad(found.sum(), part)
        weight = F.avg_pool2d((slope * part).detach().abs().sum(1), 3, 1, 1)
        logits.append(found.detach())
        weights.append(weight / weight.amax((1, 2), keepdim=True).clamp_min(1e-12))
    return torch.cat(logits), torch.cat(weights)
