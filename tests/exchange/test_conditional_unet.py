"""``UNet2DConditionModel`` folders that the installed diffusers wrote: the same answers to the same words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.encoded import EncodedText
from fogcatcher.exchange.from_diffusers import CAPTION, read_model, read_unet
from fogcatcher.model.model import load
from fogcatcher.model.weights_fit import on_meta
from fogcatcher.networks.ddpm_unet import DDPMUNet
from tests.data.conditions.test_text import words_of_eight

diffusers = pytest.importorskip("diffusers", reason="reads what the installed diffusers writes")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of theirs

WIDTH = 12
TINY = {
    "sample_size": 16,
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 4,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 2,
    "layers_per_block": 1,
}
CONFIGS: dict[str, dict] = {
    "as usual": {},
    "linear, and deep": {"use_linear_projection": True, "transformer_layers_per_block": 2},
    "heads and depth of each level": {
        "attention_head_dim": (2, 4),
        "transformer_layers_per_block": (1, 2),
        "down_block_types": ("CrossAttnDownBlock2D",) * 2,
        "up_block_types": ("CrossAttnUpBlock2D",) * 2,
        "layers_per_block": 2,
    },
    "scale-shift, no middle": {"resnet_time_scale_shift": "scale_shift", "mid_block_type": None},
}


def theirs(folder: Path, **config: object) -> torch.nn.Module:
    torch.manual_seed(0)
    network = diffusers.UNet2DConditionModel(**TINY | config).eval()
    with torch.no_grad():  # so that no weight is 0 or 1 and hides a mistake
        for weight in network.parameters():
            weight.add_((0.2 if weight.ndim == 1 else 0.05) * torch.randn_like(weight))
    network.save_pretrained(folder)
    return network


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_same_answer_to_the_same_vectors(config: dict, tmp_path: Path):
    network = theirs(tmp_path, **config)
    ours, facts = read_unet(tmp_path)
    assert facts.size == (16, 16) and facts.channels == 3
    x, i, words = torch.randn(3, 3, 16, 16), torch.tensor([0.0, 411.0, 999.0]), torch.randn(3, 7, WIDTH)
    present = torch.ones(3, 7, dtype=torch.bool)
    present[1, 4:] = False
    told = {CAPTION: (words * present[..., None]).flatten(1)}
    with torch.no_grad():
        expected = network(x, i, words, encoder_attention_mask=present).sample
        torch.testing.assert_close(ours(x, i, told), expected, atol=1e-5, rtol=1e-5)
        silent = ours(x, i, {CAPTION: torch.zeros(3, 7 * WIDTH)})
        assert silent.equal(ours(x, i)) and (silent - expected).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"class_embed_type": "timestep"}, "class_embed_type 'timestep' cannot be imported"),
        ({"addition_embed_type": "text"}, "addition_embed_type 'text' cannot be imported"),
        ({"cross_attention_dim": [12, 12]}, "cross_attention_dim"),
        ({"attention_head_dim": [2, 2, 2]}, "attention_head_dim has 3 entries for 2 levels"),
        ({"attention_head_dim": 3}, "do not divide"),
        ({"down_block_types": ["DownBlock2D", "SimpleCrossAttnDownBlock2D"]}, "cannot be imported"),
        ({"_class_name": "UNet3DConditionModel"}, "only a UNet2DModel or UNet2DConditionModel"),
        ({"cross_attention_dim": 20}, "do not fit its config.json"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(changes: dict, sentence: str, tmp_path: Path):
    theirs(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UserError, match=sentence):
        read_unet(tmp_path)


def test_a_pipeline_with_its_text_encoder_is_a_model_that_is_asked_in_words(tmp_path: Path):
    transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")
    network = theirs(tmp_path / "unet")
    diffusers.DDIMScheduler(num_train_timesteps=100).save_pretrained(tmp_path / "scheduler")
    with pytest.raises(UserError, match="no text_encoder/ lies beside its network"):
        read_model(tmp_path)
    sizes = {"hidden_size": WIDTH, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    reader = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(vocab_size=8, bos_token_id=2, eos_token_id=3, **sizes)
    ).eval()
    reader.save_pretrained(tmp_path / "text_encoder", safe_serialization=True)
    (tmp_path / "tokenizer").mkdir()
    words_of_eight(tmp_path / "tokenizer")
    model = read_model(tmp_path)
    (caption,) = model.conditions.attributes
    assert isinstance(caption, EncodedText) and (caption.count, caption.padded) == (77, True)

    x, t = torch.randn(1, 3, 16, 16), torch.tensor([0.42], dtype=torch.float64)  # step 41 of 0 ... 99
    with torch.no_grad():
        ids = torch.tensor([[2, 5, 6, 3, *[0] * 73]])
        eps = network(x, 41, reader(ids).last_hidden_state).sample
        x0_hat = model.denoiser(x, t, model.conditions.encode([{"caption": "red dragon"}]))
    alpha, sigma = model.denoiser.process.rates(t, x)
    torch.testing.assert_close(x0_hat, (x - sigma * eps) / alpha, atol=1e-4, rtol=1e-4)

    model.save(tmp_path / "ours")
    again = load(tmp_path / "ours")
    assert again.config.network.shape == model.config.network.shape
    with torch.no_grad():
        cond = again.conditions.encode([{"caption": "red dragon"}])
        assert again.denoiser(x, t, cond).equal(x0_hat)


@pytest.mark.parametrize("wrong", [{"heads": (1, 5)}, {"heads": (1,)}, {"depth": (1, 1, 1)}])
def test_a_config_whose_transformers_cannot_be_is_refused(wrong: dict, tmp_path: Path):
    theirs(tmp_path)
    shape = read_unet(tmp_path)[0].shape
    assert shape.transformers is not None
    shape = replace(shape, transformers=replace(shape.transformers, **wrong))
    with pytest.raises(UserError, match="no network can be built"):
        on_meta(lambda: DDPMUNet(3, shape))
