"""Training states on disk: one safetensors file each, written so that a kill leaves the old one whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fogcatcher.base.disk import write_atomically
from fogcatcher.base.read_json import parsed
from fogcatcher.base.typed_json import typed
from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.training.fit import TrainingState
from fogcatcher.training.setbacks import Count, Setbacks, first_not_finite
from fogcatcher.training.sharding import like, whole

KEPT = 2


class NotFinite(ValueError):
    """A state that must not be saved: a number in it is infinite, or none."""


def save_state(state: TrainingState, folder: Path, keep: int = KEPT) -> None:
    """Write ``step-N.safetensors`` with raw weights, averages and optimiser; keep the newest ``keep``.

    Raises NotFinite, and writes nothing, when a number is not finite; OSError when the disk takes no more.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in _tensors_of(state)}
    wrong = first_not_finite(tensors.items())
    if wrong:
        raise NotFinite(f"{wrong} is not finite")
    told = {
        "step": str(state.step),
        "updates": str(state.ema.updates),
        "setbacks": json.dumps(asdict(state.setbacks)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{state.step:09d}.safetensors"
    write_atomically(path, lambda part: save_file(tensors, part, told))
    others = [] if folder.is_symlink() else sorted(folder.glob("step-*.safetensors"))
    # What claims to be newer was damaged, or this state would have come from it.
    kept = [other for other in others if other.name <= path.name][-keep:]
    for other in others:
        if other not in kept:
            other.unlink()


def checkpoints_in(folder: Path) -> frozenset[str]:
    """Return the names of the checkpoints in a folder, which need not be there."""
    return frozenset(path.name for path in folder.glob("step-*.safetensors"))


def _tensors_of(state: TrainingState) -> Iterator[tuple[str, Tensor]]:
    yield from ((f"raw/{name}", value) for name, value in state.denoiser.state_dict().items())
    yield from ((f"ema/{name}", value) for name, value in state.ema.denoiser.state_dict().items())
    yield from ((f"short/{name}", value) for name, value in state.ema.short.items())
    for which, optimizer in enumerate(state.optimizers):
        for number, values in optimizer.state_dict()["state"].items():
            yield from ((f"optimizer/{which}/{number}/{key}", value) for key, value in values.items())


def gather(state: TrainingState, into: TrainingState | None) -> None:
    """Copy a state whose tensors are in parts into a whole one, which only the first process has.

    Every process must call this; one tensor at a time is whole on all of them.
    """
    found = {}
    for name, value in _tensors_of(state):
        gathered = whole(value.detach())
        if into is not None:
            found[name] = gathered.cpu()
    if into is not None:
        _fill(into, found)
        into.ema.updates = state.ema.updates
        into.step, into.setbacks, into.whole = state.step, state.setbacks, state.whole


def load_newest_state(state: TrainingState, folder: Path) -> list[str]:
    """Fill ``state`` from the newest complete checkpoint; return a notice for each damaged one passed over.

    Raises FileNotFoundError when there is none.
    """
    notices = []
    for path in sorted(folder.glob("step-*.safetensors"), reverse=True):
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                told = dict(file.metadata() or {})
            step: int = typed(int(told["step"]), Count, "step")
            updates: int = typed(int(told.get("updates", step)), Count, "updates")
            setbacks: Setbacks = typed(parsed(told.get("setbacks", "{}")), Setbacks, "setbacks")
            wrong = first_not_finite(tensors.items())
            if wrong:
                raise NotFinite(f"{wrong} is not finite")
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            notices.append(f"{path.name} is damaged and was passed over ({error})")
            continue
        _fill(state, tensors)
        state.ema.updates = updates
        state.step, state.setbacks, state.whole = step, setbacks, True
        return notices
    raise FileNotFoundError(f"no checkpoint in {folder}")


def _fill(state: TrainingState, tensors: dict[str, Tensor]) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}

    _load(state.denoiser, part("raw/"))
    _load(state.ema.denoiser, part("ema/"))
    for name, average in state.ema.short.items():
        # States of before there were two averages begin the second one here.
        average.copy_(like(tensors.get(f"short/{name}", tensors[f"ema/{name}"]), average))
    for which, optimizer in enumerate(state.optimizers):
        _fill_optimizer(optimizer, part(f"optimizer/{which}/"))


def _load(denoiser: Denoiser, tensors: dict[str, Tensor]) -> None:
    own = denoiser.state_dict()
    denoiser.load_state_dict({n: like(v, own[n]) if n in own else v for n, v in tensors.items()})


def _fill_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore an optimiser from "parameter number/key" -> tensor."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    values: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split("/")
        parameter = parameters[int(number)]
        if value.shape == parameter.shape:
            # The fused optimiser walks memory, so its moments must lie as the weights do.
            value = torch.empty_like(parameter).copy_(like(value, parameter))
        values.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": values, "param_groups": optimizer.state_dict()["param_groups"]})
