"""Sections of the page: what training asks, what each part of a network does, what a picture costs."""

from __future__ import annotations

import math
from itertools import accumulate

from fogcatcher.diffusion.bound import bound, prior_nats, step_nats
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.drawing import html
from fogcatcher.drawing.html import Points
from fogcatcher.drawing.letters import formula, lettered, sentence
from fogcatcher.explain.bound_curve import BoundCurve
from fogcatcher.explain.parts import Parts, told_one_level
from fogcatcher.explain.seen import parts_seen, training_seen
from fogcatcher.explain.shown import (
    Section,
    Shown,
    chart,
    charts,
    code,
    figure,
    numbers,
    picture_table,
    section,
    sentences,
)
from fogcatcher.explain.training_side import TrainingSide
from fogcatcher.model.bound_terms import BoundTerms
from fogcatcher.model.config import Method
from fogcatcher.networks.without_attention import without_attention

PREDICTED = {
    "edm": "EDM's mix of noise and picture",
    "eps": "the noise eps",
    "x0": "the picture x0",
    "v": "v = alpha eps - sigma x0",
    "velocity": "the velocity eps - x0",
}
LOSSES = {
    "l2": "squares",
    "l1": "sizes",
    "huber": "squares of small errors and sizes of large ones",
    "hybrid": "squares, and the bound's own term, which teaches the variance",
}


LEAST = 1e-9
"""Less than so many bits is shown as that."""
WIDE = 112
"""About how wide the pictures of training are shown."""


def training_section(side: TrainingSide, method: Method, show: Shown) -> Section:
    """What one picture with one noise costs at several times, before and after training."""

    def row(name: str, x: Samples) -> tuple[str, list[str]]:
        """The same picture for all times, or one for each."""
        every = x.expand(len(side.t), *x.shape[1:])
        return lettered(name), [show.image(every[i : i + 1], name, WIDE) for i in range(len(every))]

    rows = [row("x_t, noisy", side.seen), row("eps, the noise in it", side.eps)]
    rows += [row(f"eps_hat, {answers.weights}", answers.eps_hat) for answers in side.answers]
    rows.append(row("x0, the picture", side.x0))
    rows += [row(f"x0_hat, {answers.weights}", answers.x0_hat) for answers in side.answers]
    pairs = zip(side.t.tolist(), side.sigma.tolist(), strict=True)
    head = [f"{lettered(f't = {figure(t)}')}<br>{lettered(f'sigma = {figure(sigma)}')}" for t, sigma in pairs]
    kept = (
        f"{side.answers[0].weights.capitalize()} is the earliest of which this run has kept weights."
        if len(side.answers) > 1
        else "No earlier weights of this model were kept, so there is nothing to compare with."
    )
    return section(
        "What training asks",
        [
            sentence(
                "One picture, one noise, several times. The network sees x_t, and from its answer "
                "follows what it takes for noise, eps_hat, and for the picture, x0_hat: they say the "
                "same. The loss is how far they are off. Training draws pictures, noises and times, and "
                "makes it smaller."
            ),
            formula(
                "L(t) = w(t) || x0 - x0_hat(x_t, t) ||^2   x0 - x0_hat = sigma_t / alpha_t (eps_hat - eps)",
            ),
            sentence(
                f"This network predicts {PREDICTED[method.prediction]}, and training counts "
                f"{LOSSES[method.loss]} of its own errors, with the weight called {method.weighting}."
            ),
            sentence(kept),
            sentences(training_seen(side)),
            _losses(side),
        ],
        code(Objective.at, Objective.of_answer),
        picture_table(head, rows),
    )


def _losses(side: TrainingSide) -> str:
    head = ["t"]
    for answers in side.answers:
        head += [
            f"loss, {answers.weights}",
            lettered("(eps - eps_hat)^2"),
            lettered("x0 - x0_hat"),
        ]
    rows = [
        [figure(side.t[i].item())]
        + [
            figure(value[i].item())
            for answers in side.answers
            for value in (answers.loss, answers.eps_error, answers.x0_error)
        ]
        for i in range(len(side.t))
    ]
    return numbers(head, rows)


MEANT = {
    "told one noise level": "Told one noise level: at every time the network hears the middle one of these.",
    "without attention": "Without attention: its layers add nothing.",
    "without averaging the weights": "Without averaging: the newest weights themselves, not their average.",
}
"""What is done where a part is left out, of those that do not say it by their name."""


def parts_section(parts: Parts, show: Shown) -> Section:
    rows = [
        (
            answer.part,
            [
                f"{show.image(answer.x0_hat[i : i + 1], answer.part)}<span>off {error:.3f}</span>"
                for i, error in enumerate(answer.error.tolist())
            ],
        )
        for answer in parts.answers
    ]
    head = [lettered(f"sigma = {figure(sigma)}") for sigma in parts.sigma.tolist()]
    return section(
        "The same network with and without each part",
        [
            sentence(
                "The same picture under the same noise, and the guess x0_hat: by all of the network, and "
                "without one of its parts. Nothing is trained anew; a network that had never had the "
                "part might do better. Off is the root mean square of x0 - x0_hat, on the scale from -1 to 1."
            ),
            html.bullets(parts_seen(parts)),
            picture_table(head, rows),
            sentence(" ".join(MEANT[answer.part] for answer in parts.answers if answer.part in MEANT)),
        ],
        code(without_attention, told_one_level),
    )


def bound_section(curve: BoundCurve) -> Section:
    terms = curve.terms
    *middle, last = terms.steps
    whose = (
        f"Means over {terms.pictures} pictures that were held out of training, as they were evaluated."
        if curve.measured
        else f"Of the picture above, the mean of {terms.pictures} draws of the noise. Once the bits per "
        "dimension of a run were evaluated on held-out pictures, this page shows those."
    )
    rows = [
        ("L_T", f"{terms.prior:.2g}", "what the noise at the start still knows of the picture"),
        (
            "all L_t together",
            f"{sum(middle):.3f}",
            f"{len(middle)} steps down, each a Gaussian",
        ),
        ("L_0", f"{last:.3f}", "the last step, to one of 256 values"),
        ("together", f"{terms.bits:.3f}", "bits per dimension; 8 for who knows nothing of pictures"),
    ]
    if terms.flow is not None:
        rows.append(("by the flow", f"{terms.flow:.3f}", "log p by the probability-flow ODE"))
    return section(
        "What a picture costs: the bound, term by term",
        [
            sentence(
                "How many bits a picture needs when both sides know the model: the bound on -log p(x0), "
                "divided by the numbers of the picture."
            ),
            formula(
                "L = L_T + sum_t L_t + L_0",
                "L_T = KL(q(x_T | x0) || p(x_T))   L_t = KL(q(x_s | x_t, x0) || p(x_s | x_t))",
                "L_0 = - log p(x0 | x_1)",
            ),
            sentence(whose),
            numbers(["", "bits", ""], [[lettered(name), bits, said] for name, bits, said in rows]),
            charts(*_curves(terms)),
        ],
        code(bound, prior_nats, step_nats),
    )


def _curves(terms: BoundTerms) -> tuple[str, str]:
    """The terms by their number, from L_T on the right to L_0 on the left, and their sum on the way."""
    *middle, last = terms.steps
    count = len(terms.steps)

    def log(value: float) -> float:
        return math.log10(max(value, LEAST))

    named: dict[str, Points] = {
        "L_t": [(count - 1 - i, log(value)) for i, value in enumerate(middle)],
        "L_T": [(count, log(terms.prior))],
        "L_0": [(0, log(last))],
    }
    paid = list(accumulate(terms.steps, initial=terms.prior))
    sums: dict[str, Points] = {
        "so far": [(count - i, value) for i, value in enumerate(paid)],
        "L_T alone": [(count, paid[0])],
        "with L_0": [(0, paid[-1])],
    }
    return (
        chart(
            named,
            "number of the term; L_T stands at the right end",
            "log10 of bits per dimension",
            dots=False,
        ),
        chart(sums, "steps left", "bits per dimension, added up from L_T on", dots=False),
    )
