"""A denoiser for other programs: plain tensors in their order, so that it can be written down as a graph."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.flow_maps import AlongGrid, FlowMap
from fogcatcher.diffusion.tensors import Samples, TimeGrid, Times
from fogcatcher.model.model import Model


class Wrapped(nn.Module):
    """``denoiser(x_t, t, cond)`` with the attributes of ``cond`` as further inputs, ordered as ``names``.

    A flow map is told that each of its steps goes to the next lower one of ``times``, (N + 1,).
    """

    def __init__(self, denoiser: Denoiser, names: tuple[str, ...], times: TimeGrid | None = None) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.names = names
        self.register_buffer("times", times)

    def forward(self, x_t: Samples, t: Times, *conditions: Tensor) -> Samples:
        """Return x0_hat, (B, ...), of ``x_t``, (B, ...), at ``t``, (B,), for conditions (B, k) each."""
        ask = self.denoiser if self.times is None else AlongGrid(self.denoiser, self.get_buffer("times"))
        return ask(x_t, t, dict(zip(self.names, conditions, strict=True)))


def program_of(model: Model) -> ExportedProgram:
    """Return the graph of a model's denoiser, on the CPU, for any number of pictures at once.

    Inputs are x_t, (B, C, H, W) float32; t, (B,) float64; and one (B, k) float32 per attribute, in the order
    of the model's conditions. The output is x0_hat, (B, C, H, W). The preconditioning is inside; so is, in a
    model that draws in several numbers of steps, where each of the most of them goes.
    """
    attributes = model.conditions.attributes
    # torch.export.save wants the weights in the plain order of memory.
    denoiser = copy.deepcopy(model.denoiser).cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    x_t = torch.zeros(2, *model.config.kind.shape)
    t = torch.full((2,), 0.5, dtype=torch.float64)
    conditions = [torch.zeros(2, a.features) for a in attributes]
    rows = {0: Dim("batch")}
    shapes = (rows, rows, *([tuple(rows for _ in attributes)] if attributes else []))
    times = model.times(model.usual) if isinstance(denoiser, FlowMap) else None
    wrapped = Wrapped(denoiser, tuple(a.name for a in attributes), times).eval()
    with torch.no_grad():
        program = torch.export.export(wrapped, (x_t, t, *conditions), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program
