"""Earlier weights of a run: those of its averages, and those of the checkpoints that were kept."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import in_one_line
from fogcatcher.base.tensor_files import most_bytes, read_tensors
from fogcatcher.model.model import Model
from fogcatcher.training.post_hoc import AVERAGES, snapshot

STATES = "state"
TENSORS_OF_A_STATE = 5
"""Of the size of the weights: themselves, two averages, and at most two moments."""
Which = Literal["average", "raw"]


@dataclass(frozen=True)
class Kept:
    """Weights as they were after one step of a run."""

    step: int
    path: Path

    @property
    def is_state(self) -> bool:
        """Whether it is a checkpoint, which has the weights themselves beside their average."""
        return self.path.parent.name == STATES


def kept_weights(folder: Path | None) -> list[Kept]:
    """Return all that a run has kept, the earliest first; nothing without a run."""
    found = [] if folder is None else [*folder.glob(f"{AVERAGES}/*"), *folder.glob(f"{STATES}/*")]
    named = ((re.fullmatch(r"step-(\d{1,18})\.safetensors", path.name), path) for path in found)
    return sorted((Kept(int(m[1]), path) for m, path in named if m), key=lambda k: (k.step, k.is_state))


def model_at(model: Model, kept: Kept, which: Which = "average") -> Model:
    """Return a model with other weights of its run: their average, or (of a checkpoint) they themselves.

    Raises UserError where they cannot be read or do not fit.
    """
    most = TENSORS_OF_A_STATE * most_bytes(model.denoiser)
    denoiser = copy.deepcopy(model.denoiser)
    try:
        if kept.is_state:
            prefix = "ema/" if which == "average" else "raw/"
            tensors = read_tensors(kept.path, most)[0]
            weights = {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
        else:
            weights = snapshot(kept.path.parent, kept.step, most)
        denoiser.load_state_dict(weights)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{kept.path} cannot be used: {in_one_line(error)}.") from error
    return Model(denoiser, model.config, model.conditions, folder=model.folder, palette=model.palette)
