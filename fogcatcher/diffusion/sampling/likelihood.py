"""How likely a sample is: log p(x0) by the probability-flow ODE, and bits per dimension.

Song et al. 2021, "Score-Based Generative Modeling through SDEs", equation 39, in the variables of
``probability_flow.py``:

    log p(u_0) = log N(u_1; 0, I) + int tr(d v_hat / d u) dphi      from data, phi_0, up to noise, phi_1
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.sampling.probability_flow import angle, integrate, v_hat
from fogcatcher.diffusion.tensors import Bytes, PerSample, Samples, Times

Trace = Literal["exact", "hutchinson"]


def log_likelihood(
    denoiser: DenoiserLike,
    x0: Samples,
    generator: torch.Generator,
    trace: Trace = "hutchinson",
    smallest: float = 1e-3,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    direction: Samples | None = None,
) -> PerSample:
    """Return log p(x0) of each sample in nats, (B,): the density of continuous data.

    ``trace`` "exact" asks for the gradient of every dimension; "hutchinson" is unbiased and takes one
    random direction of signs per sample (Hutchinson 1990; Grathwohl et al. 2019, equation 7), or the
    ``direction`` that is given, (B, ...), for which signs or normal noise will do. The density is that of
    data with noise of sigma = ``smallest`` alpha, where the ODE starts.
    """
    schedule, dimensions = denoiser.process.schedule, x0[0].numel()
    if direction is None:
        direction = 2 * torch.randint(0, 2, x0.shape, generator=generator, device=generator.device) - 1
    along = direction.to(x0)

    def slope(phi: Times, state: Tensor) -> Tensor:
        with torch.enable_grad():
            u = state[:, :-1].detach().reshape(x0.shape).requires_grad_()
            v = v_hat(denoiser, u, phi)
            change = _exact(v, u) if trace == "exact" else _hutchinson(v, u, along)
        return torch.cat([v.detach().flatten(1), change.detach()[:, None]], 1)

    one = torch.ones((), dtype=torch.float64)
    start = torch.atan(smallest * one)
    u = math.cos(start) * x0.flatten(1)
    state = torch.cat([u, torch.zeros_like(u[:, :1])], 1)
    end = integrate(slope, state, start, angle(schedule, one), rtol, atol)
    log_prior = -(end[:, :-1].square().sum(1) + dimensions * math.log(2 * math.pi)) / 2
    # u is x0 scaled by cos(phi): its density is that of x0 over cos(phi) in every dimension.
    return log_prior + end[:, -1] + dimensions * math.log(math.cos(start))


def _exact(v: Tensor, u: Tensor) -> Tensor:
    """tr(dv / du) of each sample, (B,): one backward pass per dimension."""
    flat, total = v.flatten(1), u.new_zeros(len(u))
    for d in range(flat.shape[1]):
        (row,) = torch.autograd.grad(flat[:, d].sum(), u, retain_graph=True)
        total = total + row.flatten(1)[:, d]
    return total


def _hutchinson(v: Tensor, u: Tensor, direction: Tensor) -> Tensor:
    (row,) = torch.autograd.grad((v * direction).sum(), u)
    return (row * direction).flatten(1).sum(1)


def dequantise(pictures: Bytes, generator: torch.Generator) -> Samples:
    """Return uint8 values spread uniformly over their steps, within [-1, 1] (Theis et al. 2016, section 3.1).

    0 covers [-1, -1 + 2/256] and 255 covers [1 - 2/256, 1].
    """
    spread = torch.rand(pictures.shape, generator=generator, device=generator.device).to(pictures.device)
    return (pictures.float() + spread) / 128 - 1


def bits_per_dimension(log_p: PerSample, dimensions: int) -> PerSample:
    """Return the bits per dimension of 8-bit data from the density of dequantised data in [-1, 1], (B,).

    A step of 8-bit data is 1/128 wide, so log2 P = log2 p - 7 in every dimension.
    """
    return -log_p / (dimensions * math.log(2)) + 7
