"""Which pictures are trained on, how often each, and which are held out for judging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fogcatcher.base.errors import Message, UserError, unknown_name
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


def split(dataset: Dataset, options: DataOptions) -> Split:
    """Part a data set as the options say: whole groups to one side, equal pictures always together.

    Raises UserError for unknown columns.
    """
    for use, column in (("column for {@group}", options.group), ("column for {@balance}", options.balance)):
        if column is not None and column not in dataset.columns:
            raise unknown_name(Message(use), column, dataset.columns)
    held = hold_out(_groups(dataset, options.group), options.hold_out)
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


def hold_out(groups: Sequence[str], share: float) -> list[int]:
    """Return the numbers of the pictures to keep out of training: whole groups, about ``share`` of all.

    Groups are taken in the order of their hashes, so other files in the folder hardly move a picture from
    one side to the other. A group that would overshoot is passed over.
    """
    size = Counter(groups)
    room, held = int(share * len(groups)), set()
    for group in sorted(size, key=stable_hash):
        if size[group] <= room:
            held.add(group)
            room -= size[group]
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
