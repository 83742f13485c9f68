"""An evaluation in words for a terminal, and as one page with pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.drawing import html
from fogcatcher.judging.evaluation import CURVE_SAMPLES, Evaluation
from fogcatcher.judging.metrics.scores import Comparison, Score
from fogcatcher.judging.metrics.two_sample import TwoSample
from fogcatcher.judging.verdict import place, verdict

SHOWN = 60
PAIRS = 24
ENDS = ((0.0, 0.0), (1.0, 1.0))

WHAT_IT_IS = {
    "FD": "Frechet distance of features: quality and variety in one figure",
    "KD": "kernel distance of features (unbiased): the same, right for few pictures too",
    "precision": "share of drawn pictures that lie among real ones",
    "recall": "share of real pictures that lie among drawn ones",
    "density": "how densely drawn pictures lie among real ones; 1 as real ones do",
    "coverage": "share of real pictures with a drawn one near",
    "SW": "sliced Wasserstein distance of features",
    "W1": "1-Wasserstein distance, mean over features",
    "palette": "how far colours are from the real ones, in OKLab",
    "colours per picture": "how many colours more or fewer a picture has",
    "soft alpha": "difference in the share of half-transparent pixels",
}


def lines(done: Evaluation) -> Iterator[str]:
    """Return what to tell a person, the most important first."""
    for sentence in verdict(done.comparisons, done.told_apart):
        yield f"  {sentence}"
    if done.memorisation:
        yield f"  {done.memorisation.verdict}"
    if done.membership:
        yield f"  {done.membership.verdict}"
    for condition in done.followed:
        yield f"  {condition.in_words}"
    for comparison in done.comparisons:
        compared = f"{comparison.fake:,} drawn against {comparison.real:,} real {done.kind}"
        yield f"  {compared}; {comparison.features}"
        if comparison.refused:
            yield f"    {comparison.refused}"
        if comparison.scores:
            yield "    " + _cells("", "value", "95% interval", "real", "which is")
        for score in comparison.scores:
            yield f"    {_row(score)}"
    if done.curve:
        drawn = ", ".join(f"{steps}: {distance:.4g}" for steps, distance in done.curve.items())
        yield f"  kernel distance by sampling steps: {drawn}"
    yield f"  measured in {done.seconds:.0f} s"


def side_by_side(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    """Return several runs as one table: a figure a row, a run a column."""
    rows = [_figures_of(done) for done in evaluations]
    names = list(dict.fromkeys(name for row in rows for name in row))
    widths = [max(12, len(done.run) + 2) for done in evaluations]

    def line(name: str, cells: Sequence[str]) -> str:
        return f"  {name:22}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))

    yield line("", [done.run for done in evaluations])
    for name in names:
        yield line(name, [row.get(name, "") for row in rows])


def _figures_of(done: Evaluation) -> dict[str, str]:
    """The figures by which runs are compared, in one column."""
    row = {s.name: _figure(s.value) for comparison in done.comparisons[:1] for s in comparison.scores}
    if done.told_apart:
        row["told apart"] = f"{done.told_apart.accuracy:.1%}"
    if done.memorisation:
        row["copied"] = f"{done.memorisation.copied:.1%}"
    return row | {f"{each.name} as asked": f"{each.drawn:.1%}" for each in done.followed}


def _row(score: Score) -> str:
    return _cells(score.name, _figure(score.value), _interval(score), _figure(score.floor), place(score))


def _cells(name: str, value: str, interval: str, floor: str, where: str) -> str:
    return f"{name:22}{value:>10}  {interval:>19}{floor:>10}  {where}"


def _figure(value: float) -> str:
    return f"{value:.4g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.1e}"


def _interval(score: Score) -> str:
    return "" if score.low is None or score.high is None else f"{_figure(score.low)} to {_figure(score.high)}"


Rows = Sequence[Mapping[str, Any]]


def page(evaluations: Sequence[Evaluation], checks: Mapping[str, Rows] | None = None) -> str:
    """Return one page about one run, or about several side by side.

    ``checks`` holds what was found while each run trained: its name -> the rows of its ``checks.jsonl``.
    """
    names = ", ".join(done.run for done in evaluations)
    sections = [_together(evaluations)] if len(evaluations) > 1 else []
    for done in evaluations:
        prefix = f"{done.run}: " if len(evaluations) > 1 else ""
        sections += _sections(done, prefix, (checks or {}).get(done.run, ()))
    return html.document(f"Evaluation of {names}", sections)


def _heading(prefix: str, what: str) -> str:
    return prefix + what if prefix else what.capitalize()


def _together(evaluations: Sequence[Evaluation]) -> str:
    """The runs as rows of one table."""
    rows = [{"run": done.run, **_figures_of(done)} for done in evaluations]
    return html.section(
        "Side by side", html.note("Compare only figures of equal N and features."), html.grid(rows)
    )


def _sections(done: Evaluation, prefix: str, checks: Rows) -> Iterator[str]:
    words = [line.strip() for line in lines(done) if not line.startswith("    ")]
    yield html.section(_heading(prefix, "in words"), html.bullets(words))
    for comparison in done.comparisons:
        yield _scores(comparison, done.kind, prefix)
    if done.told_apart:
        yield _told_apart(done, done.told_apart, prefix)
    yield _quality_and_variety(done, prefix)
    if done.followed:
        yield _followed(done, prefix)
    if done.by_class:
        yield _by_class(done, prefix)
    if checks:
        yield _while_training(checks, prefix)
    if done.curve:
        yield _curve(done, prefix)
    yield html.section(
        _heading(prefix, "drawn pictures"),
        html.note(f"The first {min(SHOWN, len(done.samples))} seeds, nothing chosen."),
        html.sheet(done.samples[:SHOWN], [f"seed {k}" for k in range(SHOWN)]),
    )
    if done.memorisation and len(done.training):
        yield _nearest(done, prefix)
    if done.levels:
        yield _levels(done, prefix)


def _scores(comparison: Comparison, kind: str, prefix: str) -> str:
    rows = [
        {
            "figure": score.name,
            "value": _figure(score.value),
            **({"95% interval": _interval(score)} if score.low is not None else {}),
            "real": _figure(score.floor),
            **{name: _figure(value) for name, value in score.ceilings.items()},
            "better": score.better,
            "what it is": WHAT_IT_IS.get(score.name.partition("(")[0], ""),
        }
        for score in comparison.scores
    ]
    said = (
        f"{comparison.fake:,} drawn against {comparison.real:,} real {kind}; features: "
        f"{comparison.features}. Real is what other real {kind} get, as many of them; the columns after it "
        "are what spoiled ones get: slight grain is still of use, all else is not. "
        f"Figures of another number of {kind} or of other features cannot be compared with these."
    )
    refused = html.note(comparison.refused) if comparison.refused else ""
    return html.section(_heading(prefix, "figures"), html.note(said), refused, html.grid(rows))


def _told_apart(done: Evaluation, test: TwoSample, prefix: str) -> str:
    """The pictures that gave themselves away, and by which pixels; and those that did not."""
    surest, least = test.drawn.argsort()[:PAIRS], test.drawn.argsort(descending=True)[:PAIRS]
    pairs = []
    for k in surest.tolist():
        images = html.image(done.samples[k : k + 1], f"seed {k}") + html.image(_heat(test.looked[k]), "why")
        pairs.append(
            f'<figure><div class="pair">{images}</div>'
            f"<figcaption>drawn: {1 - test.drawn[k].item():.0%} sure</figcaption></figure>\n"
        )
    said = (
        f"{test.in_words}. Two small networks learnt to tell real from drawn {done.kind}, each on a half, "
        "and were asked about the other. Most easily known as drawn, beside the pixels that gave each away:"
    )
    within = [{"class": name, "told apart": f"{rate:.1%}"} for name, rate in done.apart_by_class.items()]
    return html.section(
        _heading(prefix, "told apart from real ones"),
        html.note(said),
        f'<div class="pairs">{"".join(pairs)}</div>',
        html.note("Most often taken for real:"),
        html.sheet(done.samples[least], [f"seed {k}" for k in least.tolist()]),
        *([html.note("Within each class:"), html.grid(within)] if within else []),
    )


def _heat(weights: Tensor) -> Pictures:
    """Weights (H, W) from 0 to 1 as a picture from black over red to yellow."""
    channels = [(3 * weights - k).clamp(0, 1) for k in range(3)]
    return (255 * torch.stack(channels))[None].round().to(torch.uint8)


def _followed(done: Evaluation, prefix: str) -> str:
    """What was asked for and what was drawn, of every condition and each of its values."""
    parts = []
    for each in done.followed:
        rows = [
            {
                each.name: value.name,
                "asked": value.asked,
                "drawn as asked": f"{value.drawn:.1%}",
                "held out": "" if value.real is None else f"{value.real:.1%}",
            }
            for value in each.values[:SHOWN]
        ]
        parts += [html.note(each.in_words), *([html.grid(rows)] if rows else [])]
    said = (
        f"A small network learnt the conditions from training {done.kind} and says what it sees in the drawn "
        "ones; what it sees in held-out ones is the most that can be expected."
    )
    return html.section(_heading(prefix, "what was asked for"), html.note(said), *parts)


def _quality_and_variety(done: Evaluation, prefix: str) -> str:
    """Precision and recall as a point between those of real pictures and of nonsense, and what is amiss."""
    scores = {score.name: score for comparison in done.comparisons[:1] for score in comparison.scores}
    if "precision" not in scores:
        return ""
    precision, recall = scores["precision"], scores["recall"]
    points = {
        "drawn": [(precision.value, recall.value)],
        "real (the floor)": [(precision.floor, recall.floor)],
    } | {name: [(precision.ceilings[name], recall.ceilings[name])] for name in precision.ceilings}
    parts = [
        html.chart(points, "precision: drawn among real", "recall: real among drawn", joined=False, ends=ENDS)
    ]
    for pictures, said in (
        (
            done.strange,
            f"drawn {done.kind} that lie outside of the real ones: {len(done.strange):,}; the furthest:",
        ),
        (done.missed, f"real {done.kind} that no drawn one is near: {len(done.missed):,}; the furthest:"),
    ):
        if len(pictures):
            parts += [html.note(said), html.sheet(pictures[:PAIRS], [""] * PAIRS)]
    return html.section(_heading(prefix, "quality and variety apart"), *parts)


def _by_class(done: Evaluation, prefix: str) -> str:
    rows = [
        {
            "class": figures.name,
            "drawn": figures.fake,
            "real": figures.real,
            "kernel distance": _figure(figures.kernel_distance),
            "precision": _figure(figures.precision),
            "recall": _figure(figures.recall),
        }
        for figures in done.by_class
    ]
    said = "Only figures that are right for few pictures. They depend on the numbers of pictures beside them."
    return html.section(_heading(prefix, "by class"), html.note(said), html.grid(rows))


def _while_training(checks: Rows, prefix: str) -> str:
    """Curves over the checks of a run; what was not measured has no curve."""

    def curves(names: Mapping[str, str]) -> dict[str, list[tuple[float, float]]]:
        known = {
            said: [(row["step"], row[name]) for row in checks if row.get(name) is not None]
            for name, said in names.items()
        }
        return {said: points for said, points in known.items() if points}

    charts = [
        ({"kernel_distance": "kernel distance"}, "kernel distance of features"),
        ({"training_loss": "training", "held_out_loss": "held out"}, "loss"),
        ({"copied": "copies"}, "share of copies"),
    ]
    drawn = [html.chart(curves(names), "step", y) for names, y in charts if curves(names)]
    return html.section(_heading(prefix, "while training"), *drawn)


def _curve(done: Evaluation, prefix: str) -> str:
    points = {"drawn": [(float(steps), distance) for steps, distance in done.curve.items()]}
    return html.section(
        _heading(prefix, "by sampling steps"),
        html.note(f"Kernel distance of {CURVE_SAMPLES} pictures drawn in so many steps."),
        html.chart(points, "sampling steps", "kernel distance of features"),
    )


def _nearest(done: Evaluation, prefix: str) -> str:
    """The drawn pictures that are nearest to training pictures, each beside its neighbour."""
    copied = done.memorisation
    assert copied is not None
    closest = copied.distances.argsort()[:PAIRS].tolist()
    pairs = []
    for k in closest:
        mark = "counts as a copy" if copied.is_copy[k] else "does not count as a copy"
        both = [(done.samples[k : k + 1], f"seed {k}"), (done.training[k : k + 1], "nearest in training")]
        images = "".join(html.image(picture, name) for picture, name in both)
        pairs.append(f'<figure><div class="pair">{images}</div><figcaption>{mark}</figcaption></figure>\n')
    variants = ", also mirrored and moved by a pixel" if done.kind == "pictures" else ""
    said = (
        f"{copied.verdict}. Searched: {done.searched:,} training {done.kind}{variants}; judged by "
        f"{done.held_out:,} held-out {done.kind}. Left drawn, right the nearest of training."
    )
    return html.section(
        _heading(prefix, "nearest training pictures"),
        html.note(said),
        f'<div class="pairs">{"".join(pairs)}</div>',
    )


def _levels(done: Evaluation, prefix: str) -> str:
    rows = [
        {
            "noise / signal": f"{level.sigma:g}",
            "training": f"{level.training:.5f}",
            "held out": f"{level.held_out:.5f}",
            "held out / training": f"{level.held_out / level.training:.2f}",
            "a Gaussian": f"{level.gaussian:.5f}",
            "held out / Gaussian": f"{level.held_out / level.gaussian:.2f}",
            "an answer of zero": f"{level.zero:.5f}",
        }
        for level in done.levels
    ]
    said = (
        "Mean squared error of the clean picture. Where held out is far above training, the model has learnt "
        "by heart. A Gaussian is the best denoiser that knows only mean and covariance of the pictures: a "
        "model below it has learnt more than that."
    )
    return html.section(_heading(prefix, "loss by noise level"), html.note(said), html.grid(rows))
