"""A trained classifier of noisy pictures, as it lies in RUN/classifier and guides the model of that run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from safetensors.torch import save_file
from torch import Tensor

from fogcatcher.base.disk import write_atomically, write_text
from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import in_one_line
from fogcatcher.base.read_json import read_json
from fogcatcher.base.tensor_files import file_hash, most_bytes, read_tensors
from fogcatcher.base.typed_json import Range
from fogcatcher.data.conditions.conditions import Category, ConditionSpec
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.denoiser import EDMPreconditioning
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.tensors import Condition, PerSample, Samples, Times, expand_to
from fogcatcher.model.weights_fit import check_weights, on_meta
from fogcatcher.networks.noisy_classifier import NoisyClassifier

FOLDER = "classifier"
WEIGHTS, FACTS = "classifier.safetensors", "classifier.json"


@dataclass(frozen=True)
class _Facts:
    """What ``classifier.json`` holds."""

    format: Annotated[int, Range(1, 1)]
    attributes: Mapping[str, tuple[str, ...]]
    width: Annotated[int, Range(1, 65_536)]


@dataclass(frozen=True)
class TrainedClassifier:
    """One network that names every attribute of classes, all at once, at any noise level of a process."""

    network: NoisyClassifier
    process: Process
    sigma_data: float
    attributes: Mapping[str, tuple[str, ...]]
    """Attribute -> its classes; the network answers for all of them side by side."""
    width: int
    hash: str = "unsaved"

    def log_probs(self, x_t: Samples, t: Times) -> dict[str, Tensor]:
        """Return attribute -> (B, classes), log p(class | x_t) for ``x_t``, (B, C, H, W), at times (B,)."""
        scaling = EDMPreconditioning(sigma_data=self.sigma_data)
        schedule = self.process.schedule
        c_in = scaling.c_in(schedule.alpha(t), schedule.sigma(t))
        label = scaling.c_noise(schedule, t).to(x_t)
        logits = self.network(expand_to(c_in, x_t) * x_t, label)
        parts = logits.split([len(classes) for classes in self.attributes.values()], dim=1)
        return {name: torch.log_softmax(part, 1) for name, part in zip(self.attributes, parts, strict=True)}

    def log_prob(self, x_t: Samples, t: Times, cond: Condition) -> PerSample:
        """Return the sum over attributes and classes of weight x log p(class | x_t), (B,).

        For one class of one attribute it is log p(c | x_t); a mix weighs the classes; what is not said, or
        is no attribute of classes, counts nothing.
        """
        log_p = self.log_probs(x_t, t)
        return torch.stack([(cond[name].to(x_t) * log_p[name]).sum(1) for name in log_p]).sum(0)

    def save(self, run: Path) -> Path:
        """Write weights and JSON into RUN/classifier and return that folder."""
        folder = run / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        write_atomically(folder / WEIGHTS, lambda part: save_file(tensors, part))
        facts = {"format": 1, "attributes": self.attributes, "width": self.width}
        text = json.dumps(facts, indent=2) + "\n"
        write_text(folder / FACTS, text)
        return folder


def new_classifier(
    conditions: ConditionSpec, pictures: PictureSpec, process: Process, width: int = 32, seed: int = 0
) -> TrainedClassifier:
    """Return an untrained classifier of all attributes of classes; its weights follow from the seed.

    Raises UserError where a model has none.
    """
    attributes = _classes_of(conditions)
    if not attributes:
        raise UserError(
            "this model knows no classes, so a classifier has nothing to tell apart: "
            "train a model with labels first."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = NoisyClassifier(pictures.channels, sum(map(len, attributes.values())), width)
    return TrainedClassifier(network.eval(), process, pictures.sigma_data, attributes, width)


def _classes_of(conditions: ConditionSpec) -> dict[str, tuple[str, ...]]:
    return {a.name: a.classes for a in conditions.attributes if isinstance(a, Category)}


def load_classifier(
    run: Path | None, conditions: ConditionSpec, pictures: PictureSpec, process: Process
) -> TrainedClassifier:
    """Return the classifier of a run directory.

    Raises UserError when there is none, it is damaged, or it tells apart what the model does not know.
    """
    folder = (run or Path()) / FOLDER
    if run is None or not (folder / FACTS).exists():
        where = "this model" if run is None else str(run)
        raise UserError(f"{where} has no classifier: train one with fogcatcher train-classifier.")
    try:
        facts = read_json(folder / FACTS, _Facts)
        if facts.attributes != _classes_of(conditions):
            raise ValueError("it tells other classes apart than the model knows")
        fresh = partial(new_classifier, conditions, pictures, process, facts.width)
        shapes = on_meta(lambda: fresh().network)
        weights, _ = read_tensors(folder / WEIGHTS, most_bytes(shapes))
        check_weights(shapes, weights)
        blank = fresh()
        blank.network.load_state_dict(weights)
        digest = file_hash(folder / WEIGHTS)
    except (ValueError, OSError, RuntimeError, UserError) as error:
        said = in_one_line(error)
        raise UserError(f"the classifier in {folder} is damaged: train it again ({said}).") from error
    return replace(blank, hash=digest)
