"""Which pictures are trained on, how often each, and which are held out for judging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.data.conditions.conditions import Category, ConditionSpec, Tags, class_name, tags_of
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import Dataset
from fogcatcher.data.selection import stable_hash
from fogcatcher.data.values import Value


@dataclass(frozen=True)
class Split:
    """The numbers of the pictures on either side."""

    train: Tensor
    """(M,): one pass of training; with ``balance`` some stand there several times."""
    held_out: Tensor
    """(K,)"""


TINY = 5
"""A class of fewer pictures to train on is named."""
_SHOWN = 8


def split(dataset: Dataset, options: DataOptions, conditions: ConditionSpec | None = None) -> Split:
    """Part a data set as the options say: whole groups to one side, equal pictures always together.

    Of every class and tag of ``conditions`` something is left to train on.

    Raises UserError for unknown columns.
    """
    for use, column in (("column for {@group}", options.group), ("column for {@balance}", options.balance)):
        if column is not None and column not in dataset.columns:
            raise unknown_name(Message(use), column, dataset.columns)
    marks = _marks(dataset, conditions) if conditions else []
    held = hold_out(_groups(dataset, options.group), options.hold_out, marks)
    aside = set(held)
    train = [i for i in range(len(dataset)) if i not in aside]
    rows = torch.tensor(train)
    if options.balance is not None:
        rows = balanced(train, dataset.columns[options.balance])
        if not len(rows):
            raise UserError(
                Message(
                    "{@balance:{column!r}}: the column has no values to balance by.", column=options.balance
                )
            )
    return Split(rows, torch.tensor(held, dtype=torch.long))


def _groups(dataset: Dataset, column: str | None) -> list[str]:
    """The group of each picture: what its column says; without a value, all pictures of the same pixels."""
    if column is None:
        return dataset.prints
    values = zip(dataset.columns[column], dataset.prints, strict=True)
    return [f"={value}" if value is not None else print_ for value, print_ in values]


def _marks(dataset: Dataset, conditions: ConditionSpec) -> list[list[str]]:
    """The classes and tags of each picture, by which it can be asked for."""
    marks: list[list[str]] = [[] for _ in range(len(dataset))]
    for a in conditions.attributes:
        if isinstance(a, (Category, Tags)):
            for mine, value in zip(marks, dataset.columns.get(a.name, ()), strict=False):
                names = (
                    tags_of(value) if isinstance(a, Tags) else [] if value is None else [class_name(value)]
                )
                mine += [f"{a.name}={name}" for name in dict.fromkeys(names)]
    return marks


def tiny_classes(dataset: Dataset, conditions: ConditionSpec, parts: Split) -> list[str]:
    """Return a sentence that names what hardly any picture to train on shows; nothing where there is none."""
    marks, train = _marks(dataset, conditions), set(parts.train.tolist())
    counts = Counter(dict.fromkeys((mark for mine in marks for mark in mine), 0))
    counts.update(mark for i in train for mark in marks[i])
    few = sorted((count, mark) for mark, count in counts.items() if count < TINY)
    if not few:
        return []
    more = f" and {len(few) - _SHOWN:,} more" if len(few) > _SHOWN else ""
    listed = ", ".join(f"{mark} ({count})" for count, mark in few[:_SHOWN])
    return [f"too few pictures to learn much from: {listed}{more}"]


def hold_out(groups: Sequence[str], share: float, marks: Sequence[Sequence[str]] = ()) -> list[int]:
    """Return the numbers of the pictures to keep out of training: whole groups, about ``share`` of all.

    Groups are taken in the order of their hashes, so other files in the folder hardly move a picture from
    one side to the other. A group that would overshoot is passed over, and so is one that would take the last
    picture of a class: ``marks`` are the classes of each.
    """
    size = Counter(groups)
    left = Counter(mark for mine in marks for mark in mine)
    taken: dict[str, Counter[str]] = {}
    for group, mine in zip(groups, marks, strict=False):
        taken.setdefault(group, Counter()).update(mine)
    room, held = int(share * len(groups)), set()
    for group in sorted(size, key=stable_hash):
        takes = taken.get(group, Counter())
        if size[group] <= room and all(left[mark] > count for mark, count in takes.items()):
            held.add(group)
            room -= size[group]
            left -= takes
    return [i for i, group in enumerate(groups) if group in held]


def balanced(rows: Sequence[int], column: Sequence[Value]) -> Tensor:
    """Return picture numbers, (M,), in which every class of ``column`` stands equally often.

    Those of smaller classes are repeated; pictures without a class are left out.
    """
    by_class: dict[str, list[int]] = {}
    for i in rows:
        if column[i] is not None:
            by_class.setdefault(str(column[i]), []).append(i)
    most = max((len(numbers) for numbers in by_class.values()), default=0)
    repeated = [numbers[k % len(numbers)] for numbers in by_class.values() for k in range(most)]
    return torch.tensor(repeated, dtype=torch.long)
