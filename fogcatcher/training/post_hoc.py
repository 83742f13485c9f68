"""Averages of the weights of any length, chosen after training.

A power-function average over [0, T] weights the weights of time t by its profile

    p_gamma,T(t) = (gamma + 1) t^gamma / T^(gamma + 1)   for 0 <= t <= T, else 0

A mix of averages has the mix of their profiles. So two averages of different gamma are kept at some steps of
the run, and the mix whose profile comes nearest to that of the average asked for stands in for it. Karras et
al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion Models", sections 3.1 and 3.2 and
appendix C. Its length is sigma_rel, the standard deviation of the profile as a share of T.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from fogcatcher.base.disk import write_atomically
from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import in_one_line, printable
from fogcatcher.base.read_json import parsed
from fogcatcher.base.tensor_files import read_tensors, said_by
from fogcatcher.base.typed_json import Range, needed, typed
from fogcatcher.training.ema import PowerEMA
from fogcatcher.training.fit import Plan, TrainingState

AVERAGES = "averages"
"""The folder of the snapshots, in that of the run."""
FACTS = "averages"
"""The name of what a snapshot says of itself: updates and exponents."""
SNAPSHOTS = 12
MOST_BYTES = 2**40
SHORTEST, LONGEST = 0.01, 0.25
FURTHEST = 0.1
"""How far the profile of a mix may be from the one asked for, as a share of it (L2)."""


def sigma_rel_of(gamma: float) -> float:
    """Return the relative length of the average of exponent ``gamma`` > -1; 1 / sqrt(12) for a plain mean."""
    # sigma_rel^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3))
    return math.sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3)))


def gamma_of(sigma_rel: float) -> float:
    """Return the exponent, at least 0, of the average of relative length ``sigma_rel``.

    Raises ValueError for lengths outside 0 ... 1 / sqrt(12) = 0.2887, that of a plain mean.
    """
    if not 0 < sigma_rel <= sigma_rel_of(0):
        raise ValueError(f"no average that lengthens has the relative length {sigma_rel}")
    # (gamma + 2)^2 (gamma + 3) = r (gamma + 1) with r = sigma_rel^-2; its largest root.
    r = sigma_rel**-2
    return float(np.roots([1, 7, 16 - r, 12 - r]).real.max())


@dataclass(frozen=True)
class Profile:
    """How much each time counts in an average: p_gamma,T above."""

    gamma: float
    """Exponent, more than -1/2."""
    T: float
    """Updates of the average until it was kept, more than 0."""


def inner_product(a: Profile, b: Profile) -> float:
    """Return the integral of the product of two profiles, in 1 / steps."""
    # With m = min(T_a, T_b):
    # (gamma_a + 1) (gamma_b + 1) / (gamma_a + gamma_b + 1) (m / T_a)^gamma_a (m / T_b)^gamma_b m / (T_a T_b)
    m = min(a.T, b.T)
    scale = (a.gamma + 1) * (b.gamma + 1) / (a.gamma + b.gamma + 1)
    return scale * (m / a.T) ** a.gamma * (m / b.T) ** b.gamma * m / (a.T * b.T)


@dataclass(frozen=True)
class Mix:
    """How profiles are added to stand in for another."""

    shares: list[float]
    """One number for each profile; they add up to 1."""
    error: float
    """Distance (L2) from the profile asked for, as a share of that one's length."""


def solve(profiles: Sequence[Profile], target: Profile) -> Mix:
    """Return the mix of ``profiles`` nearest to ``target``: A X = B, with X scaled to add up to 1."""
    A = np.array([[inner_product(a, b) for b in profiles] for a in profiles])
    B = np.array([inner_product(a, target) for a in profiles])
    # Least squares, since two averages of one gamma, or nearly, leave A without an inverse.
    X = np.linalg.lstsq(A, B, rcond=None)[0]
    X /= X.sum()
    length = inner_product(target, target)
    return Mix(X.tolist(), math.sqrt(max(0.0, X @ A @ X - 2 * X @ B + length) / length))


class EMAHistory:
    """Keeps both averages of a run at 12 steps, evenly spaced, of which the last step is one.

    Of a run without an average it keeps none.

    A snapshot is a file of both in half precision, and the last one in full, since nearly all of a mix comes
    from it. A run takes 52 bytes for a parameter: 93 MB for the small network of 1.8 M. A history is the same
    to the bit after a kill.
    """

    def __init__(self, folder: Path, plan: Plan, state: TrainingState[Any]) -> None:
        """Go on with the history in ``folder`` at the step of ``state``; later snapshots are dropped."""
        self._folder, self._state = folder, state
        self.plan(plan)
        folder.mkdir(parents=True, exist_ok=True)
        for path in [] if folder.is_symlink() else folder.glob("step-*.safetensors"):
            if path > self._path(state.step):
                path.unlink()
        # A kill may have come between the checkpoint of this step and its snapshot.
        self.after_step()

    def plan(self, plan: Plan) -> None:
        """Say at which steps of this plan a snapshot is kept: every one, in a run of fewer than 12."""
        self.due = {plan.steps * k // SNAPSHOTS for k in range(1, SNAPSHOTS + 1)} - {0}
        if plan.ema_gamma is None:
            self.due = set()

    def after_step(self) -> None:
        """Write a snapshot if one is due at the step that the state has reached."""
        step, ema = self._state.step, self._state.ema
        path = self._path(step)
        if ema.updates and step in self.due and not path.exists():
            write_atomically(path, lambda part: save_snapshot(ema, part, whole=step == max(self.due)))

    def _path(self, step: int) -> Path:
        return self._folder / f"step-{step:09d}.safetensors"


@dataclass(frozen=True)
class _Facts:
    """What a snapshot says of itself."""

    updates: Annotated[int, Range(1, 10**15)]
    gamma: Annotated[float, Range(-0.49, 1e6)]
    short_gamma: Annotated[float, Range(-0.49, 1e6)]


def save_snapshot(ema: PowerEMA, part: Path, whole: bool) -> None:
    """Write both averages, in half precision unless ``whole``, and what layers count for themselves."""
    main = ema.denoiser.state_dict()
    tensors = {f"counted/{name}": main[name] for name in main.keys() - ema.short.keys()}
    for name, short in ema.short.items():
        for kind, value in (("ema", main[name]), ("short", short)):
            tensors[f"{kind}/{name}"] = value if whole else _half(value)
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    facts = _Facts(ema.updates, ema.gamma, ema.short_gamma)
    # In one string, since safetensors writes several in any order.
    save_file(tensors, part, {FACTS: json.dumps(asdict(facts))})


def _half(value: Tensor) -> Tensor:
    """In half precision, unless a number is too large for it (65,504)."""
    half = value.half()
    return half if half.isfinite().all() else value


def reconstruct(folder: Path, sigma_rel: float, most: int = MOST_BYTES) -> dict[str, Tensor]:
    """Return the weights (float32) averaged over the relative length ``sigma_rel``, as of the last snapshot.

    ``most`` is how many bytes a snapshot may have.

    The names are those of the denoiser's state dict. What layers count for themselves is that of the last
    snapshot. Raises UserError without snapshots, or where they cannot carry this length.
    """
    if not SHORTEST <= sigma_rel <= LONGEST:
        raise UserError(
            f"an average of relative length {sigma_rel:g} cannot be made: choose one from {SHORTEST} to "
            f"{LONGEST}, where 0.1 averages over about the last tenth of the run."
        )
    paths = sorted(folder.glob("step-*.safetensors"))
    if not paths:
        raise UserError(
            f"there are no snapshots of the averages in {folder}: train further, or leave the length of the "
            "average out."
        )
    try:
        profiles = [profile for path in paths for profile in _profiles(path)]
        return _mixed(paths, _shares(profiles, sigma_rel), most)
    except (OSError, ValueError, RuntimeError) as error:
        said = in_one_line(error)
        raise UserError(
            f"a snapshot in {folder} is damaged: leave the length of the average out ({said})."
        ) from error


def snapshot(folder: Path, step: int, most: int = MOST_BYTES) -> dict[str, Tensor]:
    """Return the usual average of the weights (float32) as it was at an earlier step of the run.

    ``most`` is how many bytes a snapshot may have.

    The names are those of the denoiser's state dict. Raises UserError where that step was not kept.
    """
    names = {path: re.fullmatch(r"step-(\d+)", path.stem) for path in sorted(folder.glob("*.safetensors"))}
    paths = {int(name[1]): path for path, name in names.items() if name}
    if step not in paths:
        kept = ", ".join(map(str, paths)) or "none"
        raise UserError(f"there is no snapshot of step {step} in {folder}: those kept are {kept}.")
    try:
        return _mixed([paths[step]], [1.0, 0.0], most)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{paths[step]} is damaged: choose another step ({in_one_line(error)}).") from error


def _profiles(path: Path) -> tuple[Profile, Profile]:
    """Those of the main and the short average in a snapshot."""
    facts: _Facts = typed(parsed(needed(said_by(path), FACTS)), _Facts, "")
    return Profile(facts.gamma, facts.updates), Profile(facts.short_gamma, facts.updates)


def _shares(profiles: Sequence[Profile], sigma_rel: float) -> list[float]:
    """How much of each average to take. Raises UserError where they cannot carry this length."""
    T = max(profile.T for profile in profiles)
    mix = solve(profiles, Profile(gamma_of(sigma_rel), T))
    if mix.error <= FURTHEST:
        return mix.shares
    lengths = [s / 100 for s in range(1, 26)]
    carried = [s for s in lengths if solve(profiles, Profile(gamma_of(s), T)).error <= FURTHEST]
    choose = f"choose one from {carried[0]} to {carried[-1]}" if carried else "leave it out"
    raise UserError(
        f"the snapshots of this run ({len(profiles) // 2}) cannot carry an average of relative length "
        f"{sigma_rel:g}: {choose}."
    )


def _mixed(paths: Sequence[Path], shares: Sequence[float], most: int) -> dict[str, Tensor]:
    """The averages of all snapshots, main and short by turns, times their shares."""
    weights: dict[str, Tensor] = {}
    counted: dict[str, Tensor] = {}
    for path, main, short in zip(paths, shares[::2], shares[1::2], strict=True):
        for key, value in read_tensors(path, most)[0].items():
            kind, _, name = key.partition("/")
            if kind not in ("ema", "short", "counted"):
                raise ValueError(f"{printable(key, 80)!r} is no average")
            if kind == "counted":
                counted[name] = value
                continue
            mean = weights.setdefault(name, torch.zeros(value.shape))
            if value.shape != mean.shape:
                raise ValueError(f"{printable(name, 80)!r} has two shapes")
            mean.add_(value.float(), alpha=main if kind == "ema" else short)
    return weights | counted
