"""Where a model computes."""

from __future__ import annotations

import torch
from torch import nn


def computed_by(device: torch.device) -> str:
    """Return what the last bits of a picture depend on, beside its recipe."""
    unit = torch.backends.cpu.get_cpu_capability() if device.type == "cpu" else device.type
    return f"torch {torch.__version__}, {unit}, threads: {torch.get_num_threads()}"


def device_of(module: nn.Module) -> torch.device:
    """Return where the weights of a network lie."""
    return next(module.parameters()).device


def best_device() -> torch.device:
    """Return the GPU if there is one that counts in float64, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
