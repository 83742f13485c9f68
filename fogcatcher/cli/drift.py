"""What a resumed run does not take from the command line, since its own settings count."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from fogcatcher.cli.arguments import parse_size
from fogcatcher.data.options import DataOptions

if TYPE_CHECKING:
    from fogcatcher.cli.train_arguments import TrainArguments
    from fogcatcher.runs.record import Run

READING = {option.name for option in fields(DataOptions)}


def ignored(asked: TrainArguments, run: Run) -> list[str]:
    """Return a sentence for each option that was given and says something else than the run has.

    Given is what differs from its default. Raises UserError for values that cannot be.
    """
    sentences = []
    for option in fields(asked):
        given = getattr(asked, option.name)
        if given != option.default and not _is_so(asked, run, option.name):
            flag = option.name.replace("_", "-")
            has = _in_words(_has(run, option.name))
            sentences.append(f"ignored: --{flag} {_in_words(given)} (the run has {has})")
    return sentences


def _is_so(asked: TrainArguments, run: Run, name: str) -> bool:
    """Whether the run is as the option ``name`` asks; options that a resumed run takes always are."""
    from fogcatcher.data.pictures.augmentation import choose
    from fogcatcher.model.build import wanted_of
    from fogcatcher.model.choose_network import choose_network
    from fogcatcher.model.presets import PRESETS

    config = run.config
    match name:
        case "size":
            return parse_size(asked.size or "") == (config.pictures.height, config.pictures.width)
        case "preset":
            return PRESETS.get(asked.preset) == config.method
        case "size_of_model":
            wanted = wanted_of(config, run.conditions)
            return choose_network(config.network.name, asked.size_of_model, wanted) == config.network
        case "augment":
            return choose(asked.augment, run.dataset.pictures, len(run.parts.train))[0] == config.augmentation
        case "precision":
            return asked.precision in ("auto", run.config.training.precision)
        case "minutes" | "seed" | "steps" | "batch_size" | "network" | "condition" | "text_encoder":
            return getattr(asked, name) == _has(run, name)
    return name not in READING or getattr(asked.options(), name) == _has(run, name)


def _has(run: Run, name: str) -> Any:  # noqa: ANN401 - options are of every type
    from fogcatcher.data.conditions.conditions import Sentence
    from fogcatcher.model.presets import PRESETS

    config, plan = run.config, run.config.training
    match name:
        case "size":
            return f"{config.pictures.width}x{config.pictures.height}"
        case "preset":
            return next((name for name, method in PRESETS.items() if method == config.method), "its own")
        case "size_of_model":
            return f"{config.network.name} of width {config.network.width}"
        case "augment":
            kinds = asdict(config.augmentation)
            return tuple(kind.replace("_", "-") for kind, on in kinds.items() if on and kind != "share")
        case "minutes":
            return f"{plan.steps:,} steps"
        case "network":
            return config.network.name
        case "condition":
            return config.data.conditions
        case "text_encoder":
            return next((a.encoder for a in run.conditions.attributes if isinstance(a, Sentence)), None)
        case "seed" | "steps" | "batch_size" | "precision":
            return getattr(plan, name)
    return getattr(config.data.options, name)


def _in_words(value: Any) -> str:  # noqa: ANN401
    if value is None or value == ():
        return "none"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
