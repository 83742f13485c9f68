"""What a person has put somewhere is not replaced, whatever it is called; what this program wrote there is."""

import json
from pathlib import Path

import pytest
from PIL import Image

from fogcatcher.drawing.ours import check_own
from tests.commands import fogcatcher, refused
from tests.random_models import random_model, save

FEW = ("--steps", "1")
COMMANDS = {
    "sample": (("sample", "RUN", "--seeds", "3", *FEW, "--gif", "--gif-each", "--atlas"), "00003.png 00003.gif denoising.gif sheet.png sheet.json"),  # fmt: skip  # noqa: E501
    "tile": (("tile", "RUN", "--seeds", "3", *FEW, "--atlas"), "00003.png sheet.png sheet.json laid.png"),
    "vary": (("vary", "RUN", "p.png", "--seeds", "3", *FEW), "00003.png sheet.png"),
    "interpolate": (("interpolate", "RUN", "3", "4", "--frames", "2", *FEW, "--atlas"), "frame-001.png strip.png strip.json between.gif"),  # fmt: skip  # noqa: E501
    "grid": (("grid", "RUN", "--x", "steps=1"), "grid.png grid.csv grid.json"),
    "explain": (("explain", "RUN", "--steps", "1"), "explain.html steps.png denoising.gif"),
    "noise": (("noise", "p.png"), "strip.png noise.gif"),
}  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
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
        path.write_text(
            {".json": json.dumps({"frames": {}}), ".html": "<p>mine</p>"}.get(path.suffix, "a,b\n")
        )
    return path.read_bytes()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_replaces_what_it_did_not_write(command, place, capsys):
    words, names = COMMANDS[command]
    for name in names.split():
        path = place / "o" / name
        before = mine(path)
        said = refused(*words, "--out", "o", capsys=capsys)
        assert f"{Path('o') / name} was not drawn by this program" in said
        assert path.read_bytes() == before and [path.name] == [each.name for each in (place / "o").iterdir()]
        path.unlink()
    path = place / "o" / names.split()[-1]
    path.mkdir()
    assert "was not drawn by this program" in refused(*words, "--out", "o", capsys=capsys)
    path.rmdir()
    path.symlink_to(place / "nowhere")
    assert "was not drawn by this program" in refused(*words, "--out", "o", capsys=capsys)
    path.unlink()
    for _ in range(2):  # once into an empty folder, and once more over its own files
        code, _, said = fogcatcher(*words, "--out", "o", capsys=capsys)
        assert code == 0, said
    assert {path.name for path in (place / "o").iterdir()} >= set(names.split())


def test_single_files_of_a_person_are_not_replaced(place, capsys):
    Image.new("RGB", (8, 8), (1, 2, 3)).save(place / "a.png")
    for name, words in {
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
        if words[0] == "plot":
            (place / "RUN" / "metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n' * 1)
        if words[0] == "segment":
            labelled(place / "labelled")
        before = mine(place / name)
        said = refused(*words, capsys=capsys)
        assert (
            (place / name).read_bytes() == before and Path(name).name in said
        ) or "is not empty" in said, said


def labelled(folder: Path) -> None:
    folder.mkdir()
    for i in range(2):
        Image.new("RGBA", (10, 12), (i, 2, 3, 255)).save(folder / f"{i}.png")
        mask = Image.new("RGBA", (10, 12), (255, 0, 0, 255))
        mask.paste((0, 255, 0, 255), (0, 0, 5, 5))
        mask.save(folder / f"{i}.mask.png")


def test_what_was_written_is_known_again(place, capsys):
    assert fogcatcher("inspect", "drawn", "--html", "page.html", capsys=capsys)[0] == 0
    assert fogcatcher("classify", "RUN", "p.png", "--pairs", "1", "--out", "all.csv", capsys=capsys)[0] == 0
    (place / "RUN" / "metrics.jsonl").write_text(
        "".join(f'{{"step": {i}, "loss": 1.0, "seconds": {i}.0}}\n' for i in range(1, 9))
    )
    for name in ("c.png", "c.svg", "c.pdf"):
        code, _, said = fogcatcher("plot", "RUN", "--out", name, capsys=capsys)
        assert code == 0, said
        check_own(place / name)
    for name in ("page.html", "all.csv"):
        check_own(place / name)
