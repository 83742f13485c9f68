"""The diffusion of bits against published figures, enumeration of all states, and counted draws."""

import inspect
import itertools
import math
from typing import cast

import pytest
import torch

from fogcatcher.diffusion.binomial import (
    BinomialDatasetDenoiser,
    BinomialProcess,
    bernoulli_kl,
    bound,
    erasing_betas,
)
from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDPM, sample
from fogcatcher.diffusion.schedules import linear_betas

TEN = BinomialProcess(erasing_betas(10))


def times(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def at(time: float) -> torch.Tensor:
    """One time for the whole batch."""
    return torch.tensor(time, dtype=torch.float64)


def column(*bits: float) -> torch.Tensor:
    return torch.tensor(bits, dtype=torch.float64)[:, None]


def states(bits: int) -> torch.Tensor:
    """All 2^bits sequences."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=bits)), dtype=torch.float64)


def heartbeats(length: int) -> torch.Tensor:
    """A 1 in every fifth place, at five phases."""
    return torch.eye(5, dtype=torch.float64).repeat(1, length // 5)


def exact(length: int, steps: int) -> tuple[BinomialProcess, BinomialDatasetDenoiser]:
    process = BinomialProcess(erasing_betas(steps))
    return process, BinomialDatasetDenoiser(process, heartbeats(length))


def all_of(p: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Probability of the sequences x when each bit is 1 with probability p."""
    return (p * x + (1 - p) * (1 - x)).prod(-1)


def normal(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_every_step_erases_the_same_share():
    schedule = TEN.schedule
    t = torch.arange(11, dtype=torch.float64) / 10
    torch.testing.assert_close(schedule.alpha(t) ** 2, 1 - t, rtol=1e-12, atol=0)
    assert erasing_betas(10)[-1] == 1
    assert BinomialProcess(erasing_betas(2000)).flip(at(0.0), at(0.5)).item() == pytest.approx(0.25)


def test_posterior_has_the_known_values():
    """T = 10, t = 5: P(x_4 = 1) for (x0, x_5) = (0, 0), (0, 1), (1, 0), (1, 1)."""
    found = TEN.posterior(column(0, 1, 0, 1), column(0, 0, 1, 1), at(0.4), at(0.5))
    torch.testing.assert_close(found, column(0.0222, 0.7333, 0.2667, 0.9778), rtol=0, atol=5e-5)


@pytest.mark.parametrize("betas", [erasing_betas(10), linear_betas(10, 0.01, 0.4)])
def test_marginals_are_the_chain_of_single_steps(betas: torch.Tensor):
    """q(x_t = 1 | x_{t-1}) = x_{t-1} (1 - beta) + beta / 2, one after the other."""
    process, x0 = BinomialProcess(betas), column(0, 1, 0.3)
    chain = x0
    for i, beta in enumerate(betas, start=1):
        chain = chain * (1 - beta) + beta / 2
        torch.testing.assert_close(process.marginal(x0, at(i / 10)), chain)
        later = process.transition(process.marginal(x0, at(0.2)), at(0.2), at(i / 10))
        if i > 2:
            torch.testing.assert_close(later, chain)


def test_the_ends_of_the_process_are_data_and_fair_coins():
    x0 = states(3)
    for dtype in (torch.float32, torch.float64):
        noise = normal((8, 3)).to(dtype)
        assert bool((TEN.corrupt(x0.to(dtype), at(0.0), noise) == x0).all())
        assert bool((TEN.marginal(x0.to(dtype), at(1.0)) == 0.5).all())
        back = TEN.draw(1 - x0.to(dtype), x0.to(dtype), at(0.1), at(0.0), noise)
        assert bool((back == x0).all()) and back.dtype == dtype


def test_a_probability_rounded_past_its_end_is_certain():
    beyond = torch.tensor([[1 + 2.3e-16, -1e-300]], dtype=torch.float64)
    assert beyond[0, 0] > 1
    assert TEN.draw(1 - beyond.round(), beyond, at(0.1), at(0.0), normal((1, 2))).tolist() == [[1, 0]]


def frequency(bits: torch.Tensor) -> torch.Tensor:
    assert set(bits.unique().tolist()) <= {0.0, 1.0}
    return bits.mean(1)


def test_draws_are_as_frequent_as_they_should_be():
    n, (x_t, x0) = 40_000, (column(0, 1, 0, 1), column(0, 0, 1, 1))
    many_t, many_0, noise = x_t.expand(4, n), x0.expand(4, n), normal((4, n))
    s, t, error = at(0.4), at(0.5), 4 * 0.5 / math.sqrt(n)
    for found, expected in [
        (TEN.draw(many_t, many_0, t, s, noise), [1 / 45, 11 / 15, 4 / 15, 44 / 45]),
        (TEN.draw(many_t, torch.full_like(many_t, 0.5), t, s, noise), [13 / 90, 77 / 90, 13 / 90, 77 / 90]),
        (TEN.corrupt(many_0, t, noise), [0.25, 0.25, 0.75, 0.75]),  # half is erased, half of that right
        (TEN.renoise(many_t, s, t, noise), [1 / 12, 11 / 12, 1 / 12, 11 / 12]),  # beta_5 = 1 / 6
        (TEN.prior(t, noise), [0.5] * 4),
    ]:
        torch.testing.assert_close(frequency(found), times(*expected), rtol=0, atol=error)


def test_posterior_of_the_mean_is_the_reverse_kernel_of_each_bit():
    """P(x_s^i = 1 | x_t) by summing over all data and all x_s, against posterior(x_t, E[x0 | x_t])."""
    points, every = torch.tensor([[0, 0, 1], [1, 1, 1], [1, 0, 0]], dtype=torch.float64), states(3)
    denoiser = BinomialDatasetDenoiser(TEN, points)
    for s, t in [(0.3, 0.4), (0.2, 0.9), (0.0, 0.1), (0.9, 1.0)]:
        weight = all_of(TEN.marginal(points, at(s))[:, None], every).mean(0)  # q(x_s), (8,)
        onward = all_of(TEN.transition(every, at(s), at(t))[:, None], every)  # q(x_t | x_s), (8, 8)
        joint = weight[:, None] * onward
        expected = (joint / joint.sum(0)).T @ every
        t_all = at(t).expand(8)
        found = TEN.posterior(every, denoiser(every, t_all), at(s).expand(8), t_all)
        torch.testing.assert_close(found, expected)


def test_the_denoiser_knows_the_only_point_and_takes_any_shape():
    point = torch.tensor([[[0.0, 1.0], [1.0, 1.0]]])
    found = BinomialDatasetDenoiser(TEN, point)(1 - point, at(0.3))
    assert found.shape == (1, 2, 2) and bool((found == point).all())
    both = BinomialDatasetDenoiser(TEN, torch.cat([point, 1 - point]))
    torch.testing.assert_close(both(point, at(1.0)), torch.full_like(point, 0.5))


def test_kl_of_coins():
    q, p = times(0.5, 0.25, 0.7), times(0.25, 0.5, 0.7)
    expected = times(0.5 * math.log(4 / 3), 0.25 * math.log(0.5) + 0.75 * math.log(1.5), 0)
    torch.testing.assert_close(bernoulli_kl(q, p), expected)
    # certain and certain of the opposite: finite, -log 1e-6
    assert bernoulli_kl(at(1.0), at(0.0)).item() == pytest.approx(math.log(1e6), rel=1e-4)
    assert bernoulli_kl(times(1.0, 0.0), times(1.0, 0.0)).tolist() == [0, 0]


def classes_of_states(copies: int) -> tuple[torch.Tensor, torch.Tensor]:
    """All sequences of 5 x copies bits, one of each kind, and how many there are of the kind.

    Beside the first heartbeat only the number of ones at each phase counts, and phases 1 to 4 are alike.
    """
    kinds, sizes = [], []
    for first, rest in itertools.product(
        range(copies + 1), itertools.combinations_with_replacement(range(copies + 1), 4)
    ):
        ones = (first, *rest)
        kinds.append([[float(copy < n) for n in ones] for copy in range(copies)])
        orders = math.factorial(4) / math.prod(math.factorial(rest.count(n)) for n in set(rest))
        sizes.append(orders * math.prod(math.comb(copies, n) for n in ones))
    return torch.tensor(kinds, dtype=torch.float64).flatten(1), times(*sizes)


def enumerated_bound(length: int, steps: int) -> float:
    """The bound of the first heartbeat in bits, its expectation taken over all 2^length states."""
    process, denoiser = exact(length, steps)
    every, sizes = classes_of_states(length // 5)
    assert sizes.sum() == 2**length
    x0 = heartbeats(length)[:1]
    nats = bernoulli_kl(process.marginal(x0, at(1.0)), torch.full_like(x0, 0.5)).sum()
    for i in range(1, steps + 1):
        s, t = at((i - 1) / steps), at(i / steps)
        q = process.posterior(every, x0.expand_as(every), s, t)
        p = process.posterior(every, denoiser(every, t), s, t)
        nats += sizes * all_of(process.marginal(x0, t), every) @ bernoulli_kl(q, p).sum(1)
    return -nats.item() / math.log(2)


def test_the_exact_denoiser_closes_the_bound_of_heartbeats_from_below():
    """Only the independence of the bits within a step separates it from -log2(5); that goes as 1 / T."""
    gaps = [-math.log2(5) - enumerated_bound(20, steps) for steps in (50, 200, 800)]
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.1) and gaps[1] / gaps[2] == pytest.approx(4, rel=0.1)
    assert gaps[2] < 0.01


def test_the_bound_lies_below_the_probability_that_the_reverse_chain_gives():
    """p(x0) over all paths of 6 steps through the 32 states of 5 bits."""
    steps, every = 6, states(5)
    process, denoiser = exact(5, steps)
    p = torch.full((32,), 1 / 32, dtype=torch.float64)
    for i in range(steps, 0, -1):
        t, s = at(i / steps), at((i - 1) / steps)
        p = p @ all_of(process.posterior(every, denoiser(every, t), s, t)[:, None], every)
    first = int((every == heartbeats(5)[0]).all(1).nonzero())
    gap = math.log2(p[first].item()) - enumerated_bound(5, steps)
    assert 0 < gap < 0.3


@pytest.mark.parametrize(
    ("steps", "terms", "copies", "calls"), [(50, None, 500, 4), (6, None, 500, 20), (6, 3, 20, 300)]
)
@pytest.mark.slow
def test_the_estimate_is_right_on_average(steps: int, terms: int | None, copies: int, calls: int):
    process, denoiser = exact(20, steps)
    x0, generator = heartbeats(20).repeat(copies, 1), torch.Generator().manual_seed(0)
    found = torch.stack([bound(process, denoiser, x0, generator, terms).mean() for _ in range(calls)])
    error = (found.std() / math.sqrt(calls)).item()
    assert error < 0.06 and found.mean().item() == pytest.approx(enumerated_bound(20, steps), abs=3 * error)


def test_ancestral_sampling_gives_heartbeats_of_every_phase():
    """By the sampler of the Gaussian processes, which sees only draw()."""
    process, denoiser = exact(20, 200)
    x = process.prior(at(1.0), normal((2000, 20)))
    grid, generator = UniformGrid()(process.schedule, 200), torch.Generator().manual_seed(1)
    *_, state = sample(cast(DenoiserLike, denoiser), x, grid, DDPM(), generator)
    hits = (state.x[:, None] == heartbeats(20)).all(2).sum(0)
    assert hits.sum() >= 0.99 * 2000
    assert bool(((hits - 400).abs() < 4 * math.sqrt(2000 * 0.2 * 0.8)).all())


@pytest.mark.parametrize("method", ["corrupt", "prior", "renoise", "draw"])
def test_both_processes_are_called_alike(method: str):
    ours, gaussian = (inspect.signature(getattr(kind, method)) for kind in (BinomialProcess, Process))
    assert list(ours.parameters) == list(gaussian.parameters)
