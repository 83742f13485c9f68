"""Drawings of the pictures of two pixels, as SVG for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.drawing import html
from fogcatcher.explain import moving
from fogcatcher.explain.reverse_modes import Reverse, reverse_of
from fogcatcher.explain.two_pixels import EXPLODING, PRESERVING, TwoPixels, lecture, swiss_roll

SIDE = 220
DOTS = 240
WIDE, NEAR = 4.0, 2.4
"""How far the planes reach from the middle: for the clouds, and for what happens near the pictures."""
CLOUD_TIMES = (0.0, 0.2, 0.5, 1.0)
SCORE_TIMES = (0.8, 0.5, 0.2)
ARROWS = 13
PATHS = 6
PATH_STEPS = 30
REVERSE_FROM, REVERSE_AT = 0.6, (0.05, -0.1)
"""Time and place of the x_t from which steps of several lengths are taken."""
REVERSE_TO = (0.55, 0.4, 0.25, 0.0)
MOVING = {"exploding": EXPLODING, "preserving": PRESERVING}

STYLE = (
    """
.planes { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: .7rem }
.planes figure { max-width: 22rem }
.plane { display: block; width: 100%; height: auto }
.plane .axis { stroke: var(--line) } .plane text { fill: var(--soft); font-size: 10px;
  paint-order: stroke; stroke: var(--card); stroke-width: 3px }
.plane .arrow { stroke: var(--soft); stroke-width: 1 } .plane .head { fill: var(--soft) }
.plane polyline { fill: none; stroke-width: 1.3 }
.k0 { fill: var(--bar); stroke: var(--bar) } .k1 { fill: #d0873a; stroke: #d0873a }
.k2 { fill: #4f9d69; stroke: #4f9d69 } .k3 { fill: #b0548f; stroke: #b0548f }
.plane .dot { stroke: none; opacity: .6 } .plane .start { fill: var(--card); stroke-width: 1.3 }
.plane .pixel { stroke-width: 1.5 } .plane .walker { stroke: var(--card); stroke-width: 1.5 }
.plane .top { fill: none; stroke: var(--ink); stroke-width: 1.5 }
"""
    + moving.STYLE
    + "".join(moving.process_style(name, process) for name, process in MOVING.items())
)


def clouds(process: Process) -> str:
    """The same pictures under growing noise."""
    toy, generator = lecture(process), torch.Generator().manual_seed(0)
    kinds = torch.arange(DOTS) % len(toy.means)
    x0 = toy.means[kinds] + toy.std * torch.randn(DOTS, 2, generator=generator, dtype=torch.float64)

    def cloud(t: float) -> str:
        x = toy.noisy(x0, t, generator)
        seen = [(*_place(p, WIDE), k) for p, k in zip(x.tolist(), kinds.tolist(), strict=True)]
        return "".join(f'<circle class="dot k{k}" cx="{a:.1f}" cy="{b:.1f}" r="2"/>' for a, b, k in seen)

    return _planes((_plane(WIDE, cloud(t)), _rates(process, t)) for t in CLOUD_TIMES)


def moving_clouds() -> str:
    """Both processes, of four pictures and of a curved set, from pictures to noise again and again."""
    drawn = []
    for name, process in MOVING.items():
        for toy, whose in ((lecture(process), "four pictures"), (swiss_roll(process), "a curved set")):
            generator = torch.Generator().manual_seed(0)
            index = torch.arange(DOTS) * len(toy.means) // DOTS
            x0 = toy.means[index] + toy.std * torch.randn(DOTS, 2, generator=generator, dtype=torch.float64)
            eps = torch.randn(DOTS, 2, generator=generator, dtype=torch.float64)
            kinds = (4 * torch.arange(DOTS) // DOTS).tolist()
            inside = moving.dots(x0, eps, kinds, SIDE / 2, SIDE / 2 / WIDE)
            what = "added" if process is EXPLODING else "mixed"
            said = f'{whose}, noise {what}: t = <span class="time"></span>'
            drawn.append(
                f'<figure class="moving {name}">{_plane(WIDE, inside)}'
                f"<figcaption>{said}</figcaption></figure>"
            )
    return f'<div class="planes">{"".join(drawn)}</div>\n'


def reverses() -> list[Reverse]:
    """q(x_s | x_t) of the mix for steps of several lengths from one x_t."""
    toy = lecture(PRESERVING)
    at = torch.tensor(REVERSE_AT, dtype=torch.float64)
    return [reverse_of(toy, at, REVERSE_FROM, s) for s in REVERSE_TO]


def reverse_planes(found: Sequence[Reverse], tops: Sequence[Tensor]) -> str:
    """Draws from each, with its tops, (n, 2), as squares, and a ring where x_t is."""
    generator = torch.Generator().manual_seed(0)

    def drawn(reverse: Reverse, tops: Tensor) -> str:
        inside = "".join(
            f'<circle class="dot k0" cx="{a:.1f}" cy="{b:.1f}" r="1.6"/>'
            for a, b in (_place(x, NEAR) for x in reverse.draw(DOTS, generator).tolist())
        )
        for a, b in (_place(top, NEAR) for top in tops.tolist()):
            inside += f'<rect class="top" x="{a - 5:.1f}" y="{b - 5:.1f}" width="10" height="10"/>'
        a, b = _place(REVERSE_AT, NEAR)
        return inside + f'<circle class="start k1" style="fill:var(--card)" cx="{a:.1f}" cy="{b:.1f}" r="4"/>'

    def said(reverse: Reverse, tops: Tensor) -> str:
        return f"from t = {reverse.t:g} to s = {reverse.s:g}: {len(tops)} top{'s' if len(tops) > 1 else ''}"

    pairs = list(zip(found, tops, strict=True))
    return _planes((_plane(NEAR, drawn(*pair)), said(*pair)) for pair in pairs)


def scores() -> str:
    """The score of the mix at three times, exactly."""
    toy = lecture(PRESERVING)
    alphas = [toy.process.schedule.alpha(torch.tensor(t, dtype=torch.float64)).item() for t in SCORE_TIMES]
    return _planes(
        (_plane(NEAR, _arrows(toy, t) + _pictures(toy, alpha)), _rates(PRESERVING, t))
        for t, alpha in zip(SCORE_TIMES, alphas, strict=True)
    )


def paths() -> str:
    """From the same starting points: DDIM, then DDPM."""
    toy, seeds = lecture(PRESERVING), list(range(PATHS))
    times = UniformGrid()(PRESERVING.schedule, PATH_STEPS)
    named = (("DDIM: no fresh noise, smooth paths", DDIM()), ("DDPM: fresh noise in every step", DDPM()))
    return _planes(
        (_plane(NEAR, _lines(toy, toy.paths(step, times, seeds), f"walk{i}") + _pictures(toy)), name)
        for i, (name, step) in enumerate(named)
    )


def _rates(process: Process, t: float) -> str:
    at = torch.tensor(t, dtype=torch.float64)
    alpha, sigma = process.schedule.alpha(at).item(), process.schedule.sigma(at).item()
    return f"t = {t:g}: \u03b1 = {alpha:.2f}, \u03c3 = {sigma:.2f}"


def _planes(drawn: Iterable[tuple[str, str]]) -> str:
    figures = (f"<figure>{svg}<figcaption>{html.text(said)}</figcaption></figure>" for svg, said in drawn)
    return f'<div class="planes">{"".join(figures)}</div>\n'


def _plane(reach: float, inside: str) -> str:
    """A square from -reach to reach: the left pixel across, the right pixel up."""
    middle = SIDE / 2
    return (
        f'<svg class="plane" viewBox="0 0 {SIDE} {SIDE}" role="img">'
        f'<line class="axis" x1="0" y1="{middle}" x2="{SIDE}" y2="{middle}"/>'
        f'<line class="axis" x1="{middle}" y1="0" x2="{middle}" y2="{SIDE}"/>{_marks(reach)}{inside}'
        f'<text x="{SIDE - 4}" y="{middle - 4}" text-anchor="end">left pixel</text>'
        f'<text x="{middle + 4}" y="10">right pixel</text></svg>'
    )


def _marks(reach: float) -> str:
    """Where pixels are black, -1, and white, 1."""
    parts = []
    for value in (-1, 1):
        a, b = _place((value, value), reach)
        middle = SIDE / 2
        parts.append(f'<line class="axis" x1="{a:.1f}" y1="{middle - 3}" x2="{a:.1f}" y2="{middle + 3}"/>')
        parts.append(f'<line class="axis" x1="{middle - 3}" y1="{b:.1f}" x2="{middle + 3}" y2="{b:.1f}"/>')
        sign = "\u2212" if value < 0 else ""
        parts.append(f'<text x="{a:.1f}" y="{middle + 13}" text-anchor="middle">{sign}1</text>')
        parts.append(f'<text x="{middle - 6}" y="{b + 3:.1f}" text-anchor="end">{sign}1</text>')
    return "".join(parts)


def _place(point: Sequence[float], reach: float) -> tuple[float, float]:
    """Where a picture stands in the drawing; black is -1, white 1."""
    return SIDE / 2 * (1 + point[0] / reach), SIDE / 2 * (1 - point[1] / reach)


def _pictures(toy: TwoPixels, alpha: float = 1.0) -> str:
    """Each clean picture at alpha times its place: two grey squares in a frame of its colour."""
    parts = []
    for k, mean in enumerate(toy.means.tolist()):
        a, b = _place([alpha * value for value in mean], NEAR)
        for i, value in enumerate(mean):
            grey = round(127.5 * (value + 1))
            parts.append(
                f'<rect x="{a - 9 + 9 * i:.1f}" y="{b - 4.5:.1f}" width="9" height="9" '
                f'fill="rgb({grey},{grey},{grey})"/>'
            )
        frame = f'x="{a - 9:.1f}" y="{b - 4.5:.1f}" width="18" height="9"'
        parts.append(f'<rect class="pixel k{k}" style="fill:none" {frame}/>')
    return "".join(parts)


def _arrows(toy: TwoPixels, t: float) -> str:
    """The score on a lattice. Lengths are its square root, so that small scores can be seen too."""
    line = torch.linspace(-NEAR, NEAR, ARROWS + 2, dtype=torch.float64)[1:-1]
    places = torch.cartesian_prod(line, line)
    score: Samples = toy.score(places, t)
    length = score.norm(dim=1, keepdim=True)
    arrows = score / length.sqrt() * (2 * NEAR / (ARROWS + 1) / length.max().sqrt())
    parts = []
    for start, end in zip(places.tolist(), (places + arrows).tolist(), strict=True):
        (a, b), (c, d) = _place(start, NEAR), _place(end, NEAR)
        parts.append(
            f'<line class="arrow" x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}"/>'
            f'<circle class="head" cx="{c:.1f}" cy="{d:.1f}" r="1.6"/>'
        )
    return "".join(parts)


def _lines(toy: TwoPixels, walked: Tensor, name: str) -> str:
    """Paths, (T, B, 2), each in the colour of the picture where it ends, and a dot that walks along it."""
    parts = []
    for i, path in enumerate(walked.unbind(1)):
        k = int((toy.means - path[-1]).norm(dim=1).argmin())
        placed = [_place(point, NEAR) for point in path.tolist()]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
        a, b = placed[0]
        parts.append(f'<polyline class="k{k}" style="fill:none" points="{points}"/>')
        parts.append(f'<circle class="start k{k}" style="fill:var(--card)" cx="{a:.1f}" cy="{b:.1f}" r="3"/>')
        parts.append(moving.walker(f"{name}-{i}", torch.tensor(placed), k))
    return "".join(parts)
