"""A ``UNet2DConditionModel`` of diffusers, the network of latent diffusion, in our words.

Its levels with attention have spatial transformers, which look at the vectors of a text encoder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

import torch
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import Length, Range, shown, typed_fields
from fogcatcher.networks.ddpm_unet import Transformers, UNetShape

NAME = "UNet2DConditionModel"
Heads = Annotated[int, Range(1, 65_536)]
Layers = Annotated[int, Range(1, 64)]
Levels = Length(1, 16)


@dataclass(frozen=True)
class Looking:
    """What its config says of the transformers; the defaults hold where an older one says nothing."""

    cross_attention_dim: Annotated[int, Range(1, 65_536)] = 1280
    attention_head_dim: Heads | Annotated[tuple[Heads, ...], Levels] = 8
    """How many heads there are: it is called so by mistake, which their code explains."""
    transformer_layers_per_block: Layers | Annotated[tuple[Layers, ...], Levels] = 1
    mid_block_type: str | None = "UNetMidBlock2DCrossAttn"


ONLY: Mapping[str, tuple[Any, ...]] = {
    "only_cross_attention": (False,),
    "dual_cross_attention": (False,),
    "mid_block_only_cross_attention": (None, False),
    "reverse_transformer_layers_per_block": (None,),
    "encoder_hid_dim": (None,),
    "encoder_hid_dim_type": (None,),
    "num_attention_heads": (None,),
    "class_embed_type": (None,),
    "num_class_embeds": (None,),
    "addition_embed_type": (None,),
    "time_embedding_act_fn": (None,),
    "timestep_post_act": (None,),
    "time_cond_proj_dim": (None,),
    "resnet_skip_time_act": (False,),
    "resnet_out_scale_factor": (1, 1.0),
    "conv_in_kernel": (3,),
    "conv_out_kernel": (3,),
    "attention_type": ("default",),
    "cross_attention_norm": (None,),
    "mid_block_type": ("UNetMidBlock2DCrossAttn", None),
}
"""Settings that may be said, and what they may say."""
PLAIN = {
    "CrossAttnDownBlock2D": "AttnDownBlock2D",
    "CrossAttnUpBlock2D": "AttnUpBlock2D",
    "UNetMidBlock2DCrossAttn": "UNetMidBlock2D",
}
"""Blocks with transformers, and those of a ``UNet2DModel`` with attention in their place."""
PARTS = {
    "transformer_blocks": "blocks",
    "attn1": "attention",
    "attn2": "words",
    "to_q": "q",
    "to_out.0": "out",
    "ff.net.0.proj": "gated",
    "ff.net.2": "out",
}
"""Layers inside a transformer, by their names there and here."""


def without_words(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of the ``UNet2DModel`` with the same convolutions. Raises UserError without one."""
    for name, values in ONLY.items():
        if name in tree and tree[name] not in values:
            only = " or ".join(map(shown, values))
            raise UserError(f"{name} {shown(tree[name])} cannot be imported, only {only}.")

    def plain(types: object) -> object:
        return [PLAIN.get(name, name) for name in types] if isinstance(types, list) else types

    middle = tree.get("mid_block_type", Looking.mid_block_type)
    rest = {name: value for name, value in tree.items() if name != "attention_head_dim"}
    return rest | {
        "_class_name": "UNet2DModel",
        "in_channels": tree.get("in_channels", 4),
        "out_channels": tree.get("out_channels", 4),
        "down_block_types": plain(tree.get("down_block_types")),
        "up_block_types": plain(tree.get("up_block_types")),
        "mid_block_type": PLAIN.get(middle, middle) if isinstance(middle, str) else None,
    }


def with_transformers(shape: UNetShape, tree: Mapping[str, Any]) -> UNetShape:
    """Return the shape with what the config says of transformers. Raises ValueError for what cannot be."""
    known = {field.name for field in fields(Looking)}
    said = typed_fields(Looking, {name: value for name, value in tree.items() if name in known})

    def each(value: int | tuple[int, ...], name: str) -> tuple[int, ...]:
        found = value if isinstance(value, tuple) else (value,) * len(shape.widths)
        if len(found) != len(shape.widths):
            raise ValueError(f"{name} has {len(found)} entries for {len(shape.widths)} levels")
        return found

    heads = each(said.attention_head_dim, "attention_head_dim")
    if any(width % count for width, count in zip(shape.widths, heads, strict=True)):
        raise ValueError(f"heads of {heads} do not divide widths of {shape.widths}")
    depth = each(said.transformer_layers_per_block, "transformer_layers_per_block")
    return replace(shape, head_channels=0, transformers=Transformers(depth, heads, said.cross_attention_dim))


def renamed(weights: Mapping[str, Tensor], our_name: Callable[[str], str]) -> dict[str, Tensor]:
    """Return the weights under our names; ``our_name`` knows those of a ``UNet2DModel``."""
    ours = {_our_name(name, our_name): tensor for name, tensor in weights.items()}
    for k in [name for name in ours if ".to_k." in name]:
        ours[k.replace("to_k", "kv")] = torch.cat([ours.pop(k), ours.pop(k.replace("to_k", "to_v"))])
    for name, tensor in ours.items():
        if re.search(r"\.words\.proj_(in|out)\.weight$", name):
            ours[name] = tensor.flatten(1)  # there perhaps a convolution of 1 x 1, here linear
    return ours


def _our_name(name: str, our_name: Callable[[str], str]) -> str:
    """A transformer stands where attention would, and what lies inside it is named anew."""
    found = re.fullmatch(r"(.*\.attentions\.\d+)\.(.+)", name)
    if not found:
        return our_name(name)
    rest = found[2]
    for there, here in PARTS.items():
        rest = re.sub(rf"(^|\.){re.escape(there)}\.", rf"\g<1>{here}.", rest)
    return our_name(f"{found[1]}.norm.weight").replace(".attention.norm.weight", f".words.{rest}")
