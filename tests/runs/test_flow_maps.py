"""Students that are told where their steps go: how they begin, draw in any of their numbers, and go on."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fogcatcher.base.errors import UserError
from fogcatcher.data.options import DataOptions
from fogcatcher.diffusion.edits.variation import Vary
from fogcatcher.diffusion.flow_maps import UNTIL, FlowMap, until
from fogcatcher.exchange import onnx_runtime
from fogcatcher.exchange.to_onnx import to_onnx
from fogcatcher.exchange.to_torch import to_torch
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.config import Distilled
from fogcatcher.model.model import Model, load
from fogcatcher.model.reproduction import reproduce
from fogcatcher.model.told_where import begin_as
from fogcatcher.runs.distill import DistillSetup, prepare_distillation
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from tests.commands import fogcatcher, refused
from tests.random_models import random_model
from tests.runs.test_distill import calls
from tests.small_trainings import save_pictures


def teacher_in(folder: Path, name: str = "teacher", **choices) -> Path:
    """A run of two steps on the pictures of the folder."""
    setup = Setup(
        str(folder / "data"),
        folder / name,
        steps=2,
        start_from="none",
        **{"size_of_model": "tiny", **choices},
    )
    for _ in follow(prepare(setup)):
        pass
    return folder / name


def student_of(teacher: Path | str, out: Path, **choices) -> DistillSetup:
    return DistillSetup(str(teacher), out=out, method="meanflow", **{"steps": 4, "updates": 6, **choices})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With pictures, their teacher and a student of at most four steps that has learned for six."""
    folder = tmp_path_factory.mktemp("maps")
    save_pictures(folder / "data", 40)
    teacher_in(folder)
    for _ in follow(prepare_distillation(student_of(folder / "teacher", folder / "student"))):
        pass
    return folder


@pytest.fixture(scope="module")
def student(folder: Path) -> Model:
    return load(folder / "student")


def test_before_it_learns_it_answers_as_its_teacher_wherever_its_steps_go():
    """To the bit; and what it hears of them would change its answers, if it were not begun with zeros."""
    teacher = random_model()
    few = Distilled("meanflow", 8, "straight", 1024, 1.0, "teacher", "0", "")
    student = build_denoiser(replace(teacher.config, distilled=few), teacher.conditions)
    begin_as(student, teacher)
    made = torch.Generator().manual_seed(0)
    x_t = torch.randn(6, *teacher.config.kind.shape, generator=made)
    t = torch.linspace(1, 0.01, 6, dtype=torch.float64)
    cond = {name: rows.expand(6, -1) for name, rows in teacher.encoded([{"kind": "hero"}]).items()}
    told = [{UNTIL: until(student.process.schedule, t, share * t).float()} for share in (0.0, 0.5, 1.0)]
    with torch.no_grad():
        expected = teacher.denoiser(x_t, t, cond)
        assert all(torch.equal(student(x_t, t, {**cond, **end}), expected) for end in ({}, *told))
        (table,) = (weight for name, weight in student.named_parameters() if "until" in name)
        table.normal_(generator=made)
        answers = [student(x_t, t, {**cond, **end}) for end in told]
    assert all((a - b).abs().max() > 1e-3 for a, b in itertools.combinations([expected, *answers], 2))


def test_it_draws_in_each_of_its_numbers_of_steps_and_says_so(student, folder, tmp_path):
    assert isinstance(student.denoiser, FlowMap)
    assert calls(student) == 4 * [3]  # where nothing is said, in the most
    for steps in (1, 2, 4):
        drawing = student.sample(2, steps=steps)
        assert drawing.made[0].settings.steps == steps
        drawing.save(tmp_path / str(steps))
        again = reproduce(tmp_path / str(steps) / "00001.png", str(folder / "student"))
        assert again.different == 0


@pytest.mark.parametrize("steps", [3, 8, 20])
def test_another_number_of_steps_is_refused_with_those_that_are_not(student, steps):
    with pytest.raises(UserError, match="made to draw in 1, 2 or 4 steps of ddim: choose one of these"):
        student.sample(1, steps=steps)


@pytest.mark.parametrize(("choice", "value"), [("sampler", "heun"), ("guidance", 3.0), ("grid", "karras")])
def test_another_way_of_drawing_is_refused(student, choice, value):
    with pytest.raises(UserError, match=f"leave out {choice}"):
        student.sample(1, **{choice: value})


def test_the_command_line_takes_them_too(folder, tmp_path, capsys):
    told = ("sample", str(folder / "student"), "-n", "2", "--out", str(tmp_path / "drawn"), "--steps")
    assert fogcatcher(*told, "2", capsys=capsys)[0] == 0
    assert "1, 2 or 4 steps" in refused(*told, "3", capsys=capsys)


def test_a_picture_is_varied_along_the_rest_of_its_grid(student):
    """With full strength the guide is forgotten; with less it is not."""
    guide = student.sample(1, seeds=[5]).rows
    fresh = student.sample(2)
    whole, some = (student.sample(2, edit=Vary(guide, strength)) for strength in (1.0, 0.3))
    assert torch.equal(whole.rows, fresh.rows)
    near, far = ((d.raw - student.config.kind.to_model(guide)).square().mean() for d in (some, fresh))
    assert near < far / 4


@pytest.mark.slow
def test_one_stopped_in_the_middle_goes_on_to_the_same_weights(folder, tmp_path):
    run = prepare_distillation(student_of(folder / "teacher", tmp_path / "stopped"))
    steps = follow(run)
    for progress in steps:
        if progress.step == 3:
            steps.close()
            break
    for _ in follow(resume(tmp_path / "stopped", str(folder / "data"))):
        pass
    whole, gone_on = (
        load_file(place / "model.safetensors") for place in (folder / "student", tmp_path / "stopped")
    )
    assert all(torch.equal(whole[name], gone_on[name]) for name in whole)


def test_what_cannot_learn_so_is_refused_in_words(folder, tmp_path):
    few, method = tmp_path / "few", "progressive"
    setup = DistillSetup(str(folder / "teacher"), out=few, steps=2, method=method, updates=1)
    for _ in follow(prepare_distillation(setup)):
        pass
    cases = {
        "draws in each of 1 2 4 of them: it teaches no other": DistillSetup(
            str(folder / "student"), out=tmp_path / "a", steps=2, updates=1
        ),
        "was distilled itself": student_of(few, tmp_path / "a", steps=1),
        "times of its own steps alone": student_of("ddpm", tmp_path / "a", data=str(folder / "data")),
        "from 1 to 1023 steps here, not 1024": student_of(folder / "teacher", tmp_path / "a", steps=1024),
    }
    for said, setup in cases.items():
        with pytest.raises(UserError, match=said):
            prepare_distillation(setup)


@pytest.mark.slow
def test_networks_and_losses_that_cannot_learn_so_are_refused_in_words(folder, tmp_path):
    cases = {
        "learns its variance": {"preset": "iddpm", "network": "small"},
        "edm2 cannot begin to hear": {"network": "edm2"},
        "course cannot begin to hear": {"network": "course", "options": DataOptions(size=(8, 8))},
    }
    for name, (said, choices) in enumerate(cases.items()):
        teacher = teacher_in(folder, str(name), **choices)
        with pytest.raises(UserError, match=said):
            prepare_distillation(student_of(teacher, tmp_path / "a"))


@pytest.mark.slow
def test_other_programs_draw_with_it_in_its_most_steps(student, tmp_path):
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    to_onnx(student, tmp_path / "student.onnx")
    seeds = [0, 7, 12]
    drawing = student.sample(seeds=seeds)
    theirs = onnx_runtime.load(tmp_path / "student.onnx")
    np.testing.assert_allclose(theirs.raw(seeds=seeds), drawing.raw.numpy(), atol=1e-3)
    with pytest.raises(UserError, match="made to draw in 4 steps"):
        theirs.sample(1, steps=2)


@pytest.mark.slow
def test_a_file_of_torch_answers_for_the_next_of_its_most_steps(student, tmp_path):
    to_torch(student, tmp_path / "student.pt2")
    ask = torch.export.load(tmp_path / "student.pt2").module()
    grid = student.times(student.usual)
    x = torch.randn(3, *student.config.kind.shape, generator=torch.Generator().manual_seed(1))
    conditions = [torch.zeros(3, a.features) for a in student.conditions.attributes]
    ours = student.steered([{}] * 3, student.usual)
    with torch.no_grad():
        for t in grid[:-1]:
            answer = ask(x, t.expand(3), *conditions).clamp(-1, 1)
            assert torch.allclose(answer, ours(x, t.expand(3)), atol=1e-5)
