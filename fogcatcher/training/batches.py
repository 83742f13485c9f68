"""What every training step sees: a function of the seed and the step, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fogcatcher.data.pictures.augmentation import NAME, Augmentation
from fogcatcher.data.pictures.spec import to_model
from fogcatcher.data.pictures.store import PictureTensor
from fogcatcher.data.pictures.upscaling import Upscaling
from fogcatcher.diffusion.randomness import step_generator
from fogcatcher.diffusion.tensors import Condition, Samples
from fogcatcher.diffusion.upscaling import UPSCALING
from fogcatcher.training.condition_dropout import ConditionDropout

NO_DROPOUT = ConditionDropout(0.0)
WHOLE = slice(None)


@dataclass
class Batches:
    """A data set, (N, C, ...): on the device that trains, or on disk if it is too large for memory.

    Pass after pass in random order, without a last short batch: a set of 3 serves batches of 64.
    """

    data: PictureTensor
    """Rows of any kind of data; uint8 pictures unless ``to_model`` says otherwise."""
    condition: Condition
    seed: int = 0
    rows: Tensor | None = None
    """Numbers of one pass, (M,), some perhaps several times; None is every row of the data once."""
    dropout: ConditionDropout = NO_DROPOUT
    augmentation: Augmentation = field(default_factory=Augmentation)
    to_model: Callable[[Tensor], Samples] = to_model
    """From rows to samples, about [-1, 1]."""
    upscaling: Upscaling | None = None
    """How each sample is told its own small picture; None where it is not."""
    _pass: tuple[int, Tensor] = field(default=(-1, torch.empty(0, dtype=torch.long)), repr=False)

    def indices(self, step: int, size: int) -> Tensor:
        """Return the (size,) row numbers of step 0, 1, ...: a slice of all passes laid end to end."""
        n = len(self.data) if self.rows is None else len(self.rows)
        parts, position = [], step * size
        while position < (step + 1) * size:
            number, start = divmod(position, n)
            if self._pass[0] != number:
                order = torch.randperm(n, generator=step_generator(self.seed, number, "order"))
                self._pass = (number, order)
            part = self._pass[1][start : start + (step + 1) * size - position]
            parts.append(part)
            position += len(part)
        chosen = torch.cat(parts)
        return chosen if self.rows is None else self.rows[chosen]

    def at(
        self, step: int, size: int, device: torch.device | None = None, share: slice = WHOLE
    ) -> tuple[Samples, Condition]:
        """Return x0, (size, C, ...) in [-1, 1], and the condition of one step, on ``device``.

        Pictures are augmented, and the condition says how; other attributes are dropped at random. ``share``
        are the rows of the batch that are wanted: they are the same whether the others are or not.
        """
        device = device or torch.device("cpu")
        chosen = self.indices(step, size)
        x0 = self.to_model(self.data[chosen[share].to(self.data.device)].to(device))
        condition = {name: rows[chosen.to(rows.device)].to(device) for name, rows in self.condition.items()}
        condition = self.dropout(condition, step_generator(self.seed, step, "dropout", device))
        condition = {name: rows[share] for name, rows in condition.items()}
        if self.augmentation:
            generator = step_generator(self.seed, step, "augmentation")
            x0, told = self.augmentation(x0, generator, size, share)
            condition = {**condition, NAME: told}
        if self.upscaling:
            generator = step_generator(self.seed, step, "upscaling")
            condition = {**condition, UPSCALING: self.upscaling(x0, generator, size, share)}
        return x0, condition

    def to(self, device: torch.device) -> Batches:
        """Move what is in memory to the device."""
        data = self.data.to(device) if isinstance(self.data, Tensor) else self.data
        return replace(self, data=data, condition={name: c.to(device) for name, c in self.condition.items()})
