"""A picture on its way into noise, for the slider of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from fogcatcher.base.errors import Message, UserError, named
from fogcatcher.data.for_model import with_channels
from fogcatcher.data.pictures.given_pictures import given_picture
from fogcatcher.data.pictures.sheets import to_image
from fogcatcher.data.pictures.spec import spec_of
from fogcatcher.diffusion.process import Process
from fogcatcher.explain.explaining import forward
from fogcatcher.model.build import build_schedule
from fogcatcher.model.config import Method
from fogcatcher.model.presets import PRESETS
from fogcatcher.studio.datasets import data_url

LARGEST_SIDE = 512


def noised(method: Method, file: Path, times: list[float], seed: int) -> list[dict[str, Any]]:
    """Return a picture at each of these times: its rates, and how it looks at the contrast of a picture.

    Raises UserError for a picture that cannot be read, or is too large to be sent so often.
    """
    rows = with_channels(given_picture(file, 4), 4)
    if max(rows.shape[-2:]) > LARGEST_SIDE:
        raise UserError(
            Message(
                "this picture is too large for the slider: at most {most} pixels a side.", most=LARGEST_SIDE
            )
        )
    spec = spec_of(rows)
    process = Process(build_schedule(method))
    found = forward(process, spec.to_model(rows), torch.tensor(times, dtype=torch.float64), seed)
    seen = spec.from_model(found.seen)
    return [
        {
            "t": t,
            "alpha": float(found.alpha[i]),
            "sigma": float(found.sigma[i]),
            "url": data_url(to_image(seen[i : i + 1])),
        }
        for i, t in enumerate(times)
    ]


def method_of(preset: str | None, method: Method | None) -> Method:
    """Return the method of a model, or of a preset. Raises UserError for an unknown one."""
    return method or named("preset", preset or "default", PRESETS, about="preset")
