"""Models of diffusers: a folder with a ``UNet2DModel`` becomes a network of ours, with its process.

Nothing here imports diffusers or runs code: configs are JSON, weights safetensors. A pipeline folder has
``unet/`` and ``scheduler/``; a model folder is such a ``unet/``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
from torch import Tensor

from fogcatcher.base.errors import UserError, unknown_name
from fogcatcher.base.printable import in_one_line
from fogcatcher.base.read_json import read_json
from fogcatcher.base.tensor_files import most_bytes, read_tensors
from fogcatcher.base.typed_json import Length, Range, shown, typed, typed_fields
from fogcatcher.data.conditions.conditions import Attribute, Category, ConditionSpec
from fogcatcher.data.conditions.encoded import MOST_TOKENS, EncodedText
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.schedules import (
    cosine_betas,
    linear_betas,
    quadratic_betas,
    sigmoid_betas,
    zero_terminal_snr,
)
from fogcatcher.exchange import conditional_unet
from fogcatcher.model.build import build_denoiser, build_schedule
from fogcatcher.model.choose_network import IMPORTED
from fogcatcher.model.config import DataConfig, Method, NetworkConfig, RunConfig
from fogcatcher.model.model import Model
from fogcatcher.model.weights_fit import check_weights
from fogcatcher.networks.ddpm_unet import DDPMUNet, UNetShape
from fogcatcher.networks.embeddings import Form, Vector
from fogcatcher.networks.sequences import Vectors
from fogcatcher.training.fit import Plan

CLASS = "class"
"""The attribute that a table of classes becomes: one-hot rows choose, a row of zeros says nothing."""
CAPTION = "caption"
"""The attribute that a network which looks at words is told by."""
WEIGHTS = "diffusion_pytorch_model.safetensors"
T = TypeVar("T")

Channels = Annotated[int, Range(1, 65_536)]
ChannelsOrNone = Annotated[int, Range(0, 65_536)]
Side = Annotated[int, Range(1, 1024)]
Levels = Length(1, 16)
Rate = Annotated[float, Range(0, 1)]
MOST_STEPS = 100_000


@dataclass(frozen=True)
class Settings:
    """Of a ``UNet2DModel``; the defaults hold where the config, perhaps of an older version, says nothing."""

    down_block_types: Annotated[tuple[str, ...], Levels]
    up_block_types: Annotated[tuple[str, ...], Levels]
    block_out_channels: Annotated[tuple[Channels, ...], Levels]
    _class_name: str = "UNet2DModel"
    sample_size: Side | tuple[Side, Side] | None = None
    in_channels: Channels = 3
    out_channels: Channels = 3
    center_input_sample: bool = False
    time_embedding_type: str = "positional"
    time_embedding_dim: ChannelsOrNone | None = None
    freq_shift: Annotated[float, Range(-1000, 1000)] = 0
    flip_sin_to_cos: bool = True
    mid_block_type: str | None = "UNetMidBlock2D"
    layers_per_block: Annotated[int, Range(1, 16)] = 2
    mid_block_scale_factor: Annotated[float, Range(1e-3, 1e3)] = 1
    downsample_padding: int = 1
    downsample_type: str | None = "conv"
    upsample_type: str | None = "conv"
    dropout: Rate = 0.0
    act_fn: str = "silu"
    attention_head_dim: ChannelsOrNone | None = 8
    norm_num_groups: Channels = 32
    attn_norm_num_groups: ChannelsOrNone | None = None
    norm_eps: Rate = 1e-5
    resnet_time_scale_shift: str = "default"
    add_attention: bool = True
    class_embed_type: str | None = None
    num_class_embeds: Annotated[int, Range(0, 100_000)] | None = None


@dataclass(frozen=True)
class Scheduler:
    """Of a scheduler; the defaults as in ``Settings``."""

    _class_name: str = ""
    num_train_timesteps: Annotated[int, Range(1, MOST_STEPS)] = 1000
    prediction_type: str = "epsilon"
    invert_sigmas: bool | None = None
    timestep_type: str | None = None
    variance_type: str | None = None
    use_flow_sigmas: bool | None = None
    use_dynamic_shifting: bool | None = None
    shift: Annotated[float, Range(1e-3, 1e3)] | None = None
    flow_shift: Annotated[float, Range(1e-3, 1e3)] | None = None
    trained_betas: Annotated[tuple[Rate, ...], Length(1, MOST_STEPS)] | None = None
    beta_start: Rate | None = None
    beta_end: Rate | None = None
    beta_schedule: str | None = None
    rescale_betas_zero_snr: bool | None = None


KNOWN: Mapping[str, tuple[Any, ...]] = {
    "time_embedding_type": ("positional",),
    "mid_block_type": ("UNetMidBlock2D", None),
    "downsample_padding": (0, 1),
    "downsample_type": ("conv", "resnet", None),
    "upsample_type": ("conv", "resnet", None),
    "act_fn": ("silu", "swish"),
    "resnet_time_scale_shift": ("default", "scale_shift"),
    "class_embed_type": (None,),
}
"""The settings of which only some values can be carried over."""
PARTS: Mapping[str, str] = {
    "time_emb_proj": "modulate",
    "conv_shortcut": "shortcut",
    "group_norm": "norm",
    "query": "to_q",
    "key": "to_k",
    "value": "to_v",
    "proj_attn": "out",
    "to_out.0": "out",
}
"""Layers inside a block, by their names there and here; attention was named otherwise before 2023."""
TOP: Mapping[str, str] = {
    "conv_in": "enter",
    "time_embedding.linear_1": "time.layer1",
    "time_embedding.linear_2": "time.layer2",
    "conv_norm_out": "exit.0",
    "conv_out": "exit.2",
    "mid_block.resnets.0": "middle.0.block",
    "mid_block.attentions.0": "middle.0.attention",
    "mid_block.resnets.1": "middle.1.block",
}
BETA_SCHEDULERS = frozenset(
    f"{name}Scheduler"
    for name in (
        *(
            "DDPM",
            "DDIM",
            "PNDM",
            "DPMSolverMultistep",
            "DPMSolverSinglestep",
            "DPMSolverSDE",
            "DEISMultistep",
        ),
        *("EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "LMSDiscrete", "UniPCMultistep"),
        *("KDPM2Discrete", "KDPM2AncestralDiscrete"),
    )
)
PREDICTIONS: Mapping[str, str] = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
"""What a network predicts, there and here."""
FLOW_STEPS = 1000
FLOW_SCHEDULERS = frozenset({"FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"})


@dataclass(frozen=True)
class UNetFacts:
    """What the config of a ``UNet2DModel`` says besides the shape of the network."""

    channels: int
    answers: int
    """1, or 2 where the variance is learned."""
    size: tuple[int, int] | None
    """Height and width it was trained on, if it says."""
    classes: int
    """Rows of its class table; 0 without one."""


def read_unet(folder: Path) -> tuple[DDPMUNet, UNetFacts]:
    """Return the network, in evaluation mode, and the facts of a model folder or pipeline folder.

    The network takes diffusers' timestep as its noise label, the condition ``CLASS`` where there is a table
    of classes, and ``CAPTION``, the vectors of a text side by side, where it looks at them. Raises UserError
    when there is no such model, or one that cannot be carried over.
    """
    inner = folder / "unet"
    folder = inner if inner.is_dir() else folder
    tree = read_config_file(folder / "config.json")
    kind = tree.get("_class_name", "UNet2DModel")
    if kind not in ("UNet2DModel", conditional_unet.NAME):
        raise UserError(
            f"{folder} holds a {shown(kind)}; only a UNet2DModel or {conditional_unet.NAME} can be imported."
        )
    looks = kind == conditional_unet.NAME
    try:
        config = known_settings(Settings, conditional_unet.without_words(tree) if looks else tree)
        facts, shape = _facts(config), _shape(config)
        if looks:
            shape = conditional_unet.with_transformers(shape, tree)
        with torch.device("meta"):
            network = DDPMUNet(facts.channels, shape, _told(facts, shape), facts.answers)
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise UserError(f"{folder / 'config.json'} describes no network ({in_one_line(error)}).") from error
    try:
        theirs = read_weights(folder, most_bytes(network))
        if looks:
            weights = conditional_unet.renamed(theirs, partial(_our_name, blocks=shape.blocks))
        else:
            weights = _renamed(theirs, shape.blocks)
        check_weights(network, weights)
        network.load_state_dict(weights, assign=True)
    except (RuntimeError, KeyError, ValueError, IndexError) as error:
        said = in_one_line(error)
        raise UserError(f"the weights in {folder} do not fit its config.json ({said}).") from error
    return network.eval(), facts


def _told(facts: UNetFacts, shape: UNetShape) -> dict[str, Form]:
    told: dict[str, Form] = {CLASS: Vector(facts.classes)} if facts.classes else {}
    if shape.transformers:
        told[CAPTION] = Vectors(MOST_TOKENS, shape.transformers.width)
    return told


def read_model(folder: Path) -> Model:
    """Return the model of a pipeline folder: schedule and prediction are what its scheduler says.

    Timestep i of 0 ... T - 1 is our t = (i + 1) / T. Raises UserError as ``read_unet`` does, and for a
    scheduler that is missing or cannot be carried over.
    """
    network, facts = read_unet(folder)
    root = folder if (folder / "unet").is_dir() else folder.parent
    tree = read_config_file(root / "scheduler" / "scheduler_config.json", finite=False)
    try:
        method = _method(known_settings(Scheduler, tree), facts)
        build_schedule(method)
    except ValueError as error:
        raise UserError(f"the scheduler_config.json of {root} describes no schedule ({error}).") from error
    if facts.size is None:
        raise UserError(
            f"{root} does not say how large its pictures are: write sample_size into config.json."
        )
    height, width = facts.size
    config = RunConfig(
        PictureSpec(height, width, facts.channels, hard_alpha=False, sigma_data=0.5),
        method,
        NetworkConfig(IMPORTED, shape=network.shape),
        Plan(steps=0),
        DataConfig(folder.resolve().name, (), 0, ""),
    )
    names = tuple(str(number) for number in range(facts.classes))
    asked: list[Attribute] = [Category(CLASS, names)] if names else []
    if network.shape.transformers:
        asked.append(_read_caption(root, network.shape.transformers.width))
    conditions = ConditionSpec(tuple(asked))
    denoiser = build_denoiser(config, conditions)
    denoiser.network.load_state_dict(network.state_dict())
    return Model(denoiser, config, conditions)


def _read_caption(root: Path, width: int) -> EncodedText:
    """What a pipeline is asked in words: its text encoder lies beside its network, and reads padded texts."""
    if (root / "vae").is_dir():
        raise UserError(f"{root} draws in the latents of its vae, not in pixels: it cannot be imported.")
    encoder = root / "text_encoder"
    if not encoder.is_dir():
        raise UserError(f"{root} looks at words, and no text_encoder/ lies beside its network.")
    caption = EncodedText.of(CAPTION, str(encoder.resolve()), [])
    if caption.width != width:
        raise UserError(
            f"the text encoder of {root} gives vectors of {caption.width}, and its network takes {width}."
        )
    return replace(caption, count=MOST_TOKENS, padded=True)


def read_config_file(path: Path, finite: bool = True) -> dict[str, Any]:
    try:
        return read_json(path, dict[str, Any], finite=finite)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: give a folder that diffusers' save_pretrained wrote.") from error


def known_settings(kind: type[T], tree: Mapping[str, Any]) -> T:
    """The settings that are read here; diffusers knows more, which change nothing. Raises ValueError."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return typed_fields(kind, {name: value for name, value in tree.items() if name in names})


def _facts(c: Settings) -> UNetFacts:
    channels, outputs, size = c.in_channels, c.out_channels, c.sample_size
    if outputs not in (channels, 2 * channels):
        raise UserError(
            f"this network turns {channels} channels into {outputs}; only one that answers as many as it "
            "sees, or twice as many, can be imported."
        )
    height, width = size if isinstance(size, tuple) else (size, size)
    return UNetFacts(
        channels=channels,
        answers=outputs // channels,
        size=(height, width) if height and width else None,
        classes=c.num_class_embeds or 0,
    )


def _shape(c: Settings) -> UNetShape:
    """Raises UserError that names the first setting that cannot be carried over."""
    for name, values in KNOWN.items():
        if getattr(c, name) not in values:
            only = " or ".join(map(shown, values))
            raise UserError(f"{name} {shown(getattr(c, name))} cannot be imported, only {only}.")
    down, up = c.down_block_types, c.up_block_types[::-1]
    for name in (*down, *up):
        if not re.fullmatch(r"(UNetRes)?((Attn)?(Down|Up)Block2D|Resnet(Down|Up)sampleBlock2D)", name):
            raise UserError(f"blocks of the type {name[:40]!r} cannot be imported.")
    widths, groups = tuple(c.block_out_channels), c.norm_num_groups
    scale_shift = c.resnet_time_scale_shift == "scale_shift"
    return UNetShape(
        widths=widths,
        attention_down=tuple("Attn" in name for name in down),
        attention_up=tuple("Attn" in name for name in up),
        blocks_down=tuple(_by_block(name, c.downsample_type) for name in down),
        blocks_up=tuple(_by_block(name, c.upsample_type) for name in up),
        blocks=c.layers_per_block,
        frequencies=widths[0],
        embedding=c.time_embedding_dim or 0,
        cosine_first=c.flip_sin_to_cos,
        frequency_shift=float(c.freq_shift),
        scale_shift=scale_shift,
        head_channels=c.attention_head_dim or 0,
        groups=groups,
        eps=float(c.norm_eps),
        dropout=float(c.dropout),
        middle=c.mid_block_type is not None,
        middle_attention=c.add_attention,
        # Under scale_shift the middle is normalised only where it is asked for.
        middle_groups=c.attn_norm_num_groups or (0 if scale_shift else groups),
        middle_divisor=float(c.mid_block_scale_factor),
        pad_after=c.downsample_padding == 0,
        recentred=c.center_input_sample,
    )


def _by_block(block_type: str, resample_type: str | None) -> bool:
    """Whether the step out of a level is a residual block; only levels with attention read the type."""
    return "sampleBlock" in block_type or ("Attn" in block_type and resample_type == "resnet")


def read_weights(folder: Path, most: int) -> dict[str, Tensor]:
    """Return the float32 weights of one file, or of the parts that an index lists, of so many bytes each."""
    whole, index = folder / WEIGHTS, folder / f"{WEIGHTS}.index.json"
    if whole.is_file() or not index.is_file():
        return _read_tensors(whole, most)
    try:
        named = typed(read_config_file(index).get("weight_map", {}), Mapping[str, str], "weight_map")
    except ValueError as error:
        raise UserError(f"{index}: {error}.") from error
    parts = {Path(name).name for name in named.values()}
    return {name: w for part in sorted(parts) for name, w in _read_tensors(folder / part, most).items()}


def _read_tensors(path: Path, most: int) -> dict[str, Tensor]:
    if not path.is_file():
        if any(path.parent.glob("*.bin")):
            raise UserError(
                f"{path.parent} has its weights as a .bin pickle, which can run code and is not opened: "
                "where you trust it, convert it with diffusers, UNet2DModel.from_pretrained(OLD), and then "
                "save_pretrained(NEW)."
            )
        raise UserError(f"{path} is missing.")
    try:
        return {name: tensor.float() for name, tensor in read_tensors(path, most)[0].items()}
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be used: {in_one_line(error)}.") from error


def _renamed(weights: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """Return the weights under our names, with queries, keys and values in one."""
    ours = {_our_name(name, blocks): tensor for name, tensor in weights.items()}
    for q in [name for name in ours if ".to_q." in name]:
        parts = [ours.pop(q.replace("to_q", part)) for part in ("to_q", "to_k", "to_v")]
        ours[q.replace("to_q", "qkv")] = torch.cat(parts)
    for name, tensor in ours.items():
        if re.search(r"attention\.(qkv|out)\.weight", name):
            ours[name] = tensor.reshape(*tensor.shape[:2], 1, 1)  # there linear, here a convolution of 1 x 1
    if "class_embedding.weight" in ours:
        ours[f"condition.tables.of_{CLASS}.weight"] = ours.pop("class_embedding.weight").T.contiguous()
    return ours


def _our_name(name: str, blocks: int) -> str:
    """Return the name of a weight here; what is not known keeps its name, and will not fit."""
    for there, here in (*TOP.items(), *PARTS.items()):
        name = re.sub(rf"(^|\.){re.escape(there)}\.", rf"\g<1>{here}.", name)
    found = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|.*samplers)\.(\d+)\.(.+)", name)
    if not found:
        return name
    way, level, kind, number, rest = found.groups()
    stages = blocks + (way == "up")
    first = int(level) * (stages + 1)
    if kind.endswith("samplers"):
        return f"{way}.{first + stages}.layer.{rest}"
    return f"{way}.{first + int(number)}.{'block' if kind == 'resnets' else 'attention'}.{rest}"


def _method(c: Scheduler, facts: UNetFacts) -> Method:
    """Return the schedule and what the network predicts. Raises UserError for what is not known."""
    kind, steps, prediction = c._class_name, c.num_train_timesteps, c.prediction_type
    if kind not in BETA_SCHEDULERS | FLOW_SCHEDULERS:
        raise unknown_name("scheduler", kind, sorted(BETA_SCHEDULERS | FLOW_SCHEDULERS))
    if c.invert_sigmas or c.timestep_type == "continuous":
        raise UserError("schedulers with inverted or continuous noise levels cannot be imported.")
    if facts.answers == 2 and c.variance_type == "learned":
        raise UserError("this model has learned its variance outright; only learned_range can be imported.")
    if kind in FLOW_SCHEDULERS or (prediction == "flow_prediction" and c.use_flow_sigmas):
        shift = 1.0 if c.use_dynamic_shifting else c.shift or c.flow_shift or 1.0
        if steps != FLOW_STEPS:
            raise UserError(f"flow matching told in {steps} steps cannot be imported, only in {FLOW_STEPS}.")
        options = {"shift": float(shift)}
        return Method("flow", "velocity", "logitnormal", "uniform", label="sigma", options=options)
    if prediction not in PREDICTIONS:
        raise unknown_name("prediction_type", prediction, PREDICTIONS)
    return Method(
        "betas",
        PREDICTIONS[prediction],
        "discrete",
        "uniform",
        loss="hybrid" if facts.answers == 2 else "l2",
        label="step_from_0",
        betas=tuple(_betas(c, steps).tolist()),
    )


def _betas(c: Scheduler, steps: int) -> Tensor:
    if c.trained_betas is not None:
        betas = torch.tensor(c.trained_betas, dtype=torch.float64)
    else:
        if c.beta_start is None or c.beta_end is None:
            raise ValueError("it has no beta_start, or no beta_end")
        first, last = float(c.beta_start), float(c.beta_end)
        match c.beta_schedule:
            case "linear":
                betas = linear_betas(steps, first, last)
            case "scaled_linear":
                betas = quadratic_betas(steps, first, last)
            case "squaredcos_cap_v2":
                betas = cosine_betas(steps)
            case "sigmoid":
                betas = sigmoid_betas(steps, first, last)
            case name:
                known = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid")
                raise unknown_name("beta_schedule", str(name), known)
    return zero_terminal_snr(betas) if c.rescale_betas_zero_snr else betas
