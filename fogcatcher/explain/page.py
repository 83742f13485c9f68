"""The page of ``fogcatcher explain``: what ``explaining`` computed, with formulas and their lines of code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import torch

from fogcatcher.data.pictures.spec import Pictures, PictureSpec
from fogcatcher.diffusion.guidance import ClassifierFree, Clipped, Thresholded
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.samplers import DDIM, DDPM, Moment, ddim_move, sample
from fogcatcher.diffusion.sampling.solvers import DPMpp2M, Heun
from fogcatcher.diffusion.schedules import CosineSchedule, EDMSchedule, FlowSchedule, Schedule, linear_betas
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.drawing import html
from fogcatcher.drawing.html import Points
from fogcatcher.drawing.letters import formula, lettered, sentence
from fogcatcher.explain import two_pixels_page
from fogcatcher.explain.explaining import Explanation, Forward, Rates, Steps, Variant, at_usual_contrast
from fogcatcher.explain.source_lines import source_lines
from fogcatcher.explain.two_pixels import EXPLODING, PRESERVING, TwoPixels

LARGE, SMALL = 80, 64
"""About how wide a picture is shown; never less than 4 times its size."""
NAMES = {"ddpm": "DDPM", "ddim": "DDIM", "heun": "Heun", "dpmpp_2m": "DPM++ 2M"}
LOG_SNR_SHOWN = 12.0

STYLE = (
    """
.cards { display: flex; flex-wrap: wrap; gap: .7rem; margin: .8rem 0 }
.card figcaption:first-child { margin-top: 0 }
.card p { margin: .3rem 0 .1rem; font-size: .8rem; color: var(--soft) }
.card .sheet { display: grid; grid-template-columns: repeat(2, max-content); justify-content: start }
.formula { font: 1.15rem/1.7 "Cambria Math", "STIX Two Math", Georgia, "DejaVu Serif", serif;
  white-space: pre-wrap; overflow-wrap: anywhere; max-width: 46rem; margin: .6rem 0; padding: .5rem .9rem;
  border-left: 3px solid var(--bar) }
sub { line-height: 0 }
details { margin: .3rem 0; max-width: 60rem }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; overflow-wrap: anywhere }
summary a { color: inherit }
pre { overflow-x: auto; font-size: .8rem; line-height: 1.4; padding: .7rem .9rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .6rem }
.samplers { width: auto } .samplers td, .samplers th { padding: .3rem .6rem .6rem 0; font-size: .85rem }
.samplers th[scope] { font-weight: normal; min-width: 4.2rem } .samplers td span { color: var(--soft) }
.words { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; max-width: 50rem }
.words dt { font-weight: 600 } .words dd { margin: 0 }
@media (max-width: 32rem) { .words { display: block } .words dt { margin-top: .5rem }
  .chart { width: 40rem; max-width: none } }
.marked { position: relative; width: max-content; margin: .6rem 0 }
.marked span { position: absolute; outline: 2px solid #e02020; box-shadow: 0 0 0 3px #fff }
"""
    + two_pixels_page.STYLE
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
    "sampler": "a rule for stepping from noise to a picture. Each step asks the network.",
    "call": "one look of the network at one picture. Calls are what drawing costs.",
    "seed": "a number that decides all random noise: the same seed, the same noise.",
}


def page(found: Explanation, pictures: PictureSpec, name: str, folder: Path, own_picture: bool) -> str:
    """Return the page as text. ``folder`` is where it will lie, for the links to the code."""
    show = _Shown(replace(pictures, hard_alpha=False), folder)
    asked = ", ".join(f"{key} = {value}" for key, value in found.wish.items()) or "nothing in particular"
    start = html.note(
        f"Everything below was computed with the model {name} and the seed {found.seed}. It was asked for: "
        f"{asked}. At the end of each section stands the code behind its formulas: click to open it."
    )
    words = "".join(f"<dt>{lettered(k)}</dt><dd>{lettered(v)}</dd>" for k, v in WORDS.items())
    sections = [
        start,
        html.section("Words and letters", f'<dl class="words">{words}</dl>'),
        _forward(found.forward, show, own_picture),
        _steps(found.steps, show, found.settings.sampler),
        _pixel(found.steps, show),
        _samplers(found.samplers, show),
        _noise(found.noise, show),
        _guidance(found.guidance, show),
        _limits(found.limits, show),
        _two_pixels(show),
        _schedules(found.rates, show),
    ]
    return html.document(f"How {name} draws", sections, STYLE)


class _Shown:
    """How this page shows pictures and code."""

    def __init__(self, pictures: PictureSpec, folder: Path) -> None:
        self.pictures, self.folder = pictures, folder
        self.least = 4 * max(pictures.height, pictures.width)

    def image(self, x: Samples, said: str, side: int = LARGE) -> str:
        """One picture, (1, C, H, W), of the model's numbers."""
        return self.of_pictures(self.pictures.from_model(x), said, side)

    def of_pictures(self, picture: Pictures, said: str, side: int = LARGE) -> str:
        return html.image(picture, said, max(side, self.least))

    def code(self, *things: type | Callable[..., object]) -> str:
        """The code, folded, with its place in the project."""
        parts = []
        for at in map(source_lines, things):
            link = f'<a href="{html.text(at.link(self.folder))}">{html.text(at.path)}:{at.line}</a>'
            body = f"<pre>{html.escape(at.code)}</pre>"
            parts.append(f"<details><summary>{html.text(at.name)} in {link}</summary>{body}</details>\n")
        return "".join(parts)


def _chart(series: Mapping[str, Points], x: str, y: str, dots: bool = True) -> str:
    """A chart that can be moved sideways where the page is narrow."""
    return f'<div class="wide">{html.chart(series, x, y, dots=dots)}</div>'


def _cards(cards: Iterable[str]) -> str:
    return (
        '<div class="cards">'
        + "".join(f'<figure class="card">{card}</figure>\n' for card in cards)
        + "</div>"
    )


def _figure(value: float) -> str:
    return "\u221e" if value == float("inf") else f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


# --- the sections -------------------------------------------------------------------------------


def _forward(forward: Forward, show: _Shown, own_picture: bool) -> str:
    def card(i: int) -> str:
        values = {"t": forward.t, "alpha": forward.alpha, "sigma": forward.sigma, "SNR": forward.snr}
        said = "<br>".join(lettered(f"{name} = {_figure(value[i].item())}") for name, value in values.items())
        picture = show.image(forward.seen[i : i + 1], f"t = {forward.t[i].item():.3g}")
        return f"{picture}<figcaption>{said}</figcaption>"

    whose = "Your picture" if own_picture else "A picture that the model drew"
    return html.section(
        f"1. {whose} fades into noise",
        sentence(
            "Training shows the network pictures like these, and asks it for the clean one. At t = 0 it "
            "is the picture itself; at t = 1 there is nothing but noise, or nearly so."
        ),
        formula("x_t = alpha(t) x0 + sigma(t) eps", "SNR = alpha^2 / sigma^2"),
        _cards(card(i) for i in range(len(forward.t))),
        sentence(
            "SNR means signal-to-noise ratio: above 1 there is more picture than noise. Every picture is "
            "shown divided by sqrt(alpha^2 + sigma^2), so that noise does not outshine the screen."
        ),
        show.code(Process.corrupt, Schedule.log_snr),
    )


def _steps(steps: Steps, show: _Shown, sampler: str) -> str:
    def card(i: int) -> str:
        rows = (
            ("x_t, noisy", steps.seen),
            ("x0_hat, guess", steps.x0_hat),
            ("eps_hat, noise", steps.eps_hat),
        )
        said = lettered(f"sigma = {_figure(steps.sigma[i].item())}")
        pictures = "".join(f"<p>{lettered(name)}</p>{show.image(x[i : i + 1], name)}" for name, x in rows)
        return f"<figcaption>step {i + 1}<br>{said}</figcaption>{pictures}"

    end = f"<figcaption>the end<br>{lettered('sigma = 0')}</figcaption><p>finished</p>"
    return html.section(
        f"2. From noise to a picture in {len(steps.t)} steps",
        sentence(
            "In each step the network looks at the noisy picture and guesses the clean one. The rest it "
            f"takes for noise. The sampler (here {NAMES.get(sampler, sampler)}) puts both together again "
            "with less noise."
        ),
        sentence(
            "The first guess is blurred: it is the average of all pictures that might come out of pure "
            "noise. Step by step fewer remain possible, and the guess gets sharper. In the last steps "
            "there is so little noise that the network hardly sees any."
        ),
        formula(
            "eps_hat = (x_t - alpha_t x0_hat) / sigma_t",
            "x_s = alpha_s x0_hat + sigma_s eps_hat   where s < t is the time after the step",
        ),
        _cards([*(card(i) for i in range(len(steps.t))), end + show.image(steps.answer, "finished")]),
        show.code(sample, Moment.eps_hat, Moment.move),
    )


def _pixel(steps: Steps, show: _Shown) -> str:
    """The pixel that has furthest to go."""
    channel, y, x = steps.longest_way()
    path, guessed = steps.of_pixel(channel, y, x)
    series = {
        "noisy": list(enumerate(path.tolist(), start=1)),
        "guess": list(enumerate(guessed.tolist(), start=1)),
    }
    colour = ("red", "green", "blue")[channel] if steps.answer.shape[1] > 2 else "brightness"
    _, _, height, width = steps.answer.shape
    ring = (
        f'<span style="left:{100 * x / width:.4g}%;top:{100 * y / height:.4g}%;'
        f'width:{100 / width:.4g}%;height:{100 / height:.4g}%"></span>'
    )
    marked = (
        f'<div class="marked">{show.image(steps.answer, "the pixel that is followed", 2 * LARGE)}{ring}</div>'
    )
    return html.section(
        "3. The path of one pixel",
        sentence(
            f"The {colour} of the marked pixel (row {y + 1}, column {x + 1}), from step 1 to the finished "
            "picture. The guess gets there first; the noisy value follows as the noise goes."
        ),
        marked,
        _chart(series, "step", f"{colour}: -1 dark, 1 bright"),
        show.code(Steps.of_pixel, at_usual_contrast),
    )


def _samplers(variants: Sequence[Variant], show: _Shown) -> str:
    counts = list(dict.fromkeys(v.settings.steps for v in variants))
    head = "".join(f'<th scope="col">{n} steps</th>' for n in counts)
    rows = []
    for sampler, group in groupby(variants, key=lambda v: v.settings.sampler):
        cells = "".join(
            f"<td>{show.of_pictures(v.drawing.pictures, f'{sampler}, {v.settings.steps} steps', SMALL)}"
            f"<span>{v.calls:g} calls</span></td>"
            for v in group
        )
        rows.append(f'<tr><th scope="row">{html.text(NAMES.get(sampler, sampler))}</th>{cells}</tr>\n')
    return html.section(
        "4. The same seed, four samplers",
        sentence(
            "All start from the same noise. DDIM, Heun and DPM++ 2M follow the same path, each with its "
            "own exactness: with enough steps they arrive at the same picture. With very few steps they "
            "can leave the path. DDPM adds fresh noise in every step, so it arrives somewhere else."
        ),
        sentence(
            "Heun asks the network twice in each step but the last. Guidance (section 6) asks twice as often."
        ),
        formula(
            "DDIM:   x_s = alpha_s x0_hat + sigma_s eps_hat",
            "DDPM:   x_s = a sigma_s^2 / sigma_t^2 x_t + alpha_s b^2 / sigma_t^2 x0_hat + r z",
            "with   a = alpha_t / alpha_s,   b^2 = sigma_t^2 - a^2 sigma_s^2,   r = b sigma_s / sigma_t",
            "Heun:   like DDIM, with the mean of eps_hat at both ends of the step",
            "DPM++ 2M:   like DDIM, with x0_hat carried on along the last two guesses",
        ),
        f'<div class="wide"><table class="samplers"><tr><th></th>{head}</tr>{"".join(rows)}</table></div>',
        show.code(DDIM, DDPM, Heun, DPMpp2M),
    )


def _several(variants: Sequence[Variant], names: Sequence[str], show: _Shown) -> str:
    """A card for each variant, with the pictures of its seeds."""

    def card(variant: Variant, name: str) -> str:
        seeds = [made.seed for made in variant.drawing.made]
        images = "".join(
            show.of_pictures(variant.drawing.pictures[k : k + 1], f"{name}, seed {seed}", SMALL)
            for k, seed in enumerate(seeds)
        )
        caption = f"<figcaption>{lettered(name)}<br>{variant.calls:g} calls</figcaption>"
        return f'<div class="sheet">{images}</div>{caption}'

    return _cards(card(v, name) for v, name in zip(variants, names, strict=True))


def _noise(variants: Sequence[Variant], show: _Shown) -> str:
    names = ["DDPM" if v.settings.eta is None else f"DDIM, eta = {v.settings.eta:g}" for v in variants]
    return html.section(
        "5. With and without fresh noise",
        sentence(
            "eta (Eta) says how much fresh noise DDIM adds in each step: 0 none, 1 as much as DDPM. Four "
            "seeds each; DDIM with eta = 1 draws the same pictures as DDPM."
        ),
        formula(
            "x_s = alpha_s x0_hat + sqrt(sigma_s^2 - r^2) eps_hat + r z",
            "r = eta * (spread of DDPM's step),   z = fresh noise",
        ),
        _several(variants, names, show),
        show.code(DDIM, ddim_move, Process.bridge),
    )


def _guidance(variants: Sequence[Variant], show: _Shown) -> str:
    if not variants:
        return ""
    return html.section(
        "6. Guidance: how strongly to follow the wish",
        sentence(
            "The network is asked twice: with the wish, and without one. w says how far to go from the "
            "second answer towards the first, or beyond it. w = 0 ignores the wish; with 0 or 1 one call "
            "is enough. 2 to 4 make the wish clearer; more gives hard colours, and pictures that are more "
            "alike."
        ),
        formula("x0_hat = without + w * (with - without)"),
        _several(variants, [f"w = {v.settings.guidance:g}" for v in variants], show),
        show.code(ClassifierFree),
    )


def _limits(variants: Sequence[Variant], show: _Shown) -> str:
    return html.section(
        "7. Keeping the guess within range",
        sentence(
            "Pixels lie between -1 and 1, but a guess may go beyond, above all with strong guidance (here "
            f"w = {variants[0].settings.guidance:g}). clip cuts off what is outside. dynamic makes the "
            "whole guess weaker until nearly all of it fits, which gives paler colours. none does nothing."
        ),
        formula(
            "clip:   x0_hat <- min(1, max(-1, x0_hat))",
            "dynamic:   x0_hat <- (x0_hat, cut off at +-q) / q",
            "q is at least 1, and 99.5 % of all |x0_hat| are below it",
        ),
        _several(variants, [v.settings.limit for v in variants], show),
        show.code(Clipped, Thresholded),
    )


def _two_pixels(show: _Shown) -> str:
    return html.section(
        "8. Pictures of two pixels",
        sentence(
            "A picture of only two pixels is a point in a plane: its left pixel says how far right, its "
            "right pixel how far up. Here are four such pictures, a little blurred, each in a colour of "
            "its own. No network is used: for so few pictures the best guess is known exactly."
        ),
        "<h3>Noise is only added: variance exploding</h3>",
        two_pixels_page.clouds(EXPLODING),
        "<h3>Picture and noise are mixed: variance preserving</h3>",
        two_pixels_page.clouds(PRESERVING),
        sentence(
            "Only added, noise makes the cloud grow and grow. Mixed, the picture fades while noise comes "
            "in, and the cloud stays about as large as it was. Either way, in the end no one can tell the "
            "four colours apart."
        ),
        "<h3>The score: where are more pictures?</h3>",
        sentence(
            "Each arrow points to where noisy pictures are more frequent; this direction is the score. "
            "The framed pictures stand where mixing has moved them: at alpha x0. With much noise all "
            "arrows lead to the middle; with little noise each leads to a picture near it. Within one "
            "drawing, longer arrows are larger scores. The score and the guess x0_hat say the same thing "
            "in other words:"
        ),
        formula("score = grad log p(x_t) = -eps_hat / sigma = (alpha x0_hat - x_t) / sigma^2"),
        two_pixels_page.scores(),
        "<h3>From the same starting points to pictures</h3>",
        two_pixels_page.paths(),
        sentence("A ring is where a path starts. Its colour is that of the picture where it ends."),
        show.code(TwoPixels.score, TwoPixels.log_density, TwoPixels.paths),
    )


def _schedules(rates: Sequence[Rates], show: _Shown) -> str:
    def curves(value: Callable[[Rates], torch.Tensor]) -> dict[str, list[tuple[float, float]]]:
        return {r.name: list(zip(r.t.tolist(), value(r).tolist(), strict=True)) for r in rates}

    def size(r: Rates) -> torch.Tensor:
        return torch.hypot(r.alpha, r.sigma)

    log_snr = curves(lambda r: r.log_snr.clamp(-LOG_SNR_SHOWN, LOG_SNR_SHOWN))
    return html.section(
        "9. Schedules: how fast the picture fades",
        sentence(
            "A schedule says how alpha and sigma run over time. Here both are divided by sqrt(alpha^2 + "
            "sigma^2), for some schedules add noise 80 times as strong as the picture."
        ),
        _chart(curves(lambda r: r.alpha / size(r)), "t", "share of the picture", dots=False),
        _chart(curves(lambda r: r.sigma / size(r)), "t", "share of noise", dots=False),
        sentence(
            f"The logarithm of the SNR, cut off at +-{LOG_SNR_SHOWN:g}. At 0 there is as much picture as "
            "noise. Every schedule falls from very much picture to very little; they differ in when they "
            "are where."
        ),
        formula("log SNR = log(alpha^2 / sigma^2)"),
        _chart(log_snr, "t", "log SNR", dots=False),
        show.code(EDMSchedule, CosineSchedule, FlowSchedule, linear_betas),
    )
