"""The same question to the same network, with and without each of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.explain.training_side import times_in
from fogcatcher.model.build import steps_of
from fogcatcher.model.kept_weights import kept_weights, model_at
from fogcatcher.model.model import Model
from fogcatcher.networks.without_attention import attentions, without_attention

ANGLES = (0.15, 0.4, 0.65, 0.9)


@dataclass(frozen=True)
class Without:
    """The guesses of a network that lacks one part, or none."""

    part: str
    x0_hat: Samples
    """(T, C, H, W)."""
    error: Times
    """(T,): root mean square of x0 - x0_hat, on the scale from -1 to 1."""


@dataclass(frozen=True)
class Parts:
    """One noisy picture at several times, and the guesses with all parts and without each."""

    t: Times
    sigma: Times
    answers: list[Without]
    """With all parts first."""


def parts(model: Model, x0: Float[Tensor, "1 C H W"], wish: Mapping[str, Wish], seed: int = 0) -> Parts:
    """Ask a model for ``x0`` under the noise of ``seed``: as it is; without the wish; told one noise level at
    all times; without attention; with its last weights in place of their average, where they were kept.

    Raises UserError where kept weights cannot be read.
    """
    denoiser, process = model.denoiser, model.denoiser.process
    t = times_in(process.schedule, ANGLES, steps_of(model.config.method))
    many = x0.expand(len(t), *x0.shape[1:])
    noise = SampleGenerator([seed]).randn_like(x0).expand_as(many)
    x_t = process.corrupt(many, t, noise)
    cond = model.encoded([wish] * len(t)) if wish else None

    def ask(asked: Denoiser = denoiser, cond: Condition | None = cond) -> Samples:
        with torch.no_grad():
            return asked(x_t, t, cond)

    found: dict[str, Callable[[], Samples]] = {"all parts": ask}
    if cond is not None:
        found["without the wish"] = lambda: ask(cond=None)
    found["told one noise level"] = lambda: _told_one(denoiser, ask)
    if attentions(denoiser.network):
        found["without attention"] = lambda: _no_attention(denoiser, ask)
    states = [kept for kept in kept_weights(model.folder) if kept.is_state]
    if states and model.config.training.ema_gamma is not None:
        last = model_at(model, states[-1], "raw").denoiser
        found["without averaging the weights"] = lambda: ask(last)
    answers = []
    for name, answer in found.items():
        x0_hat = answer()
        answers.append(Without(name, x0_hat, (many - x0_hat).square().flatten(1).mean(1).sqrt()))
    return Parts(t, process.schedule.sigma(t), answers)


def _no_attention(denoiser: Denoiser, ask: Callable[[], Samples]) -> Samples:
    with without_attention(denoiser.network):
        return ask()


def _told_one(denoiser: Denoiser, ask: Callable[[], Samples]) -> Samples:
    with told_one_level(denoiser.network):
        return ask()


@contextmanager
def told_one_level(network: nn.Module) -> Iterator[None]:
    """Inside the ``with`` block a network hears the middle one of a batch's labels for every sample of it."""

    def replace(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        x, label, *rest = given
        return (x, label.median().expand_as(label), *rest)

    hook = network.register_forward_pre_hook(replace)
    try:
        yield
    finally:
        hook.remove()
