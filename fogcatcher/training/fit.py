"""The training loop, a generator: logging, previews and checkpoints are what its reader does."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Generic, Literal

import torch
from torch import nn

from fogcatcher.base.devices import device_of
from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.memory import free_memory, is_out_of_memory
from fogcatcher.base.processes import ALONE, Processes
from fogcatcher.base.typed_json import Range
from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.randomness import step_generator
from fogcatcher.training.batches import Batches
from fogcatcher.training.ema import Network, PowerEMA
from fogcatcher.training.lesson import Lesson
from fogcatcher.training.micro_batches import leave_gradient
from fogcatcher.training.muon import Muon
from fogcatcher.training.setbacks import IN_A_ROW, Diverged, Setbacks
from fogcatcher.training.sharding import is_sharded, like, local, shard, whole

MUON_CHANNELS = 32
"""Kernels with fewer channels on either side stay with AdamW."""
Share = Annotated[float, Range(0, 1)]
Count = Annotated[int, Range(0, 10**15)]
Optimizer = Literal["muon", "adam"]
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@dataclass(frozen=True)
class Plan:
    """How a denoiser is trained. Every number of a run follows from this, the data and the network."""

    steps: Count
    """Number of training steps."""
    batch_size: Annotated[int, Range(1, 10**9)] = 32
    """Pictures per step."""
    learning_rate: Annotated[float, Range(0, 1000)] = 2.5e-3
    """Highest learning rate: reached after the warm-up, held, and falling to 0 at the end."""
    warmup: Count = 50
    """Steps in which the learning rate rises."""
    fall: Share = 0.3
    """Share of the steps in which the learning rate falls, the last ones. Before, no step depends on how many
    are to come, so that their number may still be corrected."""
    ends: tuple[Count, ...] = ()
    """Steps at which training had ended, and went on later: the rate rises and falls anew after each."""
    fall_along: Literal["cosine", "line"] = "cosine"
    """How it falls."""
    optimizer: Optimizer = "muon"
    """muon: Muon for kernels between wide layers, AdamW for the rest; adam: Adam for all, as in papers."""
    weight_decay: Annotated[float, Range(0, 1000)] = 0.01
    """Decoupled weight decay."""
    gradient_clip: Annotated[float, Range(0, 1e6)] = 1.0
    """Longest gradient; longer ones are scaled down to it."""
    condition_dropout: Share = 0.1
    """Share of samples trained without any condition, for guidance."""
    attribute_dropout: Mapping[str, Share] = field(default_factory=dict)
    """Attribute -> share of samples for which it is left unsaid on its own."""
    single_dropout: tuple[str, ...] = ()
    """Attributes of several marks, each of which is left unsaid on its own: tags."""
    ema_gamma: Annotated[float, Range(0, 1e4)] | None = 6.94
    """Exponent of the power-function average; 6.94 averages over about the last tenth of the run. None: no
    average, the newest weights draw."""
    precision: str = "float32"
    """Of the network while it learns: float32 or bfloat16."""
    seed: Annotated[int, Range(-(2**63), 2**64 - 1)] = 0
    """Seed of the weights, the order of the pictures and the noise."""

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of step 0, 1, ..., steps - 1."""
        begin = max((end for end in self.ends if end <= step), default=0)
        end = min((end for end in self.ends if end > step), default=self.steps)
        rise = min(1.0, (step - begin + 1) / (self.warmup + 1))
        # lr = lr_max rise (1 + cos(pi p)) / 2, or (1 - p), with p from 0 to 1 over the last ``fall``
        fallen = max(0.0, step - begin - (1 - self.fall) * (end - begin))
        p_pi = math.pi * fallen / (self.fall * (end - begin)) if fallen else 0.0
        if self.fall_along == "line":
            return self.learning_rate * rise * (1 - p_pi / math.pi)
        return self.learning_rate * rise * (1 + math.cos(p_pi)) / 2

    @property
    def falls_from(self) -> int:
        """The first step whose learning rate depends on how many steps there are in all."""
        begin = max(self.ends, default=0)
        return math.ceil(self.steps - self.fall * (self.steps - begin))


@dataclass
class TrainingState(Generic[Network]):
    """All that changes during training; with the plan it determines every later step."""

    denoiser: Network
    """What learns; an autoencoder where that is trained (``runs/autoencoder.py``)."""
    ema: PowerEMA[Network]
    optimizers: tuple[torch.optim.Optimizer, ...]
    step: int = 0
    """Steps done, those skipped included."""
    setbacks: Setbacks = field(default_factory=Setbacks)
    memory: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """What the objective's times learn of the losses (``TimeDistribution.memory``), changed in place."""
    whole: bool = True
    """False only while a step changes the weights: what is interrupted then belongs to no step."""

    @property
    def in_parts(self) -> bool:
        """Whether each process holds only its part of every tensor."""
        return any(is_sharded(weight) for weight in self.denoiser.parameters())

    @staticmethod
    def start(denoiser: Network, plan: Plan) -> TrainingState[Network]:
        """The averages begin with the weights as they are."""
        return TrainingState(denoiser, _averages(denoiser, plan), optimizers_of(denoiser, plan))

    @staticmethod
    def start_in_parts(denoiser: Denoiser, plan: Plan, processes: Processes) -> TrainingState[Denoiser]:
        """The same, with each process keeping its part of weights, averages and optimisers."""
        denoiser = copy.deepcopy(denoiser)
        ema = _averages(denoiser, plan)
        for network in (denoiser.network, ema.denoiser.network):
            shard(network, processes)
        weights = dict(denoiser.named_parameters())
        ema.short = {name: like(average, weights[name]) for name, average in ema.short.items()}
        return TrainingState(denoiser, ema, optimizers_of(denoiser, plan))


def _averages(denoiser: Network, plan: Plan) -> PowerEMA[Network]:
    """Without an average the exponent is infinite: beta is 0, and the average is the newest weights."""
    return PowerEMA(denoiser, math.inf if plan.ema_gamma is None else plan.ema_gamma)


def optimizers_of(denoiser: nn.Module, plan: Plan) -> tuple[torch.optim.Optimizer, ...]:
    """Return AdamW, and Muon where it was asked for and there are kernels between wide layers.

    Adam is AdamW here, for papers that say Adam mostly decay nothing.
    """
    if plan.optimizer == "adam":
        decay, every = plan.weight_decay, denoiser.parameters()
        return (torch.optim.AdamW(every, plan.learning_rate, weight_decay=decay, fused=True),)
    kernels = [p for p in denoiser.parameters() if p.ndim >= 3 and min(p.shape[:2]) >= MUON_CHANNELS]
    chosen = {id(p) for p in kernels}
    rest = [p for p in denoiser.parameters() if id(p) not in chosen]
    lr, decay = plan.learning_rate, plan.weight_decay
    adamw = torch.optim.AdamW(rest, lr, betas=(0.9, 0.99), weight_decay=decay, fused=True)
    return (adamw, Muon(kernels, lr, weight_decay=decay)) if kernels else (adamw,)


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


def fit(
    state: TrainingState[Any],
    batches: Batches,
    objective: Lesson[Any],
    plan: Plan,
    processes: Processes = ALONE,
) -> Iterator[Progress]:
    """Train until ``plan.steps``, yielding after each step and its EMA update.

    ``state`` is changed in place and may be saved whenever this yields. To stop, stop iterating.
    A step whose loss or gradient is not finite is skipped: it leaves weights, average and optimisers as they
    are. A batch too large for memory goes through in parts, from then on (``state.setbacks.micro_batch``).
    Several ``processes`` each take their rows of the same batch, and all take the same step.
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
            share = _gradient_in_memory(state, batches, objective, plan, counted, processes)
        except BaseException:
            _put_back(denoiser, counted)
            raise
        loss = _over_all(share, denoiser, processes).item()
        norm = whole(torch.nn.utils.clip_grad_norm_(parameters, plan.gradient_clip)).item()
        learning_rate = plan.learning_rate_at(state.step) * state.setbacks.rate
        skipped = "" if math.isfinite(loss) and math.isfinite(norm) else _in_words(loss, norm)
        if skipped:
            _put_back(denoiser, counted)
            _skip(state)
        else:
            _step(state, learning_rate)
        yield Progress(state.step, loss, norm, learning_rate, skipped)


def _over_all(loss: torch.Tensor, denoiser: nn.Module, processes: Processes) -> torch.Tensor:
    """Return the loss of the whole batch, and leave its gradient; each process has those of its share."""
    gradients = [p.grad for p in denoiser.parameters() if p.grad is not None]
    if in_parts := any(map(is_sharded, gradients)):
        # FSDP2 has averaged them; but each share's loss is over the whole batch, so they belong added up.
        for gradient in gradients:
            local(gradient).mul_(processes.count)
    counts = [buffer for buffer in denoiser.buffers() if buffer.is_floating_point()]
    for buffer in counts:
        # What batch norm counts of its share: all go on with the mean.
        buffer /= processes.count
    processes.sum([loss, *counts] if in_parts else [loss, *gradients, *counts])
    return loss


def _step(state: TrainingState[Any], learning_rate: float) -> None:
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


def _skip(state: TrainingState[Any]) -> None:
    skipped, in_a_row = state.setbacks.skipped + 1, state.setbacks.in_a_row + 1
    state.setbacks = replace(state.setbacks, skipped=skipped, in_a_row=in_a_row)
    state.step += 1


def _in_words(loss: float, norm: float) -> str:
    return f"the gradient is {norm}" if math.isfinite(loss) else f"the loss is {loss}"


@torch.no_grad()
def _put_back(denoiser: nn.Module, counted: list[torch.Tensor]) -> None:
    """Batch norm counts in the forward pass; a pass that does not count must leave no trace."""
    for buffer, before in zip(denoiser.buffers(), counted, strict=True):
        buffer.copy_(before)


def _gradient_in_memory(
    state: TrainingState[Any],
    batches: Batches,
    objective: Lesson[Any],
    plan: Plan,
    counted: list[torch.Tensor],
    processes: Processes,
) -> torch.Tensor:
    """Leave the gradient of the next step in the weights and return the loss; halve what memory cannot hold.

    The first step of a run is so the probe of what fits, and a later one may find that less does. Where one
    process has too little memory, all of them pass smaller parts.
    """
    most = -(-plan.batch_size // processes.count)
    while True:
        size = min(state.setbacks.micro_batch or most, most)
        loss = _gradient_if_it_fits(state, batches, objective, plan, size, processes)
        if not processes.any(loss is None) and loss is not None:
            return loss
        if size == 1:
            raise UserError(
                Message(
                    "there is not enough memory to train on even one picture at a time: "
                    "choose a smaller {@size_of_model}, or smaller pictures with {@size}."
                )
            )
        # What the failed attempt held is free only now.
        _put_back(state.denoiser, counted)
        state.denoiser.zero_grad()
        free_memory()
        state.setbacks = replace(state.setbacks, micro_batch=(size + 1) // 2)


def _gradient_if_it_fits(
    state: TrainingState[Any],
    batches: Batches,
    objective: Lesson[Any],
    plan: Plan,
    size: int,
    processes: Processes,
) -> torch.Tensor | None:
    """Return the loss of this process's share, over the whole batch; None where memory is too small."""
    device = device_of(state.denoiser)
    generator = step_generator(plan.seed, state.step, "noise", device)
    share = processes.share(plan.batch_size)
    try:
        x0, told = batches.at(state.step, plan.batch_size, device, share)
        with _dropout_of_step(generator, _has_dropout(state.denoiser), processes.rank):
            return leave_gradient(
                state.denoiser,
                objective,
                x0,
                told,
                generator,
                size,
                plan.batch_size,
                share,
                precision=plan.precision,
            )
    except (RuntimeError, MemoryError) as error:
        # With weights in parts the others wait in the midst of the pass; nothing can be agreed on there.
        if not is_out_of_memory(error) or state.in_parts:
            raise
        return None


def _has_dropout(denoiser: nn.Module) -> bool:
    return any(isinstance(layer, DROPOUTS) and layer.p > 0 for layer in denoiser.modules())


@contextmanager
def _dropout_of_step(generator: torch.Generator, has_dropout: bool, rank: int) -> Iterator[None]:
    """Let dropout, which draws from torch's one stream, draw the same in step k of every run of one seed.

    Each process draws its own, or the rows of all shares would be dropped out alike.
    """
    if not has_dropout:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(generator.initial_seed() ^ (2 * rank + 1))
        yield


def seconds_per_step(
    denoiser: nn.Module,
    batches: Batches,
    objective: Lesson[Any],
    plan: Plan,
    seconds: float = 3.0,
    processes: Processes = ALONE,
    in_parts: bool = False,
) -> float:
    """Return the mean duration of a step, from at least 10 steps of a copy of the denoiser.

    Nothing of the real run is touched. The first three steps only warm up. All processes go by the clock of
    the first.
    """
    endless, objective = replace(plan, steps=10**9), copy.deepcopy(objective)
    state: TrainingState[Any]
    if in_parts and isinstance(denoiser, Denoiser):
        state = TrainingState.start_in_parts(denoiser, endless, processes)
    else:
        state = TrainingState.start(copy.deepcopy(denoiser), endless)
    steps = fit(state, batches, objective, endless, processes)
    for _ in range(3):
        next(steps)
    start, done = time.perf_counter(), 0
    while processes.first(done < 10 or time.perf_counter() - start < seconds):
        next(steps)
        done += 1
    return processes.first((time.perf_counter() - start) / done)
