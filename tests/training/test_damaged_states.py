"""States that a disk has changed, or a stranger has written: passed over with a sentence, not trained on."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from fogcatcher.training.batches import Batches
from fogcatcher.training.checkpoints import DIGEST, load_newest_state, save_state
from fogcatcher.training.fit import Plan, TrainingState, fit
from tests.small_trainings import OBJECTIVE, affine_state, grey_data

PLAN = Plan(steps=20, batch_size=8)
NONE = torch.full((33, 2), torch.nan)
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    state = affine_state(PLAN)
    for progress in fit(state, Batches(grey_data(30), {}), OBJECTIVE, PLAN):
        if progress.step == 4:
            break
    save_state(state, folder)
    (path,) = folder.iterdir()
    return path


def loaded(folder: Path) -> tuple[TrainingState, str]:
    """A fresh state, and why it could not be filled."""
    state = affine_state(PLAN)
    try:
        return state, "; ".join(load_newest_state(state, folder))
    except FileNotFoundError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
        return state, str(error)


def flipped_bits_are_seen(trained: Path, folder: Path, count: int) -> None:
    content, chance = trained.read_bytes(), random.Random(0)
    before = affine_state(PLAN).denoiser.state_dict()
    for _ in range(count):
        changed = bytearray(content)
        changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (folder / trained.name).write_bytes(changed)
        state, said = loaded(folder)
        assert "is damaged" in said and state.step == 0
        assert all(value.equal(before[name]) for name, value in state.denoiser.state_dict().items())


def test_every_flipped_bit_is_seen(trained, tmp_path):
    flipped_bits_are_seen(trained, tmp_path, 300)


@pytest.mark.slow
def test_every_flipped_bit_is_seen_for_long(trained, tmp_path):
    flipped_bits_are_seen(trained, tmp_path, 30_000)


def test_an_older_state_is_taken_with_a_notice(trained, tmp_path):
    rewritten(trained, tmp_path, lambda tensors, told: told.pop(DIGEST))
    state, said = loaded(tmp_path)
    assert state.step == 4 and "no checksum" in said


def rewritten(trained: Path, folder: Path, change: Callable[[Tensors, dict[str, str]], object]) -> None:
    with safe_open(trained, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        told = dict(file.metadata())
    change(tensors, told)
    save_file(tensors, folder / trained.name, told)


def without_hash(change: Callable[[Tensors, dict[str, str]], object]) -> Callable[..., object]:
    """As a stranger would, who writes no hash."""
    return lambda tensors, told: (told.pop(DIGEST), change(tensors, told))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors, told: tensors.pop("raw/network.table"), "raw/network.table"),
        (lambda tensors, told: tensors.pop("ema/network.table"), "ema/network.table"),
        (lambda tensors, told: tensors.update({"raw/x": torch.zeros(1)}), "raw/x"),
        (lambda tensors, told: tensors.update({"\x1b[2J": torch.zeros(1)}), "x1b"),
        (lambda tensors, told: tensors.update({"raw/network.table": torch.zeros(2, 33)}), "network.table"),
        (
            lambda tensors, told: tensors.update({"raw/network.table": torch.full((33, 2), torch.nan)}),
            "finite",
        ),
        (lambda tensors, told: [tensors.pop(n) for n in [*tensors] if "optimizer" in n], "of the optimiser"),
        (lambda tensors, told: tensors.pop("optimizer/0/0/exp_avg"), "of the optimiser is missing"),
        (lambda tensors, told: tensors.update({"optimizer/7/0/step": torch.zeros(())}), "optimizer/7"),
        (lambda tensors, told: tensors.update({"optimizer/0/9/step": torch.zeros(())}), "optimizer/0/9"),
        (lambda tensors, told: tensors.update({"optimizer/x": torch.zeros(())}), "optimizer/x"),
        (lambda tensors, told: tensors.update({"optimizer/0/0/step": torch.zeros(3)}), "0/0/step"),
        (lambda tensors, told: told.update(step="-5"), "whole number"),
        (lambda tensors, told: told.update(step="9" * 5000), "whole number"),
        (lambda tensors, told: told.pop("step"), "whole number"),
        (lambda tensors, told: told.update(updates="1e9"), "whole number"),
        (lambda tensors, told: told.update(updates="999"), "more updates than steps"),
        (lambda tensors, told: told.update(setbacks="[" * 1000), "nested"),
        (lambda tensors, told: told.update(setbacks=json.dumps({"rollbacks": -1})), "rollbacks"),
        (lambda tensors, told: told.update(setbacks=json.dumps({"micro_batch": "4"})), "micro_batch"),
        (lambda tensors, told: told.update({"\x1b]0;": "x"}), "does not know"),
    ],
)
def test_states_that_cannot_be_are_passed_over(change, said, trained, tmp_path):
    rewritten(trained, tmp_path, without_hash(change))
    state, found = loaded(tmp_path)
    assert said in found and "\x1b" not in found and state.step == 0
    assert not state.optimizers[0].state_dict()["state"]


def test_the_names_of_the_cases_are_those_of_a_state(trained):
    with safe_open(trained, framework="pt") as file:
        assert {"raw/network.table", "optimizer/0/0/exp_avg"} <= set(file.keys())
