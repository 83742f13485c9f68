"""Averages of any length from two that were kept: closed forms, profiles, and averages tracked directly."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from scipy.integrate import quad
from torch import nn

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.sheets import RECIPE_KEY
from fogcatcher.diffusion.denoiser import Denoiser, EDMPreconditioning
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import EDMSchedule
from fogcatcher.model.model import load
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from fogcatcher.training.batches import Batches
from fogcatcher.training.checkpoints import load_newest_state, save_state
from fogcatcher.training.ema import SHORT_GAMMA, PowerEMA
from fogcatcher.training.fit import Plan, TrainingState, fit
from fogcatcher.training.post_hoc import (
    AVERAGES,
    SNAPSHOTS,
    EMAHistory,
    Profile,
    gamma_of,
    inner_product,
    reconstruct,
    save_snapshot,
    sigma_rel_of,
    solve,
)
from tests.commands import fogcatcher, save_pictures
from tests.small_trainings import OBJECTIVE, affine_state, grey_data, table

TABLE = "network.table"
LENGTHS = (0.04, 0.06, 0.08, 0.12, 0.15)


def test_lengths_and_exponents_are_those_of_the_paper():
    assert gamma_of(0.05) == pytest.approx(16.972, abs=5e-4) == SHORT_GAMMA
    assert gamma_of(0.10) == pytest.approx(6.9372, abs=5e-5)
    assert sigma_rel_of(0) == pytest.approx(1 / math.sqrt(12), rel=1e-14)  # a plain mean
    for sigma_rel in (0.01, 0.03, 0.1, 0.25, sigma_rel_of(0)):
        assert sigma_rel_of(gamma_of(sigma_rel)) == pytest.approx(sigma_rel, rel=1e-9)
    for wrong in (0.0, -0.1, 0.29, math.nan):
        with pytest.raises(ValueError, match="relative length"):
            gamma_of(wrong)


def density(profile: Profile, t: float) -> float:
    g, T = profile.gamma, profile.T
    return (g + 1) * t**g / T ** (g + 1) if t <= T else 0.0


PAIRS = [
    (Profile(6.94, 1), Profile(16.972, 1)),
    (Profile(6.94, 0.6), Profile(0.5, 1)),
    (Profile(3, 2), Profile(17, 1)),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_inner_products_are_the_integrals(a: Profile, b: Profile):
    end = min(a.T, b.T)
    integral = quad(lambda t: density(a, t) * density(b, t), 0, end, epsabs=0, epsrel=1e-10)[0]
    assert inner_product(a, b) == pytest.approx(integral, rel=1e-9) == inner_product(b, a)


def test_the_length_is_the_deviation_of_the_profile():
    for sigma_rel in (0.05, 0.1, 0.2):
        profile = Profile(gamma_of(sigma_rel), 1.0)
        mean = quad(lambda t, p=profile: density(p, t) * t, 0, 1)[0]
        square = quad(lambda t, p=profile: density(p, t) * t**2, 0, 1)[0]
        assert math.sqrt(square - mean**2) == pytest.approx(sigma_rel, rel=1e-6)


# --- the mix of profiles ------------------------------------------------------------------------


def kept(steps: int = 1200, n: int = SNAPSHOTS) -> list[Profile]:
    """What is kept of a run: both averages, at n steps."""
    ends = [steps * k // n for k in range(1, n + 1)]
    return [Profile(gamma, end) for end in ends for gamma in (6.94, SHORT_GAMMA)]


def by_step(profile: Profile, steps: int) -> np.ndarray:
    """How much each step counts, (steps,), found by running the average on the unit vectors of time."""
    counts = np.zeros(steps)
    for n in range(1, int(profile.T) + 1):
        beta = (1 - 1 / n) ** (profile.gamma + 1)
        counts *= beta
        counts[n - 1] += 1 - beta
    return counts


def mixed(shares: list[float], profiles: list[Profile], steps: int) -> np.ndarray:
    return np.array(shares) @ np.stack([by_step(profile, steps) for profile in profiles])


@pytest.mark.parametrize("sigma_rel", [0.03, *LENGTHS, 0.2])
def test_the_profile_of_the_mix_is_as_near_as_it_says(sigma_rel: float):
    steps, target = 1200, Profile(gamma_of(sigma_rel), 1200)
    mix = solve(kept(), target)
    got = mixed(mix.shares, kept(), steps)
    exact = by_step(target, steps)
    assert sum(mix.shares) == pytest.approx(1) and got.sum() == pytest.approx(1)
    assert np.linalg.norm(got - exact) / np.linalg.norm(exact) == pytest.approx(mix.error, rel=0.05)
    # Twelve snapshots: under 2 % for lengths near the two that are kept, and worse far from them.
    assert mix.error < (0.02 if sigma_rel in LENGTHS else 0.07)


def test_no_other_mix_of_the_same_sum_is_nearer():
    """A step aside in any direction leaves a mix that is further away: the error has its least value here."""
    target = Profile(gamma_of(0.15), 1200)
    mix = solve(kept(), target)
    A = np.array([[inner_product(a, b) for b in kept()] for a in kept()])
    B = np.array([inner_product(a, target) for a in kept()])

    def square(x: np.ndarray) -> float:
        return float(x @ A @ x - 2 * x @ B)

    x = np.array(mix.shares)
    for number in range(len(x) - 1):
        aside = np.zeros(len(x))
        aside[number], aside[-1] = 0.01, -0.01
        assert square(x + aside) > square(x) and square(x - aside) > square(x)


def test_an_average_that_was_kept_needs_no_other():
    for number, profile in ((-2, Profile(6.94, 1200)), (-1, Profile(SHORT_GAMMA, 1200))):
        mix = solve(kept(), profile)
        assert mix.shares == pytest.approx(np.eye(2 * SNAPSHOTS)[number], abs=1e-9)
        assert mix.error < 1e-6
    # Two averages of one gamma: A has no inverse, and either half will do.
    twice = [Profile(6.94, 100), Profile(6.94, 100)]
    assert solve(twice, Profile(6.94, 100)).shares == pytest.approx([0.5, 0.5])


# --- against averages tracked directly ----------------------------------------------------------


class Counting(nn.Module):
    """F is nothing; a table, a counter of whole numbers and a mean, as batch norm has them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(3000))
        self.register_buffer("batches", torch.tensor(0))
        self.register_buffer("mean", torch.zeros(3))


def state_of(network: nn.Module, plan: Plan) -> TrainingState:
    denoiser = Denoiser(network, Process(EDMSchedule()), EDMPreconditioning())
    return TrainingState.start(denoiser, plan)


def wander(folder: Path, steps: int, lengths: tuple[float, ...] = ()) -> tuple[TrainingState, list[PowerEMA]]:
    """Weights that take a random step of size 1 each time, averaged over ``lengths`` as well."""
    plan, generator = Plan(steps=steps), torch.Generator().manual_seed(0)
    state = state_of(Counting(), plan)
    direct = [PowerEMA(state.denoiser, gamma_of(length)) for length in lengths]
    history = EMAHistory(folder, plan, state)
    weights = table(state.denoiser)
    for step in range(1, steps + 1):
        weights.data += torch.randn(weights.shape, generator=generator)
        state.denoiser.get_buffer("network.batches").fill_(step)
        state.denoiser.get_buffer("network.mean").fill_(step + 0.1)
        state.step = step
        for ema in (state.ema, *direct):
            ema.update(state.denoiser)
        history.after_step()
    return state, direct


def rms(x: torch.Tensor) -> float:
    return x.square().mean().sqrt().item()


def test_a_random_walk_comes_out_as_if_tracked(tmp_path):
    """The error follows from the profiles: a step of the walk counts by the sum of what comes after it."""
    steps = 400
    state, direct = wander(tmp_path, steps, LENGTHS)
    weights = table(state.denoiser).detach()
    for length, ema in zip(LENGTHS, direct, strict=True):
        mine, theirs = reconstruct(tmp_path, length)[TABLE], table(ema.denoiser)
        target = Profile(gamma_of(length), steps)
        shares = solve(kept(steps), target).shares
        off = mixed(shares, kept(steps), steps) - by_step(target, steps)
        expected = np.linalg.norm(np.cumsum(off[::-1]))
        error = rms(mine - theirs)
        # Half precision in all snapshots but the last adds 2^-12 of weights here and there.
        assert error == pytest.approx(expected, rel=0.1)
        assert error < 0.01 * rms(theirs - weights)  # 1 % of how far the average is from the last weights
        assert error < 0.001 * rms(theirs)


def test_a_training_comes_out_as_if_tracked(tmp_path):
    plan = Plan(steps=200, batch_size=8, learning_rate=0.02)
    state = affine_state(plan)
    direct = {length: PowerEMA(state.denoiser, gamma_of(length)) for length in LENGTHS}
    history = EMAHistory(tmp_path, plan, state)
    for _ in fit(state, Batches(grey_data(), {}), OBJECTIVE, plan):
        history.after_step()
        for ema in direct.values():
            ema.update(state.denoiser)
    for length, ema in direct.items():
        mine, theirs = reconstruct(tmp_path, length)[TABLE], table(ema.denoiser)
        error, lag = rms(mine - theirs), rms(theirs - table(state.denoiser).detach())
        mix = solve(kept(200), Profile(gamma_of(length), 200))
        # The profiles differ by a share, and all snapshots but the last, in half precision, by 2^-11 at most.
        rounding = 2**-11 * rms(theirs) * np.linalg.norm(mix.shares[:-2])
        assert error < mix.error * lag + rounding
        assert error < 0.001 * rms(theirs)
        # The usual average would not have done.
        assert error < 0.2 * rms(table(state.ema.denoiser) - theirs)


def test_weights_that_never_change_come_back_to_rounding(tmp_path):
    plan = Plan(steps=24)
    state = state_of(Counting(), plan)
    table(state.denoiser).data.normal_(generator=torch.Generator().manual_seed(0))
    state = TrainingState.start(state.denoiser, plan)
    history = EMAHistory(tmp_path, plan, state)
    for step in range(1, 25):
        state.ema.update(state.denoiser)
        state.step = step
        history.after_step()
    weights = table(state.denoiser).detach()
    for name, average in (("main", table(state.ema.denoiser)), ("short", state.ema.short[TABLE])):
        assert average.equal(weights), name
    for length in (0.03, 0.1, 0.2):
        mine = reconstruct(tmp_path, length)[TABLE]
        assert ((mine - weights).abs() <= 2.0**-11 * weights.abs() + 1e-6).all()  # of half precision


def test_what_layers_count_is_that_of_the_last_snapshot(tmp_path):
    wander(tmp_path, 24)
    weights = reconstruct(tmp_path, 0.07)
    assert weights["network.batches"].equal(torch.tensor(24))
    assert weights["network.mean"].equal(torch.full((3,), 24.1))
    assert weights.keys() == {TABLE, "network.batches", "network.mean"}


def test_weights_too_large_for_half_precision_are_kept_whole(tmp_path):
    state = state_of(Counting(), Plan(steps=1))
    table(state.denoiser).data.fill_(1e6 + 1)
    state.ema.update(state.denoiser)
    save_snapshot(state.ema, tmp_path / "step-000000001.safetensors", whole=False)
    assert reconstruct(tmp_path, 0.1)[TABLE] == pytest.approx(1e6 + 1, rel=1e-6)


# --- on disk ------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_snapshots_are_evenly_spaced_and_the_last_step_is_one(tmp_path):
    state, _ = wander(tmp_path / "long", 100)
    steps = [int(path.stem.removeprefix("step-")) for path in sorted((tmp_path / "long").iterdir())]
    assert steps == [8, 16, 25, 33, 41, 50, 58, 66, 75, 83, 91, 100]
    with safe_open(tmp_path / "long" / "step-000000100.safetensors", framework="pt") as file:
        facts = json.loads(file.metadata()["averages"])
        assert facts == {"updates": 100, "gamma": 6.94, "short_gamma": 16.972}
        assert file.get_tensor(f"ema/{TABLE}").equal(table(state.ema.denoiser))
        assert file.get_tensor(f"short/{TABLE}").equal(state.ema.short[TABLE])
    with safe_open(tmp_path / "long" / "step-000000050.safetensors", framework="pt") as file:
        assert {file.get_tensor(f"{kind}/{TABLE}").dtype for kind in ("ema", "short")} == {torch.float16}
    wander(tmp_path / "brief", 3)
    assert len(contents(tmp_path / "brief")) == 3


def trained(folder: Path, plan: Plan, stop: int, state: TrainingState) -> TrainingState:
    """Train on to step ``stop``, with a history in ``folder``."""
    history = EMAHistory(folder, plan, state)
    for progress in fit(state, Batches(grey_data(30), {}), OBJECTIVE, plan):
        history.after_step()
        if progress.step == stop:
            break
    return state


@pytest.mark.parametrize("saved_at", [11, 12])  # before a snapshot, and at one
def test_a_history_taken_up_again_is_that_of_an_unbroken_run(tmp_path, saved_at):
    plan, broken = Plan(steps=36, batch_size=4), tmp_path / "broken"
    whole = trained(tmp_path / "whole", plan, 36, affine_state(plan))
    killed = trained(broken, plan, saved_at, affine_state(plan))
    save_state(killed, tmp_path / "state")
    trained(broken, plan, 20, killed)
    # What came after the checkpoint is dropped, even where it is something else altogether.
    (broken / "step-000000018.safetensors").write_bytes(b"something else")
    fresh = affine_state(plan)
    load_newest_state(fresh, tmp_path / "state")
    trained(broken, plan, 36, fresh)
    assert contents(broken) == contents(tmp_path / "whole") and len(contents(broken)) == SNAPSHOTS
    assert fresh.ema.short[TABLE].equal(whole.ema.short[TABLE])


def test_later_snapshots_are_dropped_and_a_missing_one_is_written_at_once(tmp_path):
    plan = Plan(steps=36, batch_size=4)
    state = trained(tmp_path, plan, 12, affine_state(plan))
    whole = contents(tmp_path)
    (tmp_path / "step-000000012.safetensors").unlink()  # a kill came between checkpoint and snapshot
    (tmp_path / "step-000000015.safetensors").write_bytes(b"later")
    EMAHistory(tmp_path, plan, state)
    assert contents(tmp_path) == whole


def test_a_kill_while_a_snapshot_is_written_leaves_none(tmp_path, monkeypatch):
    def die_halfway(ema: PowerEMA, path: Path, whole: bool) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("fogcatcher.training.post_hoc.save_snapshot", die_halfway)
    with pytest.raises(KeyboardInterrupt):
        wander(tmp_path, 24)
    assert not list(tmp_path.glob("step-*"))


def test_mistakes_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match="there are no snapshots of the averages in"):
        reconstruct(tmp_path, 0.1)
    wander(tmp_path / "a", 240)
    for length in (0.009, 0.26, 0.0, -0.1, math.nan, math.inf):
        with pytest.raises(
            UserError, match=r"relative length .* cannot be made: choose one from 0\.01 to 0\.25"
        ):
            reconstruct(tmp_path / "a", length)
    with pytest.raises(
        UserError, match=r"snapshots of this run \(12\) .* length 0\.01: choose one from 0\.03 to 0\.24\."
    ):
        reconstruct(tmp_path / "a", 0.01)
    # One snapshot carries what lies between its two averages, and little else.
    for path in sorted((tmp_path / "a").iterdir())[:-1]:
        path.unlink()
    with pytest.raises(
        UserError, match=r"snapshots of this run \(1\) .* 0\.2: choose one from 0\.04 to 0\.12\."
    ):
        reconstruct(tmp_path / "a", 0.2)
    (last,) = (tmp_path / "a").iterdir()
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged"):
        reconstruct(tmp_path / "a", 0.1)


@pytest.mark.slow
def test_a_run_draws_with_an_average_of_another_length(tmp_path, capsys):
    folder = tmp_path / "run"
    run = prepare(Setup(str(save_pictures(tmp_path / "data")), folder, steps=12, size_of_model="tiny"))
    run.model.save(folder)
    with pytest.raises(UserError, match="no snapshots"):
        load(folder, ema=0.1)
    history = EMAHistory(folder / AVERAGES, run.config.training, run.state)
    for _ in fit(run.state, run.batches, run.objective, run.config.training):
        history.after_step()
    run.model.save(folder)
    usual, again, other = load(folder), load(folder, ema=0.1), load(folder, ema=0.06)
    weights, mine = run.state.ema.denoiser.state_dict(), again.denoiser.state_dict()
    for name, value in weights.items():
        assert (mine[name] - value).abs().max() <= 1e-3 * value.abs().max() + 1e-6  # 0.1 is the usual one
    for name, value in reconstruct(folder / AVERAGES, 0.06).items():
        assert other.denoiser.state_dict()[name].equal(value)
    assert len({usual.hash, again.hash, other.hash}) == 3 and load(folder, ema=0.06).hash == other.hash

    out = tmp_path / "out"
    draw = ("sample", str(folder), "-n", "1", "--steps", "2", "--out", str(out), "--ema")
    assert fogcatcher(*draw, "0.06", capsys=capsys)[0] == 0
    with Image.open(out / "00000.png") as picture:
        assert other.hash in picture.info[RECIPE_KEY]
    code, _, said = fogcatcher(*draw, "0.06", "--best", capsys=capsys)
    assert code == 2 and "give --best or --ema, not both" in said
    code, _, said = fogcatcher("evaluate", str(folder), "--ema", "0.5", capsys=capsys)
    assert code == 2 and "choose one from 0.01 to 0.25" in said
