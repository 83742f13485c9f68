"""Folders that the installed diffusers opens where fogcatcher cannot be imported: the same pictures."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import (
    Category,
    Colour,
    ConditionSpec,
    Number,
    Sentence,
    Tags,
    Text,
)
from fogcatcher.data.conditions.encoded import EncodedText
from fogcatcher.data.kind import Kind
from fogcatcher.data.latents.spec import LatentSpec, open_stage
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.denoiser import (
    Denoiser,
    EDMPreconditioning,
    LearnedVarianceDenoiser,
    PredictEps,
    PredictV,
    StepLabel,
)
from fogcatcher.diffusion.guidance import Clipped
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.sampling.grids import UniformGrid
from fogcatcher.diffusion.sampling.samplers import DDIM, sample
from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    cosine_betas,
    linear_betas,
    zero_terminal_snr,
)
from fogcatcher.exchange.from_diffusers import CLASS, read_model, read_unet
from fogcatcher.exchange.to_diffusers import to_diffusers, write_pipeline, write_unet
from fogcatcher.judging.metrics.programs import load_program
from fogcatcher.model.build import GRIDS, build_denoiser, build_grid
from fogcatcher.model.config import DataConfig, Distilled, Method, NetworkConfig, RunConfig
from fogcatcher.model.model import Model
from fogcatcher.model.model_card import model_card
from fogcatcher.model.presets import PRESETS
from fogcatcher.networks.ddpm_unet import DDPMUNet, UNetShape
from fogcatcher.networks.embeddings import Vector
from fogcatcher.training.fit import Plan
from tests.latent_models import exact_stage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("diffusers") is None, reason="writes what the installed diffusers reads"
    ),
]


KIND = Category("kind", ("hero", "food", "spell"))
SIZE = Number("size", 1.0, 5.0)
SAID = Sentence("said", "/home/somebody/encoder", 4, "0")
HEARD = EncodedText("heard", "/home/somebody/encoder", 4, "0", 3)
ASKABLE = ConditionSpec(
    (
        KIND,
        SIZE,
        Tags("marks", ("dark", "flying")),
        Colour("colour"),
        Text("caption", ("red", "ice")),
        SAID,
        HEARD,
    )
)
STEPS = 6


def moved(network: torch.nn.Module, scale: float = 0.1) -> None:
    """Add something to every weight, so that none is 0 or 1 and hides a mistake."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_((0.3 if weight.ndim == 1 else scale) * torch.randn(weight.shape, generator=generator))


def unet(shape: UNetShape, attributes=None, answers: int = 1) -> DDPMUNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = DDPMUNet(3, shape, attributes, answers)
    moved(network)
    return network.eval()


def config(pictures: Kind, method: Method, looks: bool = False) -> RunConfig:
    network = NetworkConfig(width=16, levels=1, options={"cross_attention": True} if looks else {})
    return RunConfig(pictures, method, network, Plan(steps=10), DataConfig("/home/somebody", (), 12, "0"))


def model(pictures: Kind, method: Method, *attributes, scale: float = 0.1) -> Model:
    looks = any(isinstance(attribute, Text) for attribute in attributes)
    conditions, settings = ConditionSpec(attributes), config(pictures, method, looks)
    denoiser = build_denoiser(settings, conditions)
    moved(denoiser, scale)
    return Model(denoiser, settings, conditions)


SHAPE = UNetShape((8, 16), (False, True), (False, True), (False, False), (False, False), blocks=1, groups=4)
PLAIN = PictureSpec(16, 16, 3, hard_alpha=False, sigma_data=0.5)
BETAS = BetaSchedule(linear_betas(1000))


def unet_model(first: int) -> Model:
    denoiser = Denoiser(unet(SHAPE), Process(BETAS), PredictEps(StepLabel(1000, first)))
    return Model(denoiser, config(PLAIN, PRESETS["ddpm"]), ConditionSpec())


RGBA = model(PictureSpec(12, 10, 4, hard_alpha=True, sigma_data=0.7), PRESETS["default"], KIND)
GREY = model(PictureSpec(8, 8, 1, hard_alpha=False, sigma_data=0.5), PRESETS["v_cosine"])
RGB = model(
    PictureSpec(8, 10, 3, hard_alpha=False, sigma_data=0.5), PRESETS["ddpm"], KIND, SIZE, SAID, scale=0.3
)
STUDENT = replace(RGBA.config, distilled=Distilled("consistency", 3, "straight", 6, 1.0, "rgba", "0", ""))
# The same network, as one that draws in three steps.
FEW = Model(RGBA.denoiser, STUDENT, RGBA.conditions)
WORDS = model(
    PictureSpec(12, 10, 3, hard_alpha=False, sigma_data=0.5),
    PRESETS["default"],
    Text("caption", ("red", "blue", "dragon", "hat")),
    scale=0.3,
)
STAGE = exact_stage(channels=4, side=16, hash="for diffusers")
open_stage(STAGE)
LATENT = model(
    LatentSpec(STAGE.pictures, channels=16, factor=2, shift=3.0, scale=0.2, autoencoder=STAGE.hash),
    PRESETS["default"],
    Text("caption", ("red", "blue", "dragon", "hat")),
    scale=0.1,
)
MODELS = {
    "rgba": RGBA,
    "latent": LATENT,
    "words": WORDS,
    "few": FEW,
    "grey": GREY,
    "rgb": RGB,
    "from 0": unet_model(0),
    "from 1": unet_model(1),
}

# What is asked: name -> model, condition, guidance, seeds.
DRAWINGS: dict[str, tuple[str, object, object, list[int]]] = {
    "a category": ("rgba", {"kind": "food"}, 2.0, [0, 1, 7, 900]),
    "one picture": ("rgba", {"kind": "food"}, 2.0, [7]),
    "a mix": ("rgba", {"kind": {"hero": 1, "spell": 0.6}}, 1.0, [0, 1]),
    "without guidance's condition": ("rgba", {"kind": "food"}, 0.0, [0, 1]),
    "one wish each": ("rgba", [{"kind": "food"}, {}], 3.0, [0, 1]),
    "nothing asked": ("rgba", None, 2.0, [6, 7, 8, 17, 25]),
    "steps of its own": ("few", {"kind": "food"}, 1.0, [0, 7]),
    "nothing to ask": ("grey", None, 2.0, [0, 1, 2]),
    "two conditions": ("rgb", {"kind": "hero", "size": 4.5}, 2.5, [3, 4]),
    "words": ("words", {"caption": "a red dragon"}, 2.0, [0, 1, 7]),
    "words in latents": ("latent", {"caption": "a red dragon"}, 2.0, [0, 1, 7]),
    "words and silence": ("words", [{"caption": "blue hat"}, {}], 3.0, [3, 4]),
    "a scale each": ("rgb", {"kind": "hero", "size": 4.5}, {"kind": 2.5, "size": 0.5}, [3, 4]),
}
UNETS: dict[str, dict] = {
    "as in DDPM": {"pad_after": True, "frequency_shift": 1.0, "eps": 1e-6, "dropout": 0.1},
    "as in improved DDPM": {"scale_shift": True, "cosine_first": True, "frequency_shift": 0.0, "heads": 2},
    "as in ADM": {
        "scale_shift": True,
        "blocks_down": (True, True),
        "blocks_up": (True, True),
        "head_channels": 4,
        "middle_groups": 2,
    },
    "other settings": {
        "widths": (9, 18, 18),
        "attention_down": (True, False, False),
        "attention_up": (False, True, False),
        "blocks_down": (False, True, False),
        "blocks_up": (False, False, True),
        "blocks": 2,
        "groups": 3,
        "embedding": 20,
        "recentred": True,
        "middle_divisor": 1.7,
        "middle_groups": 3,
    },
    "no attention, no middle": {
        "attention_down": (False, False),
        "attention_up": (False, False),
        "middle": False,
    },
    "no attention in the middle, twice the answers": {"middle_attention": False},
    "classes": {},
}
WISHES: dict[str, list] = {
    "kind": ["spell", {"hero": 1, "food": 0.5}, None],
    "size": [1.0, 3.7, "2.5", None],
    "marks": ["flying, -dark", ["dark"], None],
    "colour": ["#20c0ff", "teal", [255, 1, 9], "black", None],
    "caption": ["Red ice, red plum!", None, "ice " * 40],
    "said": [None],
    "heard": [None],
}

ELSEWHERE = """
import importlib.abc, json, os, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("fogcatcher", "jaxtyping", "tyro", "tests"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Missing())
for name in ("fogcatcher", "jaxtyping"):
    try:
        __import__(name)
        raise SystemExit(f"{name} can be imported")
    except ImportError:
        pass

import torch
from diffusers import DDIMPipeline, DDPMPipeline, DiffusionPipeline, UNet2DModel
from pathlib import Path
from safetensors.torch import load_file, save_file

asked = json.load(sys.stdin)
out = Path(sys.argv[1])
tensors, pipes, numbers = {}, {}, {}

def keep(name, pt, images):
    tensors[name] = pt.contiguous()
    for i, image in enumerate(images):
        image.save(out / f"{name} {i}.png")

for name, (folder, call) in asked["drawings"].items():
    if folder not in pipes:
        pipes[folder] = DiffusionPipeline.from_pretrained(folder, trust_remote_code=True)
        pipes[folder].set_progress_bar_config(disable=True)
    pipe = pipes[folder]
    keep(name, pipe(**call, output_type="pt").images, pipe(**call).images)

encode = sys.modules[type(pipe).__module__].encode
numbers["encoded"] = {
    a["name"]: [encode(a, wish).tolist() for wish in asked["wishes"][a["name"]]]
    for a in asked["attributes"] if a["name"] in asked["wishes"]
}
numbers["times"] = {}
for grid in asked["grids"]:
    pipe.denoiser.facts["grid"] = grid
    numbers["times"][grid["name"]] = [pipe._times(steps).tolist() for steps in (1, 7, 20)]
numbers["errors"] = []
elsewhere = pipe.denoiser.to("meta")  # a device that has no numbers, but notices tensors of another
rows = {a["name"]: torch.zeros(2, a["features"], device="meta") for a in pipe.attributes}
answer = elsewhere(torch.zeros(2, 3, 8, 10, device="meta"), torch.tensor(0.5).double(), rows)
numbers["moved"] = [str(pipe.device), str(answer.device), list(answer.shape)]
pipe = pipes[asked["drawings"]["a category"][0]]
for call in ({"kind": "fod"}, {"colour": "red"}, {"num_inference_steps": 0}, {"num_images": 2, "seeds": [1]}):
    try:
        pipe(**call)
    except ValueError as error:
        numbers["errors"].append(str(error))
for call in ({"num_inference_steps": 20}, {"guidance_scale": 2.0}):
    try:
        pipes[asked["drawings"]["steps of its own"][0]](**call)
    except ValueError as error:
        numbers["errors"].append(str(error))

for name, folder in asked["unets"].items():
    given = load_file(f"{folder}/inputs.safetensors")
    with torch.no_grad():
        unet = UNet2DModel.from_pretrained(folder)
        tensors[name] = unet(given["x"], given["i"], given.get("labels")).sample

for name, folder in asked["ddim"].items():
    pipe = DiffusionPipeline.from_pretrained(folder)
    assert type(pipe) is DDIMPipeline, type(pipe)
    pipe.set_progress_bar_config(disable=True)
    def call(kind):
        given = {"num_inference_steps": 10, "use_clipped_model_output": True, "output_type": kind}
        return pipe(2, [torch.Generator().manual_seed(seed) for seed in (3, 5)], **given).images
    keep(name, call("pt"), call("pil"))
pipe = DiffusionPipeline.from_pretrained(asked["ddpm"])
assert type(pipe) is DDPMPipeline, type(pipe)
numbers["ddpm"] = [image.size for image in pipe(num_inference_steps=2).images]

for folder, code in asked["usage"].items():
    os.chdir(folder)
    exec(code, {})
pipes[folder].save_pretrained(out / "copy")
save_file(tensors, out / "tensors.safetensors")
(out / "numbers.json").write_text(json.dumps(numbers))
"""


def unet_of(name: str) -> DDPMUNet:
    classes = {CLASS: Vector(5)} if name == "classes" else None
    return unet(replace(SHAPE, **UNETS[name]), classes, answers=2 if "twice" in name else 1)


def inputs() -> dict[str, torch.Tensor]:
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return {"x": x, "i": torch.tensor([0.0, 3.0, 411.0, 999.0])}


def usage(folder: Path) -> str:
    found = re.search(r"```python\n(.+?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def waiting(tmp_path_factory) -> Iterator[tuple[subprocess.Popen, Path]]:
    """A program without fogcatcher, which loads diffusers meanwhile and then waits; and its folder."""
    out = tmp_path_factory.mktemp("elsewhere")
    (out / "elsewhere.py").write_text(ELSEWHERE)
    command = [sys.executable, "-I", str(out / "elsewhere.py"), str(out)]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=out, stdin=pipe, stdout=nowhere, stderr=pipe, text=True) as program:
        yield program, out
        program.kill()


@pytest.fixture(scope="module")
def exported(waiting, tmp_path_factory) -> Path:
    """One folder with every model and network in it."""
    root = tmp_path_factory.mktemp("exported")
    for name, one in MODELS.items():
        to_diffusers(one, root / name, Image.new("RGB", (4, 4)) if name == "rgba" else None)
    for name in UNETS:
        write_unet(unet_of(name), root / name, (16, 16))
        labels = {"labels": torch.tensor([4, 0, 2, 1])} if name == "classes" else {}
        save_file({**inputs(), **labels}, root / name / "inputs.safetensors")
    learned = LearnedVarianceDenoiser(
        unet(SHAPE, answers=2), Process(BETAS), PredictEps(StepLabel(1000, first=0))
    )
    write_pipeline(learned, root / "learned", (16, 16))
    return root


@pytest.fixture(scope="module")
def elsewhere(waiting, exported) -> Path:
    """What that program made of all the folders."""
    program, out = waiting
    drawings = {}
    for name, (which, wish, guidance, seeds) in DRAWINGS.items():
        named = wish if isinstance(wish, dict) else {"conditions": wish}
        call = {**named, "seeds": seeds}
        if which != "few":
            call |= {"guidance_scale": guidance, "num_inference_steps": STEPS}
        drawings[name] = (str(exported / which), call)
    asked = {
        "drawings": drawings,
        "wishes": WISHES,
        "attributes": [{**asdict(a), "type": a.kind, "features": a.features} for a in ASKABLE.attributes],
        "grids": [{"name": name, **vars(build_grid(name, PRESETS["ddpm"]))} for name in GRIDS],
        "unets": {name: str(exported / name) for name in UNETS},
        "ddim": {name: str(exported / name) for name in ("from 0", "from 1")},
        "ddpm": str(exported / "learned"),
        "usage": {str(exported / name): usage(exported / name) for name in ("from 0", "rgba")},
    }
    _, errors = program.communicate(json.dumps(asked), timeout=300)
    assert program.returncode == 0, errors[-3000:]
    return out


@pytest.fixture(scope="module")
def tensors(elsewhere) -> dict[str, torch.Tensor]:
    return load_file(elsewhere / "tensors.safetensors")


@pytest.fixture(scope="module")
def numbers(elsewhere) -> dict:
    return json.loads((elsewhere / "numbers.json").read_text())


def same_images(found: Path, name: str, expected: list[Image.Image]) -> None:
    for i, image in enumerate(expected):
        with Image.open(found / f"{name} {i}.png") as theirs:
            assert theirs.mode == image.mode
            difference = np.asarray(theirs).astype(int) - np.asarray(image).astype(int)
            assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("name", DRAWINGS)
def test_same_pictures(name, elsewhere, tensors):
    which, wish, guidance, seeds = DRAWINGS[name]
    steps = 3 if which == "few" else STEPS
    drawing = MODELS[which].sample(condition=wish, guidance=guidance, seeds=seeds, steps=steps)  # type: ignore[arg-type]
    raw = drawing.raw.contiguous()
    if which == "latent":
        raw = STAGE.network.decode(raw / 0.2 + 3).detach()
    assert (raw.abs() < 0.99).float().mean() > 0.2
    torch.testing.assert_close(tensors[name], raw, atol=1e-4, rtol=0)
    same_images(elsewhere, name, drawing.images)


def test_what_is_asked_matters(tensors):
    """The cases above are different pictures, so none of them passes by ignoring what was asked."""
    seed_0 = [tensors[name][0] for name in DRAWINGS if name in ("a category", "a mix", "one wish each")]
    seed_0 += [tensors["without guidance's condition"][0]]
    assert all((a - b).abs().max() > 1e-2 for i, a in enumerate(seed_0) for b in seed_0[:i])
    assert (tensors["two conditions"] - tensors["a scale each"]).abs().max() > 1e-2


def test_wishes_become_the_same_numbers(numbers):
    for attribute in ASKABLE.attributes:
        if attribute.name in WISHES:
            expected = torch.stack([attribute.encode(wish) for wish in WISHES[attribute.name]])
            found = torch.tensor(numbers["encoded"][attribute.name])
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_every_grid_has_the_same_times(numbers):
    schedule = RGB.denoiser.process.schedule
    for name in GRIDS:
        for steps, found in zip((1, 7, 20), numbers["times"][name], strict=True):
            expected = build_grid(name, PRESETS["ddpm"])(schedule, steps)
            times = torch.tensor(found, dtype=torch.float64)
            torch.testing.assert_close(times, expected, atol=1e-8, rtol=0)


def test_the_programs_move_as_a_whole(numbers):
    assert numbers["moved"] == ["meta", "meta", [2, 3, 8, 10]]


def test_mistakes_there_are_sentences(numbers):
    sentences = ["unknown kind 'fod'", "unknown condition 'colour'", "at least 1 step", "with 1 seeds"]
    sentences += 2 * ["this model draws in its own 3 steps"]
    assert len(numbers["errors"]) == len(sentences)
    assert all(start in found for start, found in zip(sentences, numbers["errors"], strict=True))


def test_the_card_says_how_to_draw(exported, elsewhere):
    """Its code was run, where it stands, and left a picture."""
    with Image.open(exported / "rgba" / "picture.png") as drawn:
        expected = RGBA.sample(condition={"kind": "hero"}, seeds=[0]).images[0]
        assert np.abs(np.asarray(drawn).astype(int) - np.asarray(expected).astype(int)).max() <= 1
    assert (exported / "from 0" / "picture.png").exists()
    card = (exported / "rgba" / "README.md").read_text(encoding="utf-8")
    assert card.startswith('---\nlicense: "unknown"\nlibrary_name: "diffusers"\n')
    assert "](sheet.png)" in card and (exported / "rgba" / "sheet.png").exists()
    assert "sheet" not in (exported / "grey" / "README.md").read_text(encoding="utf-8")


def test_a_saved_pipeline_is_a_copy(exported, elsewhere):
    for file in (exported / "rgba").rglob("*.*"):
        assert (elsewhere / "copy" / file.relative_to(exported / "rgba")).read_bytes() == file.read_bytes()


def test_nothing_tells_where_it_was_made(exported):
    told = [str(Path.cwd()).encode(), str(exported).encode(), b"site-packages", b"/home/somebody"]
    for file in exported.rglob("*.*"):
        content = file.read_bytes()
        assert not any(place in content for place in told), file
    assert "said (text, by encoder)" in (exported / "rgb" / "README.md").read_text(encoding="utf-8")


def test_a_card_with_a_licence_asks_for_none():
    card = model_card(
        RGBA.config, RGBA.conditions, "pass", title="Foods", licence="cc0-1.0", tags=["pixel-art"]
    )
    assert card.startswith('---\nlicense: "cc0-1.0"\n') and "Fill it in" not in card
    assert '"pixel-art"]' in card and "\n# Foods\n" in card and "```python\npass\n```" in card


@pytest.mark.parametrize("name", ["denoiser", "rates", "times"])
def test_programs_are_nothing_but_arithmetic(name, exported):
    load_program(exported / "rgb" / "denoiser" / f"{name}.pt2")


@pytest.mark.parametrize("name", ["from 0", "from 1"])
def test_ten_steps_of_their_ddim(name, elsewhere, tensors):
    """From the same noise; ours would start at sigma(1) = 0.99998 of it."""
    one, noise = MODELS[name], SampleGenerator([3, 5])
    grid, x = UniformGrid()(BETAS, 10), noise.randn_like(torch.empty(2, 3, 16, 16))
    *_, last = sample(Clipped(one.denoiser), x, grid, DDIM(), noise)
    assert last.x.std() > 0.1
    torch.testing.assert_close(tensors[name] * 2 - 1, last.x, atol=1e-4, rtol=0)
    same_images(elsewhere, name, one.sample(seeds=[3, 5], steps=10, sampler="ddim").images)


def test_a_plain_model_brings_no_code(exported, numbers):
    for name in ("from 0", "from 1", "learned"):
        assert not list((exported / name).rglob("*.py")) and not list((exported / name).rglob("*.pt2"))
    assert numbers["ddpm"] == [[16, 16]]


@pytest.mark.parametrize("name", UNETS)
def test_their_network_answers_the_same(name, tensors):
    network, given = unet_of(name), inputs()
    cond = {CLASS: torch.eye(5)[[4, 0, 2, 1]]} if name == "classes" else None
    with torch.no_grad():
        expected = network(given["x"], given["i"], cond)
    scale = expected.abs().max()
    assert expected.std() > 0.05
    torch.testing.assert_close(tensors[name] / scale, expected / scale, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", UNETS)
def test_what_is_written_is_read_bit_for_bit(name, tmp_path):
    network = unet_of(name)
    write_unet(network.to(memory_format=torch.channels_last), tmp_path, (16, 16))  # type: ignore[call-overload]
    back, facts = read_unet(tmp_path)
    found, expected = back.state_dict(), network.state_dict()
    assert list(found) == list(expected) and all(found[key].equal(expected[key]) for key in found)
    assert (facts.size, facts.answers) == ((16, 16), 2 if "twice" in name else 1)
    with torch.no_grad():
        given = inputs()
        torch.testing.assert_close(back(given["x"], given["i"]), network(given["x"], given["i"]))


@pytest.mark.parametrize(
    ("betas", "kind"),
    [
        (linear_betas(1000), PredictEps),
        (cosine_betas(400), PredictV),
        (zero_terminal_snr(linear_betas()), PredictV),
    ],
)
def test_a_pipeline_is_read_back(betas, kind, tmp_path):
    denoiser = Denoiser(
        unet_of("classes"), Process(BetaSchedule(betas)), kind(StepLabel(len(betas), first=0))
    )
    write_pipeline(denoiser, tmp_path, (16, 16))
    back, x, t = read_model(tmp_path).denoiser, inputs()["x"], torch.tensor([0.05, 0.3, 0.7, 0.99]).double()
    schedule = back.process.schedule
    assert isinstance(schedule, BetaSchedule) and schedule.betas.equal(betas)
    with torch.no_grad():
        # At t = 0.99 eps counts a hundred times, and so does its rounding.
        torch.testing.assert_close(back(x, t), denoiser(x, t), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["as in DDPM", "as in improved DDPM", "other settings"])
def test_counting_from_0_changes_nothing_else(name, tmp_path):
    """The exported network says at i what ours says at i + 1."""
    network = unet_of(name)
    write_pipeline(Denoiser(network, Process(BETAS), PredictEps(StepLabel(1000))), tmp_path, (16, 16))
    back, given = read_unet(tmp_path)[0], inputs()
    with torch.no_grad():
        expected = network(given["x"], given["i"] + 1)
        torch.testing.assert_close(back(given["x"], given["i"]), expected, atol=1e-4, rtol=0)
        assert (network(given["x"], given["i"]) - expected).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dims": 1}, "not two-dimensional"),
        ({"linear_attention": True}, "attention is linear"),
        ({"standardise": True}, "standardised"),
        ({"divisor": 1.4}, "divided"),
        ({"frequencies": 32}, "waves"),
        ({"groups": 16}, "do not divide"),
        ({"middle_groups": 0}, "middle has no norm"),
        ({"heads": 2, "attention_down": (True, True)}, "heads differ"),
    ],
)
def test_networks_that_diffusers_does_not_know(changes, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        write_unet(DDPMUNet(3, replace(SHAPE, **changes)), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_more_that_diffusers_does_not_know(tmp_path):
    three = replace(SHAPE, widths=(8, 8, 8), attention_down=(True,) * 3, attention_up=(False,) * 3)
    mixed = replace(three, blocks_down=(True, False, False), blocks_up=(False,) * 3)
    with pytest.raises(UserError, match="in two ways"):
        write_unet(DDPMUNet(3, mixed), tmp_path)
    with pytest.raises(UserError, match="one table of classes"):
        write_unet(DDPMUNet(3, SHAPE, {"kind": Vector(3), "size": Vector(2)}), tmp_path)
    with pytest.raises(UserError, match="no network like UNet"):
        write_pipeline(RGB.denoiser, tmp_path, (8, 10))
    network, label = DDPMUNet(3, SHAPE), StepLabel(1000, first=0)
    for process, c, sentence in (
        (Process(CosineSchedule()), PredictV(label), "table of betas"),
        (Process(BETAS), EDMPreconditioning(label), "predicts eps, x0 or v"),
        (Process(BETAS), PredictEps(), "number of the step"),
        (Process(BETAS), PredictEps(StepLabel(500)), "number of the step"),
    ):
        with pytest.raises(UserError, match=sentence):
            write_pipeline(Denoiser(network, process, c), tmp_path, (16, 16))


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(UserError, match="is not empty: name a new folder"):
            to_diffusers(GREY, place)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
