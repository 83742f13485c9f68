"""Which pictures every training step sees: a function of the seed and the step, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from fogcatcher.data.spec import Pictures, to_model
from fogcatcher.randomness import step_generator
from fogcatcher.tensors import Condition, Samples


@dataclass
class Batches:
    """A data set held as one uint8 tensor, (N, C, H, W), on the device that trains.

    Pass after pass in random order, without a last short batch: a set of 3 serves batches of 64.
    """

    pictures: Pictures
    condition: Condition
    seed: int = 0
    _pass: tuple[int, Tensor] = field(default=(-1, torch.empty(0, dtype=torch.long)), repr=False)

    def indices(self, step: int, size: int) -> Tensor:
        """Return the (size,) picture numbers of step 0, 1, ...: a slice of all passes laid end to end."""
        n, parts, position = len(self.pictures), [], step * size
        while position < (step + 1) * size:
            number, start = divmod(position, n)
            if self._pass[0] != number:
                order = torch.randperm(n, generator=step_generator(self.seed, number, "order"))
                self._pass = (number, order)
            part = self._pass[1][start : start + (step + 1) * size - position]
            parts.append(part)
            position += len(part)
        return torch.cat(parts)

    def at(self, step: int, size: int) -> tuple[Samples, Condition]:
        """Return x0, (size, C, H, W) in [-1, 1], and the condition of one step."""
        chosen = self.indices(step, size).to(self.pictures.device)
        condition = {name: weights[chosen] for name, weights in self.condition.items()}
        return to_model(self.pictures[chosen]), condition

    def to(self, device: torch.device) -> Batches:
        condition = {name: weights.to(device) for name, weights in self.condition.items()}
        return Batches(self.pictures.to(device), condition, self.seed)
