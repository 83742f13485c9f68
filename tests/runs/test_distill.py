"""A run made from a run: what the student is, how it draws, and how it goes on."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from fogcatcher.base.errors import UserError
from fogcatcher.diffusion.distillation import Progressive
from fogcatcher.diffusion.matching import Matching
from fogcatcher.explain.comparing import Axis, Request, compare
from fogcatcher.model.model import Model, load
from fogcatcher.model.reproduction import reproduce
from fogcatcher.networks.eyes import LayersSeen
from fogcatcher.runs.distill import DistillSetup, prepare_distillation
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from fogcatcher.training.micro_batches import leave_gradient
from tests.small_trainings import save_pictures


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Path, Path, Path]:
    """Folders of pictures, of their teacher and of a student in two steps."""
    folder = tmp_path_factory.mktemp("distill")
    save_pictures(folder / "data", 40)
    setup = Setup(str(folder / "data"), folder / "teacher", steps=4, size_of_model="tiny", start_from="none")
    for _ in follow(prepare(setup)):
        pass
    for _ in follow(prepare_distillation(student_of(folder / "teacher", folder / "student", updates=6))):
        pass
    return folder / "data", folder / "teacher", folder / "student"


def student_of(teacher: Path, out: Path, **choices) -> DistillSetup:
    return DistillSetup(str(teacher), out=out, **{"steps": 2, "teacher_steps": 4, "guidance": 2.0, **choices})


def calls(model: Model) -> list[int]:
    """Return how many pictures every call of the network sees, for one drawing."""
    seen: list[int] = []
    hook = model.denoiser.network.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    model.sample(3)
    hook.remove()
    return seen


def test_the_student_starts_as_its_teacher_and_says_who_that_was(places):
    _, teacher, student = places
    run = prepare_distillation(student_of(teacher, student.with_name("another"), updates=1))
    theirs = load_file(teacher / "model.safetensors")
    for name, weight in run.state.denoiser.state_dict().items():
        assert torch.equal(weight.cpu(), theirs[name]), name
    few = load(student).config.distilled
    assert few is not None
    assert (few.teacher, few.hash, few.steps, few.guidance) == ("teacher", load(teacher).hash, 2, 2.0)


def test_it_draws_in_two_calls_with_its_guidance_and_its_pictures_say_how(places, tmp_path):
    """The teacher takes two calls for each of its 20 steps."""
    _, teacher, student = places
    assert calls(load(student)) == [3, 3]
    assert calls(load(teacher)) == 40 * [3]
    drawing = load(student).sample(2)
    made = drawing.made[0].settings
    assert (made.sampler, made.steps, made.guidance, made.grid) == ("ddim", 2, 1.0, "straight")
    drawing.save(tmp_path / "drawn")
    assert reproduce(tmp_path / "drawn" / "00001.png", str(student)).different == 0


@pytest.mark.parametrize(("choice", "value"), [("steps", 8), ("sampler", "heun"), ("guidance", 3.0)])
def test_another_way_of_drawing_is_refused(places, choice, value):
    model = load(places[2])
    with pytest.raises(UserError, match=f"made to draw in 2 steps of ddim.*leave out {choice}"):
        model.sample(1, **{choice: value})
    with pytest.raises(UserError, match=f"leave out {choice}"):
        compare(Request(str(places[2])), [Axis(choice, [value])])


@pytest.mark.parametrize("method", ["progressive", "consistency", "reflow", "matching"])
@pytest.mark.slow
def test_a_student_stopped_in_the_middle_goes_on_to_the_same_weights(places, tmp_path, method):
    """Its teacher lies in its own folder: the first one may be gone."""
    data, teacher, student = places
    choices: dict[str, Any] = {"updates": 6, "method": method}
    if method == "matching":
        choices |= {"teacher_steps": None, "guidance": None}
    if method != "progressive":
        student = tmp_path / "whole"
        for _ in follow(prepare_distillation(student_of(teacher, student, **choices))):
            pass
    run = prepare_distillation(student_of(teacher, tmp_path / "stopped", **choices))
    steps = follow(run)
    for progress in steps:
        if progress.step == 3:
            steps.close()
            break
    moved = teacher.rename(teacher.with_name("moved"))
    try:
        for _ in follow(resume(tmp_path / "stopped", str(data))):
            pass
    finally:
        moved.rename(teacher)
    whole, gone_on = (load_file(place / "model.safetensors") for place in (student, tmp_path / "stopped"))
    assert all(torch.equal(whole[name], gone_on[name]) for name in whole)


def test_what_cannot_be_distilled_is_refused_in_words(places, tmp_path):
    _, teacher, student = places
    cases = {
        "the nearest number of steps is 2": student_of(teacher, tmp_path / "a", steps=3),
        "from 1 to 3 steps here, not 4": student_of(teacher, tmp_path / "a", steps=4),
        "it can teach fewer": student_of(student, tmp_path / "a", steps=4, teacher_steps=8),
        "with the guidance of its teacher": student_of(student, tmp_path / "a", steps=1, teacher_steps=2),
        "method": student_of(teacher, tmp_path / "a", method="magic"),
        "guidance leads away": student_of(teacher, tmp_path / "a", method="matching"),
        "leave out teacher_steps": student_of(teacher, tmp_path / "a", method="matching", guidance=1.0),
        "its own steps: learn from its teacher, teacher": student_of(
            student, tmp_path / "a", method="matching", steps=1, teacher_steps=2, guidance=1.0
        ),
    }
    for said, setup in cases.items():
        with pytest.raises(UserError, match=said):
            prepare_distillation(setup)


def test_a_batch_to_match_goes_through_memory_in_parts(places, tmp_path):
    """Each part is matched by itself: half of it is the mean of two distances."""
    setup = DistillSetup(str(places[1]), out=tmp_path / "new", steps=2, method="matching", updates=1)
    run = prepare_distillation(setup)
    assert isinstance(run.objective, Matching) and isinstance(run.objective.eyes, LayersSeen)
    x0, told = run.batches.at(0, 8)
    student, known = run.state.denoiser, torch.Generator().manual_seed(0)
    loss = leave_gradient(student, run.objective, x0, told, known, 4)
    halves, known = [slice(0, 4), slice(4, 8)], torch.Generator().manual_seed(0)
    each = [
        run.objective(student, x0[half], {name: rows[half] for name, rows in told.items()}, known)
        for half in halves
    ]
    assert loss.item() == pytest.approx(torch.stack(each).mean().item(), abs=1e-6)
    assert all(weight.grad is None for weight in run.objective.eyes.denoiser.parameters())


def test_a_student_teaches_another_one_of_half_its_steps(places, tmp_path):
    """The rounds of progressive distillation: Salimans & Ho 2022, algorithm 2."""
    setup = DistillSetup(str(places[2]), out=tmp_path / "one", steps=1, method="progressive", updates=2)
    for _ in follow(prepare_distillation(setup)):
        pass
    assert calls(load(tmp_path / "one")) == [3]


def test_a_progressive_student_learns_from_four_steps_of_second_order_for_each_of_its_own(places, tmp_path):
    """Those of a student are DDIM's, for it is right nowhere else."""
    _, teacher, student = places
    for of, steps, expected in (
        (teacher, 2, (8, "dpmpp_2m", True)),
        (student, 1, (2, "ddim", False)),
    ):
        setup = DistillSetup(str(of), out=tmp_path / "new", steps=steps, method="progressive", updates=1)
        run = prepare_distillation(setup)
        few, objective = run.config.distilled, run.objective
        assert few is not None and isinstance(objective, Progressive)
        assert (few.teacher_steps, few.solver, objective.second_order) == expected
