"""From the name of a network and one dial, its size, to the network itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from fogcatcher.base.errors import Message, UserError, known_name
from fogcatcher.base.typed_json import shown
from fogcatcher.data.pictures import augmentation
from fogcatcher.diffusion.upscaling import UPSCALING
from fogcatcher.model import network_options
from fogcatcher.model.config import NetworkConfig
from fogcatcher.model.weights_fit import on_meta
from fogcatcher.networks import ddpm_unet
from fogcatcher.networks.annotated_unet import AnnotatedUNet
from fogcatcher.networks.context_unet import ContextUnet
from fogcatcher.networks.ddpm_unet import DDPMUNet, UNetShape
from fogcatcher.networks.embeddings import Form, Vector
from fogcatcher.networks.magnitude_preserving import MPUNet
from fogcatcher.networks.song_unet import ddpmpp, ncsnpp
from fogcatcher.networks.thesis_unet import ATTENTIVE, FINAL, VANILLA, Stage, ThesisUNet
from fogcatcher.networks.transformer import DiT, Pictures, Sequences, Tokens
from fogcatcher.networks.unet import SignalUNet, UNet
from fogcatcher.networks.upscaler import LEVEL, Upscaler
from fogcatcher.networks.variations import (
    AnnotatedChoices,
    SmallChoices,
    SongChoices,
    TransformerChoices,
    UNetChoices,
    check_sides,
    varied,
)

SIZES = {"tiny": 0.45e6, "small": 1.8e6, "medium": 7.2e6, "large": 28.8e6}
"""Parameters; each width is twice the one before."""
LARGE_BATCH_FROM = 16e6
"""Parameters from which a step takes 64 pictures instead of 32."""
MOST_STEPS_OF_WIDTH = 128
MOST_PARAMETERS = 1e10
MOST_TOKENS = 32
"""So many parts a transformer cuts a signal into at most; all of them look at each other."""
CROSS_ATTENTION = "cross_attention"
"""The name of the choice in ``networks/variations.py``."""
SONG_MULTIPLIERS = (2, 2, 2)
"""Of the levels of DDPM++ and NCSN++, whatever the pictures."""
LONG_SIGNAL = 128
"""Longer ones are halved three times instead of twice."""


@dataclass(frozen=True)
class Wanted:
    """What a network is built from."""

    config: NetworkConfig
    channels: int
    size: tuple[int, ...]
    """(height, width) of pictures, (length,) of signals."""
    inputs: Mapping[str, Form]
    answers: int = 1
    upscaled: int = 1
    """How much larger the pictures are than those that the network is told of; 1 where it is told of none."""


@dataclass(frozen=True)
class NetworkRow:
    """A network by name: how it is built, and what its dial says when nobody turns it."""

    build: Callable[[Wanted], nn.Module]
    width: int
    """The published one."""
    multiple: int
    """Widths are multiples of it."""
    learning_rate: float
    """At that width, for this program's optimisers; it falls with the root of the width."""
    counts_steps: bool = False
    """Whether its waves are made for step numbers, 0 to 1,000, as noise labels."""
    of_signals: Callable[[Wanted], nn.Module] | None = None
    """How it is built for (C, L); None where it is made for pictures alone."""
    what: str = ""
    """What it is, for who chooses one."""
    choices: type | None = None
    """The record of what may be chosen about it."""


def _small(w: Wanted) -> nn.Module:
    c = w.config
    return UNet(
        w.channels,
        c.made_for or _sides(w),
        _widths(c),
        c.blocks,
        c.patch,
        w.inputs,
        w.answers,
        cross_attention=_looks_at_words(w),
    )


def _small_of_signals(w: Wanted) -> nn.Module:
    c = w.config
    return SignalUNet(w.channels, w.size[0], _widths(c), c.blocks, w.inputs, w.answers, _looks_at_words(w))


def _looks_at_words(w: Wanted) -> bool:
    return bool(w.config.options.get(CROSS_ATTENTION))


def _widths(config: NetworkConfig) -> list[int]:
    return [config.width * 2**level for level in range(config.levels)]


def _sides(w: Wanted) -> tuple[int, int]:
    height, width = w.size
    return height, width


def _ddpm_line(
    shape: Callable[[Sequence[int], int, Sequence[float]], UNetShape], multipliers: Sequence[float]
) -> Callable[[Wanted], nn.Module]:
    def build(w: Wanted) -> nn.Module:
        c, sides = network_options.chosen(UNetChoices, w.config.options), _sides(w)
        chosen = shape(
            sides, w.config.width, c.multipliers or multipliers[: _levels(sides, len(multipliers))]
        )
        return DDPMUNet(w.channels, varied(chosen, sides, c), w.inputs, w.answers)

    return build


def _song(network: Callable[..., nn.Module]) -> Callable[[Wanted], nn.Module]:
    def build(w: Wanted) -> nn.Module:
        told, sides = (augmentation.NAME,), _sides(w)
        levels = len(_chosen(w).get("multipliers", SONG_MULTIPLIERS))
        parts = _song_parts(w, [max(sides) // 2**level for level in range(levels)])
        return network(
            w.channels, sides, w.config.width, attributes=w.inputs, answers=w.answers, as_given=told, **parts
        )

    return build


def _edm2(w: Wanted) -> nn.Module:
    sides = _sides(w)
    parts: dict[str, Any] = {"multipliers": (1, 2, 3, 4)[: _levels(sides, 4)]}
    levels = len(_chosen(w).get("multipliers", parts["multipliers"]))
    parts |= _song_parts(w, [-(-max(sides) // 2**level) for level in range(levels)])
    return MPUNet(w.channels, sides, w.config.width, attributes=w.inputs or None, answers=w.answers, **parts)


def _chosen(w: Wanted) -> dict[str, Any]:
    """What was chosen by name, which ``build_network`` has read: every value is of its record's type."""
    return dict(w.config.options)


def _song_parts(w: Wanted, there: Sequence[int]) -> dict[str, Any]:
    """What was chosen, as the networks of Song and Karras call it; ``there`` are the sides of the levels."""
    parts = _chosen(w)
    if "attention" in parts:
        check_sides(parts["attention"], there)
        parts["attention_at"] = parts.pop("attention")
    return parts


def _transformer(w: Wanted) -> nn.Module:
    c = network_options.chosen(TransformerChoices, w.config.options)
    return _dit(w, Pictures(c.patch or (4 if min(w.size) >= 64 else 2)))


def _transformer_of_signals(w: Wanted) -> nn.Module:
    c = network_options.chosen(TransformerChoices, w.config.options)
    return _dit(w, Sequences(c.patch or math.ceil(w.size[0] / MOST_TOKENS)))


def _dit(w: Wanted, tokens: Tokens) -> nn.Module:
    c, width = network_options.chosen(TransformerChoices, w.config.options), w.config.width
    depth = min(12, width // 32) if width <= 768 else 24 if width <= 1024 else 28
    heads = c.heads or width // 64
    return DiT(w.channels, tokens, width, c.depth or depth, heads, w.inputs, w.answers, _looks_at_words(w))


def _annotated(w: Wanted) -> nn.Module:
    parts = _chosen(w)
    return AnnotatedUNet(
        w.channels, _sides(w), w.config.width, attributes=w.inputs, answers=w.answers, **parts
    )


def _thesis(stage: Stage) -> Callable[[Wanted], nn.Module]:
    return lambda w: ThesisUNet(
        w.channels, _sides(w), w.config.width, stage=stage, attributes=w.inputs, answers=w.answers
    )


def _imported(w: Wanted) -> nn.Module:
    if w.config.shape is None:
        raise UserError("config.json: an imported network needs its shape.")
    return DDPMUNet(w.channels, w.config.shape, w.inputs, w.answers)


IMPORTED = "imported"
NETWORKS: Mapping[str, NetworkRow] = {
    "small": NetworkRow(
        _small,
        32,
        16,
        2.5e-3,
        of_signals=_small_of_signals,
        what="ours: the fast one for small pictures",
        choices=SmallChoices,
    ),
    "ddpm": NetworkRow(
        _ddpm_line(ddpm_unet.ddpm, (1, 2, 2, 2)),
        128,
        32,
        5e-4,
        True,
        what="Ho et al. 2020, as for CIFAR-10",
        choices=UNetChoices,
    ),
    "iddpm": NetworkRow(
        _ddpm_line(ddpm_unet.iddpm, (1, 2, 2, 2)),
        128,
        32,
        5e-4,
        True,
        what="Nichol & Dhariwal 2021: told the noise level in every block, four heads of attention",
        choices=UNetChoices,
    ),
    "adm": NetworkRow(
        _ddpm_line(ddpm_unet.adm, (1, 2, 3, 4)),
        192,
        64,
        5e-4,
        True,
        what="Dhariwal & Nichol 2021: blocks that resample, heads of 64",
        choices=UNetChoices,
    ),
    "ddpmpp": NetworkRow(
        _song(ddpmpp),
        128,
        32,
        5e-4,
        what="Song et al. 2021, as Karras et al. 2022 use it",
        choices=SongChoices,
    ),
    "ncsnpp": NetworkRow(
        _song(ncsnpp),
        128,
        32,
        5e-4,
        what="Song et al. 2021 with its filters, as Karras et al. 2022 use it",
        choices=SongChoices,
    ),
    "edm2": NetworkRow(
        _edm2,
        128,
        64,
        5e-3,
        what="Karras et al. 2024: layers that keep magnitudes",
        choices=SongChoices,
    ),
    "transformer": NetworkRow(
        _transformer,
        384,
        64,
        3e-4,
        of_signals=_transformer_of_signals,
        what="Peebles & Xie 2023: a transformer on patches of the picture",
        choices=TransformerChoices,
    ),
    "course": NetworkRow(
        lambda w: ContextUnet(w.channels, _sides(w), w.config.width, w.inputs, w.answers),
        64,
        8,
        1e-3,
        what='the ContextUnet of "How Diffusion Models Work"',
    ),
    "annotated": NetworkRow(
        _annotated,
        28,
        4,
        1e-3,
        True,
        what='the U-Net of "The Annotated Diffusion Model"',
        choices=AnnotatedChoices,
    ),
    "thesis": NetworkRow(
        _thesis(FINAL), 64, 16, 5e-4, True, what="the last of three U-Nets of a sprite thesis"
    ),
    "thesis_attentive": NetworkRow(
        _thesis(ATTENTIVE), 64, 16, 5e-4, True, what="the one before: with attention, without dropout"
    ),
    "thesis_vanilla": NetworkRow(
        _thesis(VANILLA), 64, 16, 5e-4, what="the first: no attention, and told the bare noise level"
    ),
    IMPORTED: NetworkRow(_imported, 0, 1, 5e-4, True),
}


def build_network(wanted: Wanted) -> nn.Module:
    """Return the untrained network. Raises UserError for an unknown name, a size that it cannot have, or
    options that it has not.
    """
    row = row_of(wanted.config.name)
    wanted = replace(wanted, config=_with_options(wanted.config, wanted.config.options))
    if wanted.upscaled > 1:
        inputs = {**wanted.inputs, UPSCALING: LEVEL}
        inner = replace(wanted, channels=2 * wanted.channels, inputs=inputs)
        return Upscaler(row.build(inner), wanted.channels, wanted.upscaled)
    if len(wanted.size) == 2:
        return row.build(wanted)
    if wanted.config.name == "small" and "patch" in wanted.config.options:
        raise UserError("patch is for pictures: these are signals.", about="network_options")
    if row.of_signals is None:
        names = " or ".join(name for name, row in NETWORKS.items() if row.of_signals)
        raise UserError(f"the network {wanted.config.name} is for pictures: for signals take {names}.")
    return row.of_signals(wanted)


def row_of(name: str) -> NetworkRow:
    """Raises UserError that lists the valid names."""
    if name == IMPORTED:
        return NETWORKS[name]
    return NETWORKS[network_name(name)]


def network_name(name: str) -> str:
    """Return the name of a network as it is written. Raises UserError that lists the valid ones."""
    return known_name("network", name, [known for known in NETWORKS if known != IMPORTED], about="network")


def network_choices(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was chosen about a network by name, read as its record asks.

    Raises UserError for a network or names that are unknown, and for values that cannot be.
    """
    table = {known: row.choices for known, row in NETWORKS.items()}
    return network_options.read_options(name if name == IMPORTED else network_name(name), given, table)


def _with_options(config: NetworkConfig, given: Mapping[str, Any]) -> NetworkConfig:
    """The config with these options; those of the small network are fields of it, too."""
    options = network_choices(config.name, given)
    fields = {name: value for name, value in options.items() if hasattr(config, name)}
    return replace(config, options=options, **(fields if config.name == "small" else {}))


def looking_at_words(config: NetworkConfig, inputs: Mapping[str, Form]) -> NetworkConfig:
    """Return the network of a new run: where it is told sequences and can look at them one by one, it does.

    What was chosen about it stays so. Configs from before cross-attention name no choice, and pool.
    """
    choices = row_of(config.name).choices
    can = choices is not None and CROSS_ATTENTION in network_options.options_of(choices)
    if not can or CROSS_ATTENTION in config.options or all(isinstance(f, Vector) for f in inputs.values()):
        return config
    return replace(config, options={**config.options, CROSS_ATTENTION: True})


def choose_network(
    name: str,
    size_of_model: str | None,
    wanted: Wanted,
    width: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> NetworkConfig:
    """Return the network of a name and a size for pictures of ``wanted.size``.

    The size is tiny, small, medium, large or a number of parameters such as 3M; None is the published one.
    ``width`` says it outright, ``options`` choose parts of it (``networks/variations.py``). Raises UserError
    for anything else, and for pictures it cannot be built for.
    """
    name, parameters = check_asked(name, size_of_model, width)
    row = row_of(name)
    config = _for_size(wanted, parameters)
    config = replace(config, name=name, width=width or (config.width if name == "small" else row.width))
    config = looking_at_words(_with_options(config, options or {}), wanted.inputs)
    if width is None and parameters is not None:
        config = replace(config, width=_nearest_width(row, config, parameters, wanted))
    parameters_of(replace(wanted, config=config))  # refuses what cannot be built
    return config


def check_asked(name: str, size_of_model: str | None, width: int | None = None) -> tuple[str, float | None]:
    """Return the network's name as it is written, and the number of parameters of a size; None without one.

    Raises UserError for names, sizes and widths that could not be for any data.
    """
    name = network_name(name)
    multiple = row_of(name).multiple
    if width is not None and (width < multiple or width % multiple):
        raise UserError(f"the width of {name} must be a multiple of {multiple}, not {width}.")
    return name, None if size_of_model is None else _parameters_in(size_of_model)


def parameters_of(wanted: Wanted) -> int:
    """Return how many parameters a network has, without making room for them."""
    return sum(p.numel() for p in on_meta(lambda: build_network(wanted)).parameters())


def learning_rate_of(config: NetworkConfig) -> float:
    """Return the highest learning rate of a network."""
    row = row_of(config.name)
    if not row.width:
        return row.learning_rate
    # Narrower ones than published may learn faster, but not faster than the small one.
    highest = max(row.learning_rate, NETWORKS["small"].learning_rate)
    return min(row.learning_rate * math.sqrt(row.width / config.width), highest)


def _for_size(wanted: Wanted, parameters: float | None) -> NetworkConfig:
    """Patches, width and depth of the small network for data of this size."""
    size = wanted.size
    if len(size) == 2:
        narrow = wanted.channels >= 3 and (parameters or SIZES["small"]) >= SIZES["small"] / 2
        return _for_pictures(*size, narrow)
    return NetworkConfig(levels=3 if size[0] <= LONG_SIGNAL else 4, patch=1)


def _for_pictures(height: int, width: int, narrow: bool) -> NetworkConfig:
    """Patches, width and depth of the small network that measured best for pictures of this size.

    docs/experiments.md says for which; larger pictures get more levels, so that attention stands at 8 x 8.
    ``narrow`` allows a narrow level of whole pixels: patches of coloured ones lay grain over flat areas. Grey
    was measured with patches alone, and the smallest networks have no room for a fourth level.
    """
    area = height * width
    if 20 * 20 < area <= 40 * 40 and narrow:
        return NetworkConfig(patch=1, width=16, levels=4)
    patch = 1 if area <= 20 * 20 else 2
    side = max(height, width) / patch
    return NetworkConfig(patch=patch, levels=max(3, math.ceil(math.log2(side)) - 2))


def _levels(size: tuple[int, int], most: int) -> int:
    """The number of levels that leaves at least 4 pixels of the shorter side, from 1 to ``most``."""
    return max(1, min(most, int(math.log2(max(4, min(size)) / 4)) + 1))


def _parameters_in(said: str) -> float:
    if said.lower() in SIZES:
        return SIZES[said.lower()]
    number = re.fullmatch(r"(\d{1,10}(?:\.\d{1,10})?)\s*([kKmM]?)", said.strip())
    asked = float(number[1]) * {"": 1, "k": 1e3, "m": 1e6}[number[2].lower()] if number else 0
    if not 1 <= asked <= MOST_PARAMETERS:
        raise UserError(
            Message(
                "{@size_of_model} {said} is not a size: use {sizes}, or a number of parameters such as 3M.",
                said=shown(said),
                sizes=", ".join(SIZES),
            )
        )
    return asked


def _nearest_width(row: NetworkRow, config: NetworkConfig, parameters: float, wanted: Wanted) -> int:
    """The width whose number of parameters is nearest to the one asked for, by halving the range."""

    def count(steps: int) -> int:
        return parameters_of(replace(wanted, config=replace(config, width=steps * row.multiple)))

    low, high = 1, MOST_STEPS_OF_WIDTH
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= parameters else (low, middle)
    nearer = min((low, high), key=lambda steps: abs(math.log(count(steps) / parameters)))
    return nearer * row.multiple
