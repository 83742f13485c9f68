"""Each paper's choices as one row."""

from __future__ import annotations

from collections.abc import Mapping

from fogcatcher.model.config import Method

PRESETS: Mapping[str, Method] = {
    "default": Method(),
    "ddpm": Method("ddpm", "eps", "discrete", "uniform"),
    "iddpm": Method("iddpm", "eps", "discrete", "uniform", loss="hybrid"),
    "annotated": Method("annotated", "eps", "discrete", "uniform", loss="huber"),
    "course": Method("course", "eps", "discrete", "uniform", label="t"),
    "score_vp": Method("vp", "eps", "uniform", "uniform"),
    "score_ve": Method("ve", "eps", "uniform", "uniform"),
    "edm": Method("edm", "edm", "lognormal_edm", "karras"),
    "v_cosine": Method("cosine", "v", "uniform", "uniform"),
    "flow": Method("flow", "velocity", "logitnormal", "uniform"),
}
"""Each paper's own choices (docs/methods.md); "default" is the row that measured best for small pictures."""
