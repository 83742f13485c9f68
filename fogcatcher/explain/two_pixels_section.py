"""Sections of the page: pictures of two pixels, which can be drawn in a plane and are known exactly."""

from __future__ import annotations

import torch

from fogcatcher.drawing.letters import formula, sentence
from fogcatcher.explain import two_pixels_page
from fogcatcher.explain.reverse_modes import Reverse, reverse_of
from fogcatcher.explain.shown import Section, code, section, sentences
from fogcatcher.explain.two_pixels import EXPLODING, PRESERVING, TwoPixels, lecture

COUNT = 20_000


def two_pixels_section() -> Section:
    return section(
        "Pictures of two pixels",
        [
            sentence(
                "A picture of only two pixels is a point in a plane: its left pixel says how far right, its "
                "right pixel how far up. Here are four such pictures, a little blurred, each in a colour of "
                "its own, and a curved set of 64, coloured along the curve. No network is used: for "
                "these the best guess is known exactly."
            ),
            formula(
                '"only added:"   x_t = x0 + sigma(t) eps',
                '"mixed:"   x_t = alpha(t) x0 + sigma(t) eps   alpha^2 + sigma^2 = 1',
                '"score" = grad log p(x_t) = - eps_hat / sigma = {alpha x0_hat - x_t} / sigma^2',
            ),
            sentences(clouds_seen()),
        ],
        code(TwoPixels.noisy, TwoPixels.score, TwoPixels.paths),
        "<h3>From pictures to noise, again and again (pointing at one stops it)</h3>",
        two_pixels_page.moving_clouds(),
        "<h3>Noise is only added: variance exploding</h3>",
        two_pixels_page.clouds(EXPLODING),
        "<h3>Picture and noise are mixed: variance preserving</h3>",
        two_pixels_page.clouds(PRESERVING),
        "<h3>The score: where are more pictures?</h3>",
        sentence(
            "Each arrow points to where noisy pictures are more frequent. The framed pictures stand "
            "where mixing has moved them: at alpha x0. Within one drawing, longer arrows are larger scores."
        ),
        sentences(scores_seen()),
        two_pixels_page.scores(),
        "<h3>From the same starting points to pictures</h3>",
        sentence("A ring is where a path starts. Its colour is that of the picture where it ends."),
        two_pixels_page.paths(),
    )


def reverse_section() -> Section:
    """A large step down is no Gaussian."""
    found = two_pixels_page.reverses()
    tops = [reverse.modes() for reverse in found]
    return section(
        "Why many small steps",
        [
            sentence(
                "The ring is one noisy picture x_t of two pixels. From which x_s may it have come? Dots "
                "are drawn from q(x_s | x_t), which is known exactly for these pictures, for steps of "
                "several lengths; a square stands on each of its tops. A sampler's step is one Gaussian."
            ),
            formula(
                "q(x_s | x_t) = sum_k r_k N(m_k, v I)",
                "v = 1 / {1 / c_s + a^2 / b^2}   m_k = v ({alpha_s mu_k} / c_s + {a x_t} / b^2)",
                'c_s = alpha_s^2 "std"^2 + sigma_s^2   b^2 = sigma_t^2 - a^2 sigma_s^2',
            ),
            sentences(reverse_seen(found, [len(top) for top in tops])),
        ],
        code(reverse_of, Reverse.modes),
        two_pixels_page.reverse_planes(found, tops),
    )


def clouds_seen() -> list[str]:
    generator = torch.Generator().manual_seed(0)
    said = []
    for process, what in ((EXPLODING, "Only added"), (PRESERVING, "Mixed")):
        toy = lecture(process)
        x0 = toy.pictures(COUNT, generator)
        first, last = (toy.noisy(x0, t, generator).std(0).mean().item() for t in (0.0, 1.0))
        told = toy.told_apart(1.0, generator)
        said.append(
            f"{what}, noise takes the spread of the cloud from {first:.2f} to {last:.2f}. At t = 1 the "
            f"best guess of the colour of a dot is right in {told:.0%}; blind guesses are in "
            f"{1 / len(toy.means):.0%}."
        )
    return said


def scores_seen() -> list[str]:
    """How many of the arrows point towards the middle, and to the picture that is nearest."""
    toy, said = lecture(PRESERVING), []
    line = torch.linspace(-two_pixels_page.NEAR, two_pixels_page.NEAR, 24, dtype=torch.float64)
    places = torch.cartesian_prod(line, line)
    for t in (max(two_pixels_page.SCORE_TIMES), min(two_pixels_page.SCORE_TIMES)):
        score = toy.score(places, t)
        pictures = toy.process.schedule.alpha(torch.tensor(t, dtype=torch.float64)) * toy.means
        nearest = pictures[torch.cdist(places, pictures).argmin(1)]
        inwards = _within(score, -places)
        home = _within(score, nearest - places)
        said.append(
            f"At t = {t:g}, {inwards:.0%} of the arrows point to the middle and {home:.0%} to the nearest "
            "picture, each to within 15 degrees."
        )
    return said


def _within(a: torch.Tensor, b: torch.Tensor) -> float:
    angle = torch.cosine_similarity(a, b, dim=1).clamp(-1, 1).arccos()
    return (angle < torch.pi / 12).double().mean().item()


def reverse_seen(found: list[Reverse], tops: list[int]) -> list[str]:
    """Of steps that grow longer, and how many tops each has."""
    if tops[-1] > tops[0] == 1:
        first = next(r for r, n in zip(found, tops, strict=True) if n > 1)
        return [
            f"The shortest step has one top, and a Gaussian fits. From s = {first.s:g} on there are "
            f"more, at last {tops[-1]}: one Gaussian would put most of its draws where no picture is."
        ]
    return [f"From the shortest step to the longest there are {', '.join(map(str, tops))} tops."]
