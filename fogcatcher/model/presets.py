"""Each paper's choices as one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fogcatcher.model.config import Method
from fogcatcher.model.network_options import Values
from fogcatcher.training.fit import Plan

PRESETS: Mapping[str, Method] = {
    "default": Method(),
    "ddpm": Method("ddpm", "eps", "discrete", "uniform"),
    "iddpm": Method("iddpm", "eps", "discrete", "uniform", loss="hybrid"),
    "annotated": Method("annotated", "eps", "independent", "uniform", loss="huber"),
    "course": Method("course", "eps", "independent", "uniform", label="t"),
    "score_vp": Method("vp", "eps", "uniform", "uniform"),
    "score_ve": Method("ve", "eps", "uniform", "uniform"),
    "edm": Method("edm", "edm", "lognormal_edm", "karras"),
    "v_cosine": Method("cosine", "v", "uniform", "uniform"),
    "flow": Method("flow", "velocity", "logitnormal", "uniform"),
    "sr3": Method("sr3", "eps", "uniform", "uniform", loss="l1", label="rate"),
    "imagen": Method("cosine_betas", "eps", "independent", "uniform"),
    "ddgan": Method("vp", "x0", "discrete", "uniform", loss="adversarial"),
}
"""Each paper's own choices (docs/methods.md); "default" is the row that measured best for small pictures."""


@dataclass(frozen=True)
class Recipe:
    """What else a whole row says: the network, and how it is trained."""

    network: str
    plan: Plan
    augment: str = "none"


AS_WRITTEN = Plan(
    steps=1,
    learning_rate=1e-3,
    warmup=0,
    fall=0.0,
    optimizer="adam",
    weight_decay=0.0,
    gradient_clip=1e6,
    ema_gamma=None,
)
"""Adam at 1e-3 and nothing besides."""
RECIPES: Mapping[str, Recipe] = {
    "course": Recipe(
        "course", replace(AS_WRITTEN, batch_size=100, fall=1.0, fall_along="line", condition_dropout=0.1)
    ),
    "annotated": Recipe("annotated", replace(AS_WRITTEN, batch_size=128)),
    "ddgan": Recipe(
        "small",
        Plan(steps=1, learning_rate=5e-4, optimizer="adam", weight_decay=0.0, gradient_clip=1e6),
        augment="auto",
    ),
}
"""Presets that are whole rows. Of the others, network, batch, optimiser and average are this program's."""


@dataclass(frozen=True)
class Networks:
    """Of a row that says nothing of training: its network, and the parts in which it differs from the paper's
    that first had it."""

    name: str
    parts: Values
    of_upscaler: Values
    """The same where it makes small pictures larger."""


NETWORKS: Mapping[str, Networks] = {
    # Saharia et al. 2022, appendix F.1, and B.1: the efficient U-Net.
    "imagen": Networks(
        "iddpm",
        {"multipliers": (1, 2, 3, 4), "blocks": 3},
        {"multipliers": (1, 2, 4, 8), "depths": (2, 4, 8, 8), "resample_first": True},
    ),
}
