"""On what a run is trained."""

from __future__ import annotations

from dataclasses import dataclass

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.processes import ALONE, Processes


@dataclass(frozen=True)
class Devices:
    """On what a run is trained; the result is the same to rounding."""

    processes: Processes = ALONE
    micro_batch: int | None = None
    """Most pictures that one process passes through the network at once; None is its whole share."""
    shard: bool = False
    """Each process keeps only its part of weights, averages and optimisers."""

    def check(self, batch_size: int, network: str = "small") -> None:
        """Raises UserError when a batch, or a network, cannot be divided so."""
        count = self.processes.count
        if self.micro_batch is not None and self.micro_batch < 1:
            raise UserError(
                Message("{@micro_batch} must be at least 1, not {given}.", given=self.micro_batch)
            )
        if batch_size < count:
            raise UserError(
                Message(
                    "a batch of {batch} cannot be divided among {count} processes: "
                    "start fewer, or give {@batch_size:{count}} or more.",
                    batch=batch_size,
                    count=count,
                )
            )
        if self.shard and count == 1:
            raise UserError(Message("{@shard} divides a model among processes: start several with torchrun."))
        if self.shard and batch_size % count:
            raise UserError(
                Message(
                    "{@shard} needs equal shares: {batch} pictures cannot be divided evenly among {count} "
                    "processes; start a number that divides {batch}.",
                    batch=batch_size,
                    count=count,
                )
            )
        if self.shard and network == "edm2":
            raise UserError(
                Message(
                    "{@shard} does not go with edm2, which sets the norm of its weights while it computes, "
                    "where each process has only a copy: leave out {@shard}, or choose another {@network}."
                )
            )


ONE_DEVICE = Devices()
