"""The command that writes models for other programs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fogcatcher.cli.main import main
from fogcatcher.exchange import onnx_runtime
from fogcatcher.model.model import load
from tests.random_models import random_model, save

pytestmark = pytest.mark.slow

FORMS = {"diffusers": "pipeline", "onnx": "model.onnx", "torch": "model.pt2"}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run, and beside it what was exported."""
    folder = tmp_path_factory.mktemp("exported")
    save(random_model(), folder / "run")
    for form, name in FORMS.items():
        main(["export", str(folder / "run"), "--to", form, "--out", str(folder / name)])
    return folder / "run"


@pytest.mark.parametrize(("form", "name"), FORMS.items())
def test_every_form_is_written_once(run, form, name, capsys):
    out = run.parent / name
    assert out.exists()
    with pytest.raises(SystemExit) as stop:
        main(["export", str(run), "--to", form, "--out", str(out)])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1 and "Traceback" not in said


def test_the_file_for_onnx_draws_the_pictures_of_the_run(run):
    there = onnx_runtime.load(run.parent / "model.onnx").sample(3, {"kind": "food"}, steps=5)
    here = load(run).sample(3, {"kind": "food"}, steps=5).pictures.permute(0, 2, 3, 1).numpy()
    assert np.abs(there.astype(int) - here).max() <= 1


def test_a_pipeline_shows_what_it_draws(run):
    with Image.open(run.parent / "pipeline" / "sheet.png") as sheet:
        assert sheet.width > 8 * 10 and sheet.height > 4 * 12


def test_the_hub_needs_a_name(run, capsys):
    with pytest.raises(SystemExit):
        main(["export", str(run), "--to", "hub"])
    assert "--out user/name" in capsys.readouterr().err


def test_a_name_of_the_hub_is_looked_up_only_where_no_folder_is_meant(tmp_path, monkeypatch):
    """hub:user/name is fetched; runs/missing is a mistake, whether or not there is a folder runs."""
    run = save(random_model(), tmp_path / "there")
    monkeypatch.setattr("fogcatcher.model.hub.fetch", lambda name: {"somebody/dogs": run}[name])
    monkeypatch.chdir(tmp_path)
    assert load("hub:somebody/dogs").hash == load(run).hash
    for _ in range(2):
        for name in ("runs/missing", "somebody/dogs"):
            with pytest.raises(Exception, match=f"there is no run directory {name}"):
                load(name)
        (tmp_path / "runs").mkdir(exist_ok=True)


def test_a_model_is_sent_with_its_card(run, monkeypatch):
    sent = {}

    def push(folder: Path, repo: str, **_: object) -> str:
        sent.update({path.name: path.read_bytes() for path in folder.iterdir()})
        return f"https://example.org/{repo}"

    monkeypatch.setattr("fogcatcher.model.hub.push_to_hub", push)
    assert load(run).push_to_hub("somebody/dogs") == "https://example.org/somebody/dogs"
    assert set(sent) == {"model.safetensors", "config.json", "conditions.json", "README.md"}
    assert b"fogcatcher.load(" in sent["README.md"]
