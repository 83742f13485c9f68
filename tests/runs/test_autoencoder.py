"""Autoencoders and models of latents as runs: they go on to the bit, move, and refuse what is not theirs."""

import json
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from fogcatcher.base.errors import UserError
from fogcatcher.base.processes import Processes
from fogcatcher.data.kinds import read_any
from fogcatcher.data.latents.spec import LatentSpec
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.sheets import read_recipe
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.edits.inpainting import Inpaint
from fogcatcher.exchange.diffusers_autoencoder import open_autoencoder
from fogcatcher.model.autoencoder_files import load_autoencoder
from fogcatcher.model.model import load
from fogcatcher.runs.autoencoder import (
    AutoencoderSetup,
    follow_autoencoder,
    prepare_autoencoder,
    resume_autoencoder,
)
from fogcatcher.runs.devices import Devices
from fogcatcher.runs.distill import DistillSetup, prepare_distillation
from fogcatcher.runs.first_stage import auto_factor, stopped_before
from fogcatcher.runs.follow import follow
from fogcatcher.runs.log import read_rows
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from tests.commands import fogcatcher, refused
from tests.latent_models import small_stage
from tests.small_trainings import save_pictures

COMMAND = [sys.executable, "-m", "fogcatcher"]
QUICK = {"factor": 2, "width": 8, "batch_size": 4, "channels": 2}


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Path, Path, Path]:
    """Folders of pictures, of an untrained autoencoder, and of a model in its latents."""
    folder = tmp_path_factory.mktemp("latents")
    save_pictures(folder / "data", 40)
    stage = small_stage(folder / "stage")
    setup = Setup(
        str(folder / "data"), folder / "model", steps=4, size_of_model="tiny", latents=str(stage), seed=1
    )
    for _ in follow(prepare(setup)):
        pass
    return folder / "data", stage, folder / "model"


def trained(data: Path, out: Path, steps: int, **choices) -> Path:
    setup = AutoencoderSetup(str(data), out, steps=steps, **{**QUICK, **choices})
    for _ in follow_autoencoder(prepare_autoencoder(setup)):
        pass
    return out


@pytest.mark.parametrize("choices", [{}, {"codes": 8}, {"sharpen": 0.5}], ids=["kl", "vq", "critic"])
def test_an_autoencoder_goes_on_to_the_bit(places, tmp_path, choices):
    """With a critic, too, which begins at the step before the cut."""
    whole = trained(places[0], tmp_path / "whole", 6, **choices)
    setup = AutoencoderSetup(str(places[0]), tmp_path / "cut", steps=6, **QUICK, **choices)
    run = prepare_autoencoder(setup)
    steps = follow_autoencoder(run)
    for _ in range(4):
        next(steps)
    steps.close()
    again = resume_autoencoder(tmp_path / "cut", str(places[0]))
    assert again.state.step == 4
    for _ in follow_autoencoder(again):
        pass
    ours, theirs = tmp_path / "cut", whole
    assert load_autoencoder(ours).hash == load_autoencoder(theirs).hash
    one, other = (load_file(folder / "state" / "step-000000006.safetensors") for folder in (ours, theirs))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert [row["step"] for row in read_rows(ours / "checks.jsonl")] == [*range(1, 7)]


def test_what_comes_back_gets_better(places, tmp_path):
    folder = trained(places[0], tmp_path / "run", 60, learning_rate=5e-3)
    found = [row["psnr"] for row in read_rows(folder / "checks.jsonl")]
    assert found[-1] > found[0] + 3


def test_a_model_of_latents_moves_and_draws_alone(places, tmp_path):
    moved = shutil.copytree(places[2], tmp_path / "elsewhere")
    one, other = load(places[2]), load(moved)
    kind = one.config.kind
    assert isinstance(kind, LatentSpec) and kind.shape == (4, 5, 6)
    drawn = one.sample(3, steps=2)
    assert drawn.rows.shape == (3, 4, 10, 12) and torch.equal(drawn.rows, other.sample(3, steps=2).rows)
    assert torch.equal(drawn.rows, kind.from_model(drawn.raw)) and drawn.raw.shape == (3, 4, 5, 6)
    other.save(tmp_path / "saved")
    assert torch.equal(load(tmp_path / "saved").sample(3, steps=2).rows, drawn.rows)


def test_another_autoencoder_is_refused_and_so_are_damage_and_none(places, tmp_path):
    def copy(name: str) -> Path:
        return shutil.copytree(places[2], tmp_path / name)

    foreign = copy("foreign")
    shutil.copytree(small_stage(tmp_path / "other", seed=1), foreign / "autoencoder", dirs_exist_ok=True)
    with pytest.raises(UserError, match="is not the one that this model was trained with"):
        load(foreign)
    shutil.copytree(
        small_stage(tmp_path / "of-3", channels=3), copy("wider") / "autoencoder", dirs_exist_ok=True
    )
    with pytest.raises(UserError, match="is not the one that this model was trained with"):
        load(tmp_path / "wider")
    weights = copy("damaged") / "autoencoder" / "autoencoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged: train it again"):
        load(tmp_path / "damaged")
    nan = copy("nan") / "autoencoder" / "autoencoder.safetensors"
    tensors = load_file(nan)
    save_file({name: value * float("nan") for name, value in tensors.items()}, nan)
    with pytest.raises(UserError, match="no number"):
        load(tmp_path / "nan")
    shutil.rmtree(copy("none") / "autoencoder")
    with pytest.raises(UserError, match="holds no autoencoder: train one"):
        load(tmp_path / "none")
    facts = copy("strange") / "autoencoder" / "autoencoder.json"
    tree = json.loads(facts.read_text())
    tree["network"]["widths"] = [2**16] * 8
    facts.write_text(json.dumps(tree))
    with pytest.raises(UserError, match="is damaged"):
        load(tmp_path / "strange")


def test_a_run_in_latents_goes_on_to_the_bit(places, tmp_path):
    setup = Setup(
        str(places[0]), tmp_path / "cut", steps=4, size_of_model="tiny", latents=str(places[1]), seed=1
    )
    steps = follow(prepare(setup))
    next(steps)
    steps.close()
    for _ in follow(resume(tmp_path / "cut", str(places[0]))):
        pass
    ours, theirs = (path / "model.safetensors" for path in (tmp_path / "cut", places[2]))
    assert ours.read_bytes() == theirs.read_bytes()


def test_known_pixels_stay_to_the_byte_through_latents(places):
    model = load(places[2])
    known = torch.randint(0, 256, (1, 4, 10, 12), dtype=torch.uint8)
    known[:, 3] = 255
    mask = torch.zeros(1, 1, 10, 12, dtype=torch.uint8)
    mask[..., 3:7, 5:] = 255
    edit = Inpaint(known, mask, resamples=1)
    drawn = model.sample(2, edit=edit, steps=2).rows
    kept = (mask == 0).expand_as(drawn[:1])
    assert all(torch.equal(row[None][kept], known[kept]) for row in drawn)
    assert not torch.equal(drawn[:1], known)


def test_commands_work_through_latents_or_say_why_not(places, tmp_path, monkeypatch, capsys):
    (data, _, run), drawn = places, "drawn/00000.png"
    monkeypatch.chdir(tmp_path)

    def done(command: str, *more: str) -> str:
        code, said, _ = fogcatcher(command, str(run), *more, capsys=capsys)
        assert code == 0
        return said

    assert "2 pictures" in done("sample", "-n", "2", "--steps", "2", "--out", "drawn")
    made = read_recipe(Path(drawn))
    assert made and made["model"] == load(run).hash and made["limit"] == "none"
    code, said, _ = fogcatcher("reproduce", drawn, "--model", str(run), "--out", "again.png", capsys=capsys)
    assert code == 0 and "0" in said
    done("vary", drawn, "--steps", "2", "-n", "1", "--out", "varied")
    done("interpolate", drawn, "3", "--frames", "3", "--steps", "2", "--out", "between")
    assert "have no range" in refused("sample", str(run), "--limit", "dynamic", capsys=capsys)
    for command, *more in (
        ("recolor", drawn),
        ("explain",),
        ("evaluate", "--nll"),
        ("classify", str(data)),
        ("train-classifier", "--steps", "1"),
        ("export", "--to", "onnx"),
    ):
        assert "works on pixels" in refused(command, str(run), *more, capsys=capsys), command
    done("grid", "--seeds", "0", "--x", "steps=1,2", "--out", "grid")
    assert "one size alone" in refused("outpaint", str(run), drawn, "--right", "2", capsys=capsys)
    assert "holds no autoencoder" in refused("train", str(data), "--latents", str(data), capsys=capsys)


def test_a_student_and_a_later_run_draw_in_the_same_latents(places, tmp_path):
    data, _, run = places
    setup = DistillSetup(str(run), str(data), tmp_path / "student", steps=2, teacher_steps=4, updates=2)
    for _ in follow(prepare_distillation(setup)):
        pass
    student = load(tmp_path / "student")
    assert student.usual.limit == "none" and student.sample(2).rows.shape == (2, 4, 10, 12)
    later = Setup(
        str(data), tmp_path / "later", steps=1, latents=str(run), start_from=str(run), size_of_model="tiny"
    )
    start = prepare(later).config.start
    assert start is not None and start.new == 0
    other = small_stage(tmp_path / "other", seed=1)
    with pytest.raises(UserError, match="draws latents of another autoencoder"):
        prepare(replace(later, latents=str(other)))


def test_an_autoencoder_goes_to_diffusers_and_comes_back(places, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, stage, run = places
    for arguments in (("export", str(stage), "--to", "diffusers", "--out", "theirs"), ("import", "theirs")):
        assert fogcatcher(*arguments, capsys=capsys)[0] == 0
    ours, again = load_autoencoder(stage), load_autoencoder(Path("runs/theirs"))
    assert again.hash == ours.hash
    # As the first stage of a run all three are the same: ours, theirs, and that of a model.
    hashes = {open_autoencoder(place).hash for place in (stage, Path("theirs"), run)}
    assert hashes == {ours.hash}
    assert "as --to diffusers alone" in refused("export", str(stage), "--to", "onnx", capsys=capsys)


def test_an_autoencoder_is_judged_by_what_comes_back(places, tmp_path, capsys):
    out = trained(places[0], tmp_path / "run", 2, codes=8)
    code, said, _ = fogcatcher("evaluate", str(out), capsys=capsys)
    assert code == 0 and re.search(r"1 pictures come back at \d+\.\d dB .*% of the codes in use", said)
    assert "judged by themselves" in refused("evaluate", str(out), str(places[2]), capsys=capsys)
    assert "does not say what it learned from" in refused("evaluate", str(places[1]), capsys=capsys)
    grey = tmp_path / "grey"
    grey.mkdir()
    Image.new("L", (12, 10), 9).save(grey / "a.png")
    assert "train one on pictures like these" in refused(
        "evaluate", str(out), "--against", str(grey), capsys=capsys
    )


def test_what_cannot_be_is_said_before_anything_is_written(places, tmp_path, capsys):
    data, _, _ = places

    def said(*more: str) -> str:
        return refused("train-autoencoder", str(data), *more, capsys=capsys)

    assert "2, 4, 8 or 16 times smaller, not 3" in said("--factor", "3")
    assert "fit the pictures to multiples of 4" in said("--out", str(tmp_path / "run"))
    assert "no autoencoder in training" in said("--resume", "--out", str(tmp_path / "none"))
    assert not (tmp_path / "run").exists()
    trained(data, tmp_path / "whole", 1)
    assert "already holds an autoencoder" in said("--out", str(tmp_path / "whole"))
    save_pictures(tmp_path / "other", 6)
    other = refused(
        "train-autoencoder",
        str(tmp_path / "other"),
        "--resume",
        "--out",
        str(tmp_path / "whole"),
        capsys=capsys,
    )
    assert "is not what" in other


@pytest.mark.slow
def killed_in(state: Path, *command: str) -> None:
    """Start a command, and send SIGKILL once a step of it is saved in ``state``."""
    process = subprocess.Popen([*COMMAND, *command])
    deadline = time.monotonic() + 120
    while not [*state.glob("step-*[1-9]*.safetensors")] and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()


def test_a_kill_loses_nothing(places, tmp_path):
    """SIGKILL in the midst of it; what is taken up ends as an unbroken run does, to the bit."""
    command = ["train-autoencoder", str(places[0]), "--steps", "40", "--factor", "2", "--width", "8"]
    command += ["--batch-size", "4", "--checkpoint-seconds", "0", "--out"]
    killed_in(tmp_path / "cut" / "state", *command, str(tmp_path / "cut"))
    subprocess.run([*COMMAND, *command, str(tmp_path / "cut"), "--resume"], check=True)
    subprocess.run([*COMMAND, *command, str(tmp_path / "whole")], check=True)
    ours, theirs = (load_autoencoder(tmp_path / name).hash for name in ("cut", "whole"))
    assert ours == theirs


def test_a_kill_between_the_last_checkpoint_and_the_weights_loses_nothing(places, tmp_path):
    weights = tmp_path / "run" / "autoencoder.safetensors"
    setup = AutoencoderSetup(str(places[0]), tmp_path / "run", steps=2, factor=2, width=8, batch_size=4)
    steps = follow_autoencoder(prepare_autoencoder(setup))
    next(steps)
    before = weights.read_bytes()
    list(steps)
    after = weights.read_bytes()
    weights.write_bytes(before)
    list(follow_autoencoder(resume_autoencoder(tmp_path / "run", str(places[0]))))
    assert weights.read_bytes() == after != before


def photographs(folder: Path, side: int = 64, levels: int = 256) -> Path:
    """Write twelve noisy pictures, and return their file."""
    rows = np.random.default_rng(0).integers(0, levels, (12, side, side, 3)) * (255 // (levels - 1))
    np.save(folder / "pictures.npy", rows.astype(np.uint8))
    return folder / "pictures.npy"


@pytest.mark.slow
def test_kills_in_either_stage_lose_nothing(tmp_path):
    """SIGKILL while the autoencoder learns, and while the model in its latents does; then to the bit."""
    data = photographs(tmp_path)
    command = ["train", str(data), "--steps", "20", "--batch-size", "2", "--checkpoint-seconds", "0", "--out"]
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    killed_in(cut / "autoencoder" / "state", *command, str(cut))
    assert not (cut / "config.json").exists()
    killed_in(cut / "state", *command, str(cut), "--resume")
    subprocess.run([*COMMAND, *command, str(cut), "--resume"], check=True)
    subprocess.run([*COMMAND, *command, str(whole)], check=True)
    for file in ("autoencoder/autoencoder.safetensors", "model.safetensors"):
        assert (cut / file).read_bytes() == (whole / file).read_bytes()
    assert load(cut).config.training.steps == 20


@pytest.mark.parametrize(
    ("side", "levels", "choices", "factor"),
    [
        (64, 256, {}, 4),
        (136, 256, {}, 8),
        (66, 256, {}, None),
        (32, 256, {}, None),
        (64, 2, {}, None),
        (64, 256, {"latents": "none"}, None),
        (64, 256, {"size_of_model": "tiny"}, None),
        (64, 256, {"preset": "ddpm"}, None),
        (64, 256, {"augment": "flip"}, None),
        (64, 256, {"upscale": 2}, None),
    ],
)
def test_large_photographs_are_drawn_in_latents(tmp_path, side, levels, choices, factor):
    """Not pixel art, whose few colours change at once, nor small ones, nor where a network was asked for."""
    options = DataOptions(size=(side, side))
    setup = Setup(str(photographs(tmp_path, side, levels)), steps=1, options=options, **choices)
    row, dataset = read_any(setup.data, setup.options)
    assert auto_factor(setup, row.measure(dataset.rows), dataset) == factor


def test_an_autoencoder_learns_first_where_nothing_was_said(tmp_path):
    """Half as many steps as the model, in the folder of the run; who cannot train one draws pixels."""
    setup = Setup(str(photographs(tmp_path)), tmp_path / "run", steps=2, batch_size=2)
    assert isinstance(prepare(setup).config.kind, PictureSpec) and not (tmp_path / "run").exists()
    learned = []

    def train_first(first):
        learned.append([progress.step for progress in follow_autoencoder(first)])

    run = prepare(setup, train_first=train_first)
    assert learned == [[1]] and isinstance(run.config.kind, LatentSpec)
    assert run.config.kind.autoencoder == load_autoencoder(tmp_path / "run" / "autoencoder").hash
    assert any("an autoencoder learns first" in note for note in run.notes)
    assert stopped_before(tmp_path / "run")
    list(follow(run))
    assert not stopped_before(tmp_path / "run")
    assert load(tmp_path / "run").sample(1).pictures.shape == (1, 3, 64, 64)


class Two(Processes):
    """The first of two that wait for nobody."""

    @contextmanager
    def first_of_each_machine_first(self):
        yield


def test_several_processes_draw_pixels_and_promise_nothing_else(tmp_path):
    setup = Setup(str(photographs(tmp_path)), tmp_path / "run", steps=2, batch_size=2)

    def train_first(first):
        raise AssertionError("each process would train one of its own")

    run = prepare(setup, devices=Devices(Two(count=2)), train_first=train_first)
    assert isinstance(run.config.kind, PictureSpec)
    assert not any("an autoencoder learns first" in note for note in run.notes)
