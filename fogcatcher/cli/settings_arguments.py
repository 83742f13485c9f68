"""How to draw, on the command line: a flag for every field of ``drawing.Settings`` and ``Steering``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import tyro

from fogcatcher.base.numbers import number
from fogcatcher.cli.arguments import parse_condition, parse_guidance, parse_interval, parse_options
from fogcatcher.cli.flags import field_of
from fogcatcher.diffusion.sampling.table import SAMPLERS
from fogcatcher.drawing.settings import NAMES, USUAL, Limit, Settings, Share, Steering, Steps, settings_of

if TYPE_CHECKING:
    from fogcatcher.model.model import Model

READ: Mapping[str, Callable[[Any], object]] = {
    "guidance": parse_guidance,
    "negative": lambda texts: parse_condition(texts, "--negative") or None,
    "interval": lambda text: parse_interval(text) if text else None,
    "sampler_options": parse_options,
}
"""Fields that are typed as text: what the text of their flag means."""


def _how_to_step() -> str:
    smooth = ", ".join(name for name, sampler in SAMPLERS.items() if not sampler.noisy)
    noisy = ", ".join(name for name, sampler in SAMPLERS.items() if sampler.noisy)
    return f"How to step: {smooth}; with fresh noise {noisy}."


@dataclass(kw_only=True)
class SettingsArguments:
    """How to draw."""

    guidance: Annotated[str, tyro.conf.arg(metavar="W")] = f"{USUAL.guidance:g}"
    """How strongly to follow the condition: 1 as the data did, 0 not at all, 2 to 4 more clearly."""
    negative: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]] = ()
    """What to lead away from, for example kind=food; it needs guidance above 1. Default: from saying
    nothing."""
    guidance_interval: Annotated[str | None, tyro.conf.arg(metavar="LOW,HIGH", help_behavior_hint="")] = None
    """Guide only between two noise levels, in parts of noise for one of signal (sigma / alpha), for example
    0.2,2: less sameness at the same strength, and faster. Default: everywhere."""
    rescale: Annotated[Share, tyro.conf.arg(metavar="PHI")] = USUAL.steering.rescale
    """Take back the contrast that guidance adds: 0 not, 1 all of it; 0.7 suits strong guidance."""
    guide_with: Annotated[str | None, tyro.conf.arg(metavar="WEAKER", help_behavior_hint="")] = None
    """Lead away from a weaker model instead: an average of other length (0.2), an earlier step of the run
    (500), or another run's directory."""
    classifier_guidance: Annotated[float, tyro.conf.arg(metavar="S")] = USUAL.steering.classifier
    """How strongly to follow the classifier of fogcatcher train-classifier, besides --guidance; add
    --guidance 0 to follow it alone."""
    sampler: Annotated[str, tyro.conf.arg(metavar="NAME", help=_how_to_step())] = USUAL.sampler
    steps: Steps = USUAL.steps
    """Number of sampling steps."""
    eta: Annotated[float | None, tyro.conf.arg(metavar="ETA", help_behavior_hint="")] = USUAL.eta
    """Fresh noise in ddim steps: 0 none, 1 as much as ddpm."""
    sampler_option: tyro.conf.UseAppendAction[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")]
    ] = ()
    """A number of the sampler's own, for example churn=20 with --sampler churn; docs/methods.md lists them.
    Default: as the sampler has it."""
    grid: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = USUAL.grid
    """Spacing of the steps: karras, karras_nested (better at 8 steps), straight (at 4), log_snr,
    polyexponential, uniform, leading, linspace, linspace_open. Default: the model's own."""
    limit: Limit = USUAL.limit
    """Keep every answer of the network within the range of pictures: clip; dynamic scales it there, which
    suits strong guidance; none."""

    def settings(self) -> Settings:
        """Return what the flags say. Raises UserError for values that cannot be."""
        typed = {name: getattr(self, field_of(name)) for name in NAMES}
        return settings_of({name: READ[name](v) if name in READ else v for name, v in typed.items()})

    def check(self, model: Model) -> None:
        """Raises UserError where a flag asks for another way of drawing than the only one a model knows."""
        usual = {field.name: field.default for field in fields(self)}
        given = {name: getattr(self, field_of(name)) for name in NAMES}
        model.check_choices({name: v for name, v in given.items() if v != usual[field_of(name)]})


def setting_of(name: str, text: str) -> object:
    """Return one of NAMES from a text alone, as in the axes of a table. Raises ValueError for no number."""
    if name in ("interval", "negative") and text == "none":
        return None
    if name in ("negative", "sampler_options"):
        return READ[name](tuple(text.split(",")))
    if name in READ:
        return READ[name](text)
    hint = (get_type_hints(Settings) | get_type_hints(Steering))[name]
    kinds = (hint, *get_args(hint))
    return int(text) if int in kinds else number(text) if float in kinds else text
