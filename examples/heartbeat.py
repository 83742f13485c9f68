"""Heartbeats: diffusion of bits with a network of 22,000 weights, in some ten seconds on a CPU.

A toy problem of the first paper on diffusion models (Sohl-Dickstein et al. 2015): 20 bits hold a 1 in every
fifth place, at one of five phases. So the true answer is known: log2(1/5) = -2.322 bits for every beat. The
bound of a perfect network comes to -2.347 with 200 steps, and closer with more.

    python examples/heartbeat.py
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fogcatcher.diffusion.binomial import BinomialProcess, bound, erasing_betas

LENGTH, PERIOD, STEPS = 20, 5, 200
BEATS = torch.eye(PERIOD).repeat(1, LENGTH // PERIOD)  # (5, 20): one row for each phase


class Network(nn.Module):
    """From noisy bits x_t, (B, 20), and times t, (B,), to the logits of the clean bits, (B, 20)."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LENGTH + 1, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, LENGTH),
        )

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.layers(torch.cat([2 * x_t - 1, t[:, None].to(x_t)], dim=1))


def train(
    network: Network, process: BinomialProcess, generator: torch.Generator, updates: int = 4000
) -> None:
    """Show the network beats with bits thrown anew; it learns to say which bits were 1."""
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for update in range(1, updates + 1):
        x0 = BEATS[torch.randint(PERIOD, (256,), generator=generator)]
        t = torch.randint(1, STEPS + 1, (256,), generator=generator).double() / STEPS
        x_t = process.corrupt(x0, t, torch.randn(x0.shape, generator=generator))
        loss = nn.functional.binary_cross_entropy_with_logits(network(x_t, t), x0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        if update % 1000 == 0:
            print(f"update {update}  loss {loss.item():.4f}")


def sample(network: Network, process: BinomialProcess, n: int, generator: torch.Generator) -> Tensor:
    """From fair coins to beats, (n, 20), one step at a time."""
    x = process.prior(torch.ones(n).double(), torch.randn(n, LENGTH, generator=generator))
    for i in range(STEPS, 0, -1):
        t, s = torch.full((n,), i / STEPS).double(), torch.full((n,), (i - 1) / STEPS).double()
        x0_hat = network(x, t).sigmoid()
        x = process.draw(x, x0_hat, t, s, torch.randn(x.shape, generator=generator))
    return x


def main() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    process, network = BinomialProcess(erasing_betas(STEPS)), Network()
    train(network, process, generator)
    with torch.no_grad():
        found = sample(network, process, 1000, generator)
        bits = bound(process, lambda x, t: network(x, t).sigmoid(), BEATS.repeat(200, 1), generator).mean()
    valid = (found[:, None] == BEATS).all(2).any(1).float().mean()
    print(f"valid beats: {valid:.1%}")
    print(f"bound on log2 p(beat): {bits:.3f} bits; the truth is {-math.log2(PERIOD):.3f}")
    for beat in found[:8]:
        print("  " + "".join("|" if bit else "." for bit in beat))


if __name__ == "__main__":
    main()
