"""Models in other programs: one ONNX file, drawn from without torch, and one file of torch.export."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

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
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.exact import MixtureDenoiser
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.sampling.samplers import sample
from fogcatcher.exchange import onnx_runtime
from fogcatcher.exchange.to_onnx import facts, to_onnx
from fogcatcher.exchange.to_torch import to_torch
from fogcatcher.exchange.torchless import noise, schedules, wishes
from fogcatcher.exchange.torchless.solvers import Place
from fogcatcher.judging.metrics.programs import load_program
from fogcatcher.model.build import (
    GRIDS,
    SCHEDULES,
    build_denoiser,
    build_grid,
    build_sampler,
    build_schedule,
)
from fogcatcher.model.config import DataConfig, Distilled, Method, NetworkConfig, RunConfig
from fogcatcher.model.model import Model
from fogcatcher.model.presets import PRESETS
from fogcatcher.networks.embeddings import ConditionEmbedding, Vector
from fogcatcher.training.fit import Plan

pytestmark = pytest.mark.slow

KINDS = ConditionSpec(
    (Category("kind", ("hero", "food", "spell")), Number("hp", 1, 9), Text("says", ("red", "potion")))
)
NAMES = ConditionSpec((Category("t", ("left", "right")),))  # a name that is an input's, too


class Tiny(nn.Module):
    """The least network that heeds all it is told: quick to export."""

    def __init__(self, channels: int, conditions: ConditionSpec):
        super().__init__()
        self.condition = ConditionEmbedding(8, {a.name: Vector(a.features) for a in conditions.attributes})
        self.label = nn.Linear(1, 8)
        self.enter, self.leave = nn.Conv2d(channels, 8, 3, padding=1), nn.Conv2d(8, channels, 3, padding=1)

    def forward(self, x, noise_label, cond=None):
        told = self.label(noise_label[:, None])
        told = told + self.condition(cond, told)
        return self.leave(F.silu(self.enter(x) + told[..., None, None]))


def random_model(
    preset: str, channels: int, conditions: ConditionSpec, tiny: bool = True, looks: bool = False
) -> Model:
    """A model with no weight zero, whose conditions say much."""
    config = RunConfig(
        PictureSpec(11, 10, channels, hard_alpha=True, sigma_data=0.7),
        PRESETS[preset],
        NetworkConfig(width=16, levels=2, options={"cross_attention": True} if looks else {}),
        Plan(steps=10),
        DataConfig("/home/somebody/pictures", (), 1, "0"),
    )
    denoiser = build_denoiser(config, conditions)
    if tiny:
        denoiser.network = Tiny(channels, conditions)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in denoiser.named_parameters():
            scale = 3.0 if "condition" in name else 0.1
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return Model(denoiser, config, conditions, "abc123")


CASES = {
    "default": lambda: random_model("default", 4, KINDS, tiny=False),
    "words": lambda: random_model("default", 4, KINDS, tiny=False, looks=True),
    "ddpm": lambda: random_model("ddpm", 1, ConditionSpec()),
    "flow": lambda: random_model("flow", 3, NAMES),
}


@pytest.fixture(scope="module", params=CASES)
def both(request, tmp_path_factory):
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    model, path = CASES[request.param](), tmp_path_factory.mktemp("onnx") / "model.onnx"
    to_onnx(model, path)
    return model, path


def questions(model: Model, n: int, t: float):
    """x_t as it is met at ``t``, the time, and a condition that leaves some unsaid."""
    generator = torch.Generator().manual_seed(n)
    time = torch.full((n,), t, dtype=torch.float64)
    alpha, sigma = model.denoiser.process.rates(time, torch.zeros(n, 1, 1, 1))
    x0, eps = torch.randn(2, n, *model.config.pictures.shape, generator=generator)
    said = [{}, {"kind": "food", "hp": 3}, {"says": "a red potion"}, {"kind": {"hero": 1, "spell": 0.5}}]
    known = [{k: v for k, v in said[i % 4].items() if model.conditions is KINDS} for i in range(n)]
    return alpha * x0 / 2 + sigma * eps, time, model.conditions.encode(known)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("t", [1e-5, 1e-3, 0.3, 0.9, 0.999, 1.0])
def test_the_denoiser_answers_as_torch_does(both, n, t):
    model, path = both
    x_t, time, cond = questions(model, n, t)
    with torch.no_grad():
        expected = model.denoiser(x_t, time, cond).numpy()
    answer = onnx_runtime.load(path).denoise(
        x_t.numpy(), time.numpy(), {name: rows.numpy() for name, rows in cond.items()}
    )
    # Near t = 1 an x0_hat by way of eps is a large number.
    np.testing.assert_allclose(answer, expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddim", "heun"])
@pytest.mark.parametrize("guidance", [0.0, 1.0, 2.0])
def test_a_seed_is_the_same_picture(both, sampler, guidance):
    model, path = both
    seeds = [0, 7, 12, 40, 2**40 + 3]
    drawing = model.sample(seeds=seeds, steps=18, sampler=sampler, guidance=guidance)
    ours = onnx_runtime.load(path)
    raw = ours.raw(seeds=seeds, steps=18, sampler=sampler, guidance=guidance)
    pictures = ours.sample(seeds=seeds, steps=18, sampler=sampler, guidance=guidance)
    np.testing.assert_allclose(raw, drawing.raw.numpy(), atol=1e-3)
    expected = drawing.pictures.permute(0, 2, 3, 1).numpy()
    assert pictures.dtype == np.uint8 and np.mean(pictures != expected) < 0.01
    if model.config.pictures.has_alpha:
        assert set(np.unique(pictures[..., -1])) == {0, 255}


def test_a_student_draws_in_its_own_steps_and_no_others(tmp_path):
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    teacher = random_model("default", 4, KINDS)
    few = Distilled("consistency", 3, "straight", 6, 2.0, "teacher", "0", "")
    model = Model(teacher.denoiser, replace(teacher.config, distilled=few), KINDS)
    to_onnx(model, tmp_path / "student.onnx")
    ours, seeds = onnx_runtime.load(tmp_path / "student.onnx"), [0, 7, 12]
    drawing = model.sample(seeds=seeds)
    np.testing.assert_allclose(ours.raw(seeds=seeds), drawing.raw.numpy(), atol=1e-3)
    assert (teacher.sample(seeds=seeds, steps=3).raw - drawing.raw).abs().max() > 0.01
    assert np.array_equal(ours.raw(seeds=seeds), ours.raw(seeds=seeds, steps=3, guidance=1.0, sampler="ddim"))
    for name, other in (("steps", 20), ("guidance", 2.0), ("sampler", "dpmpp_2m")):
        with pytest.raises(UserError, match=f"made to draw in 3 steps of ddim.*leave out {name}"):
            ours.sample(1, **{name: other})  # type: ignore[arg-type]


def test_wishes_mixes_and_guidance_by_attribute(both):
    model, path = both
    if model.conditions is not KINDS:
        return
    asked = [{"kind": {"hero": 1, "food": 0.6}}, {"kind": "hero:1,food:0.6"}, {"hp": 2, "says": "red"}]
    guidance = {"kind": 3.0, "says": 0.5}
    ours = onnx_runtime.load(path).raw(3, asked, guidance=guidance, steps=6)
    same_seeds = model.sample(3, asked, guidance=guidance, steps=6)
    np.testing.assert_allclose(ours, same_seeds.raw.numpy(), atol=1e-3)
    # The test could not fail if wishes or guidance did nothing.
    for others in (model.sample(3, steps=6, guidance=guidance), model.sample(3, asked, steps=6)):
        assert (others.raw - same_seeds.raw).abs().amax((1, 2, 3)).min() > 0.01


def test_the_file_is_one_valid_graph_and_says_what_drawing_needs(both):
    import onnx

    model, path = both
    onnx.checker.check_model(path, full_check=True)
    graph = onnx.load(path, load_external_data=False)
    assert [opset.version >= 17 for opset in graph.opset_import if opset.domain == ""] == [True]
    names = [f"cond.{a.name}" for a in model.conditions.attributes]
    assert [i.name for i in graph.graph.input] == ["x_t", "t", *names]
    assert [o.name for o in graph.graph.output] == ["x0_hat"]
    assert [p.name for p in path.parent.iterdir()] == ["model.onnx"]
    said = {prop.key: prop.value for prop in graph.metadata_props}
    assert set(said) == {"fogcatcher", "model", "config", "conditions", "schedule", "grid"}
    assert said["model"] == "abc123" and json.loads(said["config"])["data"]["path"] == "pictures"
    content = path.read_bytes()
    assert b"somebody" not in content and str(Path(__file__).parents[2]).encode() not in content


WITHOUT_TORCH = """
import sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "jaxtyping"):
            raise ImportError(f"{name} is not to be imported here")
sys.meta_path.insert(0, Forbidden())
from pathlib import Path
from fogcatcher import onnx_runtime
pictures = onnx_runtime.load(sys.argv[1]).sample(10, steps=4)
onnx_runtime.save(pictures, Path(sys.argv[2]))
assert "torch" not in sys.modules and "jaxtyping" not in sys.modules
"""


def test_drawing_without_torch(both, tmp_path):
    model, path = both
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, str(path), str(tmp_path / "drawn")]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    drawing = model.sample(10, steps=4)
    for i, image in enumerate(drawing.images):
        with Image.open(tmp_path / "drawn" / f"{i:05d}.png") as ours:
            assert ours.mode == image.mode
            assert np.mean(np.asarray(ours) != np.asarray(image)) < 0.01


def test_a_program_of_torch_answers_as_the_model_does(tmp_path):
    model, path = CASES["default"](), tmp_path / "model.pt2"
    to_torch(model, path)
    for load in (torch.export.load, load_program):
        module = load(path).module()
        for n, t in ((1, 1e-3), (5, 0.9), (3, 1.0)):
            x_t, time, cond = questions(model, n, t)
            with torch.no_grad():
                expected, answer = model.denoiser(x_t, time, cond), module(x_t, time, *cond.values())
            torch.testing.assert_close(answer, expected, atol=1e-6, rtol=1e-6)
    with zipfile.ZipFile(path) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"somebody" not in content and str(Path(__file__).parents[2]).encode() not in content


# --- what stands in for torch -------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 5, -1, 2**32 + 5, 2**63 - 1])
@pytest.mark.parametrize("shape", [(1, 2, 3), (3, 5), (16,), (1, 17), (4, 16, 16), (3, 33, 31)])
def test_noise_is_that_of_torch(seed, shape):
    expected = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).numpy()
    ours = noise.randn(seed, shape)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_and_grids_are_ours(schedule, grid):
    method = Method(schedule=schedule, grid=grid)
    model = CASES["ddpm"]()
    model.config = RunConfig(**{**vars(model.config), "method": method})
    theirs = build_schedule(method)
    model.denoiser.process = type(model.denoiser.process)(theirs)
    said = facts(model)
    ours, spacing = json.loads(said["schedule"]), json.loads(said["grid"])
    rtol = 1e-6 if grid == "log_snr" else 1e-9  # its ends are rounded to float32
    for steps in (1, 2, 20, 250):
        expected = build_grid(grid, method)(theirs, steps)
        times = schedules.times(spacing, ours, steps)
        np.testing.assert_allclose(times, expected.numpy(), rtol=rtol, atol=1e-12)
        alpha, sigma = schedules.rates(ours, expected.numpy())
        np.testing.assert_allclose(alpha, theirs.alpha(expected).numpy(), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(sigma, theirs.sigma(expected).numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sampler", onnx_runtime.SOLVERS)
@pytest.mark.parametrize("schedule", ["edm", "flow", "cosine", "iddpm", "ddpm_zero_snr", "sub_vp"])
def test_solvers_take_the_steps_of_ours(schedule, sampler):
    """On a mixture of two normals, whose exact denoiser bends."""
    process = Process(build_schedule(Method(schedule=schedule)))
    means = torch.tensor([[0.5, -0.8], [-0.3, 0.9]], dtype=torch.float64)
    exact = MixtureDenoiser(process, means, torch.tensor([0.3, 0.1], dtype=torch.float64))
    grid = build_grid("uniform", Method())(process.schedule, 12)
    rates = zip(
        grid.tolist(),
        process.schedule.alpha(grid).tolist(),
        process.schedule.sigma(grid).tolist(),
        strict=True,
    )
    places = [Place(*rate) for rate in rates]
    start = process.prior(grid[0], torch.randn(6, 2, generator=torch.Generator().manual_seed(0)).double())
    *_, last = sample(exact, start, grid, build_sampler(sampler), torch.Generator())

    def ask(x, at):
        return exact(torch.from_numpy(x), torch.full((len(x),), at.t, dtype=torch.float64)).numpy()

    np.testing.assert_allclose(
        onnx_runtime.SOLVERS[sampler](ask, start.numpy(), places), last.x.numpy(), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize(
    "attribute, wish",
    [
        (Category("kind", ("hero", "food")), "food"),
        (Category("kind", ("hero", "food")), {"hero": 1, "food": 0.25}),
        (Category("kind", ("hero", "food")), "hero:1, food:0.25"),
        (Category("kind", ("a:1", "true")), "a:1"),
        (Category("kind", ("a:1", "true")), True),
        (Category("kind", ("3", "4")), 4),
        (Tags("marks", ("flying", "dark")), "flying; -dark"),
        (Tags("marks", ("flying", "dark")), ["dark"]),
        (Number("hp", -1, 7), "2.5"),
        (Number("hp", -1, 7), 7),
        (Colour("main"), "teal"),
        (Colour("main"), "#000000"),
        (Colour("main"), [12, 200, 90]),
        (Text("says", ("red", "potion")), "A RED,  glowing potion!"),
        (Text("says", ("red", "potion")), "red " * 40),
        (Text("says", ("red", "potion")), ""),
        (Sentence("prompt", "folder", 8, "0"), None),
        (Colour("main"), None),
        (Text("says", ("red",)), None),
    ],
)
def test_wishes_are_encoded_as_with_torch(attribute, wish):
    expected = attribute.encode(attribute.clean(wish)).numpy()
    ours = wishes.encode(attribute.to_json(), wish, attribute.features)
    np.testing.assert_allclose(ours, expected, atol=1e-5)  # torch counts colours in float32


@pytest.mark.parametrize(
    "attribute, wish",
    [
        (Category("kind", ("hero", "food")), "heroo"),
        (Category("kind", ("hero", "food")), {"hero": 1, "none": 1}),
        (Category("kind", ("hero", "food")), "hero:much"),
        (Tags("marks", ("flying", "dark")), "-wet"),
        (Number("hp", -1, 7), "much"),
        (Number("hp", -1, 7), 8),
        (Number("hp", -1, 7), float("nan")),
        (Colour("main"), "tealish"),
        (Colour("main"), 7),
        (Text("says", ("red", "potion")), "blue sword"),
    ],
)
def test_mistakes_are_told_as_with_torch(attribute, wish):
    with pytest.raises(UserError) as expected:
        attribute.clean(wish)
    with pytest.raises(UserError) as ours:
        wishes.encode(attribute.to_json(), wish, attribute.features)
    assert str(ours.value) == str(expected.value)


def test_a_sentence_needs_torch():
    with pytest.raises(UserError, match=r"a sentence such as prompt needs torch: draw with fogcatcher\.load"):
        wishes.encode(Sentence("prompt", "folder", 8, "0").to_json(), "a red potion", 8)


# --- mistakes -----------------------------------------------------------------------------------


def test_what_cannot_be_drawn_is_said_as_with_torch(both):
    model, path = both
    ours, kind = onnx_runtime.load(path), model.conditions is KINDS
    mistakes = [
        {"sampler": "eular"},
        {"steps": 0},
        {"n": 3, "seeds": [1]},
        {"n": 0},
        {"n": 2, "condition": [{}]},
        {"condition": {"kindd": "hero"}},
        {"guidance": {"kindd": 2.0}},
        *([{"condition": {"kind": "heroo"}}] if kind else []),
    ]
    for mistake in mistakes:
        with pytest.raises(UserError) as expected:
            model.sample(**mistake)
        with pytest.raises(UserError) as said:
            ours.sample(**mistake)
        if "sampler" not in mistake:  # there are fewer of them here
            assert str(said.value) == str(expected.value)


def test_files_that_are_none_of_ours(tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the extra 'onnx'")
    pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    with pytest.raises(UserError, match=r"there is no file .*nowhere\.onnx"):
        onnx_runtime.load(tmp_path / "nowhere.onnx")
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(UserError, match=r"text\.onnx is no ONNX file that can be run"):
        onnx_runtime.load(tmp_path / "text.onnx")
    entry = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "other", [entry], [out])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "other.onnx")
    with pytest.raises(UserError, match=r"other\.onnx was not written by fogcatcher, or is damaged"):
        onnx_runtime.load(tmp_path / "other.onnx")


@pytest.mark.parametrize("library", ["onnx", "onnxscript"])
def test_without_the_extra_it_is_named(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf"needs the '{library}' library: pip install 'fogcatcher\[onnx\]'"):
        to_onnx(CASES["ddpm"](), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_without_the_runtime_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"'onnxruntime' library: pip install 'fogcatcher\[onnx\]'"):
        onnx_runtime.load("model.onnx")
