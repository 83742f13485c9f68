"""What a step of training minimises: the one thing that ``fit`` asks of an objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from fogcatcher.diffusion.tensors import Condition, Samples

Learner = TypeVar("Learner", contravariant=True)


@runtime_checkable
class Lesson(Protocol[Learner]):
    """The mean loss of one batch, (B, ...) with its condition, for a network; the same for the same
    generator.

    The objectives of denoisers are lessons (``diffusion/objectives.py``), and so is that of autoencoders.
    """

    @property
    def memory(self) -> Mapping[str, Tensor]:
        """What it learns on the way, saved with the run and filled again in place."""
        ...

    def __call__(
        self, network: Learner, x0: Samples, cond: Condition | None, generator: torch.Generator, /
    ) -> Tensor: ...
