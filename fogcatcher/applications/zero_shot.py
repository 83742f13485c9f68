"""Which class explains a picture best? A diffusion model as a classifier that nobody trained.

    c_hat = argmin_c  E_{t, eps} || target - F(x_t, t, c) ||^2

Li et al. 2023, "Your Diffusion Model is Secretly a Zero-Shot Classifier", algorithm 1. Every class sees the
same pairs (t, eps), so that what a hard time or an odd noise adds to the errors cancels in their differences;
and classes that are clearly behind after a few pairs are not tried with more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fogcatcher.base.devices import device_of
from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.base.memory import in_parts
from fogcatcher.data.conditions.conditions import Category, Tags, Wish
from fogcatcher.data.pictures.spec import Pictures, to_model
from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.objectives import Objective, TimeDistribution, UniformTimes
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.diffusion.tensors import PerSample, Samples, Times
from fogcatcher.model.build import build_objective
from fogcatcher.model.model import Model

PAIRS = 100
FIRST = 6
"""Pairs that every class gets before any is dropped."""
CLEARLY = 3.0
"""A class is dropped when it is so many standard errors behind."""
PICTURES = 32
"""Pictures at a time."""
CALLS = 512
"""Pictures that pass through the network at once."""
GOLDEN = 0.6180339887498949
"""(sqrt 5 - 1) / 2: its multiples, without their whole parts, part [0, 1] evenly however many there are."""

Numbers = Int64[Tensor, "M"]
PerClass = Mapping[str, Float[Tensor, "K _"]]
"""A condition for each class, one row per class."""
ErrorsOf = Callable[[Numbers, Numbers, Numbers], Tensor]
"""Numbers of pictures, of classes and of pairs -> the error of each such call, (M,)."""


@dataclass(frozen=True)
class Pairs:
    """Times and noise, the same for every class and every picture."""

    t: Times
    """(J,) in (0, 1]."""
    noise: Samples
    """(J, ...) standard normal."""

    @staticmethod
    def draw(
        count: int,
        shape: Sequence[int],
        times: TimeDistribution,
        schedule: Schedule,
        generator: torch.Generator,
    ) -> Pairs:
        """Return J = ``count`` pairs for pictures of ``shape``, whose times follow ``times``.

        The first few of many are spread as evenly over the distribution as all: u_j = u_0 + j GOLDEN mod 1.
        """
        u = torch.rand(1, dtype=torch.float64, generator=generator)
        u = (u + GOLDEN * torch.arange(count, dtype=torch.float64)) % 1
        return Pairs(times.quantile(u, schedule), torch.randn(count, *shape, generator=generator))


@dataclass(frozen=True)
class Verdicts:
    """What was found for N pictures and K classes."""

    classes: tuple[str, ...]
    choice: Numbers
    """The class of the smallest error."""
    errors: Float[Tensor, "N K"]
    """Mean squared error of the network's target over the pairs that the class was tried with."""
    behind: Float[Tensor, "N K"]
    """How much larger the error is than that of the choice, over the pairs that both were tried with."""
    deviation: Float[Tensor, "N K"]
    """The standard error of ``behind``, as if the pairs were independent; NaN where there was one pair."""
    pairs: Int64[Tensor, "N K"]
    """How many pairs the class was tried with."""

    @property
    def calls(self) -> int:
        """How many pictures passed through the network."""
        return int(self.pairs.sum())

    @property
    def runner_up(self) -> Numbers:
        """The class that comes nearest to the choice, counted in standard errors."""
        return self._lead.argmin(1)

    @property
    def margin(self) -> PerSample:
        """How many standard errors the choice is ahead of it."""
        return self._lead.amin(1)

    @property
    def _lead(self) -> Float[Tensor, "N K"]:
        lead = (self.behind / self.deviation).nan_to_num(nan=0.0, posinf=0.0)
        return lead.scatter(1, self.choice[:, None], torch.inf)


def candidates(model: Model, attribute: str | None = None) -> list[dict[str, Wish]]:
    """Return one wish for every answer that is possible: the classes of a category, or a tag and its absence.

    ``attribute`` is a category's name, or NAME:TAG of an attribute with tags; None is the first category.
    Raises UserError for anything else, naming what this model can be asked.
    """
    known = [a for a in model.conditions.attributes if isinstance(a, Category | Tags)]
    valid = [a.name for a in known if isinstance(a, Category)]
    valid += [f"{a.name}:{tag}" for a in known if isinstance(a, Tags) for tag in a.tags]
    if not valid:
        raise UserError(
            Message(
                "this model knows no classes to choose from: train with labels (sub-folders, or "
                "{@conditions:'COLUMN'})."
            )
        )
    attribute = valid[0] if attribute is None else attribute
    if attribute not in valid:
        raise unknown_name("attribute", attribute, valid, about="attribute")
    for a in known:
        if isinstance(a, Category) and a.name == attribute:
            return [{a.name: name} for name in a.classes]
    name, _, tag = attribute.partition(":")
    return [{name: tag}, {name: f"-{tag}"}]


def classify(
    model: Model,
    pictures: Pictures,
    attribute: str | None = None,
    pairs: int = PAIRS,
    seed: int = 0,
    clearly: float | None = CLEARLY,
    progress: Callable[[int, int], None] | None = None,
) -> Verdicts:
    """Return the class of each uint8 picture, (N, C, H, W), of the model's size and channels.

    Errors are those of the network's own target, at the times of its training. ``attribute`` is as for
    ``candidates``; of the others the model is told nothing. ``clearly`` None tries every class with all
    ``pairs``. The answer for a picture does not depend on the other pictures. ``progress`` hears how many of
    all pictures are done. Raises UserError for an unknown attribute and for fewer than 2 pairs.
    """
    if pairs < 2:
        raise UserError(Message("{@pairs} must be at least 2, not {given}.", given=pairs))
    wishes, denoiser = candidates(model, attribute), model.denoiser
    device = device_of(denoiser)
    cond = {name: rows.to(device) for name, rows in model.conditions.encode(wishes).items()}
    times = build_objective(model.config.method, model.config.kind.sigma_data).times
    generator = torch.Generator().manual_seed(seed)
    tried = Pairs.draw(pairs, model.config.kind.shape, times, denoiser.process.schedule, generator)

    found = []
    for start in range(0, len(pictures), PICTURES):
        x0 = to_model(pictures[start : start + PICTURES]).to(device)
        found.append(eliminate(errors_of(denoiser, x0, cond, tried), len(x0), len(wishes), pairs, clearly))
        if progress:
            progress(min(start + PICTURES, len(pictures)), len(pictures))
    names = [str(value) for wish in wishes for value in wish.values()]
    return compare(torch.cat(found), names)


def errors_of(denoiser: Denoiser, x0: Samples, cond: PerClass, pairs: Pairs) -> ErrorsOf:
    """Return the errors as a function of pictures, (N, ...), classes (a row of ``cond`` each) and pairs."""
    # A weighting of the training shapes what is learnt; here every error of the target counts equally.
    objective, t, noise = Objective(UniformTimes()), pairs.t.to(x0.device), pairs.noise.to(x0)

    def errors(n: Numbers, k: Numbers, j: Numbers) -> Tensor:
        def act(part: slice) -> Tensor:
            picture, klass, pair = (rows[part].to(x0.device) for rows in (n, k, j))
            told = {name: rows[klass] for name, rows in cond.items()}
            return objective.at(denoiser, x0[picture], t[pair], noise[pair], told).cpu()

        with torch.inference_mode():
            return torch.cat(list(in_parts(len(n), CALLS, act)))

    return errors


def eliminate(
    errors_of: ErrorsOf, pictures: int, classes: int, pairs: int, clearly: float | None = CLEARLY
) -> Float[Tensor, "N K J"]:
    """Return the error of every picture, class and pair; NaN where a class was dropped before.

    All classes get ``FIRST`` pairs, and those that are not dropped twice as many, and so on up to ``pairs``.
    """
    errors = torch.full((pictures, classes, pairs), torch.nan)
    active, done = torch.ones(pictures, classes, dtype=torch.bool), 0
    while done < pairs and active.any():
        upto = pairs if clearly is None else min(pairs, 2 * done or FIRST)
        n, k = active.nonzero(as_tuple=True)
        j = torch.arange(done, upto).repeat(len(n))
        n, k = n.repeat_interleave(upto - done), k.repeat_interleave(upto - done)
        errors[n, k, j] = errors_of(n, k, j).float()
        done = upto
        if clearly is not None:
            found = compare(errors[:, :, :done])
            active &= found.behind <= clearly * found.deviation
            active &= active.sum(1, keepdim=True) > 1
    return errors


def compare(errors: Float[Tensor, "N K J"], classes: Sequence[str] = ()) -> Verdicts:
    """Return what the errors say; NaN is what was not tried. Classes that were dropped cannot be chosen."""
    pairs = (~errors.isnan()).sum(2)
    means = errors.nanmean(2)
    left = pairs == pairs.max(1, keepdim=True).values
    choice = means.masked_fill(~left, torch.inf).argmin(1)
    differences = errors - errors[torch.arange(len(errors)), choice][:, None]
    behind = differences.nanmean(2)
    squares = (differences - behind[..., None]).square().nansum(2)
    deviation = (squares / (pairs - 1) / pairs).sqrt()
    return Verdicts(tuple(classes), choice, means, behind, deviation, pairs)
