"""Latents as a kind of data: scaled and unscaled exactly, encoded once, and always without chance."""

from dataclasses import replace

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.data.kinds import kind_of
from fogcatcher.data.latents.encoding import of_bytes
from fogcatcher.data.latents.first_stage import FirstStage
from fogcatcher.data.latents.spec import LatentSpec, latents_of
from fogcatcher.data.options import DataOptions
from fogcatcher.networks.autoencoder import Autoencoder, AutoencoderShape
from tests.latent_models import DEVIATION, MEAN, exact_stage


def pictures(n: int = 40, channels: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, 8, 8), generator=generator, dtype=torch.uint8)


def spec(rows: torch.Tensor, stage: FirstStage | None = None, digest: str = "digest") -> LatentSpec:
    stage = stage or exact_stage(rows.shape[1])
    return latents_of(stage, stage.pictures, rows, digest)


def test_samples_have_mean_0_and_deviation_1_and_latents_have_not():
    rows = pictures()
    kind = spec(rows)
    z, x = kind.stage.network.encode(rows.float() / 127.5 - 1), kind.to_model(rows)
    assert z.std().item() == pytest.approx(DEVIATION * 148 / 255, rel=0.02)  # of uniform bytes, in [-1, 1]
    assert z.mean().item() == pytest.approx(MEAN, abs=0.1)
    assert x.std().item() == pytest.approx(1, abs=1e-3) and x.mean().item() == pytest.approx(0, abs=1e-3)
    assert kind.shape == (12, 4, 4) and kind.sigma_data == 1


def test_what_is_scaled_on_the_way_in_is_unscaled_on_the_way_out():
    rows = pictures()
    kind = spec(rows)
    assert torch.equal(kind.from_model(kind.to_model(rows)), rows)


def test_training_sees_the_same_latents_to_half_precision():
    rows = pictures()
    kind = spec(rows)
    data, to_model = kind.prepared(rows, "digest")
    assert data[:2].dtype == torch.uint8 and of_bytes(data[:2]).shape == (2, 12, 4, 4)
    torch.testing.assert_close(to_model(data[5:9]), kind.to_model(rows[5:9]), rtol=1e-3, atol=1e-3)


def test_pictures_are_encoded_once(monkeypatch):
    rows, stage = pictures(seed=1), exact_stage(hash="once")
    passes = []
    encode = type(stage.network).encode
    monkeypatch.setattr(type(stage.network), "encode", lambda net, x: passes.append(len(x)) or encode(net, x))
    first = spec(rows, stage, "of these").prepared(rows, "of these").data
    again = spec(rows, stage, "of these").prepared(rows, "of these").data
    assert sum(passes) == len(rows) and torch.equal(first[:], again[:])
    # Another autoencoder, or other pictures: others are the latents.
    spec(rows, replace(stage, hash="another"), "of these")
    spec(rows[:30], stage, "of others")
    assert sum(passes) == len(rows) + len(rows) + 30


def test_the_first_stage_no_longer_learns():
    """Codes move while training: a first stage left in train mode would change with every picture."""
    network = Autoencoder(AutoencoderShape(3, (4, 4), codes=4, groups=2)).train()
    stage = FirstStage(network, exact_stage().pictures)
    before = network.state_dict()["bottleneck.codes"].clone()
    stage.returned(pictures(4))
    assert not network.training and torch.equal(network.state_dict()["bottleneck.codes"], before)
    assert not any(weight.requires_grad for weight in network.parameters())


def test_hard_alpha_stays_hard_through_latents():
    rows = pictures(channels=4)
    returned = spec(rows, digest="rgba").from_model(torch.randn(9, 16, 4, 4))
    assert set(returned[:, 3].unique().tolist()) <= {0, 255}


def test_a_latent_is_free_where_any_of_its_pixels_is():
    free = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    free[..., 3, 6] = True
    there = spec(pictures()).free_in_samples(free)
    assert there.shape == (1, 1, 4, 4) and there.nonzero().tolist() == [[0, 0, 1, 3]]


def test_what_does_not_fit_is_said():
    with pytest.raises(UserError, match="train one on pictures like these"):
        latents_of(exact_stage(3), exact_stage(1).pictures, pictures(channels=1), "grey")
    odd = replace(exact_stage().pictures, height=9)
    with pytest.raises(UserError, match="fit the pictures to multiples of 2"):
        latents_of(exact_stage(), odd, pictures(), "odd")
    with pytest.raises(UserError, match="one of 10 x 10 with 3 channels"):
        spec(pictures()).to_model(torch.zeros(1, 3, 10, 10, dtype=torch.uint8))
    with pytest.raises(UserError, match="by latents"):
        kind_of("somewhere", DataOptions(kind="latents"))
    with pytest.raises(UserError, match="was not opened"):
        replace(spec(pictures()), autoencoder="unknown").to_model(pictures())
