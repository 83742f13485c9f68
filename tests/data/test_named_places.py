"""What a model's files name is read only where a person has named it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.data import named_places
from fogcatcher.data.conditions.conditions import ConditionSpec, Sentence
from fogcatcher.data.named_places import allow, check_named, remember
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.model import Model
from tests.commands import fogcatcher, refused, save_pictures
from tests.random_models import config, random_model, save


@pytest.fixture(autouse=True)
def nothing_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FOGCATCHER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(named_places, "_ALLOWED", set())


def is_named(place: str) -> bool:
    try:
        check_named(place, "the data")
    except UserError as error:
        assert "yes_read" in str(error)
        return False
    return True


def test_named_is_what_was_given_here_or_allowed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    remember("sprites-of-mine")
    remember("hub:somebody/sprites")
    allow(tmp_path / "encoder")
    monkeypatch.setattr(named_places, "_ALLOWED", set())  # another process
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert is_named(str(tmp_path / "sprites-of-mine")) and is_named("../sprites-of-mine")
    assert is_named("hub:somebody/sprites")
    for other in ("sprites-of-mine", str(tmp_path), "hub:somebody/else", str(tmp_path / "encoder"), "/"):
        assert not is_named(other)


def test_a_cache_that_cannot_be_used_ends_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("FOGCATCHER_CACHE", str(tmp_path / "file" / "cache"))
    remember("mine")
    assert is_named("mine") and not is_named("other")
    monkeypatch.setenv("FOGCATCHER_CACHE", str(tmp_path))
    for content in ("[", "{}", "[3]", "[" * 9999):
        (tmp_path / "named.json").write_text(content)
        assert is_named("mine") and not is_named("other")


def strange_run(folder: Path, path: str) -> Path:
    model = random_model()
    run = save(model, folder)
    tree = json.loads((run / "config.json").read_text())
    tree["data"]["path"] = path
    (run / "config.json").write_text(json.dumps(tree))
    return run


@pytest.mark.parametrize("command", ["evaluate", "train-classifier", "distill"])
@pytest.mark.parametrize("place", ["secret", "hub:somebody/secret", "/"])
def test_a_run_does_not_decide_what_is_read(command, place, tmp_path, monkeypatch, capsys):
    """Neither a folder is listed nor a name looked up, until the person says so."""
    monkeypatch.chdir(tmp_path)
    save_pictures(tmp_path / "secret")
    asked: list[str] = []
    monkeypatch.setattr("fogcatcher.data.sources.read_hub", lambda name: asked.append(name))
    run = strange_run(tmp_path / "run", place)
    said = refused(command, str(run), capsys=capsys)
    assert "--yes-read" in said and place in said and not asked
    if place == "secret":
        code, _, said = fogcatcher(command, str(run), "--yes-read", "secret", capsys=capsys)
        assert code == 2 and "trained on" in said, said  # they were read, and are others


def test_a_model_does_not_decide_which_text_encoder_is_opened(tmp_path, monkeypatch, capsys):
    (tmp_path / "secret").mkdir()
    spec = ConditionSpec((Sentence("says", str(tmp_path / "secret"), 8, "0"),))
    run = save(Model(build_denoiser(config(), spec), replace(config()), spec), tmp_path / "run")
    wish = ("--condition", "says=a red dragon", "-n", "1", "--steps", "1", "--out", str(tmp_path / "out"))
    said = refused("sample", str(run), *wish, capsys=capsys)
    assert "--yes-read" in said and "no text encoder" not in said
    said = refused("sample", str(run), *wish, "--yes-read", str(tmp_path / "secret"), capsys=capsys)
    assert "is no text encoder: it has no model.safetensors" in said
