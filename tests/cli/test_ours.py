"""What a person has put somewhere is not replaced, whatever it is called; what this program wrote is."""

import json
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from fogcatcher.drawing.ours import check_own
from fogcatcher.model.model import load
from tests.commands import fogcatcher, refused, save_pictures
from tests.random_models import random_model, save

COMMANDS: dict[str, tuple[str, str]] = {
    "sample": (
        "RUN --seeds 3 --steps 1 --gif --gif-each --atlas",
        "00003.png 00003.gif denoising.gif sheet.png sheet.json",
    ),
    "tile": ("sprites --seeds 3 --steps 1 --atlas", "00003.png sheet.png sheet.json laid.png"),
    "vary": ("RUN p.png --seeds 3 --steps 1", "00003.png sheet.png"),
    "interpolate": (
        "RUN 3 4 --frames 2 --steps 1 --atlas",
        "frame-001.png strip.png strip.json between.gif",
    ),
    "grid": ("RUN --x steps=1", "grid.png grid.csv grid.json"),
    "noise": ("p.png", "strip.png noise.gif"),
}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fogcatcher.model.model.load", cache(load))
    model = random_model()
    save(model, tmp_path / "RUN")
    model.sample(1, steps=1).save(tmp_path / "drawn")[0].rename(tmp_path / "p.png")
    return tmp_path


def mine(path: Path) -> bytes:
    """A file of a person, of the kind that its name says."""
    path.parent.mkdir(exist_ok=True)
    if path.suffix in (".png", ".gif"):
        Image.new("RGB", (8, 8), (1, 2, 3)).save(path)
    else:
        texts = {".json": json.dumps({"frames": {}}), ".html": "<p>mine</p>"}
        path.write_text(texts.get(path.suffix, "a,b\n"))
    return path.read_bytes()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.slow
def test_no_command_replaces_what_it_did_not_write(command, place, capsys):
    words, names = [command, *COMMANDS[command][0].split(), "--out", "o"], COMMANDS[command][1].split()
    for name in names:
        path = place / "o" / name
        before = mine(path)
        assert f"{Path('o') / name} was not drawn by this program" in refused(*words, capsys=capsys)
        assert path.read_bytes() == before and len(list((place / "o").iterdir())) == 1
        path.unlink()
    path = place / "o" / names[-1]
    path.mkdir()
    assert "was not drawn by this program" in refused(*words, capsys=capsys)
    path.rmdir()
    path.symlink_to(place / "nowhere")
    assert "was not drawn by this program" in refused(*words, capsys=capsys)
    path.unlink()
    for _ in range(2):  # into an empty folder, and over its own files
        code, _, said = fogcatcher(*words, capsys=capsys)
        assert code == 0, said
    assert {path.name for path in (place / "o").iterdir()} >= set(names)


def test_single_files_of_a_person_are_not_replaced(place, capsys):
    labelled(place / "labelled")
    (place / "RUN" / "metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
    for name, words in {
        "o/explain.html": ("explain", "RUN", "--out", "o"),
        "page.html": ("inspect", "drawn", "--html", "page.html"),
        "sheet.png": ("inspect", "drawn", "--sheet", "sheet.png"),
        "curve.svg": ("plot", "RUN", "--out", "curve.svg"),
        "all.csv": ("classify", "RUN", "p.png", "--out", "all.csv"),
        "RUN/evaluation/report.html": ("evaluate", "RUN"),
        "demo/denoising.gif": ("demo",),
        "x.onnx": ("export", "RUN", "--to", "onnx", "--out", "x.onnx"),
        "pipe/README.md": ("export", "RUN", "--to", "diffusers", "--out", "pipe"),
        "masks/sheet.png": ("segment", "RUN", "p.png", "--labelled", "labelled"),
    }.items():
        before = mine(place / name)
        said = refused(*words, capsys=capsys)
        assert (place / name).read_bytes() == before
        assert Path(name).name in said or "is not empty" in said


def labelled(folder: Path) -> None:
    folder.mkdir()
    for i in range(2):
        Image.new("RGBA", (10, 12), (i, 2, 3, 255)).save(folder / f"{i}.png")
        mask = Image.new("RGBA", (10, 12), (255, 0, 0, 255))
        mask.paste((0, 255, 0, 255), (0, 0, 5, 5))
        mask.save(folder / f"{i}.mask.png")


def test_what_was_written_is_known_again(place, capsys):
    save_pictures(place / "set")
    rows = (f'{{"step": {i}, "loss": 1.0, "seconds": {i}.0}}\n' for i in range(1, 9))
    (place / "RUN" / "metrics.jsonl").write_text("".join(rows))
    for words in (
        ("inspect", "set", "--html", "page.html"),
        ("classify", "RUN", "p.png", "--pairs", "2", "--out", "all.csv"),
        *(("plot", "RUN", "--out", name) for name in ("c.png", "c.svg", "c.pdf")),
    ):
        code, _, said = fogcatcher(*words, capsys=capsys)
        assert code == 0, said
        check_own(place / words[-1])
