"""File names that are not UTF-8, as old disks and archives hold them: they work, or a sentence names them."""

import json
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import read_dataset
from tests.commands import fogcatcher
from tests.random_models import random_model, save

ODD = os.fsdecode(b"caf\xe9-\xff\x80")
"""What Python makes of bytes that are no UTF-8: letters that cannot be encoded."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        (tmp_path / ODD).mkdir()
    except OSError:  # macOS and Windows have no such names
        pytest.skip("this disk takes no such names")


def fill(folder: Path) -> Path:
    for i in range(6):
        place = folder / (ODD if i % 2 else "plain")
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (40 * i, 0, 200)).save(place / f"{ODD}{i}.png", format="PNG")
    return folder


def done(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """It works, or is refused in one sentence; nothing that cannot be printed is printed."""
    code, out, said = fogcatcher(*words, capsys=capsys)
    assert code in (0, 2) and "Traceback" not in said, (words, said)
    (out + said).encode()
    assert code == 0 or said.count("\n") == 1, said
    return out if code == 0 else said


@pytest.mark.slow
def test_a_data_folder_with_such_names_is_read_and_trained(tmp_path, capsys):
    folder = fill(tmp_path / ODD / "set")
    with pytest.raises(UserError, match="is not called so in UTF-8"):
        read_dataset(folder)
    dataset = read_dataset(folder, DataOptions(encoding="latin-1"))
    assert len(dataset) == 6 and set(dataset.columns["label"]) == {
        "plain",
        "caf\xe9-\xff\\x80",
    }
    given = (f"{ODD}/set", "--encoding", "latin-1")
    done("inspect", *given, "--html", f"{ODD}/page.html", "--sheet", f"{ODD}/s.png", capsys=capsys)
    assert json.loads(done("inspect", *given, "--json", capsys=capsys))
    small = ("--steps", "2", "--size-of-model", "tiny", "--batch-size", "4", "--start-from", "none")
    for words in (
        ("train", *given, *small, "--out", f"{ODD}/run"),
        ("sample", f"{ODD}/run", "-n", "2", "--steps", "1"),
        ("plot", f"{ODD}/run"),
    ):
        done(*words, capsys=capsys)
    assert (tmp_path / ODD / "run" / "model.safetensors").is_file()


def test_model_folders_outputs_and_pictures_with_such_names(tmp_path, capsys):
    save(random_model(), tmp_path / ODD / "model")
    drawn = random_model().sample(1, steps=1).save(tmp_path / "drawn")[0]
    drawn.rename(tmp_path / f"{ODD}.png")
    run = f"{ODD}/model"
    for words in (
        ("sample", run, "-n", "2", "--steps", "1", "--out", f"{ODD}/o", "--atlas", "--gif"),
        ("sample", run, "-n", "2", "--steps", "1"),
        ("vary", run, f"{ODD}.png", "-n", "1", "--steps", "1"),
        ("interpolate", run, "1", f"{ODD}.png", "--frames", "2", "--steps", "1"),
        ("grid", run, "--x", "steps=1", "--out", f"{ODD}/g"),
        ("noise", f"{ODD}.png"),
        ("reproduce", f"{ODD}/o/00000.png", "--model", run),
        ("data", "split-sheet", f"{ODD}/o/sheet.png", "--out", f"{ODD}/cells"),
        ("data", "join-sheet", f"{ODD}/cells", "--out", f"{ODD}/joined.png"),
        ("palette", "apply", f"{ODD}.png", "--palette", "pico8", "--out", f"{ODD}/pal"),
        ("sample", ODD, "-n", "1"),
        ("inspect", f"{ODD}-missing"),
        ("reproduce", f"{ODD}-missing.png"),
    ):
        done(*words, capsys=capsys)
    assert (tmp_path / ODD / "o" / "00000.png").is_file() and (tmp_path / ODD / "o" / "sheet.json").is_file()
    assert (tmp_path / ODD / "g" / "grid.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("to", ["diffusers", "torch", "onnx"])
def test_exports_into_folders_with_such_names(to, tmp_path, capsys):
    """By such a name torch.export.save ends the process."""
    save(random_model(), tmp_path / ODD / "model")
    said = done("export", f"{ODD}/model", "--to", to, "--out", f"{ODD}/out", capsys=capsys)
    assert said.startswith("written: ") and (tmp_path / ODD / "out").exists()


@pytest.mark.slow
def test_members_of_an_archive_with_such_names(tmp_path, capsys):
    fill(tmp_path / "set")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for i, path in enumerate(sorted((tmp_path / "set").rglob("*.png"))):
            archive.writestr(f"{path.parent.name == 'plain'}/XY{i}.png", path.read_bytes())
    content = (tmp_path / "set.zip").read_bytes().replace(b"XY", b"\xe9\xff")  # no flag of UTF-8: cp437
    (tmp_path / f"{ODD}.zip").write_bytes(content)
    assert len(read_dataset(tmp_path / f"{ODD}.zip")) == 6
    done("inspect", f"{ODD}.zip", capsys=capsys)


def test_labels_beside_such_names(tmp_path, capsys):
    folder = fill(tmp_path / "set")
    (folder / "metadata.csv").write_bytes(
        b"file_name,colour\n" + b"".join(b"plain/caf\xe9-\xff\x80%d.png,red\n" % i for i in (0, 2, 4))
    )
    done("inspect", "set", capsys=capsys)
    for encoding in ("latin-1", "utf-8", "cp1251"):
        done("inspect", "set", "--encoding", encoding, capsys=capsys)
