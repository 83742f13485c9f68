"""Autoencoders of diffusers, ``AutoencoderKL`` and ``VQModel``: a folder becomes one of ours, and back.

The two say the same in other words, so one table of layers (``_layers``) serves both ways. Nothing here
imports diffusers or runs code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from fogcatcher.base.devices import best_device
from fogcatcher.base.disk import write_atomically
from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import in_one_line
from fogcatcher.base.tensor_files import most_bytes
from fogcatcher.base.typed_json import Length, Range, shown
from fogcatcher.data.latents.first_stage import FirstStage
from fogcatcher.data.latents.spec import LatentSpec
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.pictures.store import has_alpha
from fogcatcher.exchange.from_diffusers import WEIGHTS, known_settings, read_config_file, read_weights
from fogcatcher.model.autoencoder_files import FOLDER, is_autoencoder, load_autoencoder
from fogcatcher.model.config import write_json
from fogcatcher.model.weights_fit import check_weights, on_meta
from fogcatcher.networks.autoencoder import Autoencoder, AutoencoderShape, Channels

KL, VQ = "AutoencoderKL", "VQModel"
INSIDE = ("vae", "vqvae")
"""Where it lies in the folder of a pipeline."""
DOWN, UP = "DownEncoderBlock2D", "UpDecoderBlock2D"
CODES = "quantize.embedding.weight"
Levels = Length(1, 8)


@dataclass(frozen=True)
class Settings:
    """Of both; the defaults hold where the config, perhaps of an older version, says nothing."""

    _class_name: str
    block_out_channels: Annotated[tuple[Channels, ...], Levels] = (64,)
    down_block_types: Annotated[tuple[str, ...], Levels] = (DOWN,)
    up_block_types: Annotated[tuple[str, ...], Levels] = (UP,)
    in_channels: Annotated[int, Range(1, 4)] = 3
    out_channels: Annotated[int, Range(1, 4)] = 3
    layers_per_block: Annotated[int, Range(1, 16)] = 1
    latent_channels: Annotated[int, Range(1, 256)] | None = None
    act_fn: str = "silu"
    norm_num_groups: Channels = 32
    norm_type: str = "group"
    sample_size: Annotated[int, Range(1, 1024)] = 32
    num_vq_embeddings: Annotated[int, Range(1, 65_536)] = 256
    vq_embed_dim: Annotated[int, Range(1, 256)] | None = None
    use_quant_conv: bool = True
    use_post_quant_conv: bool = True
    mid_block_add_attention: bool = True
    lookup_from_codebook: bool = False


def autoencoder_in(folder: Path) -> Path | None:
    """Return where an autoencoder of diffusers lies in a folder, or in a pipeline's; None where none does."""
    for place in (folder, *(folder / name for name in INSIDE)):
        if (place / "config.json").is_file():
            kind = read_config_file(place / "config.json").get("_class_name")
            if kind in (KL, VQ):
                return place
    return None


def open_autoencoder(place: Path) -> FirstStage:
    """Return the autoencoder of a run of train-autoencoder, of a model of latents, or of diffusers.

    Raises UserError where there is none, or it cannot be used.
    """
    ours = place if is_autoencoder(place) or not is_autoencoder(place / FOLDER) else place / FOLDER
    there = None if is_autoencoder(ours) else autoencoder_in(place)
    return load_autoencoder(ours) if there is None else read_diffusers_autoencoder(there)


def read_diffusers_autoencoder(folder: Path) -> FirstStage:
    """Return the autoencoder of a model folder. Raises UserError for one that cannot be carried over."""
    try:
        settings = known_settings(Settings, read_config_file(folder / "config.json"))
        shape = _shape(settings)
        network = on_meta(lambda: Autoencoder(shape))
        assert isinstance(network, Autoencoder)
        weights = _ours(read_weights(folder, most_bytes(network)), shape)
        check_weights(network, weights)
        network.load_state_dict(weights, assign=True)
    except (ValueError, KeyError, RuntimeError) as error:
        raise UserError(
            f"the autoencoder in {folder} does not fit its config ({in_one_line(error)})."
        ) from error
    side, channels = settings.sample_size, settings.in_channels
    stage = FirstStage(
        network.to(best_device()), PictureSpec(side, side, channels, has_alpha(channels), sigma_data=0.5)
    )
    return FirstStage(stage.network, stage.pictures, stage.weights_hash())


def write_diffusers_autoencoder(stage: FirstStage, folder: Path, latents: LatentSpec | None = None) -> None:
    """Write an autoencoder as the model folder of an ``AutoencoderKL`` or a ``VQModel``.

    ``latents`` say by which shift and scale a model draws them. Raises UserError where the folder is not
    empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: name a new folder for the export.")
    folder.mkdir(parents=True, exist_ok=True)
    config = _config(stage)
    if latents:
        config["scaling_factor"] = latents.scale
        if not stage.network.shape.codes:
            config["shift_factor"] = latents.shift
    write_json(folder / "config.json", config)
    weights = _theirs(stage.tensors(), stage.network.shape)
    write_atomically(folder / WEIGHTS, lambda part: save_file(weights, part, {"format": "pt"}))


def _shape(s: Settings) -> AutoencoderShape:
    """Raises UserError that names the first setting that cannot be carried over."""
    is_vq = s._class_name == VQ
    only: Mapping[str, tuple[Any, ...]] = {
        "down_block_types": ((DOWN,) * len(s.block_out_channels),),
        "up_block_types": ((UP,) * len(s.block_out_channels),),
        "out_channels": (s.in_channels,),
        "act_fn": ("silu", "swish"),
        "norm_type": ("group",),
        "use_post_quant_conv": (s.use_quant_conv,),
        "lookup_from_codebook": (False,),
    }
    for name, values in only.items():
        if getattr(s, name) not in values:
            right = " or ".join(map(shown, values))
            raise UserError(f"{name} {shown(getattr(s, name))} cannot be imported, only {right}.")
    inner = s.latent_channels or (3 if is_vq else 4)
    latent = (s.vq_embed_dim or inner) if is_vq else inner
    return AutoencoderShape(
        s.in_channels,
        s.block_out_channels,
        latent,
        codes=s.num_vq_embeddings if is_vq else 0,
        blocks=s.layers_per_block,
        groups=s.norm_num_groups,
        attention=s.mid_block_add_attention,
        inner=0 if inner == latent else inner,
        mixes=is_vq or s.use_quant_conv,
    )


def _config(stage: FirstStage) -> dict[str, Any]:
    s, levels = stage.network.shape, len(stage.network.shape.widths)
    inner = s.inner or s.latent
    own = {"num_vq_embeddings": s.codes, "vq_embed_dim": s.latent} if s.codes else {}
    own |= {} if s.codes else {"use_quant_conv": s.mixes, "use_post_quant_conv": s.mixes}
    return {
        "_class_name": VQ if s.codes else KL,
        "in_channels": s.channels,
        "out_channels": s.channels,
        "down_block_types": [DOWN] * levels,
        "up_block_types": [UP] * levels,
        "block_out_channels": list(s.widths),
        "layers_per_block": s.blocks,
        "act_fn": "silu",
        "latent_channels": inner,
        "norm_num_groups": s.groups,
        "sample_size": max(stage.pictures.height, stage.pictures.width),
        "mid_block_add_attention": s.attention,
        **own,
    }


def _layers(s: AutoencoderShape) -> Iterator[tuple[str, str]]:
    """Every layer by its name there and here; attention apart."""
    levels = len(s.widths)
    for half, way, blocks in (("encoder", "down", s.blocks), ("decoder", "up", s.blocks + 1)):
        yield from ((f"{half}.conv_in", f"{half}.enter"), (f"{half}.conv_norm_out", f"{half}.exit.0"))
        yield f"{half}.conv_out", f"{half}.exit.2"
        for level in range(levels):
            there, first = f"{half}.{way}_blocks.{level}", level * (blocks + 1)
            for i in range(blocks):
                yield from _block(f"{there}.resnets.{i}", f"{half}.{way}.{first + i}")
            yield f"{there}.{way}samplers.0.conv", f"{half}.{way}.{first + blocks}.conv"
        for i in range(2):
            here = f"{half}.middle.{i * (1 + s.attention)}"
            yield from _block(f"{half}.mid_block.resnets.{i}", here)
        yield f"{half}.mid_block.attentions.0.group_norm", f"{half}.middle.1.norm"
        yield f"{half}.mid_block.attentions.0.to_out.0", f"{half}.middle.1.out"
    yield from (("quant_conv", "mix"), ("post_quant_conv", "unmix"))


def _block(there: str, here: str) -> Iterator[tuple[str, str]]:
    for layer in ("norm1", "conv1", "norm2", "conv2"):
        yield f"{there}.{layer}", f"{here}.{layer}"
    yield f"{there}.conv_shortcut", f"{here}.shortcut"


OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Layers of attention as they were named before 2023."""


def _ours(theirs: Mapping[str, Tensor], s: AutoencoderShape) -> dict[str, Tensor]:
    """The weights under our names; what is not known keeps its name, and will not fit."""
    names, found = dict(_layers(s)), dict[str, Tensor]()
    for name, tensor in theirs.items():
        layer, _, part = name.rpartition(".")
        before, _, last = layer.rpartition(".")
        layer = f"{before}.{OLD[last]}" if last in OLD else layer
        found[f"{names.get(layer, layer)}.{part}"] = tensor
    for half in ("encoder", "decoder") if s.attention else ():
        here = f"{half}.middle.1"
        for part in ("weight", "bias"):
            there = [f"{half}.mid_block.attentions.0.to_{letter}.{part}" for letter in "qkv"]
            found[f"{here}.qkv.{part}"] = torch.cat([found.pop(name) for name in there])
        for layer in ("qkv", "out"):  # there linear, here a convolution of 1 x 1
            weight = found[f"{here}.{layer}.weight"]
            found[f"{here}.{layer}.weight"] = weight.reshape(*weight.shape[:2], 1, 1)
    if s.codes:
        codes = found.pop(CODES)
        counted = torch.ones(len(codes))
        found |= {"bottleneck.codes": codes, "bottleneck.sums": codes.clone(), "bottleneck.counts": counted}
    return found


def _theirs(ours: Mapping[str, Tensor], s: AutoencoderShape) -> dict[str, Tensor]:
    names, found = {here: there for there, here in _layers(s)}, dict[str, Tensor]()
    for name, tensor in ours.items():
        layer, _, part = name.rpartition(".")
        if layer.endswith(".qkv"):
            there = layer.replace("middle.1.qkv", "mid_block.attentions.0")
            for letter, third in zip("qkv", tensor.chunk(3), strict=True):
                found[f"{there}.to_{letter}.{part}"] = third.flatten(1) if part == "weight" else third
        elif layer == "bottleneck":
            found |= {CODES: tensor} if part == "codes" else {}
        else:
            flat = layer.endswith("middle.1.out") and part == "weight"
            found[f"{names[layer]}.{part}"] = tensor.flatten(1) if flat else tensor
    return {name: tensor.contiguous() for name, tensor in found.items()}
