"""Weights in parts: each process keeps its part of every tensor, and gathers the whole where it is needed.

FSDP2 of torch does the gathering while a network computes (Zhao et al. 2023, "PyTorch FSDP: Experiences on
Scaling Fully Sharded Data Parallel"). Here is what the rest of the program must know of it: which tensors are
in parts, and how a whole one is taken apart and put together. Nothing of it is imported without parts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fogcatcher.base.processes import Processes


def shard(network: nn.Module, processes: Processes) -> None:
    """Leave to each process its part of every weight of ``network``, which goes on computing as before.

    Blocks in lists are gathered one at a time, the rest for the whole pass.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (processes.count,))
    for weight in network.parameters():
        weight.data = weight.data.contiguous()  # FSDP2 takes no other order of the numbers
    for block in [*_blocks(network), network]:
        fully_shard(block, mesh=mesh)


def _blocks(network: nn.Module) -> list[nn.Module]:
    """The members of lists: what a network calls one after another."""
    found: list[nn.Module] = []
    for child in network.children():
        if isinstance(child, nn.ModuleList):
            for member in child:
                found += _blocks(member) if isinstance(member, nn.ModuleList) else [member]
        else:
            found += _blocks(child)
    return [block for block in found if any(True for _ in block.parameters())]


def is_sharded(tensor: Tensor) -> bool:
    """Return whether this process holds only a part of the tensor."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """Return the whole tensor; where it is in parts, every process must ask."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()


def local(tensor: Tensor) -> Tensor:
    """Return the part that this process holds, sharing its memory; what is not in parts, as it is."""
    own = getattr(tensor, "to_local", None)
    return tensor if own is None else own()


def like(value: Tensor, tensor: Tensor) -> Tensor:
    """Return a whole ``value``, the same on every process, in parts as ``tensor`` is."""
    if not is_sharded(tensor):
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(tensor, DTensor)
    mesh = tensor.device_mesh
    return distribute_tensor(value.to(mesh.device_type), mesh, tensor.placements, src_data_rank=None)
