"""Models for diffusers: a folder that ``DiffusionPipeline.from_pretrained`` opens where fogcatcher is not.

A plain model, whose network is a ``UNet2DModel`` by another name, becomes a pipeline of diffusers' own, with
its weights as safetensors. Every other one becomes programs of torch.export, denoiser and schedule, beside a
file of code that draws with them. Nothing here imports diffusers.
"""

from __future__ import annotations

import copy
import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from fogcatcher.base.disk import write_atomically, write_text
from fogcatcher.base.errors import UserError
from fogcatcher.data.latents.spec import LatentSpec
from fogcatcher.data.pictures.sheets import save_png
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.denoiser import (
    Denoiser,
    LearnedVarianceDenoiser,
    Preconditioning,
    PredictEps,
    PredictV,
    PredictX0,
    StepLabel,
)
from fogcatcher.diffusion.schedules import BetaSchedule, Schedule
from fogcatcher.diffusion.tensors import Times
from fogcatcher.exchange.from_diffusers import TOP, WEIGHTS
from fogcatcher.exchange.to_torch import write_program
from fogcatcher.exchange.wrapped import program_of
from fogcatcher.model.build import build_grid
from fogcatcher.model.config import write_json
from fogcatcher.model.model import Model
from fogcatcher.model.model_card import example, model_card
from fogcatcher.model.own_way import check_exportable, grid_of, own_way
from fogcatcher.model.privacy import public_conditions
from fogcatcher.networks.ddpm_unet import DDPMUNet, UNetShape

PIPELINE = Path(__file__).with_name("diffusers_pipeline.py")
DIFFUSERS = "0.42.1"
"""The version whose formats these are."""
SHEET = "sheet.png"
CLIPPED = "use_clipped_model_output=True, "
"""So that the noise goes with the clipped picture, as here."""
PREDICTIONS: Mapping[type[Preconditioning], str] = {
    PredictEps: "epsilon",
    PredictX0: "sample",
    PredictV: "v_prediction",
}
THEIRS: Mapping[str, str] = {
    "modulate": "time_emb_proj",
    "shortcut": "conv_shortcut",
    "norm": "group_norm",
    "out": "to_out.0",
}
"""Layers inside a block, by their names here and there."""


def to_diffusers(model: Model, folder: Path, sheet: Image.Image | None = None) -> None:
    """Write a model as a pipeline folder of diffusers, with a model card and a ``sheet`` of what it draws.

    Pictures without conditions and alpha, from a ``DDPMUNet`` on a table of betas, need no code but
    diffusers': ``DDIMPipeline`` or, with a learned variance, ``DDPMPipeline``. Else the folder brings its own
    ``pipeline.py``. Raises UserError when ``folder`` holds anything already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: name a new folder for the export.")
    check_exportable(model.config, "a pipeline of diffusers")
    pictures, plain = model.config.pictures, _plain(model)
    if plain:
        write_pipeline(model.denoiser, folder, (pictures.height, pictures.width), _spacing(model))
    else:
        _write_programs(model, folder)
    if sheet is not None:
        save_png(sheet, folder / SHEET, {"sheet": {}})
    usage = _plain_usage(model.denoiser) if plain else _own_usage(model)
    card = model_card(
        model.config, model.conditions, usage, sheet=SHEET if sheet else None, library="diffusers"
    )
    write_text(folder / "README.md", card)


# --- any model: recorded programs, and the code that draws with them ------------------------------------


class _Rates(nn.Module):
    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule

    def forward(self, t: Times) -> tuple[Times, Times, Times]:
        return self.schedule.alpha(t), self.schedule.sigma(t), self.schedule.log_snr(t)


class _TimeOf(nn.Module):
    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule

    def forward(self, log_snr: Times) -> Times:
        return self.schedule.t_from_log_snr(log_snr)


def _write_programs(model: Model, folder: Path) -> None:
    inner, config, attributes = folder / "denoiser", model.config, model.conditions.attributes
    inner.mkdir(parents=True)
    _save(program_of(model), inner / "denoiser.pt2")
    schedule = model.denoiser.process.schedule
    _save(_recorded(_Rates(schedule)), inner / "rates.pt2")
    _save(_recorded(_TimeOf(schedule)), inner / "times.pt2")
    pictures = asdict(config.pictures)
    if isinstance(config.kind, LatentSpec):
        _save(_decoder_of(config.kind), inner / "decoder.pt2")
    facts = {
        "shape": config.kind.shape,
        "is_latent": isinstance(config.kind, LatentSpec),
        "pictures": {name: pictures[name] for name in ("channels", "height", "width", "hard_alpha")},
        "conditions": [
            {**row, "features": a.features}
            for row, a in zip(public_conditions(model.conditions.to_json()), attributes, strict=True)
        ],
        "grid": {"name": grid_of(config), **vars(build_grid(grid_of(config), config.method))},
        "own_steps": config.distilled and config.distilled.steps,
        "torch": torch.__version__,
    }
    write_json(inner / "config.json", facts)
    index = {
        "_class_name": ["pipeline", "FogcatcherPipeline"],
        "_diffusers_version": DIFFUSERS,
        "denoiser": ["pipeline", "Programs"],
    }
    write_json(folder / "model_index.json", index)
    for place in (folder, inner):  # diffusers looks for the code of a component beside it
        shutil.copyfile(PIPELINE, place / "pipeline.py")


class _Decoder(nn.Module):
    """x = D(z / scale + shift), as ``LatentSpec`` has it, before anything is rounded."""

    def __init__(self, kind: LatentSpec) -> None:
        super().__init__()
        network = copy.deepcopy(kind.stage.network).cpu()
        self.network = network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.shift, self.scale = kind.shift, kind.scale

    def forward(self, z: Tensor) -> Tensor:
        return self.network.decode(z / self.scale + self.shift)


def _decoder_of(kind: LatentSpec) -> ExportedProgram:
    """Return the graph of the way from latents, (B, C, h, w), to pictures, (B, C, H, W)."""
    z = torch.zeros(2, *kind.shape)
    with torch.no_grad():
        return torch.export.export(_Decoder(kind).eval(), (z,), dynamic_shapes=({0: Dim("batch")},))


def _recorded(function: nn.Module) -> ExportedProgram:
    """Return the graph of a function of any number of times."""
    times = torch.full((3,), 0.5, dtype=torch.float64)
    return torch.export.export(function, (times,), dynamic_shapes=({0: Dim("times", min=1)},))


def _save(program: ExportedProgram, path: Path) -> None:
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of this machine
    program.example_inputs = None  # which would be pickled
    write_program(program, path)


def _own_usage(model: Model) -> str:
    said = {a.name: example(a) for a in model.conditions.attributes[:1]}
    few = model.config.distilled
    asked = f"conditions={json.dumps(said)}" if any(said.values()) else ""
    chosen = "" if few else ("guidance_scale=2.0, " if asked else "") + "num_inference_steps=20"
    told = ", ".join(part for part in ("num_images=4", asked, chosen) if part)
    return f"""
from diffusers import DiffusionPipeline

# This folder, or its name on a hub. It was recorded with torch {torch.__version__}.
# It runs the code in pipeline.py: read that first.
pipe = DiffusionPipeline.from_pretrained(".", trust_remote_code=True)
result = pipe({told})
result.images[0].save("picture.png")
"""


# --- a plain model: a pipeline of diffusers' own ---------------------------------------------------------


def write_pipeline(
    denoiser: Denoiser, folder: Path, size: tuple[int, int], spacing: str = "trailing"
) -> None:
    """Write a folder for diffusers' ``DDIMPipeline``; ``DDPMPipeline`` where the variance is learned.

    ``size`` is height and width; ``spacing`` the ``timestep_spacing`` of the scheduler. Raises UserError for
    what diffusers does not know: networks but ``DDPMUNet``, schedules but tables of betas, other predictions.
    """
    unet, learned = denoiser.network, isinstance(denoiser, LearnedVarianceDenoiser)
    if not isinstance(unet, DDPMUNet):
        raise UserError(f"diffusers knows no network like {type(unet).__name__}; only a DDPMUNet fits.")
    scheduler = _scheduler_config(denoiser, spacing)
    unet = unet if _steps_from(denoiser.preconditioning) == 0 else _counting_from_0(unet)
    write_unet(unet, folder / "unet", size)
    (folder / "scheduler").mkdir()
    write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    index = {
        "_class_name": "DDPMPipeline" if learned else "DDIMPipeline",
        "_diffusers_version": DIFFUSERS,
        "scheduler": ["diffusers", scheduler["_class_name"]],
        "unet": ["diffusers", "UNet2DModel"],
    }
    write_json(folder / "model_index.json", index)


def write_unet(unet: DDPMUNet, folder: Path, size: tuple[int, int] | None = None) -> None:
    """Write a network as the model folder of a ``UNet2DModel``: the reverse of ``read_unet``, bit for bit.

    ``size`` is the height and width it was trained on. One table of conditions becomes the table of classes.
    Raises UserError for a network that a ``UNet2DModel`` cannot be.
    """
    config = _unet_config(unet, size)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    weights = _renamed(unet.state_dict(), unet.shape.blocks)
    write_atomically(folder / WEIGHTS, lambda part: save_file(weights, part, {"format": "pt"}))


def _unet_config(unet: DDPMUNet, size: tuple[int, int] | None) -> dict[str, Any]:
    s, weights, tables = unet.shape, unet.state_dict(), _tables(unet)
    _check_shape(s)
    if len(tables) > 1:
        raise UserError("a UNet2DModel has one table of classes, and no other condition.")
    middle_groups = math.gcd(s.middle_groups, s.widths[-1]) if s.middle_groups else 0
    usual = middle_groups == (0 if s.scale_shift else s.groups)
    return {
        "_class_name": "UNet2DModel",
        "_diffusers_version": DIFFUSERS,
        "sample_size": list(size) if size else None,
        "in_channels": weights["enter.weight"].shape[1],
        "out_channels": weights["exit.2.weight"].shape[0],
        "center_input_sample": s.recentred,
        "time_embedding_type": "positional",
        "time_embedding_dim": s.embedding or None,
        "freq_shift": s.frequency_shift,
        "flip_sin_to_cos": s.cosine_first,
        "down_block_types": _block_types("Down", s.attention_down, s.blocks_down),
        "mid_block_type": "UNetMidBlock2D" if s.middle else None,
        "up_block_types": _block_types("Up", s.attention_up, s.blocks_up)[::-1],
        "block_out_channels": list(s.widths),
        "layers_per_block": s.blocks,
        "mid_block_scale_factor": s.middle_divisor,
        "downsample_padding": 0 if s.pad_after else 1,
        "downsample_type": _resampling(s.attention_down[:-1], s.blocks_down[:-1]),
        "upsample_type": _resampling(s.attention_up[1:], s.blocks_up[1:]),
        "dropout": s.dropout,
        "act_fn": "silu",
        "attention_head_dim": _head_channels(s),
        "norm_num_groups": s.groups,
        "attn_norm_num_groups": None if usual else middle_groups,
        "norm_eps": s.eps,
        "resnet_time_scale_shift": "scale_shift" if s.scale_shift else "default",
        "add_attention": s.middle_attention,
        "class_embed_type": None,
        "num_class_embeds": tables[0].shape[1] if tables else None,
    }


def _check_shape(s: UNetShape) -> None:
    """Raises UserError for the first property that a ``UNet2DModel`` cannot have."""
    reasons = {
        "it is not two-dimensional": s.dims != 2,
        "its attention is linear": s.linear_attention,
        "its levels are not equally deep": bool(s.depths),
        "its levels are halved first": s.resample_first,
        "it looks at words": s.transformers is not None,
        "its weights are standardised": s.standardise,
        "its blocks are divided": s.divisor != 1,
        "its waves are not as many as its first channels": s.frequencies not in (0, s.widths[0]),
        "its groups do not divide its channels": any(w % s.groups for w in s.widths),
        "its middle has no norm": s.middle_groups == 0 and not s.scale_shift,
    }
    for reason, holds in reasons.items():
        if holds:
            raise UserError(f"this network cannot be a UNet2DModel: {reason}.")


def _resampling(attends: Sequence[bool], blocks: Sequence[bool]) -> str:
    """The one word for how all levels with attention change their size. Raises UserError if they differ."""
    kinds = {block for attention, block in zip(attends, blocks, strict=True) if attention}
    if len(kinds) > 1:
        raise UserError(
            "this network cannot be a UNet2DModel: levels with attention change their size in two ways."
        )
    return "resnet" if kinds == {True} else "conv"


def _block_types(way: str, attends: Sequence[bool], blocks: Sequence[bool]) -> list[str]:
    plain = {True: f"Resnet{way}sampleBlock2D", False: f"{way}Block2D"}
    return [
        f"Attn{way}Block2D" if attention else plain[block]
        for attention, block in zip(attends, blocks, strict=True)
    ]


def _head_channels(s: UNetShape) -> int | None:
    """Channels of a head, the same at every level; None is one head."""
    if s.head_channels or s.heads == 1:
        return s.head_channels or None
    attending = {
        w for w, *any_of in zip(s.widths, s.attention_down, s.attention_up, strict=True) if any(any_of)
    }
    if s.middle and s.middle_attention:
        attending.add(s.widths[-1])
    if len(attending) > 1:
        raise UserError(
            "this network cannot be a UNet2DModel: its heads differ in width from level to level."
        )
    return attending.pop() // s.heads if attending else None


def _tables(unet: DDPMUNet) -> list[Tensor]:
    return [weight for name, weight in unet.state_dict().items() if name.startswith("condition.")]


def _renamed(weights: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """Return the weights under diffusers' names, with queries, keys and values apart."""
    theirs: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name.startswith("condition."):
            theirs["class_embedding.weight"] = weight.T
            continue
        if re.search(r"attention\.(qkv|out)\.weight", name):
            weight = weight.flatten(1)  # here a convolution of 1 x 1, there linear
        if ".qkv." in name:
            for part, third in zip(("to_q", "to_k", "to_v"), weight.chunk(3), strict=True):
                theirs[_their_name(name.replace("qkv", part), blocks)] = third
        else:
            theirs[_their_name(name, blocks)] = weight
    return {
        name: weight.cpu().clone(memory_format=torch.contiguous_format) for name, weight in theirs.items()
    }


def _their_name(name: str, blocks: int) -> str:
    for there, here in TOP.items():
        if name.startswith(f"{here}."):
            name = there + name.removeprefix(here)
    found = re.fullmatch(r"(down|up)\.(\d+)\.(block|attention|layer)\.(.+)", name)
    if found:
        way, number, kind, rest = found.groups()
        level, i = divmod(int(number), blocks + (way == "up") + 1)
        place = {"block": f"resnets.{i}", "attention": f"attentions.{i}", "layer": f"{way}samplers.0"}[kind]
        name = f"{way}_blocks.{level}.{place}.{rest}"
    return ".".join(THEIRS.get(part, part) for part in name.split("."))


def _counting_from_0(unet: DDPMUNet) -> DDPMUNet:
    """Return a copy to which i says what i + 1 says to this one: diffusers counts steps from 0.

        sin(w (i + 1)) = sin(w i) cos w + cos(w i) sin w,   cos(w (i + 1)) = cos(w i) cos w - sin(w i) sin w

    is linear in the waves, so the layer that reads them takes it over.
    """
    unet = copy.deepcopy(unet)
    time, half = unet.time, unet.time.features // 2
    w = torch.exp(-math.log(10000) * torch.arange(half).double() / (half - time.shift)).to(time.layer1.weight)
    first, second, rest = time.layer1.weight.data.split([half, half, time.features % 2], dim=1)
    sines, cosines = (second, first) if time.cosine_first else (first, second)
    turned = [sines * w.cos() - cosines * w.sin(), sines * w.sin() + cosines * w.cos()]
    time.layer1.weight.data = torch.cat([*(turned[::-1] if time.cosine_first else turned), rest], dim=1)
    return unet


def _scheduler_config(denoiser: Denoiser, spacing: str) -> dict[str, Any]:
    """Raises UserError for a schedule, prediction or noise label that diffusers' pipelines do not know."""
    schedule, c = denoiser.process.schedule, denoiser.preconditioning
    prediction = PREDICTIONS.get(type(c))
    if not isinstance(schedule, BetaSchedule) or prediction is None:
        raise UserError(
            "diffusers' own pipelines take a table of betas, and a network that predicts eps, x0 or v."
        )
    if _steps_from(c) not in (0, 1) or schedule.steps != c.label.steps:  # type: ignore[attr-defined]
        raise UserError(
            "diffusers' own pipelines tell the network the number of the step, of all of the schedule."
        )
    learned = isinstance(denoiser, LearnedVarianceDenoiser)
    return {
        "_class_name": "DDPMScheduler" if learned else "DDIMScheduler",
        "_diffusers_version": DIFFUSERS,
        "num_train_timesteps": schedule.steps,
        "trained_betas": schedule.betas.tolist(),
        "prediction_type": prediction,
        "timestep_spacing": spacing,
        "clip_sample": True,
        "clip_sample_range": 1.0,
        **({"variance_type": "learned_range"} if learned else {"set_alpha_to_one": True}),
    }


def _steps_from(c: Preconditioning) -> int | None:
    """The number of the first step, if the network is told step numbers."""
    return c.label.first if isinstance(c.label, StepLabel) else None


def _plain(model: Model) -> bool:
    """Whether diffusers' own pipeline draws what ours does."""
    unet, pictures = model.denoiser.network, model.config.kind
    if not isinstance(pictures, PictureSpec) or pictures.has_alpha or not _spacing(model):
        return False
    if not isinstance(unet, DDPMUNet) or _tables(unet):
        return False
    if own_way(model.config):  # a pipeline of theirs takes any number of steps
        return False
    try:
        _unet_config(unet, None)
        _scheduler_config(model.denoiser, _spacing(model))
    except UserError:
        return False
    return True


def _spacing(model: Model) -> str:
    """What diffusers calls the model's grid; nothing for one that its DDIM does not know."""
    return {"uniform": "trailing", "leading": "leading"}.get(model.config.method.grid, "")


def _plain_usage(denoiser: Denoiser) -> str:
    learned = isinstance(denoiser, LearnedVarianceDenoiser)
    name, how = ("DDPM", "") if learned else ("DDIM", "num_inference_steps=50, " + CLIPPED)
    return f"""
from diffusers import {name}Pipeline

pipe = {name}Pipeline.from_pretrained(".")  # this folder, or its name on a hub
result = pipe({how}batch_size=4)
result.images[0].save("picture.png")
"""
