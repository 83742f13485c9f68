"""From a preset and what was chosen beside it to the method of a run and the way it is trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from fogcatcher.base.devices import best_device
from fogcatcher.base.errors import Message, UserError, named
from fogcatcher.data.conditions import sentences
from fogcatcher.data.conditions.column_types import Controls
from fogcatcher.data.conditions.conditions import Tags
from fogcatcher.data.pictures.augmentation import kinds_in
from fogcatcher.model.build import check_method
from fogcatcher.model.choices import ADVERSARIAL, COLUMNS
from fogcatcher.model.choose_network import check_asked, network_choices
from fogcatcher.model.config import Method, NetworkConfig, RunConfig
from fogcatcher.model.network_options import Values
from fogcatcher.model.network_options import in_words as options_in_words
from fogcatcher.model.places import local_folder
from fogcatcher.model.presets import NETWORKS, PRESETS, RECIPES
from fogcatcher.runs.setup import Setup
from fogcatcher.training.fit import Optimizer, Plan
from fogcatcher.training.precision import precision_on


def method_of(setup: Setup) -> Method:
    """Return the preset's row with the columns that were chosen anew.

    Raises UserError for names and numbers that cannot be, and for choices that do not go together.
    """
    chosen = {column: getattr(setup, column) for column in COLUMNS if getattr(setup, column) is not None}
    preset = named("preset", setup.preset, PRESETS, about="preset")
    method = replace(preset, **chosen, options=dict(setup.method_options))
    check_method(method)
    return method


def plan_of(setup: Setup) -> Plan:
    """Return how the preset trains; length, seed, network and batch come later.

    Raises UserError for an unknown optimiser.
    """
    recipe = RECIPES.get(setup.preset)
    plan = recipe.plan if recipe else Plan(steps=1)
    if setup.optimizer is None:
        return plan
    return replace(plan, optimizer=named("optimizer", setup.optimizer, OPTIMIZERS, about="optimizer"))


OPTIMIZERS = {name: name for name in get_args(Optimizer)}


def network_name(setup: Setup) -> str:
    """Return the network that was asked for, or the preset's."""
    if setup.network != Setup.network:
        return setup.network
    recipe, row = RECIPES.get(setup.preset), NETWORKS.get(setup.preset)
    return recipe.network if recipe else row.name if row else NetworkConfig.name


def network_parts(setup: Setup) -> Values:
    """Return the parts of the network that were asked for, and those of the preset's own."""
    row = NETWORKS.get(setup.preset)
    if row is None or setup.network != Setup.network:
        return setup.network_options
    return {**(row.of_upscaler if setup.upscale else row.parts), **setup.network_options}


def augment_of(setup: Setup) -> str:
    """Return the augmentation that was asked for, or the preset's."""
    recipe = RECIPES.get(setup.preset)
    return recipe.augment if recipe and setup.augment == Setup.augment else setup.augment


def check_names(setup: Setup) -> None:
    """Raises UserError for what could not be for any data, so that it is said before they are read."""
    check_asked(network_name(setup), setup.size_of_model, setup.width)
    network_choices(network_name(setup), network_parts(setup))
    precision_on(best_device(), setup.precision)
    if augment_of(setup) != "auto":
        kinds_in(augment_of(setup))
    if setup.start_from not in ("auto", "none"):
        local_folder(setup.start_from)
    if setup.text_encoder is not None:
        sentences.width(setup.text_encoder)
    if setup.upscale and method_of(setup).loss == ADVERSARIAL:
        raise UserError(
            Message("{@upscale} does not go with the adversarial loss: choose another {@preset}."),
            about="upscale",
        )


def silenced(setup: Setup, controls: Controls) -> dict[str, Any]:
    """Return which conditions are left unsaid on their own: fields of ``Plan``. Whole rows know of none."""
    if setup.preset in RECIPES:
        return {}
    tags = tuple(a.name for a in controls.spec.attributes if isinstance(a, Tags))
    return {"attribute_dropout": controls.dropout, "single_dropout": tags}


def in_words(setup: Setup, config: RunConfig) -> list[str]:
    """Return what to say of the row that was chosen; of the usual one nothing."""
    said = []
    if config.method != Method():
        name = f"preset {setup.preset}" if config.method == PRESETS[setup.preset] else "method"
        said.append(f"{name}: {config.method.in_words}")
    if config.network.options:
        said.append(f"network {config.network.name}: {options_in_words(config.network.options)}")
    if setup.preset in RECIPES or setup.optimizer:
        plan = config.training
        average = "no average" if plan.ema_gamma is None else "averaged weights"
        fall = f", falling along a {plan.fall_along}" if plan.fall else ", constant"
        said.append(
            f"training: network {config.network.name} of width {config.network.width}, {plan.optimizer} at "
            f"{plan.learning_rate:g}{fall}, batches of {plan.batch_size}, {average}"
        )
    return said
