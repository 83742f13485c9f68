"""In which precision a network computes while it learns; weights, averages and losses are always float32."""

from __future__ import annotations

import torch

from fogcatcher.base.errors import known_name

PRECISIONS = ("auto", "float32", "bfloat16")


def precision_on(device: torch.device, asked: str = "auto") -> str:
    """Return "float32" or "bfloat16". auto is bfloat16 on GPUs that compute in it, else float32.

    Never float16, whose range gradients leave. Raises UserError for an unknown name.
    """
    asked = known_name("precision", asked, PRECISIONS, about="precision")
    if asked != "auto":
        return asked
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if native else "float32"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which products and convolutions are of this precision, and all else as ever."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
