"""The pictures of an explanation as strips, and as an animation, for slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from PIL import Image

from fogcatcher.data.pictures.sheets import sheet
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.explain.explaining import Steps, Variant
from fogcatcher.explain.explanation import Explanation
from fogcatcher.explain.word_maps import lit_by


def strips(found: Explanation, pictures: PictureSpec) -> dict[str, Image.Image]:
    """Return the strips by name: forward, steps, samplers, noise, guidance, limits, and perhaps words."""
    soft = replace(pictures, hard_alpha=False)
    steps = found.steps
    three = torch.cat([steps.seen, steps.x0_hat, steps.eps_hat])
    made = {
        "forward": sheet(soft.from_model(found.forward.seen), len(found.forward.t)),
        "steps": sheet(soft.from_model(three), len(steps.t), rows=["x_t", "x0_hat", "eps_hat"]),
    }
    counts = len({variant.settings.steps for variant in found.samplers})
    made["samplers"] = _rows(found.samplers, counts, [v.settings.sampler for v in found.samplers[::counts]])
    groups = {
        "noise": (found.noise, lambda s: s.sampler if s.eta is None else f"eta {s.eta:g}"),
        "guidance": (found.guidance, lambda s: f"guidance {s.guidance:g}"),
        "limits": (found.limits, lambda s: s.limit),
    }
    for name, (variants, named) in groups.items():
        if variants:
            seeds = len(variants[0].drawing.pictures)
            made[name] = _rows(variants, seeds, [named(v.settings) for v in variants])
    if found.words:
        lit = torch.cat([steps.x0_hat, *(lit_by(row, steps.x0_hat) for row in found.words.each)])
        made["words"] = sheet(soft.from_model(lit), len(steps.t), rows=["x0_hat", *found.words.words])
    return made


def _rows(variants: Sequence[Variant], columns: int, names: Sequence[str]) -> Image.Image:
    return sheet(torch.cat([v.drawing.pictures for v in variants]), columns, rows=names)


def frames(steps: Steps, pictures: PictureSpec) -> list[Image.Image]:
    """Return the frames of the animation: x_t beside the guess, from noise to the picture."""
    soft = replace(pictures, hard_alpha=False)
    pairs = [torch.stack(pair) for pair in zip(steps.seen, steps.x0_hat, strict=True)]
    pairs.append(torch.cat([steps.answer, steps.answer]))
    return [sheet(soft.from_model(pair), 2) for pair in pairs]
