"""Small untrained models of every kind of picture and condition, for the tests of edits."""

import torch

from fogcatcher.data.conditions.conditions import Category, Colour, ConditionSpec, Number, Tags, Text
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.pictures.upscaling import upscaling_for
from fogcatcher.diffusion.tensors import OnePicture
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.config import DataConfig, Method, NetworkConfig, RunConfig
from fogcatcher.model.model import Model
from fogcatcher.model.presets import PRESETS
from fogcatcher.training.fit import Plan

EVERY_CONDITION = ConditionSpec(
    (
        Category("kind", ("hero", "food", "spell")),
        Tags("tags", ("flying", "dark")),
        Number("size", 0.0, 10.0),
        Colour("colour"),
        Text("caption", ("red", "blue")),
    )
)
WISHES = [
    {},
    {"kind": "food"},
    {"kind": {"food": 1.0, "hero": 0.5}},
    {"tags": "flying, -dark"},
    {"size": 3.0},
    {"colour": "teal"},
    {"caption": "a blue one"},
]


def small_model(
    channels: int = 4,
    size: tuple[int, int] = (12, 10),
    conditions: ConditionSpec = EVERY_CONDITION,
    method: Method = PRESETS["default"],
    network: str = "small",
    width: int = 16,
    upscale: int | None = None,
) -> Model:
    """A model whose every weight is random, so that nothing is zero by its start."""
    spec = PictureSpec(*size, channels, hard_alpha=channels in (2, 4), sigma_data=0.7)
    config = RunConfig(
        spec,
        method,
        NetworkConfig(network, width),
        Plan(steps=10),
        DataConfig("nowhere", (), 1, "0"),
        upscaling=upscaling_for(upscale, 0.5, spec.shape) if upscale else None,
    )
    denoiser = build_denoiser(config, conditions)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return Model(denoiser, config, conditions)


def random_picture(channels: int = 4, size: tuple[int, int] = (12, 10), seed: int = 0) -> OnePicture:
    """(1, C, H, W) of noise; alpha is half-transparent too, and colour under alpha 0 is 0."""
    generator = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 256, (1, channels, *size), generator=generator, dtype=torch.uint8)
    if channels in (2, 4):
        picture[:, -1, : size[0] // 3] = 0
        picture[:, :-1] *= picture[:, -1:] > 0
    return picture
