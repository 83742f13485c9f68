"""A new model that starts from what another one knows: whatever fits is taken, the rest is made new."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.conditions.conditions import Attribute, Category, ConditionSpec, Tags
from fogcatcher.data.kind import Kind
from fogcatcher.data.latents.spec import LatentSpec
from fogcatcher.data.pictures import augmentation
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.pictures.store import has_alpha
from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.model.config import NetworkConfig, RunConfig, Start
from fogcatcher.model.model import SHIPPED, Model
from fogcatcher.model.model_card import LICENCE
from fogcatcher.networks.embeddings import table_name
from fogcatcher.networks.unet import UNet
from fogcatcher.networks.upscaler import Upscaler

INSIDE_UPSCALER = "network.inner."
TABLES = "network.condition.tables."
"""Start of the names of the weights that hear conditions."""
MOSTLY = 0.5
"""So much of a set must be pixel art for a base of pixel art."""
FEWEST_FIT = 0.5
"""Where a smaller share of the new network's numbers can be taken, it is another network."""
LONGEST_CARD = 20_000
START_RATE = 0.4
"""The learning rate of a run that starts from a model, as a share of the usual one."""


@dataclass(frozen=True)
class Base:
    """A shipped model to start from."""

    name: str
    smallest: int
    largest: int
    """Longer side of the pictures that it is for."""


BASES = (Base("sprites", 8, 20), Base("base-32", 21, 64))


def usual_base(spec: Kind, pixel_art: float | None, folder: Path = SHIPPED) -> str | None:
    """Return the shipped model that suits these pictures; None where a fresh network is as good.

    The bases know pixel art in colour. ``pixel_art`` is its share, None where nobody looked.
    """
    if not isinstance(spec, PictureSpec) or spec.channels < 3 or (pixel_art or 0.0) < MOSTLY:
        return None
    side = max(spec.height, spec.width)
    fitting = (base.name for base in BASES if base.smallest <= side <= base.largest)
    return next((name for name in fitting if (folder / name).exists()), None)


def network_of(config: RunConfig) -> NetworkConfig:
    """Return the network for a run that starts from a model: the same, whatever size the pictures have."""
    network, kind = config.network, config.kind
    if network.name != "small" or network.made_for or not isinstance(kind, PictureSpec):
        return network
    return replace(network, made_for=(kind.height, kind.width))


def take_over(
    source: Model, target: Denoiser, config: RunConfig, conditions: ConditionSpec
) -> tuple[Start, list[str]]:
    """Fill ``target``, the untrained denoiser of ``config``, with all weights of ``source`` that fit.

    Return what was taken, and what to say of it. Raises UserError where the two have too little in common.
    """
    name, theirs = name_of(source), source.config
    if type(theirs.kind) is not type(config.kind):
        message = Message(
            "{@start_from}: {name} draws {theirs}, and these are {ours}.",
            name=name,
            theirs=theirs.kind.name,
            ours=config.kind.name,
        )
        raise UserError(message, about="start_from")
    had, wanted = theirs.kind, config.kind
    if (
        isinstance(had, LatentSpec)
        and isinstance(wanted, LatentSpec)
        and had.autoencoder != wanted.autoencoder
    ):
        message = Message(
            "{@start_from}: {name} draws latents of another autoencoder: give {@latents:{name!r}}, too, "
            "which takes its own.",
            name=name,
        )
        raise UserError(message, about="start_from")
    fresh, found = _weights(target), _fitting(source, target, config, conditions)
    taken, in_all = (sum(weight.numel() for weight in part.values()) for part in (found, fresh))
    if taken < FEWEST_FIT * in_all:
        message = Message(
            "{@start_from}: {name} has another network ({network} of width {width}), of which {share:.0%} "
            "fits. Leave out {@network}, {@size_of_model} and {@width}, or begin anew with "
            "{@start_from:'none'}.",
            name=name,
            network=theirs.network.name,
            width=theirs.network.width,
            share=taken / in_all,
        )
        raise UserError(message, about="start_from")
    target.load_state_dict(dict(zip(target.state_dict(), {**fresh, **found}.values(), strict=True)))
    new = [name for name in fresh if name not in found]
    start = Start(name, source.hash, licence_of(source.folder), taken, in_all - taken)
    return start, [_in_words(name, taken / in_all, new)]


def _weights(denoiser: Denoiser) -> dict[str, Tensor]:
    """The weights by name; of an upscaler by those of the network in it, which is like any other."""
    whole = denoiser.state_dict().items()
    return {name.replace(INSIDE_UPSCALER, "network.", 1): weight for name, weight in whole}


def _network(denoiser: Denoiser) -> nn.Module:
    """The network, or what is in an upscaler."""
    return denoiser.network.inner if isinstance(denoiser.network, Upscaler) else denoiser.network


def _fitting(
    source: Model, target: Denoiser, config: RunConfig, conditions: ConditionSpec
) -> dict[str, Tensor]:
    """All weights of the model that mean the same in the new network: name -> numbers."""
    theirs, ours = _weights(source.denoiser), _weights(target)
    found = {
        name: weight
        for name, weight in theirs.items()
        if name in ours and ours[name].shape == weight.shape and not name.startswith(TABLES)
    }
    found |= _tables(source.conditions, conditions, theirs, ours)
    found |= _of_other_channels(source, target, config)
    anew = _spoken_otherwise(source.denoiser, target)
    return {name: weight for name, weight in found.items() if not name.startswith(anew)}


def _tables(
    theirs: ConditionSpec, ours: ConditionSpec, has: Mapping[str, Tensor], wants: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tables of what both can be told: name of a weight -> its numbers."""
    known, found = {a.name: a for a in theirs.attributes}, {}
    told_alike = [a.name for a in ours.attributes if known.get(a.name) == a]
    for name in [*told_alike, augmentation.NAME]:
        start = f"{TABLES}{table_name(name)}."
        found |= {
            weight: numbers for weight, numbers in has.items() if weight.startswith(start) and weight in wants
        }
    for a in ours.attributes:
        names, weight = _names(a), f"{TABLES}{table_name(a.name)}.weight"
        their_names = _names(known[a.name]) if a.name in known and weight in has else ()
        shared = weight not in found and weight in wants and set(names) & set(their_names)
        if shared and len(has[weight]) == len(wants[weight]):
            # Class by class: those that are new keep their start.
            found[weight] = wants[weight].clone()
            for column, name in enumerate(names):
                if name in their_names:
                    found[weight][:, column] = has[weight][:, their_names.index(name)]
    return found


def _names(attribute: Attribute) -> Sequence[str]:
    """Of classes or tags, a column of the table each; none for what is told otherwise."""
    match attribute:
        case Category(_, names) | Tags(_, names):
            return names
        case _:
            return ()


def _of_other_channels(source: Model, target: Denoiser, config: RunConfig) -> dict[str, Tensor]:
    """The first and the last kernel of the small network for another number of channels."""
    theirs, ours = _network(source.denoiser), _network(target)
    had, wanted = source.config.kind.shape[0], config.kind.shape[0]
    sees_more = config.upscaling is not None and source.config.upscaling is None
    if (had == wanted and not sees_more) or not (
        isinstance(theirs, UNet) and isinstance(ours, UNet) and theirs.patch == ours.patch
    ):
        return {}
    M = channels_of_old(wanted, had)
    if sees_more:  # a small picture, of which the old model knows nothing
        M = torch.cat([M, torch.zeros_like(M)], 1)
    # x_old = M x_new, so W_new = W_old M where x enters; and where it leaves, W_new = M^+ W_old.
    inputs = theirs.enter.weight.unflatten(1, (had, -1))
    found = {"network.enter.weight": torch.einsum("wopij,on->wnpij", inputs, M).flatten(1, 2)}
    leave, back = theirs.exit[-1], torch.linalg.pinv(M)
    for name, weights in leave.named_parameters():
        parts = weights.unflatten(0, (-1, had, theirs.patch**2))
        found[f"network.exit.{len(theirs.exit) - 1}.{name}"] = torch.einsum(
            "no,aop...->anp...", back, parts
        ).flatten(0, 2)
    shapes = {name: weight.shape for name, weight in _weights(target).items()}
    return {name: weight.detach() for name, weight in found.items() if weight.shape == shapes.get(name)}


def channels_of_old(new: int, old: int) -> Float[Tensor, "old new"]:
    """Return what the old model's channels are in those of new pictures, 1 to 4 as ``PictureSpec`` has them.

    Grey is each of red, green and blue, and their mean is grey. Alpha is alpha, or left out.
    """
    colours_old, colours_new = (1 if channels < 3 else 3 for channels in (old, new))
    M = torch.zeros(old, new)
    if colours_old == colours_new:
        M[:colours_old, :colours_new] = torch.eye(colours_old)
    else:
        M[:colours_old, :colours_new] = 1 / colours_new
    if has_alpha(old) and has_alpha(new):
        M[-1, -1] = 1.0
    return M


def _spoken_otherwise(theirs: Denoiser, ours: Denoiser) -> tuple[str, ...]:
    """Starts of the names of weights that would mean something else in the new model."""
    anew = []
    if type(theirs.preconditioning) is not type(ours.preconditioning):
        anew.append("network.exit.")
    if theirs.preconditioning.label != ours.preconditioning.label:
        anew.append("network.noise.")
    return tuple(anew)


def _in_words(name: str, share: float, new: Sequence[str]) -> Message:
    """What was taken and what not, by what it does."""
    parts = {
        "network.enter": "first layer",
        "network.exit": "last layer",
        "network.noise": "noise level",
    }
    anew = [said for start, said in parts.items() if any(weight.startswith(start) for weight in new)]
    told = sorted({weight.removeprefix(TABLES).split(".")[0] for weight in new if weight.startswith(TABLES)})
    anew += [f"condition {table.removeprefix('of_')}" for table in told]
    others = len([w for w in new if not w.startswith((*parts, TABLES))])
    anew += [f"{others} other tensors"] * bool(others)
    rest = f"; new: {', '.join(anew)}" if anew else ""
    return Message(
        "starts from {name}: {share:.1%} of the network{rest} ({@start_from:'none'} begins anew)",
        name=name,
        share=share,
        rest=rest,
    )


def licence_of(folder: Path | None) -> str:
    """Return the licence that the card in a model's folder names; unknown where it names none."""
    card = ""
    if folder and (folder / "README.md").is_file():
        with open(folder / "README.md", encoding="utf-8", errors="replace") as file:
            card = file.read(LONGEST_CARD)
    found = re.search(r"^license: *\"?([\w.+ -]{1,100})\"? *$", card, re.MULTILINE)
    return found[1] if found else LICENCE


def name_of(source: Model) -> str:
    return str(source.origin.get("name", "a model"))[:200]
