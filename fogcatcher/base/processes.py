"""Which of how many processes is this, what is its share of the work, and what do all of them agree on?

``torchrun`` and ``accelerate launch`` start the same command several times and say so in the environment. One
process alone asks nobody, and imports nothing of torch.distributed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor

from fogcatcher.base.errors import UserError

T = TypeVar("T")
BUCKET = 2**23
"""Numbers that are sent at once: many small tensors in one message, and large ones without a second copy."""
PATIENCE = timedelta(days=1)
"""The others wait while the first reads a large set or draws; who has died, the launcher notices."""


@dataclass(frozen=True)
class Processes:
    """This process among all that do the same work. What they add up is the same to the bit on each."""

    rank: int = 0
    """Number of this process."""
    count: int = 1
    """How many there are, on all machines."""
    local_rank: int = 0
    """Number of this process on its machine."""

    @property
    def is_first(self) -> bool:
        """Whether this is the one that prints and writes."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """Return which of n rows are this process's: one after another, as evenly as n allows."""
        return slice(self.rank * n // self.count, (self.rank + 1) * n // self.count)

    def dealt(self, n: int, size: int) -> list[slice]:
        """Return which of n rows, in whole parts of ``size``, are this process's: every count-th part."""
        return [slice(i, min(i + size, n)) for i in range(self.rank * size, n, self.count * size)]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, which have tensors of the same shapes."""
        if self.count == 1:
            return
        from torch.distributed import all_reduce

        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.detach().flatten() for tensor in bucket])
            all_reduce(flat)
            for tensor, part in zip(bucket, flat.split([t.numel() for t in bucket]), strict=True):
                tensor.detach().copy_(part.view(tensor.shape))

    def any(self, said: bool) -> bool:
        """Return whether any process says so."""
        found = torch.tensor([float(said)])
        self.sum([found])
        return bool(found > 0)

    def first(self, value: float) -> float:
        """Return what the first process says."""
        said = torch.tensor([value if self.is_first else 0.0], dtype=torch.float64)
        self.sum([said])
        return said.item()

    def wait(self) -> None:
        """Return when every process has come here."""
        self.any(False)

    def gathered(self, mine: T) -> list[T]:
        """Return what each process has, in the order of their numbers, when every process has come here."""
        if self.count == 1:
            return [mine]
        from torch.distributed import all_gather_object

        found: list[Any] = [None] * self.count
        all_gather_object(found, mine)
        return found

    @contextmanager
    def first_of_each_machine_first(self) -> Iterator[None]:
        """Around work that leaves something on the machine's disk, which the others then find there."""
        if self.local_rank:
            self.wait()
        try:
            yield
        finally:
            if not self.local_rank:
                self.wait()


ALONE = Processes()


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one type and device, about ``BUCKET`` numbers together."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        alike = not bucket or (bucket[0].dtype, bucket[0].device) == (tensor.dtype, tensor.device)
        if bucket and (not alike or sum(t.numel() for t in bucket) + tensor.numel() > BUCKET):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def told() -> Processes:
    """Return what the launcher says in RANK, WORLD_SIZE and LOCAL_RANK; alone where it says nothing."""
    try:
        rank, count, local = (int(os.environ.get(name, d)) for name, d in _TOLD)
    except ValueError as error:
        raise UserError(
            "RANK, WORLD_SIZE and LOCAL_RANK are whole numbers that a launcher sets: unset them."
        ) from error
    if count > 1 and not 0 <= local <= rank < count:
        raise UserError(f"RANK {rank} of WORLD_SIZE {count} and LOCAL_RANK {local} cannot be: unset them.")
    return Processes(rank, count, local) if count > 1 else ALONE


_TOLD = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))


@contextmanager
def joined() -> Iterator[Processes]:
    """Yield this process among the others, connected; each has a GPU of its own where there are enough.

    Tensors on GPUs go through NCCL, or through gloo where processes must share a GPU; all else through gloo.
    """
    processes = told()
    if processes.count == 1:
        yield processes
        return
    from torch import distributed

    if distributed.is_initialized():
        yield processes
        return
    backend, here = "gloo", int(os.environ.get("LOCAL_WORLD_SIZE", processes.count))
    if torch.cuda.is_available():
        torch.cuda.set_device(processes.local_rank % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.device_count() >= here else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield processes
    finally:
        distributed.destroy_process_group()
