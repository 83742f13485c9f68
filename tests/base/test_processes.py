"""Many processes do what one does: the same batches, the same weights, the same pictures."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from fogcatcher.base.errors import UserError
from fogcatcher.base.processes import Processes, _buckets
from fogcatcher.cli.main import main
from fogcatcher.data.pictures.augmentation import Augmentation
from fogcatcher.diffusion.randomness import step_generator
from fogcatcher.drawing.recipe import read_file_recipe
from fogcatcher.drawing.sheet_forms import Columns
from fogcatcher.drawing.to_disk import draw_to_disk
from fogcatcher.model.model import load
from fogcatcher.runs.devices import Devices
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from fogcatcher.training.batches import Batches
from fogcatcher.training.condition_dropout import ConditionDropout
from fogcatcher.training.fit import Plan, fit
from fogcatcher.training.micro_batches import leave_gradient
from tests.small_trainings import OBJECTIVE, affine_state, grey_data, losses_of, save_pictures, table
from tests.trained_in_double import train as train_in_double

TOGETHER = 5e-5
"""How far 50 steps may take two runs in float32 apart, as a share of the length of all weights: AdamW and
Muon enlarge the rounding of small gradients. In float64 nothing of that is left to be seen."""


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [0, 1, 6, 7, 64, 129])
def test_every_row_falls_to_exactly_one_process(n, count):
    shares = [Processes(rank, count).share(n) for rank in range(count)]
    assert [i for share in shares for i in range(n)[share]] == list(range(n))
    assert max(s.stop - s.start for s in shares) - min(s.stop - s.start for s in shares) <= 1
    parts = [part for rank in range(count) for part in Processes(rank, count).dealt(n, 4)]
    assert sorted(i for part in parts for i in range(n)[part]) == list(range(n))
    assert all(part.start % 4 == 0 for part in parts)  # parts are those of one process, whole


def test_buckets_keep_the_order_and_do_not_mix_types():
    sizes = [3, 2**23, 5, 2**22, 2**22, 1]
    tensors = [torch.zeros(n, dtype=torch.float64 if i == 0 else torch.uint8) for i, n in enumerate(sizes)]
    assert [[len(t) for t in bucket] for bucket in _buckets(tensors)] == [
        [3],
        [2**23],
        [5, 2**22],
        [2**22, 1],
    ]


def test_shares_of_a_batch_put_together_are_the_batch():
    pictures = torch.randint(0, 256, (40, 3, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    condition = {"kind": torch.eye(4).repeat(10, 1), "tags": torch.ones(40, 5)}
    dropout = ConditionDropout(0.3, {"kind": 0.2}, ("tags",))
    change = Augmentation(shift=2, flip=True, flip_vertical=True, turn=True, hue=True)
    batches = Batches(pictures, condition, 3, dropout=dropout, augmentation=change)
    x0, told = batches.at(5, 11)
    shares = [batches.at(5, 11, None, Processes(rank, 3).share(11)) for rank in range(3)]
    assert torch.cat([share for share, _ in shares]).equal(x0)
    assert set(told) == {"kind", "tags", "augmentation"}
    assert all(torch.cat([share[name] for _, share in shares]).equal(told[name]) for name in told)


@pytest.mark.parametrize("size", [2, 100])
def test_losses_and_gradients_of_shares_add_up_to_the_batch(size):
    plan = Plan(steps=1, batch_size=11)
    x0, told = Batches(grey_data(40), {}).at(0, 11)

    def gradient(part: slice, at_once: int) -> tuple[float, torch.Tensor]:
        state, generator = affine_state(plan), step_generator(0, 0, "noise")
        loss = leave_gradient(state.denoiser, OBJECTIVE, x0[part], told, generator, at_once, 11, part)
        found = table(state.denoiser).grad
        assert found is not None
        return loss.item(), found

    loss, expected = gradient(slice(0, 11), 100)
    shares = [gradient(Processes(rank, 3).share(11), size) for rank in range(3)]
    assert sum(share for share, _ in shares) == pytest.approx(loss, rel=1e-6)
    torch.testing.assert_close(sum(share for _, share in shares), expected, rtol=1e-5, atol=1e-8)


def test_micro_batches_are_the_same_training(tmp_path):
    save_pictures(tmp_path / "data", 20)
    setup = Setup(str(tmp_path / "data"), tmp_path / "run", steps=4, width=16, batch_size=8)
    sizes: list[int] = []

    def losses(devices: Devices) -> list[float]:
        run = prepare(setup, devices=devices)
        run.state.denoiser.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
        return [p.loss for p in fit(run.state, run.batches, run.objective, run.config.training)]

    assert losses(Devices(micro_batch=3)) == pytest.approx(losses(Devices()), rel=1e-5)
    assert sizes == [3, 3, 2] * 4 + [8] * 4


def test_batches_that_cannot_be_divided_are_refused():
    two = Processes(0, 2)
    for devices, batch, said in (
        (Devices(two), 1, "a batch of 1 cannot be divided among 2 processes"),
        (Devices(two, shard=True), 9, "9 pictures cannot be divided evenly"),
        (Devices(shard=True), 8, "start several with torchrun"),
        (Devices(micro_batch=0), 8, "micro_batch must be at least 1"),
    ):
        with pytest.raises(UserError, match=said):
            devices.check(batch)
    with pytest.raises(UserError, match="shard does not go with edm2"):
        Devices(two, shard=True).check(8, "edm2")
    Devices(two).check(9)
    Devices(two, shard=True).check(8)


def test_pictures_go_to_disk_in_parts_and_the_sheet_has_an_end(tmp_path):
    model, most, heard = load("sprites"), 0, []

    def draw(seeds, progress):
        nonlocal most
        most = max(most, len(seeds))
        return model.sample(seeds=seeds, steps=1, progress=progress)

    def progress(done: int, of: int) -> None:
        heard.append((done, of))

    draw_to_disk(range(70), draw, tmp_path / "parts", 8, on_sheet=16, progress=progress)
    assert heard == [(64, 70), (70, 70)]
    model.sample(70, steps=1).save(tmp_path / "whole")
    files = contents(tmp_path / "parts")
    expected = contents(tmp_path / "whole")
    del files["sheet.png"], expected["sheet.png"]
    assert files == expected and len(files) == 70 and most == 64
    with Image.open(tmp_path / "parts" / "sheet.png") as drawn:
        assert np.array_equal(np.array(drawn), np.array(model.sample(16, steps=1).sheet(8)))
    made = read_file_recipe(tmp_path / "parts" / "sheet.png")
    assert (made.sheet, made.pictures) == (Columns(8), model.sample(64, steps=1).made[:16])


# --- the real command, started twice ------------------------------------------------------------

LAUNCHERS = {
    "torchrun": [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"],
    "accelerate": [
        *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2"),
        *("--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no"),
    ],
}
"""--multi_gpu is what makes accelerate start two processes, with or without a GPU."""
SETTINGS = ["--size-of-model", "tiny", "--batch-size", "9", "--augment", "shift,flip,hue"]


def launch(launcher: str, *arguments: str) -> str:
    """What the one process that prints has said."""
    command = [*LAUNCHERS[launcher], "-m", "fogcatcher", *arguments]
    if launcher == "accelerate":
        with socket.socket() as free:
            free.bind(("", 0))
            command.insert(3, f"--main_process_port={free.getsockname()[1]}")
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_same_state(a: Path, b: Path, step: int) -> None:
    """Weights, both averages and what the optimisers remember, to rounding."""
    one, two = (load_file(run / "state" / f"step-{step:09d}.safetensors") for run in (a, b))
    assert one.keys() == two.keys()
    for part in ("raw/", "ema/", "short/", "optimizer/0/", "optimizer/1/"):
        names = [name for name in one if name.startswith(part) and one[name].ndim]
        x, y = (torch.cat([state[name].double().flatten() for name in names]) for state in (one, two))
        assert (x - y).norm() <= TOGETHER * x.norm() > 0, part


def files_of(run: Path) -> list[str]:
    """All but the checkpoints, which come by the clock."""
    return sorted(str(p.relative_to(run)) for p in run.rglob("*") if p.parent.name != "state")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "data"
    save_pictures(folder, 20)
    return folder


@pytest.fixture(scope="module")
def one(data) -> Path:
    """A run of 50 steps in one process."""
    run = data.parent / "one"
    main(["train", str(data), "--out", str(run), "--steps", "50", *SETTINGS])
    return run


@pytest.mark.slow
def test_fifty_steps_in_double_are_the_same_in_two_processes(data):
    """Losses, weights, averages and optimisers: 1e-9 is rounding; a row missed or counted twice is not."""
    folders = [data.parent / "double-1", data.parent / "double-2"]
    losses = train_in_double(data, 50, folders[0])
    command = [*LAUNCHERS["torchrun"], "-m", "tests.trained_in_double", str(data), "50", str(folders[1])]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert [float(loss) for loss in done.stdout.split()] == pytest.approx(losses, rel=1e-9)
    one, two = (load_file(folder / "step-000000050.safetensors") for folder in folders)
    assert one.keys() == two.keys() and len(losses) == 50
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_train_and_draw_as_one(data, one, launcher):
    two = data.parent / launcher
    said = launch(launcher, "train", str(data), "--out", str(two), "--steps", "50", *SETTINGS)
    assert said.count("50 steps of 9 pictures, divided among 2 processes") == 1
    assert said.count("trained 50 steps") == 1
    assert_same_state(one, two, 50)
    assert losses_of(two) == pytest.approx(losses_of(one), rel=1e-6)
    assert files_of(two) == files_of(one)
    drawn = [str(data.parent / f"{launcher}-{k}") for k in (1, 2)]
    settings = ["-n", "100", "--steps", "3", "--out"]
    main(["sample", str(one), *settings, drawn[0]])
    said = launch(launcher, "sample", str(one), *settings, drawn[1])
    assert said.count("100 pictures in") == 1
    assert contents(Path(drawn[0])) == contents(Path(drawn[1])) and len(contents(Path(drawn[0]))) == 101


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(data, one):
    run = prepare(Setup(str(data), data.parent / "grown", steps=50, **settings_of_one()))
    for progress in follow(run):
        if progress.step == 23:
            break
    said = launch("torchrun", "train", str(data), "--out", str(run.folder), "--resume")
    assert "resumed at step 23 of 50" in said
    assert_same_state(one, run.folder, 50)


def settings_of_one() -> dict:
    return {"size_of_model": "tiny", "batch_size": 9, "augment": "shift,flip,hue"}


@pytest.mark.slow
def test_asked_to_stop_all_stop_at_the_same_step_and_one_process_can_go_on(data):
    run = data.parent / "stopped"
    train = ["train", str(data), "--out", str(run), "--steps", "100000", *SETTINGS]
    training = subprocess.Popen([*LAUNCHERS["torchrun"], "-m", "fogcatcher", *train], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not losses_of(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    training.send_signal(signal.SIGTERM)
    training.communicate(timeout=60)
    assert resume(run, str(data)).state.step == max(losses_of(run)) > 0


@pytest.mark.slow
def test_weights_in_parts_train_as_whole_ones_and_leave_the_same_run(data):
    """FSDP2 over gloo: 20 steps, checkpoints and previews on the way, and the last state read by one."""
    settings = ["--size-of-model", "tiny", "--batch-size", "8", "--steps", "20"]
    whole, parts = data.parent / "whole", data.parent / "parts"
    main(["train", str(data), "--out", str(whole), *settings])
    launch(
        "torchrun", "train", str(data), "--out", str(parts), *settings, "--shard", "--checkpoint-seconds", "1"
    )
    assert_same_state(whole, parts, 20)
    assert losses_of(parts) == pytest.approx(losses_of(whole), rel=1e-6)
    assert files_of(parts) == files_of(whole)
