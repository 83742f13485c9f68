"""By which data a run is judged: those it was trained on, wherever one asks; and whether they changed."""

from pathlib import Path

import pytest

from fogcatcher.model.model import Model, load
from fogcatcher.model.privacy import public_config
from fogcatcher.runs.evaluating import change_since, data_of
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup
from tests.small_trainings import save_pictures


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A run on 24 pictures that were given by a relative path."""
    save_pictures(tmp_path / "home" / "pictures", 24)
    monkeypatch.chdir(tmp_path / "home")
    setup = Setup("pictures", Path("run"), steps=1, size_of_model="tiny", start_from="none")
    for _ in follow(prepare(setup)):
        pass
    return load("run")


def test_a_relative_path_leads_to_the_same_data_from_another_folder(model, tmp_path, monkeypatch):
    """There other pictures lie under that very path."""
    save_pictures(tmp_path / "away" / "pictures", 7)
    monkeypatch.chdir(tmp_path / "away")
    dataset, parts = data_of(model)
    assert len(dataset) == 24 and change_since(model, dataset, parts) == []


def test_data_that_changed_are_noticed(model):
    save_pictures(Path("pictures/more"), 2)
    (line,) = change_since(model, *data_of(model))
    assert "24 then" in line


def test_where_the_data_lie_stays_at_home(model, tmp_path):
    assert model.config.data.folder == str(tmp_path / "home" / "pictures")
    assert str(tmp_path) not in str(public_config(model.config.to_json()))
