"""Models that draw in a way of their own: in which, and what is refused because of it."""

from __future__ import annotations

from typing import Any

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.latents.spec import LatentSpec
from fogcatcher.model.config import RunConfig


def own_way(config: RunConfig) -> dict[str, Any]:
    """Return the settings of a drawing that such a model has of its own; nothing for one that has any.

    Latents have no range: answers cut off at that of pixels would be those of other pictures.
    """
    unlimited = {"limit": "none"} if isinstance(config.kind, LatentSpec) else {}
    return _few_steps(config) | unlimited


def _few_steps(config: RunConfig) -> dict[str, Any]:
    if few := config.distilled:
        return {"sampler": "ddim", "steps": few.steps, "grid": few.grid, "guidance": 1.0, "eta": None}
    if config.method.latents:
        calls = int(config.method.of_adversary("calls"))
        return {"sampler": "ddgan", "steps": calls, "grid": "uniform", "guidance": 1.0, "eta": None}
    return {}


def other_way(config: RunConfig, name: str) -> Message:
    """Return why such a model does not take another ``name``, a setting of a drawing."""
    if name == "limit":
        return Message("this model draws latents, which have no range to keep within: leave out {@limit}.")
    own = own_way(config)
    if config.distilled and config.distilled.is_told_where and name == "steps":
        *fewer, most = (str(n) for n in numbers_of_steps(config))
        return Message(
            "this model was made to draw in {fewer} or {most} steps of ddim: choose one of these, or draw "
            "with its teacher, {teacher}.",
            fewer=", ".join(fewer),
            most=most,
            teacher=config.distilled.teacher,
        )
    if config.distilled:
        return Message(
            "this model was made to draw in {steps} steps of ddim, guided as its teacher was: "
            "leave out {name}, or draw with its teacher, {teacher}.",
            steps=own["steps"],
            name=name,
            teacher=config.distilled.teacher,
        )
    return Message(
        "this model was trained to draw in {steps} steps of {sampler}: leave out {name}.",
        steps=own["steps"],
        sampler=own["sampler"],
        name=name,
    )


def numbers_of_steps(config: RunConfig) -> tuple[int, ...]:
    """Return in how many steps such a model may draw; none for one that draws in any number."""
    if config.distilled:
        return config.distilled.numbers_of_steps
    own = own_way(config)
    return (own["steps"],) if "steps" in own else ()


def grid_of(config: RunConfig) -> str:
    """Return the spacing of the steps that a model draws in when nothing is said."""
    return own_way(config).get("grid", config.method.grid)


def check_exportable(config: RunConfig, what: str) -> None:
    """Raises UserError for a model told more than wishes, where ``what`` is written can tell it no more."""
    if config.upscaling:
        raise UserError(f"{what} cannot give a model the small pictures that it makes large.")
    if config.method.latents:
        own = own_way(config)
        raise UserError(
            f"{what} cannot say yet that a model draws in its own {own['steps']} steps alone, each by "
            "chance: export it as torch."
        )
