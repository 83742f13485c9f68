"""An autoencoder on disk: its shape and its pictures as JSON, its weights beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, cast

from safetensors.torch import save_file

from fogcatcher.base.devices import best_device
from fogcatcher.base.disk import write_atomically, write_text
from fogcatcher.base.errors import UserError
from fogcatcher.base.memory import check_room
from fogcatcher.base.printable import in_one_line
from fogcatcher.base.read_json import read_json
from fogcatcher.base.tensor_files import file_hash, most_bytes, read_tensors
from fogcatcher.base.typed_json import Range
from fogcatcher.data.kind import Kind
from fogcatcher.data.latents.first_stage import FirstStage
from fogcatcher.data.latents.spec import LatentSpec, open_stage
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.model.weights_fit import check_weights, on_meta
from fogcatcher.networks.autoencoder import Autoencoder, AutoencoderShape

FOLDER = "autoencoder"
"""In the folder of a model that draws latents."""
WEIGHTS, FACTS = "autoencoder.safetensors", "autoencoder.json"
BESIDE = (f"{FOLDER}/{WEIGHTS}", f"{FOLDER}/{FACTS}")
"""Both, as seen from the folder of such a model."""


@dataclass(frozen=True)
class _Facts:
    """What ``autoencoder.json`` holds."""

    format: Annotated[int, Range(1, 1)]
    network: AutoencoderShape
    pictures: PictureSpec


def save_autoencoder(stage: FirstStage, folder: Path) -> None:
    """Write weights and JSON into ``folder``, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / WEIGHTS, lambda part: save_file(stage.tensors(), part))
    facts = asdict(_Facts(1, stage.network.shape, stage.pictures))
    write_text(folder / FACTS, json.dumps(facts, indent=2) + "\n")


def is_autoencoder(folder: Path) -> bool:
    """Return whether an autoencoder lies in a folder."""
    return (folder / FACTS).exists()


def load_autoencoder(folder: Path) -> FirstStage:
    """Return the autoencoder in a folder. Raises UserError where there is none, or it is damaged."""
    if not is_autoencoder(folder):
        raise UserError(f"{folder} holds no autoencoder: train one with fogcatcher train-autoencoder.")
    try:
        facts = read_json(folder / FACTS, _Facts)
        if facts.network.channels != facts.pictures.channels:
            raise ValueError("its pictures and its network have not the same channels")
        blank = on_meta(lambda: Autoencoder(facts.network))
        weights, _ = read_tensors(folder / WEIGHTS, most_bytes(blank))
        check_weights(blank, weights)
        check_room(sum(weight.numel() for weight in weights.values()), 2)
        network = cast(Autoencoder, blank.to_empty(device="cpu"))
        network.load_state_dict(weights)
        digest = file_hash(folder / WEIGHTS)
    except (ValueError, OSError, RuntimeError, UserError) as error:
        said = in_one_line(error)
        raise UserError(f"the autoencoder in {folder} is damaged: train it again ({said}).") from error
    return FirstStage(network.to(best_device()), facts.pictures, digest)


def save_stage_of(kind: Kind, folder: Path) -> None:
    """Write the autoencoder of a model of latents into its ``folder``, so that it can be moved; else
    nothing."""
    if isinstance(kind, LatentSpec):
        save_autoencoder(kind.stage, folder / FOLDER)


def open_stage_of(kind: Kind, folder: Path) -> None:
    """Open the autoencoder of a model of latents in its ``folder``; other kinds have none.

    Raises UserError where it is missing, damaged, or not the one that the model was trained with.
    """
    if not isinstance(kind, LatentSpec):
        return
    stage = load_autoencoder(folder / FOLDER)
    fits = stage.network.shape.latent == kind.channels and stage.factor == kind.factor
    if stage.hash != kind.autoencoder or not fits:
        raise UserError(
            f"the autoencoder in {folder / FOLDER} is not the one that this model was trained with "
            f"({stage.hash} instead of {kind.autoencoder}): put that one back."
        )
    stage.check(kind.pictures)
    open_stage(stage)
