"""Sections of the page: the same seeds with other samplers, noise, guidance and limits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from fogcatcher.diffusion.guidance import ClassifierFree, Clipped, Thresholded
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM, ddim_move
from fogcatcher.diffusion.sampling.solvers import DPMpp2M, Heun
from fogcatcher.drawing import html
from fogcatcher.drawing.letters import formula, lettered, sentence
from fogcatcher.explain.explaining import Variant
from fogcatcher.explain.seen import NAMES, apart, guidance_seen, limits_seen, noise_seen, samplers_seen
from fogcatcher.explain.shown import Section, Shown, cards, code, picture_table, section, sentences

MIDDLE = 96
"""About how wide one picture of several is shown."""


def samplers_section(variants: Sequence[Variant], show: Shown) -> Section:
    counts = list(dict.fromkeys(v.settings.steps for v in variants))
    rows = []
    for sampler, group in groupby(variants, key=lambda v: v.settings.sampler):
        of_one = list(group)
        end = of_one[-1].drawing.pictures
        cells = [
            f"{show.of_pictures(v.drawing.pictures, f'{sampler}, {v.settings.steps} steps')}"
            f"<span>{v.calls:g} calls"
            + (f"<br>{apart(v.drawing.pictures, end):.3f} off" if v is not of_one[-1] else "")
            + "</span>"
            for v in of_one
        ]
        rows.append((html.text(NAMES.get(sampler, sampler)), cells))
    return section(
        "The same seed, four samplers",
        [
            sentence("All start from the same noise. Heun asks the network twice in each step but the last."),
            sentences(samplers_seen(variants)),
            formula(
                '"DDIM:"   x_s = alpha_s x0_hat + sigma_s eps_hat',
                '"DDPM:"   x_s = {a sigma_s^2} / sigma_t^2 x_t + {alpha_s beta_t} / sigma_t^2 x0_hat '
                "+ sqrt(beta_tilde_t) z",
                '"Heun:"   x_s = a_s x_t + (sigma_s - a_s sigma_t) {eps_hat(t) + eps_hat(s)} / 2   '
                "a_s = alpha_s / alpha_t",
                '"DPM++ 2M:"   "DDIM with" x0_hat + h / {2 h_1} (x0_hat - x0_hat("before")) "for" x0_hat',
            ),
            sentence(
                "DDPM's step is equation 11 with x0_hat in place of eps_hat. Heun takes the mean of the "
                "noise at both ends of the step. DPM++ 2M carries the guess on along the line through "
                "the one before; h and h_1 are the lengths of this step and of the one before, in "
                "log(alpha / sigma)."
            ),
            sentence(
                "Below each picture stands how far it is from what the same sampler draws with most "
                "steps: root mean square, of 1 from black to white."
            ),
            picture_table([f"{n} steps" for n in counts], rows),
        ],
        code(DDIM, DDPM, Heun, DPMpp2M),
    )


def _several(variants: Sequence[Variant], names: Sequence[str], show: Shown) -> str:
    """A card for each variant, with the pictures of its seeds."""

    def card(variant: Variant, name: str) -> str:
        seeds = [made.seed for made in variant.drawing.made]
        images = "".join(
            show.of_pictures(variant.drawing.pictures[k : k + 1], f"{name}, seed {seed}", MIDDLE)
            for k, seed in enumerate(seeds)
        )
        caption = f"<figcaption>{lettered(name)}<br>{variant.calls:g} calls</figcaption>"
        return f'<div class="sheet">{images}</div>{caption}'

    return cards(card(v, name) for v, name in zip(variants, names, strict=True))


def noise_section(variants: Sequence[Variant], show: Shown) -> Section:
    names = ["DDPM" if v.settings.eta is None else f"DDIM, eta = {v.settings.eta:g}" for v in variants]
    return section(
        "With and without fresh noise",
        [
            sentence(
                "eta says how much fresh noise z DDIM adds in each step: 0 none, 1 as much as DDPM. "
                f"{len(variants[0].drawing.pictures)} seeds each."
            ),
            formula(
                "x_s = alpha_s x0_hat + sqrt(sigma_s^2 - r^2) eps_hat + r z",
                "r = eta sqrt(beta_tilde_t) = eta sigma_s / sigma_t sqrt(beta_t)",
            ),
            sentences(noise_seen(variants)),
        ],
        code(ddim_move, Process.bridge_variance),
        _several(variants, names, show),
    )


def guidance_section(variants: Sequence[Variant], show: Shown) -> Section:
    return section(
        "Guidance: how strongly to follow the wish",
        [
            sentence(
                "The network is asked twice: with the wish, and without one. w says how far to go from the "
                "second answer towards the first, or beyond it. w = 0 ignores the wish; with 0 or 1 one call "
                "is enough."
            ),
            formula(
                'x0_hat = x0_hat("without") + w (x0_hat("with") - x0_hat("without"))',
            ),
            sentences(guidance_seen(variants)),
        ],
        code(ClassifierFree),
        _several(variants, [f"w = {v.settings.guidance:g}" for v in variants], show),
    )


def limits_section(variants: Sequence[Variant], show: Shown) -> Section:
    return section(
        "Keeping the guess within range",
        [
            sentence(
                "Pixels lie between -1 and 1, but a guess may go beyond, above all with strong guidance "
                f"(here w = {variants[0].settings.guidance:g}). clip cuts off what is outside. dynamic "
                "makes the whole guess weaker until nearly all of it fits. none does nothing."
            ),
            formula(
                '"clip:"   x0_hat <- min(1, max(-1, x0_hat))',
                '"dynamic:"   x0_hat <- {min(q, max(-q, x0_hat))} / q',
                'q >= 1 "and 99.5 % of all" |x0_hat| "are at most" q',
            ),
            sentences(limits_seen(variants)),
        ],
        code(Clipped, Thresholded),
        _several(variants, [v.settings.limit for v in variants], show),
    )
