"""Pictures of two pixels that move, without a script: the page's style computes x_t = alpha x0 + sigma eps.

A dot knows its x0 and its eps. A process is an animation of alpha and sigma, and each dot's place follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.tensors import Samples

SECONDS = 9
KEYS = 24
HELD = 12
"""Percent of the time for which the first and the last moment stand still."""

STYLE = """
@property --alpha { syntax: "<number>"; inherits: true; initial-value: 0.7 }
@property --sigma { syntax: "<number>"; inherits: true; initial-value: 0.7 }
@property --percent { syntax: "<integer>"; inherits: true; initial-value: 50 }
.moving .dot { transform: translate(
  calc((var(--alpha) * var(--x) + var(--sigma) * var(--e)) * var(--unit)),
  calc((var(--alpha) * var(--y) + var(--sigma) * var(--f)) * -1 * var(--unit))) }
.time::after { counter-reset: percent var(--percent); content: counter(percent) " %" }
.moving:hover, .moving:hover * { animation-play-state: paused !important }
@media (prefers-reduced-motion: reduce) { .moving, .moving * { animation: none !important } }
"""


def process_style(name: str, process: Process) -> str:
    """The animation of alpha and sigma from t = 0 to t = 1, and a class of its name."""
    rows = []
    for i in range(KEYS + 1):
        t = torch.tensor(i / KEYS, dtype=torch.float64)
        alpha, sigma = process.schedule.alpha(t).item(), process.schedule.sigma(t).item()
        rows.append(
            f"{_percent(i / KEYS)} "
            f"{{ --alpha: {alpha:.4f}; --sigma: {sigma:.4f}; --percent: {100 * i / KEYS:.0f} }}"
        )
    rows[0], rows[-1] = f"0%, {rows[0]}", rows[-1].replace("%", "%, 100%", 1)
    return (
        f"@keyframes {name} {{ {' '.join(rows)} }}\n"
        f".{name} {{ animation: {name} {SECONDS}s linear infinite }}\n"
    )


def dots(x0: Samples, eps: Samples, kinds: Sequence[int], middle: float, unit: float) -> str:
    """Dots, (B, 2), for an SVG; ``unit`` is how long 1 is there."""
    parts = [f'<g style="--unit: {unit:.2f}px">']
    for (x, y), (e, f), kind in zip(x0.tolist(), eps.tolist(), kinds, strict=True):
        parts.append(
            f'<circle class="dot k{kind}" cx="{middle:g}" cy="{middle:g}" r="2" '
            f'style="--x:{x:.3f};--y:{y:.3f};--e:{e:.3f};--f:{f:.3f}"/>'
        )
    return "".join(parts) + "</g>"


def walker(name: str, places: Tensor, kind: int) -> str:
    """A dot for an SVG that walks along ``places``, (T, 2) of the drawing, in even time."""
    last = len(places) - 1
    rows = [
        f"{_percent(i / last)} {{ transform: translate({a:.1f}px, {b:.1f}px) }}"
        for i, (a, b) in enumerate(places.tolist())
    ]
    rows[0], rows[-1] = f"0%, {rows[0]}", rows[-1].replace("%", "%, 100%", 1)
    style = (
        f"@keyframes {name} {{ {' '.join(rows)} }} #{name} {{ animation: {name} {SECONDS}s linear infinite }}"
    )
    return f'<style>{style}</style><circle id="{name}" class="walker k{kind}" r="4"/>'


def _percent(share: float) -> str:
    return f"{HELD + (100 - 2 * HELD) * share:.2f}%"
