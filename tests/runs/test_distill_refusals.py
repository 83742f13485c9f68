"""What a student cannot be made of: data of another kind than its teacher's, steps that cannot be."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.runs.distill import DistillSetup, prepare_distillation
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from tests.small_trainings import save_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With a teacher of 12 x 10 pixels in colour with alpha, told labels, and its student in two steps."""
    folder = tmp_path_factory.mktemp("refusals")
    save_pictures(folder / "data", 40)
    setup = Setup(str(folder / "data"), folder / "teacher", steps=2, size_of_model="tiny", start_from="none")
    for _ in follow(prepare(setup)):
        pass
    few = DistillSetup(str(folder / "teacher"), out=folder / "student", steps=2, teacher_steps=8, updates=1)
    for _ in follow(prepare_distillation(few)):
        pass
    return folder


def noise(folder: Path, size: tuple[int, int], channels: int, labels: tuple[str, ...]) -> Path:
    """Thirty pictures in folders of their labels; all in one where there are none."""
    drawn = np.random.default_rng(0)
    for i in range(30):
        path = folder / (labels[i % len(labels)] if labels else "") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = drawn.integers(0, 256, (size[1], size[0], channels), dtype=np.uint8)
        Image.fromarray(pixels.squeeze()).save(path)
    return folder


@pytest.mark.parametrize(
    ("size", "channels", "labels", "said"),
    [
        ((30, 40), 4, ("warm", "cold"), r"30 x 40 pixels \(RGBA\), and the model draws .* 12 x 10 pixels"),
        ((12, 10), 3, ("warm", "cold"), r"\(RGB\), and the model draws pictures of 12 x 10 pixels \(RGBA\)"),
        ((12, 10), 1, ("warm", "cold"), r"\(grey\), and the model draws pictures of 12 x 10 pixels \(RGBA\)"),
        ((12, 10), 4, ("hot", "cold"), "unknown label 'hot'. Valid: cold, warm"),
        ((12, 10), 4, (), "says nothing about label, which the teacher was told"),
    ],
    ids=["size", "no alpha", "grey", "other labels", "no labels"],
)
def test_data_of_another_kind_than_the_teachers_are_refused(folder, tmp_path, size, channels, labels, said):
    data = noise(tmp_path / "data", size, channels, labels)
    out = tmp_path / "out"
    setup = DistillSetup(str(folder / "teacher"), str(data), out, steps=2, teacher_steps=4, updates=1)
    with pytest.raises(UserError, match=said):
        prepare_distillation(setup)
    assert not out.exists()


def test_data_of_the_teachers_kind_are_taken(folder, tmp_path):
    """So that the refusals above are of what differs, and of nothing else."""
    data = noise(tmp_path / "data", (12, 10), 4, ("cold", "warm"))
    setup = DistillSetup(str(folder / "teacher"), str(data), tmp_path / "out", steps=2, updates=1)
    assert len(prepare_distillation(setup).dataset) == 30


@pytest.mark.parametrize("steps", [2, 4, 16])
def test_a_student_teaches_no_more_steps_than_it_has_nor_as_many(folder, tmp_path, steps):
    setup = DistillSetup(str(folder / "student"), out=tmp_path / "out", steps=steps, updates=1)
    with pytest.raises(
        UserError, match=r"itself draws in 2 steps: it can teach fewer.* its teacher, teacher"
    ):
        prepare_distillation(setup)


@pytest.mark.parametrize(
    ("method", "of", "steps", "nearest"),
    [
        ("progressive", 12, 5, 4),
        ("progressive", 12, 11, 6),
        ("consistency", 32, 7, 8),
        ("meanflow", 24, 9, 8),
    ],
)
def test_steps_that_do_not_divide_those_of_the_teacher_are_refused_with_the_nearest(
    folder, tmp_path, method, of, steps, nearest
):
    setup = DistillSetup(
        str(folder / "teacher"), out=tmp_path / "a", steps=steps, teacher_steps=of, method=method
    )
    with pytest.raises(UserError, match=f"not {steps} equal parts: the nearest number of steps is {nearest}"):
        prepare_distillation(setup)
