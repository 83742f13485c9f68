"""What a network would be, found before any room is made for it: a stranger's config may ask for any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import in_one_line, printable
from fogcatcher.training.setbacks import first_not_finite


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Return a network whose tensors have shapes and no numbers. Raises UserError where there is none."""
    try:
        with torch.device("meta"):
            return build()
    except UserError:
        raise
    except Exception as error:  # whatever torch stumbles over, it is what the network was to be built from
        said = in_one_line(error)
        raise UserError(f"no network can be built so ({said}): look at the sizes in its config.") from error


def check_weights(blank: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Raises ValueError, with the first tensor that differs, unless these are the weights of a network, which
    may be on meta, and all of them numbers.
    """
    wanted = blank.state_dict()
    for name in sorted(wanted.keys() | weights.keys()):
        there, here = (_in_words(tensors.get(name)) for tensors in (weights, wanted))
        if there != here:
            raise ValueError(f"{printable(name, 100)!r} is {there}, and should be {here}")
    wrong = first_not_finite(weights.items())
    if wrong:
        raise ValueError(f"{printable(wrong, 100)!r} holds what is no number")


def _in_words(tensor: Tensor | None) -> str:
    """What must be alike."""
    if tensor is None:
        return "not there"
    kind = "" if tensor.is_floating_point() else f" of {str(tensor.dtype).removeprefix('torch.')}"
    return f"{tuple(tensor.shape)}{kind}"
