"""What could not be for any data is said before they are read, which can take minutes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.runs import prepare
from fogcatcher.runs.setup import Setup

NAMES = [f.name for f in fields(Setup) if f.type in ("str", "str | None") and f.name != "data"]
WRONG: list[dict[str, Any]] = [
    *({name: "no such thing"} for name in NAMES),
    {"size_of_model": "nan"},
    {"network": "small", "width": 13},
    {"width": 10**9},
    {"learning_rate": float("nan")},
    {"batch_size": 0},
    {"method_options": {"nothing": 1.0}},
    {"conditions": ("kind:nothing",)},
]


@pytest.fixture
def no_reading(monkeypatch: pytest.MonkeyPatch):
    def read(*_: object) -> None:
        raise AssertionError("read before it was refused")

    monkeypatch.setattr(prepare, "read_any", read)


@pytest.mark.usefixtures("no_reading")
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_nothing_is_read_for_what_cannot_be(wrong: dict[str, Any], tmp_path):
    with pytest.raises(UserError):
        prepare.prepare(Setup("sprites", out=tmp_path / "run", **wrong))


def test_all_names_are_walked():
    assert {"preset", "schedule", "network", "size_of_model", "start_from", "augment", "precision"} <= set(
        NAMES
    )
