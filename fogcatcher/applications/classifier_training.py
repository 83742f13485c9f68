"""Training a classifier of noisy pictures for the model of a run.

The classifier sees what the model sees: the same pictures, the same noise, at the times at which pictures
are drawn. It learns by cross entropy (Dhariwal & Nichol 2021, section 4).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fogcatcher.base.devices import device_of
from fogcatcher.base.errors import UserError, unknown_name
from fogcatcher.data.conditions.conditions import Category
from fogcatcher.data.pictures.spec import spec_of, to_model
from fogcatcher.data.reading import Dataset
from fogcatcher.data.splitting import split
from fogcatcher.diffusion.randomness import step_generator
from fogcatcher.diffusion.tensors import Condition, Times
from fogcatcher.model.build import build_grid
from fogcatcher.model.model import Model
from fogcatcher.model.trained_classifier import TrainedClassifier, new_classifier
from fogcatcher.training.batches import Batches
from fogcatcher.training.fit import Plan

BATCH = 64
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.05
LEVELS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""sigma / alpha at which the accuracy is told; the data have a deviation of about 0.5."""
HOLD_OUT = 0.05
JUDGED = 2000
"""At most so many held-out pictures tell the accuracy."""


@dataclass
class ClassifierRun:
    """A classifier that is being trained, with its data."""

    classifier: TrainedClassifier
    batches: Batches
    held_out: Tensor
    """Numbers of the pictures that are not trained on."""
    times: Times
    """The times at which noise is added, all equally often."""
    seed: int


def prepare(model: Model, dataset: Dataset, width: int = 32, seed: int = 0) -> ClassifierRun:
    """Return a new classifier for ``model`` and these pictures. Raises UserError where they do not fit."""
    config, attributes = model.config, model.conditions.attributes
    spec = spec_of(dataset.rows)
    if spec.shape != config.pixels.shape:
        raise UserError(
            f"the model draws pictures of shape {config.pixels.shape}, and these have {spec.shape}: "
            "give the pictures it was trained on."
        )
    for attribute in attributes:
        if attribute.name not in dataset.columns:
            raise unknown_name("condition of the model in these pictures", attribute.name, dataset.columns)
    process = model.denoiser.process
    classifier = new_classifier(model.conditions, config.pixels, process, width, seed)
    classifier.network.to(model.device)
    # A run may hold nothing out; the classifier must be judged all the same.
    options = replace(config.data.options, hold_out=config.data.options.hold_out or HOLD_OUT)
    parts = split(dataset, options, model.conditions)
    known = model.conditions.encode_pictures(dataset.columns)
    classes = {a.name: known[a.name] for a in attributes if isinstance(a, Category)}
    batches = Batches(dataset.rows, classes, seed, parts.train)
    times = build_grid(config.method.grid, config.method)(process.schedule, 1000)[:-1]
    return ClassifierRun(classifier, batches, parts.held_out, times, seed)


def fit(run: ClassifierRun, steps: int) -> Iterator[tuple[int, float]]:
    """Train, yielding the steps done and the loss after each. To stop, stop iterating."""
    network = run.classifier.network.train()
    device = device_of(network)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batches, plan = run.batches.to(device), Plan(steps, learning_rate=LEARNING_RATE, warmup=100)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate_at(step)
        x0, cond = batches.at(step, BATCH, device)
        generator = step_generator(run.seed, step, "noise")
        t = run.times[torch.randint(len(run.times), (len(x0),), generator=generator)].to(device)
        noise = torch.randn(x0.shape, generator=generator).to(device)
        x_t = run.classifier.process.corrupt(x0, t, noise)
        loss = -run.classifier.log_prob(x_t, t, cond).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        yield step + 1, loss.item()
    network.eval()


def steps_in(run: ClassifierRun, minutes: float, timed: int = 10) -> int:
    """Return how many steps these minutes hold, from a few timed ones; the classifier is put back."""
    network = run.classifier.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    steps = fit(run, timed + 2)
    for _ in range(2):  # warm up
        next(steps)
    start = time.perf_counter()
    for _ in range(timed):
        next(steps)
    per_step = (time.perf_counter() - start) / timed
    network.load_state_dict(before)
    return max(1, int(60 * minutes / per_step))


@dataclass(frozen=True)
class Accuracy:
    """How often the classifier is right about held-out pictures at one noise level."""

    level: float
    """sigma / alpha"""
    shares: dict[str, float]
    """Attribute -> share of right classes."""


def accuracy(run: ClassifierRun, levels: Sequence[float] = LEVELS, seed: int = 1) -> list[Accuracy]:
    """Return the accuracy at each noise level; empty where no pictures are held out."""
    rows = run.held_out[:JUDGED]
    if not len(rows):
        return []
    schedule = run.classifier.process.schedule
    device = device_of(run.classifier.network)
    x0 = to_model(run.batches.data[rows.to(run.batches.data.device)]).to(device)
    cond = {name: known[rows.to(known.device)] for name, known in run.batches.condition.items()}
    found = []
    for level in levels:
        t = schedule.t_from_log_snr(torch.tensor(-2 * math.log(level), dtype=torch.float64))
        found.append(Accuracy(level, _shares(run.classifier, x0, t.to(device), cond, seed)))
    return found


def _shares(
    classifier: TrainedClassifier, x0: Tensor, t: Times, cond: Condition, seed: int
) -> dict[str, float]:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(x0.shape, generator=generator).to(x0)
    x_t, times = classifier.process.corrupt(x0, t, noise), t.expand(len(x0))
    with torch.no_grad():
        parts = [classifier.log_probs(x, s) for x, s in zip(x_t.split(256), times.split(256), strict=True)]
    named = {name: torch.cat([part[name].argmax(1) for part in parts]).cpu() for name in parts[0]}
    shares = {}
    for name, known in cond.items():
        labelled = known.any(1).cpu()
        right = named[name] == known.argmax(1).cpu()
        shares[name] = right[labelled].double().mean().item() if labelled.any() else float("nan")
    return shares


def guess(run: ClassifierRun) -> dict[str, float]:
    """Return the share of the most frequent class among the held-out pictures, attribute by attribute."""
    rows = run.held_out[:JUDGED]
    counts = {name: known[rows.to(known.device)].sum(0) for name, known in run.batches.condition.items()}
    return {name: (count.max() / count.sum().clamp(min=1)).item() for name, count in counts.items()}
