"""A run is never lost: numbers that are none, full disks, too little memory, signals, other options."""

import errno
import math
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from fogcatcher.base.disk import appended_whole_or_not, remove_leftovers, write_atomically
from fogcatcher.base.errors import UserError
from fogcatcher.base.memory import is_out_of_memory
from fogcatcher.cli.main import main
from fogcatcher.diffusion.denoiser import Denoiser, EDMPreconditioning
from fogcatcher.diffusion.objectives import LogNormalTimes, Objective
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import EDMSchedule
from fogcatcher.judging.checks import Monitor
from fogcatcher.model.model import Model, load
from fogcatcher.runs.follow import follow
from fogcatcher.runs.log import RowLog, read_rows
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.record import Run
from fogcatcher.runs.setup import Setup
from fogcatcher.training.batches import Batches
from fogcatcher.training.checkpoints import NotFinite, load_newest_state, save_state
from fogcatcher.training.fit import Plan, TrainingState, fit
from fogcatcher.training.setbacks import Diverged, Setbacks
from tests.small_trainings import (
    OBJECTIVE,
    Affine,
    affine_state,
    grey_data,
    save_pictures,
    table,
)

NAN, INF = float("nan"), float("inf")
NO_ROOM = "No space left on device (os error 28)"


@dataclass(frozen=True)
class Sabotaged(Objective):
    """An objective whose losses are multiplied by a number in calls of given numbers, from 1."""

    factors: dict[int, float] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)

    def at(self, denoiser, x0, t, noise, cond=None):
        self.calls.append(len(x0))
        return super().at(denoiser, x0, t, noise, cond) * self.factors.get(len(self.calls), 1.0)


@pytest.fixture
def blind(monkeypatch):
    """No previews, which take longer than these trainings."""
    monkeypatch.setattr("fogcatcher.runs.previews.Preview.add", lambda *arguments: None)


def sabotage(run: Run, factors: dict[int, float]) -> None:
    o = run.objective
    run.objective = Sabotaged(o.times, o.weighting, o.loss, factors)


def small_run(folder: Path, steps: int) -> Run:
    save_pictures(folder / "data", 20)
    setup = Setup(str(folder / "data"), folder / "run", steps=steps, width=16, batch_size=8)
    return prepare(setup)


def checkpoints(run: Run) -> list[int]:
    return sorted(int(path.stem[5:]) for path in (run.folder / "state").glob("step-*.safetensors"))


# --- numbers that are none ------------------------------------------------------------------------


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize(("factor", "why"), [(NAN, "the loss is nan"), (INF, "the loss is inf")])
@pytest.mark.slow
def test_a_step_without_a_finite_loss_changes_nothing_and_names_its_files(tmp_path, factor, why):
    run = small_run(tmp_path, 4)
    sabotage(run, {3: factor})
    steps = follow(run)
    assert [next(steps).step for _ in range(2)] == [1, 2]
    before = {name: value.clone() for name, value in run.state.denoiser.state_dict().items()}
    progress = next(steps)
    assert (progress.step, progress.skipped) == (3, why)
    assert all(value.equal(before[name]) for name, value in run.state.denoiser.state_dict().items())
    assert run.state.ema.updates == 2 and run.state.setbacks == Setbacks(skipped=1, in_a_row=1)
    assert next(steps).skipped == "" and run.state.setbacks == Setbacks(skipped=1)
    steps.close()
    names = {run.dataset.names[row] for row in run.batches.indices(2, 8).tolist()}
    (row,) = read_rows(run.folder / "incidents.jsonl")
    assert row["step"] == 3 and why in row["said"] and set(row["files"]) == names
    (logged,) = read_rows(run.folder / "metrics.jsonl")
    assert math.isfinite(logged["loss"])
    # A checkpoint knows that only three of the four steps are in the average.
    fresh = resume(run.folder, str(tmp_path / "data")).state
    assert (fresh.step, fresh.ema.updates, fresh.setbacks.skipped) == (4, 3, 1)


def test_a_gradient_beyond_half_precision_is_skipped():
    """65504 is the largest half; 2 x 65504 is infinite, while the loss stays a number."""
    plan, batches = Plan(steps=4, batch_size=4), Batches(grey_data(8), {})
    state, calls = affine_state(plan), []

    def overflow(gradient: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return (torch.full_like(gradient, 65504.0).half() * 2).float() if len(calls) == 2 else gradient

    table(state.denoiser).register_hook(overflow)
    steps = fit(state, batches, OBJECTIVE, plan)
    next(steps)
    before = table(state.denoiser).detach().clone()
    progress = next(steps)
    assert progress.skipped == "the gradient is inf" and math.isfinite(progress.loss)
    assert table(state.denoiser).equal(before)
    assert next(steps).skipped == "" and not table(state.denoiser).equal(before)


def test_batch_norm_forgets_a_batch_that_did_not_count():
    class Normed(Affine):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(1)

        def forward(self, x, noise_label, cond):
            return super().forward(self.norm(x), noise_label, cond)

    plan = Plan(steps=2, batch_size=4)
    denoiser = Denoiser(Normed(), Process(EDMSchedule()), EDMPreconditioning(sigma_data=0.3))
    state = TrainingState.start(denoiser, plan)
    objective = Sabotaged(OBJECTIVE.times, factors={1: NAN})
    steps = fit(state, Batches(grey_data(8), {}), objective, plan)
    next(steps)
    norm = denoiser.get_submodule("network.norm")
    assert isinstance(norm, torch.nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_mean.item() == 0
    assert norm.num_batches_tracked is not None and norm.num_batches_tracked.item() == 0
    next(steps)
    assert norm.running_mean.item() != 0


@pytest.mark.usefixtures("blind")
@pytest.mark.slow
def test_five_in_a_row_go_back_to_the_newest_checkpoint_at_half_the_rate(tmp_path):
    """Steps 23 ... 27 fail, the checkpoint of 20 is taken up, and its steps are done again."""
    run = small_run(tmp_path, 30)
    sabotage(run, dict.fromkeys(range(23, 28), NAN))
    told = list(follow(run, checkpoint_seconds=0))
    assert [p.step for p in told] == [*range(1, 28), *range(21, 31)]
    first, again = told[20], told[27]
    assert first.step == again.step == 21 and first.loss == again.loss  # the same weights
    assert again.learning_rate == first.learning_rate / 2
    assert run.state.setbacks == Setbacks(skipped=5, rollbacks=1)
    assert [row["step"] for row in read_rows(run.folder / "metrics.jsonl")] == [10, 20, 30]
    said = [row["said"] for row in read_rows(run.folder / "incidents.jsonl")]
    assert len(said) == 6 and "back to step 20 at 0.5 of the planned learning rate" in said[-1]
    assert resume(run.folder, str(tmp_path / "data")).state.setbacks == run.state.setbacks


@pytest.mark.usefixtures("blind")
@pytest.mark.slow
def test_after_three_returns_training_stops_with_a_diagnosis(tmp_path):
    run = small_run(tmp_path, 30)
    sabotage(run, dict.fromkeys(range(11, 1000), NAN))
    with pytest.raises(Diverged, match=r"up to 15, had no finite .* also after 3 returns"):
        list(follow(run, checkpoint_seconds=0))
    assert run.state.setbacks.rollbacks == 3 and run.state.setbacks.skipped == 20
    assert checkpoints(run)[-1] == 10  # nothing of the failure was saved
    assert all(value.isfinite().all() for value in load(run.folder).denoiser.state_dict().values())


@pytest.mark.usefixtures("blind")
@pytest.mark.slow
def test_a_weight_that_is_no_number_is_never_saved_and_the_run_recovers(tmp_path):
    run = small_run(tmp_path, 30)
    steps = follow(run, checkpoint_seconds=0)
    for progress in steps:
        if progress.step == 12:
            break
    with torch.no_grad():
        next(run.state.denoiser.parameters()).view(-1)[0] = NAN
    on_disk = (run.folder / "model.safetensors").read_bytes()
    with pytest.raises(NotFinite, match="raw/"):
        save_state(run.state, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    assert [next(steps).step for _ in range(5)] == [13, 14, 15, 16, 17]
    assert (run.folder / "model.safetensors").read_bytes() == on_disk
    assert next(steps).step == 11 and run.state.setbacks.rollbacks == 1  # back to 10
    assert [p.step for p in steps][-1] == 30
    assert all(value.isfinite().all() for value in load(run.folder).denoiser.state_dict().values())


@pytest.mark.usefixtures("blind")
@pytest.mark.slow
def test_a_weight_lost_in_the_last_step_is_no_last_save(tmp_path):
    """Nothing comes after it to notice: the run goes back as well."""
    run = small_run(tmp_path, 12)
    told = []
    for progress in follow(run, checkpoint_seconds=0):
        told.append(progress.step)
        if told == list(range(1, 13)):
            with torch.no_grad():
                next(run.state.ema.denoiser.parameters()).view(-1)[0] = INF
    assert told == [*range(1, 13), 11, 12] and run.state.setbacks.rollbacks == 1
    assert checkpoints(run)[-1] == 12


def test_a_checkpoint_with_a_number_that_is_none_is_passed_over(tmp_path):
    plan = Plan(steps=20, batch_size=8)
    state = affine_state(plan)
    for progress in fit(state, Batches(grey_data(30), {}), OBJECTIVE, plan):
        if progress.step in (4, 9):
            save_state(state, tmp_path)
    newest = tmp_path / "step-000000009.safetensors"
    content = bytearray(newest.read_bytes())
    content[-4:] = b"\x00\x00\xc0\x7f"  # a NaN of float32
    newest.write_bytes(content)
    (notice,) = load_newest_state(state, tmp_path)
    assert state.step == 4 and newest.name in notice
    # Saving again keeps what is whole, and drops what claims to be newer.
    save_state(state, tmp_path, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000004.safetensors"]


@pytest.mark.usefixtures("blind")
@pytest.mark.slow
def test_keep_says_how_many_checkpoints_stay(tmp_path):
    run = small_run(tmp_path, 50)
    list(follow(run, checkpoint_seconds=0, keep=3))
    assert checkpoints(run) == [30, 40, 50]


# --- memory ---------------------------------------------------------------------------------------


class Hungry(Affine):
    """Needs more memory than there is for more than so many pictures at once."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most, self.error, self.seen = most, error, []

    def forward(self, x, noise_label, cond):
        self.seen.append(len(x))
        if len(x) > self.most:
            raise self.error
        return super().forward(x, noise_label, cond)


def hungry_state(plan: Plan, most: int, error: Exception) -> TrainingState:
    preconditioning = EDMPreconditioning(sigma_data=0.3)
    return TrainingState.start(Denoiser(Hungry(most, error), Process(EDMSchedule()), preconditioning), plan)


@pytest.mark.parametrize(
    ("error", "most"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), 5),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), 7),
        (MemoryError(), 1),
    ],
)
@pytest.mark.parametrize("draw", ["stratified", "antithetic", "independent"])
@pytest.mark.slow
def test_parts_of_a_batch_train_as_the_whole_batch(error, most, draw):
    plan = Plan(steps=3, batch_size=13, learning_rate=0.02)
    objective = Objective(LogNormalTimes(-0.8, 1.4, draw=draw))
    batches = Batches(grey_data(30), {})
    whole, parts = affine_state(plan), hungry_state(plan, most, error)
    expected = list(fit(whole, batches, objective, plan))
    found = list(fit(parts, batches, objective, plan))
    for a, b in zip(expected, found, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=1e-5)
        assert b.gradient_norm == pytest.approx(a.gradient_norm, rel=1e-5)
    torch.testing.assert_close(table(parts.denoiser), table(whole.denoiser), rtol=1e-5, atol=1e-5)
    assert not table(whole.denoiser).equal(torch.zeros(33, 2))
    assert parts.setbacks.micro_batch == {5: 4, 7: 7, 1: 1}[most]


@pytest.mark.slow
def test_what_fits_is_found_once_and_kept_with_the_checkpoint(tmp_path):
    plan, error = Plan(steps=4, batch_size=8), MemoryError()
    state = hungry_state(plan, 2, error)
    steps = fit(state, Batches(grey_data(30), {}), OBJECTIVE, plan)
    assert [next(steps).step for _ in range(2)] == [1, 2]
    network = state.denoiser.get_submodule("network")
    assert isinstance(network, Hungry) and network.seen == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]
    save_state(state, tmp_path)
    fresh = hungry_state(plan, 2, error)
    load_newest_state(fresh, tmp_path)
    assert fresh.setbacks.micro_batch == 2
    tiny = hungry_state(plan, 0, error)
    with pytest.raises(UserError, match="not enough memory"):
        next(fit(tiny, Batches(grey_data(30), {}), OBJECTIVE, plan))


def test_other_errors_are_not_taken_for_memory():
    plan = Plan(steps=1, batch_size=8)
    state = hungry_state(plan, 2, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        next(fit(state, Batches(grey_data(30), {}), OBJECTIVE, plan))
    assert state.setbacks.micro_batch is None and not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.slow
def test_previews_draw_fewer_at_once_and_a_check_without_room_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("fogcatcher.judging.checks.FEWEST", 0)
    monkeypatch.setattr("fogcatcher.judging.checks.CHECKS", 1)
    states, drawn = Model.states, []

    def hungry(self, seeds, *arguments):
        drawn.append(len(seeds))
        if len(seeds) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return states(self, seeds, *arguments)

    def never(self, step, model):
        raise MemoryError

    monkeypatch.setattr(Model, "states", hungry)
    monkeypatch.setattr(Monitor, "check", never)
    run = small_run(tmp_path, 5)
    assert [p.step for p in follow(run)] == [1, 2, 3, 4, 5]
    assert drawn[:7] == [10, 5, 2, 2, 2, 2, 2]
    assert (run.folder / "samples" / "preview.png").exists() and run.checks == []
    assert ["memory is too small for the check" in i.said for i in run.incidents] == [True]


# --- the disk -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), SafetensorError(NO_ROOM), KeyboardInterrupt()]
)
def test_a_file_that_could_not_be_written_leaves_the_old_one_and_nothing_else(tmp_path, error):
    path = tmp_path / "weights"
    path.write_text("before")

    def half(part: Path) -> None:
        part.write_text("aft")
        raise error

    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OSError):
        write_atomically(path, half)
    assert [p.name for p in tmp_path.iterdir()] == ["weights"] and path.read_text() == "before"


def test_a_line_half_appended_is_cut_off_again(tmp_path):
    """Else the next line would stand behind it, and both were lost."""
    path = tmp_path / "log"
    path.write_text("one\n")
    with pytest.raises(OSError, match="full"), appended_whole_or_not(path):
        with open(path, "a") as file:
            file.write("tw")
        raise OSError(errno.ENOSPC, "full")
    assert path.read_text() == "one\n"


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    for name in (".step-000000010.safetensors.part", ".tmpA1b2C3", ".hidden", "model.safetensors", ".tmp"):
        (tmp_path / name).write_text("x")
    remove_leftovers(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".hidden", ".tmp", "model.safetensors"]


class FullDisk:
    """Takes no file while ``full``; log lines are cut in half."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: int = errno.ENOSPC) -> None:
        from fogcatcher.runs.log import RowLog

        self.full, add = False, RowLog.add
        self.error = error

        def save_file(tensors, path, metadata=None):
            if self.full:
                Path(path).write_bytes(b"half")
                said = f"{os.strerror(self.error)} (os error {self.error})"
                raise SafetensorError(f"Error while serializing: I/O error: {said}")
            return original(tensors, path, metadata)

        def save_png(*arguments):
            raise OSError(errno.EDQUOT, "Disk quota exceeded")

        def add_half(log, row):
            if self.full:
                with open(log._path, "a") as file:
                    file.write('{"step"')
                raise OSError(self.error, os.strerror(self.error))
            add(log, row)

        from safetensors.torch import save_file as original

        for place in ("training.checkpoints", "model.model"):
            monkeypatch.setattr(f"fogcatcher.{place}.save_file", save_file)
        monkeypatch.setattr("fogcatcher.drawing.drawing.save_png", save_png)
        monkeypatch.setattr(RowLog, "add", add_half)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EFBIG, "file too large"),
        (errno.EPERM, "operation not permitted"),
        (errno.EROFS, "read-only file system"),
        (errno.EIO, "input/output error"),
    ],
)
@pytest.mark.slow
def test_what_keeps_a_run_from_writing_does_not_end_it_and_the_next_save_is_whole(
    tmp_path, monkeypatch, error, why
):
    run = small_run(tmp_path, 50)
    disk = FullDisk(monkeypatch, error)
    for progress in follow(run, checkpoint_seconds=0):
        disk.full = 15 <= progress.step < 35
        if progress.step == 34:
            assert checkpoints(run) == [0, 10]
    assert checkpoints(run) == [40, 50]
    # One line each for the preview (at the start), and for the log and so the checkpoint.
    said = [incident.said for incident in run.incidents]
    assert len(said) == 2 and "the preview" in said[0] and said[1].startswith(f"{why} for the log")
    rows = read_rows(run.folder / "metrics.jsonl")
    assert [row["step"] for row in rows] == [10, 40, 50]  # the one of 40 tells of 30 steps
    assert not list(run.folder.rglob("*.part"))
    straight = small_run(tmp_path / "straight", 50)
    monkeypatch.undo()
    list(follow(straight))
    assert load(straight.folder).hash == load(run.folder).hash


@pytest.mark.usefixtures("blind")
@pytest.mark.slow
def test_a_last_save_that_fails_is_one_sentence_and_what_was_saved_is_whole(tmp_path, monkeypatch, capsys):
    run = small_run(tmp_path, 25)
    disk = FullDisk(monkeypatch)
    with pytest.raises(UserError, match=r"steps 21 to 25 could not be saved; step 20 is whole"):
        for progress in follow(run, checkpoint_seconds=0):
            disk.full = progress.step > 20
    assert resume(run.folder, str(tmp_path / "data")).state.step == 20
    monkeypatch.undo()
    monkeypatch.setattr("fogcatcher.runs.record.save_state", fails_after(1))  # the first save is another's
    save_pictures(tmp_path / "more", 4)
    with pytest.raises(SystemExit) as stop:
        out = str(tmp_path / "other")
        options = ["--steps", "25", "--checkpoint-seconds", "0", "--size-of-model", "tiny"]
        main(["train", str(tmp_path / "more"), "--out", out, *options])
    assert stop.value.code == 2 and "fogcatcher: the disk is full: steps 11 to 25" in capsys.readouterr().err
    assert resume(tmp_path / "other", str(tmp_path / "more")).state.step == 10


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.slow
def test_a_run_whose_folder_is_taken_away_is_made_anew(tmp_path, moved):
    run, elsewhere = small_run(tmp_path, 50), tmp_path / "elsewhere"
    steps = follow(run, checkpoint_seconds=0)
    for progress in steps:
        if progress.step == 25:
            run.folder.rename(elsewhere) if moved else shutil.rmtree(run.folder)
    assert [row["step"] for row in read_rows(run.folder / "metrics.jsonl")] == [10, 20, 30, 40, 50]
    assert checkpoints(run) == [40, 50] and not list(run.folder.glob(".*"))
    (said,) = [incident.said for incident in run.incidents if "made anew" in incident.said]
    assert str(run.folder) in said
    assert resume(run.folder, str(tmp_path / "data")).state.step == 50
    straight = small_run(tmp_path / "straight", 50)
    list(follow(straight))
    assert load(straight.folder).hash == load(run.folder).hash
    if moved:
        assert [p.step for p in follow(resume(elsewhere, str(tmp_path / "data")))] == list(range(21, 51))


@pytest.mark.usefixtures("blind")
def test_a_folder_that_cannot_be_made_anew_is_one_sentence(tmp_path):
    run = small_run(tmp_path, 12)
    steps = follow(run)
    next(steps)
    shutil.rmtree(run.folder)
    run.folder.write_text("in the way")
    with pytest.raises(UserError, match=r"its folder is gone: steps 1 to 12 could not be saved; step 0"):
        list(steps)


@pytest.mark.parametrize(
    "damage", [b"\xff\xfe", b"[" * 10**5, b'{"step": ' + b"9" * 5000 + b"}", b'{"step": "x"}', b"\0"]
)
def test_a_damaged_line_of_the_log_is_left_out(tmp_path, damage):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 10, "loss": 1.0}\n' + damage + b'\n{"step": 20, "loss": 0.5}\n')
    assert [row["step"] for row in read_rows(path)] == [10, 20]
    RowLog(path, 20).add({"step": 30, "loss": 0.4})
    assert [row["step"] for row in read_rows(path)] == [10, 20, 30] and damage not in path.read_bytes()


def fails_after(whole: int):
    """``save_state`` on a disk with room for so many saves."""
    calls = []

    def save(state, folder, keep=2):
        calls.append(state.step)
        if len(calls) > whole:
            raise OSError(errno.ENOSPC, "No space left on device")
        save_state(state, folder, keep)

    return save


# --- signals and options --------------------------------------------------------------------------


def test_a_second_signal_ends_at_once():
    from fogcatcher.cli.stop_request import stop_request

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stop_request() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked == [True]
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.usefixtures("blind")
def test_a_step_interrupted_half_way_is_not_saved(tmp_path, monkeypatch):
    """The weights of one optimiser are new and the others old: such a state belongs to no step."""
    run = small_run(tmp_path, 30)
    steps = follow(run)
    for progress in steps:
        if progress.step == 7:
            break
    calls = []

    def interrupted(closure: None = None) -> None:
        calls.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(run.state.optimizers[-1], "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert calls and checkpoints(run) == [0]
    again = resume(run.folder, str(tmp_path / "data"))
    assert next(follow(again)).step == 1


@pytest.mark.usefixtures("blind")
def test_options_a_resumed_run_does_not_take_are_listed(tmp_path, capsys):
    save_pictures(tmp_path / "data", 6)
    command = ["train", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    first = [
        "--steps",
        "3",
        "--size-of-model",
        "tiny",
        "--augment",
        "flip",
        "--size",
        "16",
        "--hold-out",
        "0",
    ]
    main([*command, *first])
    capsys.readouterr()
    main([*command, *first, "--resume", "--keep", "1", "--checkpoint-seconds", "5"])
    assert "ignored" not in capsys.readouterr().out
    other = [
        "--steps", "1", "--batch-size", "8", "--seed", "7", "--augment", "shift", "--size", "24x12",
        "--size-of-model", "small", "--preset", "ddpm", "--network", "ddpm",
        "--hold-out", "0.2", "--classes", "warm", "--start-from", "sprites", "--condition", "none", "--trim",
    ]  # fmt: skip
    main([*command, *other, "--resume"])
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ignored: ")]
    assert sorted(said) == [
        "ignored: --augment shift (the run has flip)",
        "ignored: --batch-size 8 (the run has 32)",
        "ignored: --classes warm (the run has none)",
        "ignored: --condition none (the run has none)",
        "ignored: --hold-out 0.2 (the run has 0.0)",
        "ignored: --network ddpm (the run has small)",
        "ignored: --preset ddpm (the run has default)",
        "ignored: --seed 7 (the run has 0)",
        "ignored: --size 24x12 (the run has 16x16)",
        "ignored: --size-of-model small (the run has small of width 16)",
        "ignored: --start-from sprites (the run has none)",
        "ignored: --trim True (the run has False)",
    ]
    with pytest.raises(SystemExit):
        main([*command, "--keep", "0", "--resume"])
    assert "--keep must be a whole number from 1" in capsys.readouterr().err
