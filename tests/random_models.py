"""A model whose weights are random, to draw with at once."""

from pathlib import Path

import torch

from fogcatcher.data.conditions.conditions import Category, ConditionSpec
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.config import DataConfig, Method, NetworkConfig, RunConfig
from fogcatcher.model.model import Model
from fogcatcher.model.presets import PRESETS
from fogcatcher.training.fit import Plan

CONDITIONS = ConditionSpec((Category("kind", ("hero", "food", "spell")),))


def config(method: Method = PRESETS["default"]) -> RunConfig:
    return RunConfig(
        PictureSpec(12, 10, 4, hard_alpha=True, sigma_data=0.7),
        method,
        NetworkConfig(width=16),
        Plan(steps=10),
        DataConfig("nowhere", (), 1, "0"),
    )


def random_model(method: Method = PRESETS["default"]) -> Model:
    """A model whose every weight is random, so that nothing is zero by its start."""
    denoiser = build_denoiser(config(method), CONDITIONS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return Model(denoiser, config(method), CONDITIONS)


def method_for(sampler: str) -> Method:
    """Return the method of a model with which the sampler can draw, in four steps."""
    return PRESETS[{"ddpm_learned": "iddpm", "ddgan": "ddgan"}.get(sampler, "default")]


def save(model: Model, folder: Path) -> Path:
    model.save(folder)
    return folder
