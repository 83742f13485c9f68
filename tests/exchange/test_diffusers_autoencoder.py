"""Autoencoders of diffusers, randomly initialised: the same answers here and there."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.data.latents.spec import LatentSpec
from fogcatcher.exchange.diffusers_autoencoder import (
    autoencoder_in,
    read_diffusers_autoencoder,
    write_diffusers_autoencoder,
)

diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.filterwarnings("ignore")
SIZES = {"block_out_channels": (8, 16, 24), "norm_num_groups": 4, "sample_size": 16}
SHAPES = {
    "kl": {"latent_channels": 4},
    "kl of grey, deep, without attention": {
        "in_channels": 1,
        "out_channels": 1,
        "layers_per_block": 2,
        "mid_block_add_attention": False,
    },
    "kl without convolutions at the latents": {"use_quant_conv": False, "use_post_quant_conv": False},
    "vq": {"num_vq_embeddings": 32},
    "vq with codes of another width": {"latent_channels": 6, "vq_embed_dim": 2, "layers_per_block": 2},
}


def theirs(name: str) -> Any:
    """Random, also where they begin with zeros."""
    torch.manual_seed(0)
    kind = diffusers.VQModel if name.startswith("vq") else diffusers.AutoencoderKL
    down, up = ("DownEncoderBlock2D",) * 3, ("UpDecoderBlock2D",) * 3
    model = kind(down_block_types=down, up_block_types=up, **SIZES, **SHAPES[name]).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return model


@torch.no_grad()
def answers(model: Any, x: torch.Tensor, z: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    said = model.encode(x)
    latents = said.latents if hasattr(said, "latents") else said.latent_dist.mode()
    return latents, model.decode(latents if z is None else z).sample


@pytest.mark.parametrize("name", SHAPES)
def test_both_ways_the_answers_are_the_same(name: str, tmp_path: Path):
    model = theirs(name)
    model.save_pretrained(tmp_path / "theirs")
    assert autoencoder_in(tmp_path / "theirs") == tmp_path / "theirs"
    stage = read_diffusers_autoencoder(tmp_path / "theirs")
    x = torch.rand(2, model.config.in_channels, 16, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1
    latents, back = answers(model, x, None)
    with torch.no_grad():
        torch.testing.assert_close(stage.network.encode(x), latents, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(stage.network.decode(latents), back, rtol=1e-5, atol=1e-5)
    assert stage.factor == 4 and stage.pictures.shape == (model.config.in_channels, 16, 16)
    write_diffusers_autoencoder(stage, tmp_path / "again")
    again = type(model).from_pretrained(tmp_path / "again").eval()
    assert all(torch.equal(again.state_dict()[name], value) for name, value in model.state_dict().items())
    assert all(torch.equal(a, b) for a, b in zip(answers(again, x, latents), (latents, back), strict=True))


def test_shift_and_scale_go_along(tmp_path: Path):
    theirs("kl").save_pretrained(tmp_path / "theirs")
    stage = read_diffusers_autoencoder(tmp_path / "theirs")
    kind = LatentSpec(stage.pictures, 4, 4, 0.25, 0.5, stage.hash)
    write_diffusers_autoencoder(stage, tmp_path / "out", kind)
    config = diffusers.AutoencoderKL.from_pretrained(tmp_path / "out").config
    assert (config.scaling_factor, config.shift_factor) == (0.5, 0.25)
    with pytest.raises(UserError, match="is not empty"):
        write_diffusers_autoencoder(stage, tmp_path / "out")


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("act_fn", "mish", "act_fn 'mish' cannot be imported"),
        ("norm_type", "spatial", "norm_type 'spatial' cannot be imported"),
        ("latent_channels", 7, "does not fit its config"),
        ("block_out_channels", [8, 16], "down_block_types"),
        ("in_channels", 99, "does not fit its config"),
    ],
)
def test_what_cannot_be_carried_over_is_said(setting: str, value: object, said: str, tmp_path: Path):
    theirs("vq").save_pretrained(tmp_path / "theirs")
    file = tmp_path / "theirs" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {setting: value}))
    with pytest.raises(UserError, match=said):
        read_diffusers_autoencoder(tmp_path / "theirs")
