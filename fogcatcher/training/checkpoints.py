"""Training states on disk: one safetensors file each, written so that a kill leaves the old one whole."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fogcatcher.disk import write_atomically
from fogcatcher.training.fit import TrainingState

KEPT = 2


def save_state(state: TrainingState, folder: Path) -> None:
    """Write ``step-N.safetensors`` with raw weights, EMA and optimiser; keep the newest two."""
    tensors = {f"raw/{name}": value for name, value in state.denoiser.state_dict().items()}
    tensors |= {f"ema/{name}": value for name, value in state.ema.denoiser.state_dict().items()}
    for which, optimizer in enumerate(state.optimizers):
        for number, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{which}/{number}/{key}": value for key, value in values.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{state.step:09d}.safetensors"
    write_atomically(path, lambda part: save_file(tensors, part, {"step": str(state.step)}))
    for old in sorted(folder.glob("step-*.safetensors"))[:-KEPT]:
        old.unlink()


def load_newest_state(state: TrainingState, folder: Path) -> list[str]:
    """Fill ``state`` from the newest complete checkpoint; return a notice for each torn one passed over.

    Raises FileNotFoundError when there is none.
    """
    notices = []
    for path in sorted(folder.glob("step-*.safetensors"), reverse=True):
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                step = int(file.metadata()["step"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            notices.append(f"{path.name} is damaged and was passed over ({error})")
            continue
        _fill(state, tensors, step)
        return notices
    raise FileNotFoundError(f"no checkpoint in {folder}")


def _fill(state: TrainingState, tensors: dict[str, Tensor], step: int) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}

    state.denoiser.load_state_dict(part("raw/"))
    state.ema.denoiser.load_state_dict(part("ema/"))
    state.ema.updates = step
    for which, optimizer in enumerate(state.optimizers):
        _fill_optimizer(optimizer, part(f"optimizer/{which}/"))
    state.step = step


def _fill_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore an optimiser from "parameter number/key" -> tensor."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    values: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split("/")
        parameter = parameters[int(number)]
        if value.shape == parameter.shape:
            # The fused optimiser walks memory, so its moments must lie as the weights do.
            value = torch.empty_like(parameter).copy_(value)
        values.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": values, "param_groups": optimizer.state_dict()["param_groups"]})
