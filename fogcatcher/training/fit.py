"""The training loop, a generator: logging, previews and checkpoints are what its reader does."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from fogcatcher.denoiser import Denoiser
from fogcatcher.errors import UserError
from fogcatcher.objectives import Objective
from fogcatcher.randomness import step_generator
from fogcatcher.training.batches import Batches
from fogcatcher.training.ema import PowerEMA
from fogcatcher.training.micro_batches import free_memory, is_out_of_memory, leave_gradient
from fogcatcher.training.muon import Muon
from fogcatcher.training.setbacks import IN_A_ROW, Diverged, Setbacks

MUON_CHANNELS = 32
"""Kernels with fewer channels on either side stay with AdamW."""
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@dataclass(frozen=True)
class Plan:
    """How a denoiser is trained. Every number of a run follows from this, the data and the network."""

    steps: int
    """Number of training steps."""
    batch_size: int = 32
    """Pictures per step."""
    learning_rate: float = 2.5e-3
    """Highest learning rate: reached after the warm-up, falling to 0 along a cosine."""
    warmup: int = 200
    """Steps in which the learning rate rises, at most a tenth of all steps."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    gradient_clip: float = 1.0
    """Longest gradient; longer ones are scaled down to it."""
    condition_dropout: float = 0.1
    """Share of samples trained without any condition, for guidance."""
    attribute_dropout: Mapping[str, float] = field(default_factory=dict)
    """Attribute -> share of samples for which it is left unsaid on its own."""
    single_dropout: tuple[str, ...] = ()
    """Attributes of several marks, each of which is left unsaid on its own: tags."""
    ema_gamma: float = 6.94
    """Exponent of the power-function average; 6.94 averages over about the last tenth of the run."""
    seed: int = 0
    """Seed of the weights, the order of the pictures and the noise."""

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of step 0, 1, ..., steps - 1."""
        warmup = min(self.warmup, self.steps // 10)
        rise = min(1.0, (step + 1) / (warmup + 1))
        return self.learning_rate * rise * (1 + math.cos(math.pi * step / self.steps)) / 2


@dataclass
class TrainingState:
    """All that changes during training; with the plan it determines every later step."""

    denoiser: Denoiser
    ema: PowerEMA
    optimizers: tuple[torch.optim.Optimizer, ...]
    step: int = 0
    """Steps done, those skipped included."""
    setbacks: Setbacks = field(default_factory=Setbacks)
    whole: bool = True
    """False only while a step changes the weights: what is interrupted then belongs to no step."""

    @staticmethod
    def start(denoiser: Denoiser, plan: Plan) -> TrainingState:
        """Kernels between wide layers go to Muon, everything else to AdamW."""
        kernels = [p for p in denoiser.parameters() if p.ndim >= 3 and min(p.shape[:2]) >= MUON_CHANNELS]
        chosen = {id(p) for p in kernels}
        rest = [p for p in denoiser.parameters() if id(p) not in chosen]
        lr, decay = plan.learning_rate, plan.weight_decay
        adamw = torch.optim.AdamW(rest, lr, betas=(0.9, 0.99), weight_decay=decay, fused=True)
        muon = (Muon(kernels, lr, weight_decay=decay),) if kernels else ()
        return TrainingState(denoiser, PowerEMA(denoiser, plan.ema_gamma), (adamw, *muon))


@dataclass(frozen=True)
class Progress:
    """What one finished step tells."""

    step: int
    """Steps done, this one included."""
    loss: float
    gradient_norm: float
    learning_rate: float
    skipped: str = ""
    """Why this step changed nothing, where it did not: its loss or gradient was not finite."""


def fit(state: TrainingState, batches: Batches, objective: Objective, plan: Plan) -> Iterator[Progress]:
    """Train until ``plan.steps``, yielding after each step and its EMA update.

    ``state`` is changed in place and may be saved whenever this yields. To stop, stop iterating.
    A step whose loss or gradient is not finite is skipped: it leaves weights, average and optimisers as they
    are. A batch too large for memory goes through in parts, from then on (``state.setbacks.micro_batch``).
    Raises Diverged after five skipped steps in a row, and UserError when memory does not hold one picture.
    """
    denoiser, parameters = state.denoiser, list(state.denoiser.parameters())
    batches = batches.to(parameters[0].device)
    while True:
        if state.setbacks.in_a_row >= IN_A_ROW:
            raise Diverged(f"{IN_A_ROW} steps in a row, up to {state.step}, had no finite loss and gradient")
        if state.step >= plan.steps:
            return
        counted = [buffer.clone() for buffer in denoiser.buffers()]
        try:
            loss = _gradient_in_memory(state, batches, objective, plan, counted).item()
        except BaseException:
            _put_back(denoiser, counted)
            raise
        norm = torch.nn.utils.clip_grad_norm_(parameters, plan.gradient_clip).item()
        learning_rate = plan.learning_rate_at(state.step) * state.setbacks.rate
        skipped = "" if math.isfinite(loss) and math.isfinite(norm) else _in_words(loss, norm)
        if skipped:
            _put_back(denoiser, counted)
            _skip(state)
        else:
            _step(state, learning_rate)
        yield Progress(state.step, loss, norm, learning_rate, skipped)


def _step(state: TrainingState, learning_rate: float) -> None:
    state.whole = False
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()
    state.ema.update(state.denoiser)
    state.step += 1
    if state.setbacks.in_a_row:
        state.setbacks = replace(state.setbacks, in_a_row=0)
    state.whole = True


def _skip(state: TrainingState) -> None:
    skipped, in_a_row = state.setbacks.skipped + 1, state.setbacks.in_a_row + 1
    state.setbacks = replace(state.setbacks, skipped=skipped, in_a_row=in_a_row)
    state.step += 1


def _in_words(loss: float, norm: float) -> str:
    return f"the gradient is {norm}" if math.isfinite(loss) else f"the loss is {loss}"


@torch.no_grad()
def _put_back(denoiser: Denoiser, counted: list[torch.Tensor]) -> None:
    """Batch norm counts in the forward pass; a pass that does not count must leave no trace."""
    for buffer, before in zip(denoiser.buffers(), counted, strict=True):
        buffer.copy_(before)


def _gradient_in_memory(
    state: TrainingState,
    batches: Batches,
    objective: Objective,
    plan: Plan,
    counted: list[torch.Tensor],
) -> torch.Tensor:
    """Leave the gradient of the next step in the weights and return the loss; halve what memory cannot hold.

    The first step of a run is so the probe of what fits, and a later one may find that less does.
    """
    while True:
        size = min(state.setbacks.micro_batch or plan.batch_size, plan.batch_size)
        try:
            return _gradient(state, batches, objective, plan, size)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise UserError(
                    "there is not enough memory to train on even one picture at a time: "
                    "choose a smaller --size-of-model, or smaller pictures with --size."
                ) from error
        # Only outside of the handler is the failed attempt let go.
        _put_back(state.denoiser, counted)
        state.denoiser.zero_grad()
        free_memory()
        state.setbacks = replace(state.setbacks, micro_batch=(size + 1) // 2)


def _gradient(
    state: TrainingState, batches: Batches, objective: Objective, plan: Plan, size: int
) -> torch.Tensor:
    device = next(state.denoiser.parameters()).device
    generator = step_generator(plan.seed, state.step, "noise", device)
    x0, condition = batches.at(state.step, plan.batch_size, device)
    with _dropout_of_step(generator, _has_dropout(state.denoiser)):
        return leave_gradient(state.denoiser, objective, x0, condition, generator, size)


def _has_dropout(denoiser: Denoiser) -> bool:
    return any(isinstance(layer, DROPOUTS) and layer.p > 0 for layer in denoiser.modules())


@contextmanager
def _dropout_of_step(generator: torch.Generator, has_dropout: bool) -> Iterator[None]:
    """Let dropout, which draws from torch's one stream, draw the same in step k of every run of one seed."""
    if not has_dropout:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(generator.initial_seed() ^ 1)
        yield


def seconds_per_step(
    denoiser: Denoiser, batches: Batches, objective: Objective, plan: Plan, seconds: float = 3.0
) -> float:
    """Return the mean duration of a step, from at least 10 steps of a copy of the denoiser.

    Nothing of the real run is touched. The first three steps only warm up.
    """
    endless = replace(plan, steps=10**9)
    steps = fit(TrainingState.start(copy.deepcopy(denoiser), endless), batches, objective, endless)
    for _ in range(3):
        next(steps)
    start, done = time.perf_counter(), 0
    while done < 10 or time.perf_counter() - start < seconds:
        next(steps)
        done += 1
    return (time.perf_counter() - start) / done
