"""What TensorBoard and W&B are told, read back from the former and from a stand-in for the latter."""

import sys
from types import SimpleNamespace

import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.runs.loggers import Logger, TensorBoard, WeightsAndBiases, scalars

METRICS = {"step": 10, "loss": 0.5, "gradient_norm": 2.0, "learning_rate": 1e-3, "seconds_per_step": 0.1}
CHECK = {
    "step": 20,
    "kernel_distance": 0.25,
    "copied": None,
    "levels": [
        {"sigma": 0.2, "held_out": 0.125, "gaussian": 0.5},
        {"sigma": 3.2, "held_out": 1, "zero": 2.0},
    ],
}


def test_numbers_of_a_row_are_named_and_everything_else_is_left_out():
    assert scalars(METRICS) == {name: value for name, value in METRICS.items() if name != "step"}
    assert scalars(CHECK) == {
        "kernel_distance": 0.25,
        "held_out/noise 0.2": 0.125,
        "gaussian/noise 0.2": 0.5,
        "held_out/noise 3.2": 1.0,
        "zero/noise 3.2": 2.0,
    }
    assert scalars({"step": 1, "said": "words", "files": ["a"], "stopped": True}) == {}


def test_event_files_hold_the_rows_and_a_resumed_run_drops_what_came_later(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def found(name):
        events = EventAccumulator(str(tmp_path / "tensorboard"))
        events.Reload()
        return [(event.step, event.value) for event in events.Scalars(name)]

    first = TensorBoard(tmp_path)
    assert isinstance(first, Logger)
    for row in (METRICS, CHECK, {"step": 30, "loss": 0.25}):
        first.add(row)
    assert found("loss") == [(10, 0.5), (30, 0.25)]  # while it is open
    first.close()
    assert found("kernel_distance") == [(20, 0.25)] and found("held_out/noise 0.2") == [(20, 0.125)]
    again = TensorBoard(tmp_path, step=20)
    again.add({"step": 30, "loss": 0.75})
    again.close()
    assert found("loss") == [(10, 0.5), (30, 0.75)]


class Wandb(SimpleNamespace):
    """Remembers what it is told."""

    def __init__(self):
        super().__init__(started=[], logged=[], finished=0)

    def init(self, **options):
        self.started.append(options)
        return self

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished += 1


def test_wandb_gets_the_rows_and_a_resumed_run_goes_on_under_its_name(tmp_path, monkeypatch):
    wandb = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    for _ in range(2):
        logger = WeightsAndBiases(tmp_path / "run", {"steps": 3})
        assert isinstance(logger, Logger)
        logger.add(METRICS)
        logger.close()
    WeightsAndBiases(tmp_path / "other", {})
    first, second, other = wandb.started
    assert first == second and first["config"] == {"steps": 3} and first["name"] == "run"
    assert first["resume"] == "allow" and first["id"] != other["id"]
    assert wandb.logged == [(10, scalars(METRICS))] * 2 and wandb.finished == 2


def test_missing_libraries_and_refusals_are_one_sentence(tmp_path, monkeypatch):
    for name in ("wandb", "tensorboard", "torch.utils.tensorboard.writer"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"pip install 'fogcatcher\[wandb\]'"):
        WeightsAndBiases(tmp_path, {})
    with pytest.raises(UserError, match=r"pip install 'fogcatcher\[tensorboard\]'"):
        TensorBoard(tmp_path)

    class Refusing(Wandb):
        def init(self, **options):
            raise RuntimeError("no API key\nconfigured.")

    monkeypatch.setitem(sys.modules, "wandb", Refusing())
    with pytest.raises(UserError, match=r"\(no API key configured\): log in with wandb login"):
        WeightsAndBiases(tmp_path, {})
