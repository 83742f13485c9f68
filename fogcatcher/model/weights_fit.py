"""What a network would be, found before any room is made for it: a stranger's config may ask for any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from fogcatcher.base.errors import UserError


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Return a network whose tensors have shapes and no numbers. Raises UserError where there is none."""
    try:
        with torch.device("meta"):
            return build()
    except UserError:
        raise
    except Exception as error:  # whatever torch stumbles over, it is what the network was to be built from
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise UserError(f"no network can be built so ({said}): look at the sizes in its config.") from error


def check_weights(build: Callable[[], nn.Module], weights: Mapping[str, Tensor]) -> None:
    """Raises ValueError, with the first tensor that differs, unless these are the weights of this network;
    UserError where there can be no such network.
    """
    wanted = _shapes(on_meta(build).state_dict())
    given = _shapes(weights)
    for name in sorted(wanted.keys() | given.keys()):
        if wanted.get(name) != given.get(name):
            there, here = (shapes.get(name, "not there") for shapes in (given, wanted))
            raise ValueError(f"{name[:100]!r} is {there}, and should be {here}")


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in weights.items()}
