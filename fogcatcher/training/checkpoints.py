"""Training states on disk: one safetensors file each, written so that a kill leaves the old one whole.

Each holds the hash of all that it says, and one whose hash is another is passed over: a bit that a disk or a
copy has changed must not train on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fogcatcher.base.disk import write_atomically
from fogcatcher.base.printable import in_one_line, printable
from fogcatcher.base.read_json import parsed
from fogcatcher.base.tensor_files import digest_of, most_bytes, read_tensors
from fogcatcher.base.typed_json import typed
from fogcatcher.training.fit import TrainingState
from fogcatcher.training.muon import Muon
from fogcatcher.training.setbacks import Count, Setbacks, first_not_finite
from fogcatcher.training.sharding import like, whole

KEPT = 2
DIGEST = "sha256"
TOLD = {"step", "updates", "setbacks", DIGEST}
"""What a state says of itself."""
MOMENTS: Mapping[type[torch.optim.Optimizer], frozenset[str]] = {
    torch.optim.AdamW: frozenset({"step", "exp_avg", "exp_avg_sq"}),
    Muon: frozenset({"momentum"}),
}
"""What an optimiser keeps for every parameter that it has changed."""


class NotFinite(ValueError):
    """A state that must not be saved: a number in it is infinite, or none."""


def save_state(state: TrainingState[Any], folder: Path, keep: int = KEPT) -> None:
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
    told[DIGEST] = digest_of(tensors, told)
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


def _tensors_of(state: TrainingState[Any]) -> Iterator[tuple[str, Tensor]]:
    yield from ((f"raw/{name}", value) for name, value in state.denoiser.state_dict().items())
    yield from ((f"ema/{name}", value) for name, value in state.ema.denoiser.state_dict().items())
    yield from ((f"short/{name}", value) for name, value in state.ema.short.items())
    yield from ((f"times/{name}", value) for name, value in state.memory.items())
    for which, optimizer in enumerate(state.optimizers):
        for number, values in optimizer.state_dict()["state"].items():
            yield from ((f"optimizer/{which}/{number}/{key}", value) for key, value in values.items())


def gather(state: TrainingState[Any], into: TrainingState[Any] | None) -> None:
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


def load_newest_state(state: TrainingState[Any], folder: Path) -> list[str]:
    """Fill ``state`` from the newest complete checkpoint; return a notice for each damaged one passed over.

    Raises FileNotFoundError when there is none, with the reason where there were damaged ones.
    """
    notices: list[str] = []
    most = _most_bytes(state)
    for path in sorted(folder.glob("step-*.safetensors"), reverse=True):
        try:
            tensors, told = read_tensors(path, most)
            step, updates, setbacks = _checked(tensors, told)
            _check_fit(state, tensors, trained=step > setbacks.skipped)
        except (OSError, ValueError) as error:
            notices.append(f"{path.name} is damaged and was passed over ({in_one_line(error)})")
            continue
        if DIGEST not in told:
            notices.append(
                f"{path.name} is of an older version and has no checksum: damage could not be seen"
            )
        _fill(state, tensors)
        state.ema.updates = updates
        state.step, state.setbacks, state.whole = step, setbacks, True
        return notices
    raise FileNotFoundError("; ".join([f"no whole checkpoint in {folder}", *notices[:1]]))


def _most_bytes(state: TrainingState[Any]) -> int:
    """Of a file with a state of this size: weights, two averages, and at most two moments."""
    return 5 * most_bytes(state.denoiser)


def _checked(tensors: Mapping[str, Tensor], told: dict[str, str]) -> tuple[int, int, Setbacks]:
    """Return steps, updates and setbacks. Raises ValueError where a state is not as it was written."""
    unknown = told.keys() - TOLD
    if unknown:
        raise ValueError(f"it says {printable(min(unknown), 40)!r}, which this version does not know")
    said = {name: value for name, value in told.items() if name != DIGEST}
    if DIGEST in told and told[DIGEST] != digest_of(tensors, said):
        raise ValueError("its checksum is another")
    step: int = typed(_whole(told, "step"), Count, "step")
    updates: int = typed(_whole(told, "updates") if "updates" in told else step, Count, "updates")
    setbacks: Setbacks = typed(parsed(told.get("setbacks", "{}")), Setbacks, "setbacks")
    if max(updates, setbacks.skipped) > step:
        raise ValueError("it counts more updates than steps")
    wrong = first_not_finite(tensors.items())
    if wrong:
        raise NotFinite(f"{printable(wrong, 80)} is not finite")
    return step, updates, setbacks


def _whole(told: Mapping[str, str], name: str) -> int:
    if not re.fullmatch(r"\d{1,18}", told.get(name, "")):
        raise ValueError(f"its {name} is no whole number from 0")
    return int(told[name])


def _check_fit(state: TrainingState[Any], tensors: Mapping[str, Tensor], trained: bool) -> None:
    """Raises ValueError, with the first tensor that is missing, too many or of another shape, unless these
    are all that ``state`` is made of. Where it has ``trained``, its optimisers have kept something.
    """
    wanted = dict(_tensors_of(state))
    of_optimizer = {name for name in tensors if name.startswith("optimizer/")}
    needed = {name for name in wanted if name.startswith(("raw/", "ema/"))}  # the rest is younger than they
    for name in sorted((needed | tensors.keys()) - of_optimizer):
        if name not in tensors or name not in wanted or tensors[name].shape != wanted[name].shape:
            raise ValueError(f"{printable(name, 80)!r} is not that of this network")
    if trained and not of_optimizer:
        raise ValueError("it has nothing of the optimiser")
    kept: dict[tuple[int, int], set[str]] = {}
    for name in of_optimizer:
        place = re.fullmatch(r"optimizer/(\d{1,3})/(\d{1,6})/(\w+)", name)
        if not place or not _belongs(state, tensors[name], int(place[1]), int(place[2]), place[3]):
            raise ValueError(f"{printable(name, 80)!r} is not that of this optimiser")
        kept.setdefault((int(place[1]), int(place[2])), set()).add(place[3])
    for (which, number), keys in kept.items():
        if keys != MOMENTS[type(state.optimizers[which])]:
            raise ValueError(f"something of parameter {number} of the optimiser is missing")


def _belongs(state: TrainingState[Any], value: Tensor, which: int, number: int, key: str) -> bool:
    """Whether this optimiser keeps such a tensor for this parameter."""
    if which >= len(state.optimizers):
        return False
    optimizer = state.optimizers[which]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if number >= len(parameters) or key not in MOMENTS[type(optimizer)]:
        return False
    return value.ndim == 0 if key == "step" else value.shape == parameters[number].shape


def _fill(state: TrainingState[Any], tensors: dict[str, Tensor]) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}

    _load(state.denoiser, part("raw/"))
    _load(state.ema.denoiser, part("ema/"))
    for name, average in state.ema.short.items():
        # States of before there were two averages begin the second one here.
        average.copy_(like(tensors.get(f"short/{name}", tensors[f"ema/{name}"]), average))
    for name, value in state.memory.items():
        saved = tensors.get(f"times/{name}")
        if saved is not None and saved.shape == value.shape:
            value.copy_(saved)
    for which, optimizer in enumerate(state.optimizers):
        _fill_optimizer(optimizer, part(f"optimizer/{which}/"))


def _load(denoiser: nn.Module, tensors: dict[str, Tensor]) -> None:
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
