"""The page of ``fogcatcher explain``: what ``explaining`` computed, with formulas and their lines of code."""

from __future__ import annotations

from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.drawing import html
from fogcatcher.drawing.letters import lettered
from fogcatcher.explain import (
    drawing_sections,
    shown,
    two_pixels_page,
)
from fogcatcher.explain.comparison_sections import (
    guidance_section,
    limits_section,
    noise_section,
    samplers_section,
)
from fogcatcher.explain.drawing_sections import forward_section, pixel_section, steps_section
from fogcatcher.explain.explanation import Explanation
from fogcatcher.explain.schedule_sections import own_schedule_section, schedules_section
from fogcatcher.explain.shown import Section, Shown
from fogcatcher.explain.training_sections import bound_section, parts_section, training_section
from fogcatcher.explain.two_pixels_section import reverse_section, two_pixels_section
from fogcatcher.explain.words_section import words_section
from fogcatcher.model.config import Method

STYLE = (
    shown.STYLE
    + drawing_sections.STYLE
    + two_pixels_page.STYLE
    + """
.words { columns: 2 30rem; column-gap: 2.5rem; margin: .5rem 0 }
.words div { break-inside: avoid; display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: 1rem;
  padding: .15rem 0 }
.words dt { font-weight: 600 } .words dd { margin: 0 }
@media (max-width: 32rem) { .words div { grid-template-columns: 6rem minmax(0, 1fr) } }
"""
)

WORDS = {
    "x0": "the clean picture. Every pixel is a number from -1 (black) to 1 (white).",
    "t": "time, from 0 (the clean picture) to 1 (nothing but noise).",
    "alpha (Alpha)": "how much of the picture there is at time t.",
    "sigma (Sigma)": "how strong the noise is at time t.",
    "x_t": "the noisy picture at time t.",
    "x0_hat": "the guess: what the model takes the clean picture to be, when it looks at x_t.",
    "eps (Epsilon)": "the noise: a random number for each number of the picture, mostly from -2 to 2.",
    "eps_hat": "what the model takes for noise.",
    "s": "the time after a step, s < t.",
    "sampler": "a rule for stepping from noise to a picture. Each step asks the network.",
    "call": "one look of the network at one picture. Calls are what drawing costs.",
    "seed": "a number that decides all random noise: the same seed, the same noise.",
}


def page(found: Explanation, pictures: PictureSpec, method: Method, name: str, own_picture: bool) -> str:
    """Return the page as text: it holds all it shows, and leads nowhere."""
    show = Shown(pictures)
    asked = ", ".join(f"{key} = {value}" for key, value in found.wish.items()) or "nothing in particular"
    start = html.note(
        f"Everything below was computed with the model {name} and the seed {found.seed}. It was asked for: "
        f"{asked}. Beside the formulas stands the code that computes them, with its place in the "
        "program. Where a sentence says what can be seen, its figure was measured on the pictures of "
        "this page."
    )
    words = "".join(f"<div><dt>{lettered(k)}</dt><dd>{lettered(v)}</dd></div>" for k, v in WORDS.items())
    numbered = (
        html.section(f"{number}. {part.heading}", part.text)
        for number, part in enumerate(_sections(found, method, show, own_picture), start=1)
    )
    return html.document(
        f"How {name} draws",
        [start, html.section("Words and letters", f'<dl class="words">{words}</dl>'), *numbered],
        STYLE,
    )


def _sections(found: Explanation, method: Method, show: Shown, own_picture: bool) -> list[Section]:
    return [
        forward_section(found.forward, show, own_picture),
        training_section(found.training, method, show),
        steps_section(found.steps, show, found.settings.sampler),
        pixel_section(found.steps, found.pixel, found.ancestral, show),
        samplers_section(found.samplers, show),
        noise_section(found.noise, show),
        *([guidance_section(found.guidance, show)] if found.guidance else []),
        limits_section(found.limits, show),
        parts_section(found.parts, show),
        *([words_section(found.words, found.steps, show)] if found.words else []),
        bound_section(found.bound),
        own_schedule_section(found.own_schedule, method.schedule),
        schedules_section(found.rates),
        two_pixels_section(),
        reverse_section(),
    ]
