"""What a resumed run does not take from the command line, since its own settings count."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.encoded import Encoded
from fogcatcher.data.latents.spec import LatentSpec
from fogcatcher.data.pictures.augmentation import choose
from fogcatcher.exchange.diffusers_autoencoder import open_autoencoder
from fogcatcher.model.build import wanted_of
from fogcatcher.model.choices import COLUMNS
from fogcatcher.model.choose_network import choose_network, network_choices
from fogcatcher.model.network_options import in_words as options_in_words
from fogcatcher.model.presets import PRESETS
from fogcatcher.model.privacy import last_name
from fogcatcher.runs.first_stage import PIXELS

if TYPE_CHECKING:
    from fogcatcher.cli.train_arguments import TrainArguments
    from fogcatcher.runs.record import Run
    from fogcatcher.runs.setup import Setup


def ignored(asked: TrainArguments, run: Run) -> list[str]:
    """Return a sentence for each option that was given and says something else than the run has.

    Given is what differs from its default. Raises UserError for values that cannot be.
    """
    wanted, has = _wanted(asked.setup()), _has(run)
    for options in ("method_options", "network_options"):
        wanted[options[:-1]], has[options[:-1]] = wanted[options], has[options]
    if run.state.step in run.config.training.ends:
        # It was at its end and goes on for as long as was asked.
        wanted = {name: value for name, value in wanted.items() if name not in ("minutes", "steps")}
    sentences = []
    for option in fields(asked):
        name, given = option.name, getattr(asked, option.name)
        # An option that is no choice about a new run is one that a resumed run takes.
        if name in wanted and given != option.default and not _is_so(name, wanted[name], has[name], run):
            flag = name.replace("_", "-")
            sentences.append(f"ignored: --{flag} {_in_words(given)} (the run has {_in_words(has[name])})")
    return sentences


def _wanted(setup: Setup) -> dict[str, Any]:
    """Every choice but those that found the run, as its option is called."""
    choices = {**vars(setup), **vars(setup.options), "condition": setup.conditions}
    return {name: value for name, value in choices.items() if name not in ("data", "out")}


def _has(run: Run) -> dict[str, Any]:
    """The same of a run, in words where it keeps something else than was asked."""
    config, plan = run.config, run.config.training
    kinds = asdict(config.augmentation)
    said = {
        "size": f"{config.pictures.width}x{config.pictures.height}",
        "condition": config.data.conditions,
        "text_encoder": next((a.encoder for a in run.conditions.attributes if isinstance(a, Encoded)), None),
        "latents": config.kind.autoencoder if isinstance(config.kind, LatentSpec) else PIXELS,
        "augment": tuple(kind.replace("_", "-") for kind, on in kinds.items() if on and kind != "share"),
        "minutes": f"{plan.steps:,} steps",
        "preset": next((name for name, method in PRESETS.items() if method == config.method), "its own"),
        **{column: getattr(config.method, column) for column in COLUMNS},
        "method_options": dict(config.method.options),
        "start_from": config.start.name if config.start else "none",
        "network": config.network.name,
        "network_options": dict(config.network.options),
        "upscale": config.upscaling and config.upscaling.factor,
        "upscale_noise": config.upscaling.noise if config.upscaling else None,
        "size_of_model": f"{config.network.name} of width {config.network.width}",
    }
    return {**vars(config.data.options), **vars(plan), **said}


def _is_so(name: str, wanted: Any, has: Any, run: Run) -> bool:  # noqa: ANN401 - options are of every type
    """Whether the run is as the option asks."""
    config = run.config
    match name:
        case "size":
            return wanted == (config.pictures.height, config.pictures.width)
        case "latents":
            return PIXELS not in (wanted, has) and open_autoencoder(Path(wanted)).hash == has
        case "augment":
            return choose(wanted, run.dataset.rows, len(run.parts.train))[0] == config.augmentation
        case "start_from":
            return last_name(wanted) == has
        case "preset":
            return PRESETS.get(wanted) == config.method
        case "size_of_model":
            network = config.network
            whole = wanted_of(config, run.conditions)
            return choose_network(network.name, wanted, whole, options=network.options) == network
        case "network_option":
            try:
                # What the run chose by itself, such as to look at words, was not asked for.
                return network_choices(config.network.name, wanted).items() <= has.items()
            except UserError:  # an option of other networks
                return False
    return wanted == has


def _in_words(value: Any) -> str:  # noqa: ANN401
    if value is None or value == () or value == {}:
        return "none"
    if isinstance(value, dict):
        return options_in_words(value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
