"""Folders that the installed diffusers wrote, read without it: the same answers, and the same samples."""

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fogcatcher.base.errors import UserError
from fogcatcher.cli.main import main
from fogcatcher.diffusion.denoiser import LearnedVarianceDenoiser
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, sample
from fogcatcher.exchange.from_diffusers import CLASS, UNetFacts, read_model, read_unet
from fogcatcher.model.model import load
from tests.strange_json import changed

pytestmark = pytest.mark.slow

diffusers = pytest.importorskip("diffusers", reason="reads what the installed diffusers writes")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of theirs

TINY = {
    "sample_size": 16,
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 4,
    "attention_head_dim": 8,
    "layers_per_block": 1,
}
RESNETS = {
    "down_block_types": ("ResnetDownsampleBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "ResnetUpsampleBlock2D"),
}
THREE = {
    "block_out_channels": (8, 16, 24),
    "down_block_types": ("AttnDownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 2,
}
CONFIGS: dict[str, dict] = {
    "plain": {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2},
    "several heads": {"attention_head_dim": 2},
    "one head": {"attention_head_dim": None},
    "scale-shift, middle without a norm": {"resnet_time_scale_shift": "scale_shift"},
    "scale-shift, middle with its own norm": {
        "resnet_time_scale_shift": "scale_shift",
        "attn_norm_num_groups": 2,
    },
    "resampling blocks": RESNETS,
    "resampling blocks by type": {**THREE, "downsample_type": "resnet", "upsample_type": "resnet"},
    "three levels, attention here and there": THREE,
    "not square": {"sample_size": [16, 24], "in_channels": 1, "out_channels": 1},
    "dropout, which evaluation leaves out": {"dropout": 0.5},
    "groups and eps": {"norm_num_groups": 8, "norm_eps": 0.1},
    "no attention in the middle": {"add_attention": False},
    "no middle": {"mid_block_type": None},
    "rescaled middle": {"mid_block_scale_factor": 1.7},
    "time as in DDPM, padded behind": {"freq_shift": 1, "flip_sin_to_cos": False, "downsample_padding": 0},
    "wide time embedding of an odd width": {
        "block_out_channels": (9, 18),
        "norm_num_groups": 3,
        "attention_head_dim": 6,
        "time_embedding_dim": 10,
    },
    "heads that leave channels over": {"block_out_channels": (8, 20), "attention_head_dim": 6},
    "centred, learned variance": {"center_input_sample": True, "out_channels": 6},
    "old prefix": {"down_block_types": ("UNetResDownBlock2D", "UNetResAttnDownBlock2D")},
}


def theirs(seed: int = 0, **config):
    """A model of theirs with every weight drawn anew, so that none is 0 or 1 and hides a mistake."""
    torch.manual_seed(seed)
    model = diffusers.UNet2DModel(**{**TINY, **config}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * (0.4 if parameter.ndim == 1 else 0.1))
    return model


def inputs(model) -> tuple[torch.Tensor, torch.Tensor]:
    size = model.config.sample_size
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    x = torch.randn(4, model.config.in_channels, height, width, generator=torch.Generator().manual_seed(1))
    return x, torch.tensor([0.0, 3.0, 411.0, 999.0])


def close(found: torch.Tensor, expected: torch.Tensor, atol: float = 1e-5) -> None:
    scale = expected.abs().max().clamp(min=1)
    assert expected.std() > 0.1
    torch.testing.assert_close(found / scale, expected / scale, atol=atol, rtol=0)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_same_answer(config, tmp_path):
    model = theirs(**config)
    model.save_pretrained(tmp_path)
    network, facts = read_unet(tmp_path)
    x, i = inputs(model)
    with torch.no_grad():
        expected = model(x, i).sample
        close(network(x, i), expected)
        assert (expected[1:] - model(x[1:], i[1:] - 1).sample).abs().max() > 1e-4  # it does hear the time
    assert (facts.size, facts.channels) == (tuple(x.shape[2:]), x.shape[1])
    assert sum(p.numel() for p in network.parameters()) == model.num_parameters()


def test_class_table(tmp_path):
    """A one-hot row is a row of the table, half of each is their mean, zeros add nothing."""
    model = theirs(num_class_embeds=5)
    model.save_pretrained(tmp_path)
    network, facts = read_unet(tmp_path)
    assert facts == UNetFacts(3, 1, (16, 16), 5)
    x, i = inputs(model)
    labels = torch.tensor([4, 0, 2, 1])
    one_hot = torch.nn.functional.one_hot(labels, 5).float()
    with torch.no_grad():
        close(network(x, i, {CLASS: one_hot}), model(x, i, labels).sample)
        mixed = network(x, i, {CLASS: (one_hot + one_hot.flip(0)) / 2})
        table = model.class_embedding.weight.clone()
        model.class_embedding.weight[labels] = (table[labels] + table[labels.flip(0)]) / 2
        close(mixed, model(x, i, labels).sample)
        model.class_embedding.weight.zero_()
        silent = model(x, i, labels).sample
    close(network(x, i, {CLASS: torch.zeros(4, 5)}), silent)
    close(network(x, i), silent)


def test_old_attention_names(tmp_path):
    """Until 2023 the layers of attention were called query, key, value and proj_attn."""
    model = theirs()
    model.save_pretrained(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = {}
    for name, tensor in load_file(file).items():
        for new, before in old.items():
            name = name.replace(new, before)
        weights[name] = tensor.clone()
    assert any("proj_attn" in name for name in weights)
    save_file(weights, file)
    x, i = inputs(model)
    with torch.no_grad():
        close(read_unet(tmp_path)[0](x, i), model(x, i).sample)


def test_weights_in_parts_and_in_half_precision(tmp_path):
    model = theirs().half()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    x, i = inputs(model)
    with torch.no_grad():
        close(read_unet(tmp_path)[0](x, i), model.float()(x, i).sample)


def test_a_config_of_an_old_version_means_the_defaults_of_today(tmp_path):
    named = {"sample_size", "block_out_channels", "down_block_types", "up_block_types"}
    config = {name: value for name, value in TINY.items() if name in named}
    torch.manual_seed(0)
    wide = {"block_out_channels": (32, 64)}
    model = diffusers.UNet2DModel(**{**config, **wide}).eval()
    model.save_pretrained(tmp_path)
    config_file = tmp_path / "config.json"
    saved = json.loads(config_file.read_text(encoding="utf-8"))
    config_file.write_text(json.dumps({name: saved[name] for name in (*named, "_class_name")}))
    x, i = inputs(model)
    with torch.no_grad():
        close(read_unet(tmp_path)[0](x, i), model(x, i).sample)


BETAS = {"num_train_timesteps": 1000, "clip_sample": False, "set_alpha_to_one": True}
DDIM_CONFIGS: dict[str, dict] = {
    "eps, linear": {},
    "eps, scaled linear": {"beta_schedule": "scaled_linear", "beta_start": 8.5e-4, "beta_end": 0.012},
    "x0, cosine": {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample"},
    "v, no signal left": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
    "eps, 400 steps": {"num_train_timesteps": 400},
    "eps, trained betas": {
        "num_train_timesteps": 50,
        "trained_betas": torch.linspace(0.01, 0.2, 50).tolist(),
    },
}


@pytest.mark.parametrize("config", DDIM_CONFIGS.values(), ids=DDIM_CONFIGS)
def test_ten_steps_of_ddim(config, tmp_path):
    scheduler = diffusers.DDIMScheduler(**{**BETAS, **config}, timestep_spacing="trailing")
    model = theirs()
    diffusers.DDIMPipeline(model, scheduler).save_pretrained(tmp_path)
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    scheduler.set_timesteps(10)
    x = noise
    with torch.no_grad():
        for i in scheduler.timesteps:
            x = scheduler.step(model(x, i).sample, i, x).prev_sample
    denoiser = read_model(tmp_path).denoiser
    grid = UniformGrid()(denoiser.process.schedule, 10)
    *_, last = sample(denoiser, noise, grid, DDIM(), torch.Generator())
    close(last.x, x, 1e-4)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_ten_steps_of_flow_matching(shift, tmp_path):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    model = theirs()
    model.save_pretrained(tmp_path / "unet")
    scheduler.save_pretrained(tmp_path / "scheduler")
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    scheduler.set_timesteps(sigmas=(1 - torch.arange(10) / 10).tolist())
    x = noise
    with torch.no_grad():
        for i in scheduler.timesteps:
            x = scheduler.step(model(x, i).sample, i, x).prev_sample
    denoiser = read_model(tmp_path / "unet").denoiser
    grid = UniformGrid()(denoiser.process.schedule, 10)
    *_, last = sample(denoiser, noise, grid, DDIM(), torch.Generator())
    close(last.x, x, 1e-4)


@pytest.mark.parametrize("name", ["DDPM", "EulerDiscrete", "DPMSolverMultistep", "UniPCMultistep"])
@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_alpha_bar_of_schedulers(name, schedule, tmp_path):
    """Their alphas_cumprod of step i, in float32, is our alpha^2 at (i + 1) / T."""
    scheduler = getattr(diffusers, f"{name}Scheduler")(beta_schedule=schedule, num_train_timesteps=200)
    theirs().save_pretrained(tmp_path / "unet")
    scheduler.save_pretrained(tmp_path / "scheduler")
    found = read_model(tmp_path).denoiser.process.schedule.alpha(torch.arange(1, 201) / 200) ** 2
    torch.testing.assert_close(found, scheduler.alphas_cumprod.double(), atol=1e-6, rtol=1e-4)


def test_alpha_bar_of_a_sigmoid(tmp_path):
    scheduler = diffusers.DDPMScheduler(beta_schedule="sigmoid")
    theirs().save_pretrained(tmp_path / "unet")
    scheduler.save_pretrained(tmp_path / "scheduler")
    found = read_model(tmp_path).denoiser.process.schedule.alpha(torch.arange(1, 1001).double() / 1000) ** 2
    torch.testing.assert_close(found, scheduler.alphas_cumprod.double(), atol=1e-6, rtol=1e-4)


def test_learned_variance(tmp_path):
    """Where diffusers reads (v + 1) / 2 from the second half of the channels, so do we."""
    model, scheduler = theirs(out_channels=6), diffusers.DDPMScheduler(variance_type="learned_range")
    diffusers.DDPMPipeline(model, scheduler).save_pretrained(tmp_path)
    denoiser, (x, i) = read_model(tmp_path).denoiser, inputs(model)
    assert isinstance(denoiser, LearnedVarianceDenoiser)
    with torch.no_grad():
        eps, v = model(x, i).sample.chunk(2, dim=1)
        x0_hat, fraction = denoiser.x0_and_fraction(x, (i + 1).double() / 1000)
    alpha_bar = scheduler.alphas_cumprod[i.long()].reshape(-1, 1, 1, 1)
    close(x0_hat, (x - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt(), 1e-4)
    close(fraction, (v + 1) / 2)


def saved(folder: Path, **changes) -> Path:
    """A pipeline folder with settings of its network changed after the fact."""
    diffusers.DDPMPipeline(theirs(), diffusers.DDPMScheduler()).save_pretrained(folder)
    return rewrite(folder, "unet/config.json", **changes)


def rewrite(folder: Path, name: str, **changes) -> Path:
    file = folder / name
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}))
    return folder


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"down_block_types": ["SkipDownBlock2D", "DownBlock2D"]}, "'SkipDownBlock2D' cannot be imported"),
        ({"time_embedding_type": "fourier"}, "time_embedding_type 'fourier' cannot"),
        ({"act_fn": "mish"}, "act_fn 'mish' cannot"),
        ({"class_embed_type": "timestep"}, "class_embed_type 'timestep' cannot"),
        ({"out_channels": 5}, "3 channels into 5"),
        ({"_class_name": "UNet3DConditionModel"}, "only a UNet2DModel"),
        ({"block_out_channels": [8, 32]}, "do not fit"),
        ({"layers_per_block": 2}, "do not fit"),
        ({"block_out_channels": "wide"}, "describes no network"),
        ({"up_block_types": ["UpBlock2D"]}, "describes no network"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(changes, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        read_unet(saved(tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"_class_name": "ScoreSdeVeScheduler"}, "unknown scheduler 'ScoreSdeVeScheduler'"),
        ({"beta_schedule": "laplace"}, "unknown beta_schedule 'laplace'"),
        ({"prediction_type": "colour"}, "unknown prediction_type 'colour'"),
        ({"rescale_betas_zero_snr": True}, "no signal is left"),
        ({"trained_betas": [0.1, 3.0]}, "describes no schedule"),
        ({"timestep_type": "continuous"}, "continuous"),
    ],
)
def test_what_no_scheduler_can_say_is_one_sentence(changes, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        read_model(rewrite(saved(tmp_path), "scheduler/scheduler_config.json", **changes))


@pytest.mark.parametrize("name", ["unet/config.json", "scheduler/scheduler_config.json"])
@pytest.mark.slow
def test_strange_configs_are_read_or_are_one_sentence(name, tmp_path):
    file, chance = saved(tmp_path) / name, random.Random(name)
    tree, refused = json.loads(file.read_text(encoding="utf-8")), 0
    for _ in range(40):
        file.write_text(json.dumps(changed(tree, chance)))
        try:
            read_model(tmp_path)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error), error
    assert 5 < refused < 40


def test_pickles_are_not_opened(tmp_path):
    folder = saved(tmp_path) / "unet"
    file = folder / "diffusion_pytorch_model.safetensors"
    file.rename(folder / "diffusion_pytorch_model.bin")
    with pytest.raises(UserError, match=r"pickle.*convert it with diffusers"):
        read_unet(tmp_path)
    (folder / "diffusion_pytorch_model.bin").unlink()
    with pytest.raises(UserError, match="safetensors is missing"):
        read_unet(tmp_path)
    file.write_bytes(b"not safetensors at all")
    with pytest.raises(UserError, match="is damaged"):
        read_unet(tmp_path)


def test_folders_without_a_model(tmp_path):
    with pytest.raises(UserError, match=r"config.json is missing"):
        read_unet(tmp_path)
    theirs().save_pretrained(tmp_path / "unet")
    with pytest.raises(UserError, match=r"scheduler_config.json is missing"):
        read_model(tmp_path)
    (tmp_path / "unet" / "config.json").write_text("[1]")
    with pytest.raises(UserError, match=r"config\.json: it must be an object, not a list of 1"):
        read_unet(tmp_path)
    (tmp_path / "unet" / "config.json").write_text("{")
    with pytest.raises(UserError, match="read as JSON"):
        read_unet(tmp_path)


def test_an_imported_model_is_a_run(tmp_path, capsys):
    """The command line: a pipeline folder in, a run directory out, and pictures from that."""
    model = theirs(num_class_embeds=3)
    diffusers.DDPMPipeline(model, diffusers.DDPMScheduler()).save_pretrained(tmp_path / "theirs")
    main(["import", str(tmp_path / "theirs"), "--out", str(tmp_path / "run")])
    said = capsys.readouterr().out
    assert "16x16" in said and "sample" in said
    loaded, direct = load(tmp_path / "run"), read_model(tmp_path / "theirs")
    a, b = (m.sample(2, {"class": "1"}, steps=3).raw for m in (loaded, direct))
    assert a.equal(b) and loaded.config == direct.config
    with pytest.raises(SystemExit):
        main(["import", str(tmp_path / "theirs"), "--out", str(tmp_path / "run")])
    assert "is there already" in capsys.readouterr().err
