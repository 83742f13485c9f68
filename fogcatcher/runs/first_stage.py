"""The autoencoder in whose latents a new run draws: one that was given, or one that is trained first.

What is trained first lies in the run's own folder, where any run keeps its autoencoder; so after a kill the
same command goes on with it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.kind import Kind
from fogcatcher.data.latents.first_stage import FirstStage
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.reading import Dataset
from fogcatcher.exchange.diffusers_autoencoder import open_autoencoder
from fogcatcher.model.autoencoder_files import FOLDER, load_autoencoder
from fogcatcher.model.config import Method
from fogcatcher.model.places import CONFIG
from fogcatcher.runs.autoencoder import (
    FACTORS,
    FACTS,
    AutoencoderRun,
    AutoencoderSetup,
    prepare_autoencoder,
    resume_autoencoder,
)
from fogcatcher.runs.choose_method import method_of
from fogcatcher.runs.forecast import DEFAULT_MINUTES
from fogcatcher.runs.setup import Setup, is_network_chosen

AUTO, PIXELS = "auto", "none"
"""What ``Setup.latents`` may say but the name of an autoencoder."""
LARGE = 64
"""Pixels of the shorter side from which photographs were drawn better in latents (docs/experiments.md)."""
LATENT_SIDE = 32
"""Longest side of latents: pictures are made smaller by the least factor that keeps to it, from 4."""
SHARE = 0.35
"""Of the time, for the autoencoder."""
STEPS_SHARE = 0.5
"""Its steps for each of the model's, where these are given: about that share of the time."""

TrainFirst = Callable[[AutoencoderRun], None]
"""Trains an autoencoder to its end; else it raises."""


def given_stage(setup: Setup) -> FirstStage | None:
    """Return the autoencoder that was asked for by name. Raises UserError where it cannot be."""
    if setup.latents in (AUTO, PIXELS):
        return None
    if setup.upscale:
        raise UserError(Message("an upscaler draws pixels: give {@upscale} or {@latents}, not both."))
    return open_autoencoder(Path(setup.latents))


def auto_factor(setup: Setup, kind: Kind, dataset: Dataset) -> int | None:
    """Return by how much latents are to be smaller where auto takes them, else None.

    It does for large photographs, where nothing else was said about the network.
    """
    if setup.latents != AUTO or setup.upscale or setup.augment not in (AUTO, PIXELS):
        return None
    if is_network_chosen(setup) or method_of(setup) != Method() or setup.start_from not in (AUTO, PIXELS):
        return None
    if not isinstance(kind, PictureSpec) or min(kind.height, kind.width) < LARGE:
        return None
    longest = max(kind.height, kind.width)
    factor = next((f for f in FACTORS[1:] if longest <= LATENT_SIDE * f), FACTORS[-1])
    divided = kind.height % factor == 0 and kind.width % factor == 0
    return factor if divided and (dataset.pixel_art or 0.0) < 0.5 else None


def trained_first(setup: Setup, folder: Path, factor: int, train_first: TrainFirst) -> FirstStage:
    """Return the autoencoder in the folder of a run, trained, or trained on, as far as it was to be.

    Raises UserError for what lies there of other pictures, and what ``train_first`` raises.
    """
    place = folder / FOLDER
    if (place / FACTS).exists():
        run = resume_autoencoder(place, setup.data)
    else:
        minutes = DEFAULT_MINUTES if setup.minutes is None else setup.minutes
        run = prepare_autoencoder(
            AutoencoderSetup(
                setup.data,
                place,
                setup.options,
                factor=factor,
                minutes=SHARE * minutes if setup.steps is None else None,
                steps=None if setup.steps is None else max(1, round(STEPS_SHARE * setup.steps)),
                seed=setup.seed,
            )
        )
    train_first(run)
    return load_autoencoder(place)


def stopped_before(folder: Path) -> bool:
    """Whether a run was stopped while its autoencoder was trained: there is nothing else of it yet."""
    return (folder / FOLDER / FACTS).exists() and not (folder / CONFIG).exists()
