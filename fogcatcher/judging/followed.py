"""Is what was asked for drawn? A judge that learnt each condition from the real rows says so.

The judge is a small network on features: from those of training rows it learns their classes, tags, numbers
or colours. It is asked about the drawn rows, and about held-out ones, which says how far to believe it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fogcatcher.data.conditions.conditions import (
    COLOUR_WAVES,
    Attribute,
    Category,
    Colour,
    Number,
    Tags,
)
from fogcatcher.judging.metrics.rows import Features

STEPS, BATCH, WIDTH = 500, 128, 128
LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 3e-3, 0.05, 0.1
FEWEST = 16
"""Training rows of which something is known, and of which a judge can learn."""
NEAR = 0.1
"""A number counts as followed when it is off by at most this share of its range; a colour, in OKLab."""

Codes = Float[Tensor, "_ K"]
"""What is known of rows, as ``Attribute.encode_picture`` gives it; zeros for nothing."""
Numbers = Int64[Tensor, " _"]


@dataclass(frozen=True)
class Value:
    """One class or tag of a condition."""

    name: str
    asked: int
    drawn: float
    """Of the rows asked for it, the share in which the judge sees it."""
    real: float | None
    """The same of held-out rows that have it; None where none has."""


@dataclass(frozen=True)
class Followed:
    """How well one condition is followed."""

    name: str
    type: str
    asked: int
    drawn: float
    """The share of what was asked for that the judge sees, 0 to 1."""
    real: float | None
    """The same of held-out rows: no drawn ones can be expected to get more."""
    chance: float
    """What rows get that were drawn without listening: those asked for something else."""
    values: tuple[Value, ...]
    """Of classes and tags, the most frequent first."""

    @property
    def in_words(self) -> str:
        real = "" if self.real is None else f", {self.real:.0%} in held-out ones by the same judge"
        return (
            f"{self.name}: what was asked for is seen in {self.drawn:.0%}{real} ({self.chance:.0%} by chance)"
        )


Judged = Category | Tags | Number | Colour


def followed(
    attribute: Attribute,
    training: tuple[Features, Codes],
    drawn: tuple[Features, Codes],
    held_out: tuple[Features, Codes],
    generator: torch.Generator,
) -> Followed | None:
    """Return how well ``attribute`` was followed; None where a judge cannot learn it.

    Each pair is features, (N, D), and what is known of the same rows, (N, K): of drawn ones what they were
    asked for. Text and sentences have no judge.
    """
    if not isinstance(attribute, (Category, Tags, Number, Colour)):
        return None
    (rows, known), (seen, wishes), (others, truths) = (_said(pair) for pair in (training, drawn, held_out))
    if len(rows) < FEWEST or not len(seen):
        return None
    judge = _judge(attribute, rows, known, generator)
    hits, asked = _hits(attribute, judge(seen), wishes)
    true_hits, there = _hits(attribute, judge(others), truths)
    mixed, counted = _hits(attribute, judge(seen), wishes[torch.randperm(len(wishes), generator=generator)])
    return Followed(
        attribute.name,
        attribute.kind,
        len(seen),
        _share(hits, asked) or 0.0,
        _share(true_hits, there),
        _share(mixed, counted) or 0.0,
        _values(attribute, hits, asked, true_hits, there),
    )


def _said(pair: tuple[Features, Codes]) -> tuple[Tensor, Codes]:
    """The rows of which something is known."""
    features, codes = pair
    said = codes.abs().sum(1) > 0
    return features[said].float(), codes[said].float()


def _judge(attribute: Judged, rows: Tensor, known: Codes, g: torch.Generator) -> Callable[[Tensor], Tensor]:
    mean, spread = rows.mean(0), rows.std(0).clamp_min(1e-6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=g)))
        network = nn.Sequential(
            nn.Linear(rows.shape[1], WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU()
        ).append(nn.Linear(WIDTH, known.shape[1]))
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    decay = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(len(rows), (BATCH,), generator=g)
        x = (rows[chosen] - mean) / spread
        kept = torch.rand(x.shape, generator=g) >= DROPOUT  # a judge that leans on no single feature
        loss = _loss(attribute, network(x * kept / (1 - DROPOUT)), known[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()

    def judge(x: Tensor) -> Tensor:
        with torch.no_grad():
            return network((x - mean) / spread)

    return judge


def _loss(attribute: Judged, answer: Tensor, known: Codes) -> Tensor:
    if isinstance(attribute, Category):
        return F.cross_entropy(answer, known)
    if isinstance(attribute, Tags):
        return F.binary_cross_entropy_with_logits(answer, (known > 0).float(), weight=known.abs())
    return F.mse_loss(answer[:, _places(attribute)], known[:, _places(attribute)])


def _hits(attribute: Judged, answer: Tensor, asked: Codes) -> tuple[Tensor, Tensor]:
    """Which of what was asked is seen, and what was asked, both (N, K') bool."""
    if isinstance(attribute, Category):
        wished = F.one_hot(asked.argmax(1), asked.shape[1]).bool()
        return wished & (answer.argmax(1) == asked.argmax(1))[:, None], wished
    if isinstance(attribute, Tags):
        # As many of the likeliest tags as the row is to have: so the judge's own caution does not count.
        wished = asked > 0
        places = answer.argsort(1, descending=True).argsort(1)
        return wished & (places < wished.sum(1, keepdim=True)), wished
    widths = torch.tensor([0.5, 0.35, 0.35] if isinstance(attribute, Colour) else [0.5])
    off = ((answer - asked)[:, _places(attribute)] * widths).norm(dim=1, keepdim=True)
    return off <= NEAR, torch.ones_like(off, dtype=torch.bool)


def _places(attribute: Number | Colour) -> slice:
    """Code 1 is the place in the range, or codes 1, 6 and 11 the places in OKLab, from -1 to 1 each."""
    return slice(1, None, 2 + COLOUR_WAVES - 1) if isinstance(attribute, Colour) else slice(1, 2)


def _share(hits: Tensor, asked: Tensor) -> float | None:
    return (hits.sum() / asked.sum()).item() if asked.any() else None


def _values(
    attribute: Attribute, hits: Tensor, asked: Tensor, true_hits: Tensor, there: Tensor
) -> tuple[Value, ...]:
    if not isinstance(attribute, (Category, Tags)):
        return ()
    names = attribute.classes if isinstance(attribute, Category) else attribute.tags
    values = [
        Value(
            str(name),
            int(asked[:, k].sum()),
            _share(hits[:, k], asked[:, k]) or 0.0,
            _share(true_hits[:, k], there[:, k]),
        )
        for k, name in enumerate(names)
        if asked[:, k].any()
    ]
    return tuple(sorted(values, key=lambda value: -value.asked))


def all_followed(
    attributes: tuple[Attribute, ...],
    codes: Mapping[str, Codes],
    training: tuple[Features, Numbers],
    drawn: tuple[Features, Numbers],
    held_out: tuple[Features, Numbers],
    generator: torch.Generator,
) -> tuple[Followed, ...]:
    """Judge every condition that can be. Each pair is features and the numbers of their rows in ``codes``."""
    found = [
        followed(
            attribute,
            (training[0], codes[attribute.name][training[1]]),
            (drawn[0], codes[attribute.name][drawn[1]]),
            (held_out[0], codes[attribute.name][held_out[1]]),
            generator,
        )
        for attribute in attributes
    ]
    return tuple(each for each in found if each)
