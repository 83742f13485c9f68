"""Sections of the page: a picture becomes noise, noise becomes a picture, and one pixel on the way."""

from __future__ import annotations

from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.samplers import DDPM, Moment, sample
from fogcatcher.diffusion.schedules import Schedule
from fogcatcher.drawing.letters import formula, lettered, sentence
from fogcatcher.explain.ancestral import AncestralStep
from fogcatcher.explain.explaining import Forward, Steps, at_usual_contrast
from fogcatcher.explain.seen import NAMES, forward_seen, pixel_seen, steps_seen
from fogcatcher.explain.shown import (
    LARGE,
    Section,
    Shown,
    cards,
    chart,
    code,
    figure,
    numbers,
    section,
    sentences,
)

STYLE = """
.marked { position: relative; width: max-content; margin: .6rem 0 }
.marked span { position: absolute; outline: 2px solid #e02020; box-shadow: 0 0 0 3px #fff }
.pixel { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem 2rem; align-items: center }
@media (min-width: 72rem) { .pixel { grid-template-columns: max-content minmax(0, 36rem) minmax(0, 1fr) } }
"""


def forward_section(forward: Forward, show: Shown, own_picture: bool) -> Section:
    def card(i: int) -> str:
        values = {"t": forward.t, "alpha": forward.alpha, "sigma": forward.sigma, "SNR": forward.snr}
        said = "<br>".join(lettered(f"{name} = {figure(value[i].item())}") for name, value in values.items())
        picture = show.image(forward.seen[i : i + 1], f"t = {forward.t[i].item():.3g}")
        return f"{picture}<figcaption>{said}</figcaption>"

    whose = "Your picture" if own_picture else "A picture that the model drew"
    return section(
        f"{whose} fades into noise",
        [
            sentence(
                "Training shows the network pictures like these, and asks it for the clean one. At t = 0 it "
                "is the picture itself."
            ),
            formula("x_t = alpha(t) x0 + sigma(t) eps", "SNR = alpha^2 / sigma^2"),
            sentences(forward_seen(forward)),
            sentence(
                "SNR means signal-to-noise ratio: above 1 there is more picture than noise. Every picture is "
                "shown divided by sqrt(alpha^2 + sigma^2), so that noise does not outshine the screen."
            ),
        ],
        code(Process.corrupt, Schedule.log_snr),
        cards(card(i) for i in range(len(forward.t))),
    )


def steps_section(steps: Steps, show: Shown, sampler: str) -> Section:
    def card(i: int) -> str:
        rows = (
            ("x_t, noisy", steps.seen),
            ("x0_hat, guess", steps.x0_hat),
            ("eps_hat, noise", steps.eps_hat),
        )
        said = lettered(f"sigma = {figure(steps.sigma[i].item())}")
        pictures = "".join(f"<p>{lettered(name)}</p>{show.image(x[i : i + 1], name)}" for name, x in rows)
        return f"<figcaption>step {i + 1}<br>{said}</figcaption>{pictures}"

    end = f"<figcaption>the end<br>{lettered('sigma = 0')}</figcaption><p>finished</p>"
    return section(
        f"From noise to a picture in {len(steps.t)} steps",
        [
            sentence(
                "In each step the network looks at the noisy picture and guesses the clean one. The rest it "
                f"takes for noise. The sampler (here {NAMES.get(sampler, sampler)}) puts both together again "
                "with less noise."
            ),
            formula(
                "eps_hat = {x_t - alpha_t x0_hat} / sigma_t",
                'x_s = alpha_s x0_hat + sigma_s eps_hat   "where" s < t "is the time after the step"',
            ),
            sentences(steps_seen(steps)),
        ],
        code(sample, Moment.eps_hat, Moment.move),
        cards([*(card(i) for i in range(len(steps.t))), end + show.image(steps.answer, "finished")]),
    )


def pixel_section(steps: Steps, pixel: tuple[int, int, int], step: AncestralStep, show: Shown) -> Section:
    """The pixel that has furthest to go, and one step of DDPM in its numbers."""
    channel, y, x = pixel
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
    drawn = chart(series, "step", f"{colour}: -1 dark, 1 bright", ends=[(1, -1), (1, 1)])
    return section(
        "One pixel, and one step of DDPM in its numbers",
        [
            sentence(
                f"Below is the {colour} of the marked pixel (row {y + 1}, column {x + 1}), from step 1 "
                "to the finished picture."
            ),
            sentences(pixel_seen(path, guessed)),
            sentence(
                f"DDPM draws the same seed with fresh noise z in every step. Its step {step.number} of "
                f"{step.of} leads from t = {step.t:.3g} to s = {step.s:.3g}. As the paper writes it for "
                "a table of betas (Ho et al. 2020, equation 11), and for every schedule:"
            ),
            formula(
                "x_s = 1 / sqrt(1 - beta_t) (x_t - beta_t / sqrt(1 - alpha_bar_t) eps_hat) "
                "+ sqrt(beta_tilde_t) z",
                "x_s = 1 / a (x_t - beta_t / sigma_t eps_hat) + sqrt(beta_tilde_t) z",
                "a = alpha_t / alpha_s   beta_t = sigma_t^2 - a^2 sigma_s^2   "
                "beta_tilde_t = beta_t sigma_s^2 / sigma_t^2",
            ),
        ],
        code(DDPM, Steps.of_pixel, at_usual_contrast),
        f'<div class="pixel">{marked}{drawn}<div>{_in_numbers(step, colour)}</div></div>',
    )


def _in_numbers(step: AncestralStep, colour: str) -> str:
    head = ("a", "beta", "sigma_t", "sqrt(beta_tilde)", "x_t", "eps_hat", "z")
    values = (step.a, step.beta, step.sigma_t, step.std, step.x_t, step.eps_hat, step.z)
    filled = (
        f"{step.x_s:.3f} = 1 / {step.a:.4f} ({step.x_t:.3f} - {step.beta:.4f} / {step.sigma_t:.4f} "
        f"({step.eps_hat:.3f})) + {step.std:.4f} ({step.z:.3f})"
    )
    told = sentence(f"Step {step.number} of DDPM, the {colour} of the marked pixel:")
    return told + numbers([lettered(name) for name in head], [[f"{v:.4g}" for v in values]]) + formula(filled)
