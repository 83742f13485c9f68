"""The command line: help at once, one sentence for every mistake, and the files it promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.cli.arguments import parse_condition, parse_guidance, parse_seeds, parse_size
from fogcatcher.cli.main import main
from tests.commands import fogcatcher, save_pictures


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Path]:
    """(data, run) of a tiny training."""
    folder = tmp_path_factory.mktemp("trained")
    data = save_pictures(folder / "data")
    main(["train", str(data), "--out", str(folder / "run"), "--steps", "3", "--size-of-model", "tiny"])
    return data, folder / "run"


def test_mistakes_are_one_sentence_and_exit_code_2(tmp_path, capsys, trained):
    data, run = trained
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    for name in ("a.txt", "b.txt", "c.PDF"):
        (tmp_path / "text" / name).write_text("x")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("x")
    (tmp_path / "new").mkdir()
    cases = [
        (("train", str(tmp_path / "missing")), "there is no folder"),
        (("train", str(tmp_path / "empty")), "is empty: put PNG"),
        (("train", str(tmp_path / "text")), "no pictures among the 3 files"),
        (("train", str(tmp_path / "text")), ".txt x 2, .pdf x 1"),
        (("train", str(tmp_path / "broken")), "none of the 1 pictures"),
        (("train", str(tmp_path / "text" / "a.txt")), "is a file"),
        (("train", str(data), "--out", str(run), "--steps", "3"), "already holds a run: add --resume"),
        (("train", str(data), "--out", str(tmp_path / "new"), "--resume"), "not a run directory"),
        (("train", str(data), "--steps", "0"), "from 1 to 1,000,000,000, not 0"),
        (("train", str(data), "--minutes", "-1"), "from 0.000001 to 1,000,000, not -1"),
        (("train", str(data), "--steps", "3", "--minutes", "1"), "not both"),
        (("train", str(data), "--size", "4"), "from 8 to 1024, not 4x4"),
        (("train", str(data), "--size", "big"), "is not a size"),
        (("train", str(data), "--condition", "mood"), "unknown condition column 'mood'"),
        (("train", str(data), "--preset", "gan"), "unknown preset 'gan'"),
        (("sample", str(tmp_path / "missing")), "no run directory"),
        (("sample", str(tmp_path / "new")), "not a run directory"),
        (("sample", str(run), "--condition", "label=c"), "unknown label 'c'. Valid: a, b."),
        (("sample", str(run), "--condition", "label"), "NAME=VALUE"),
        (("sample", str(run), "--seeds", "1-x"), "is not a list of seeds"),
        (("sample", str(run), "--sampler", "magic"), "unknown sampler 'magic'"),
        (("sample", str(run), "--sheet", "wide"), "is not a grid"),
        (("sample", str(run), "-n", "0"), "from 1 to 1,000,000, not 0"),
        (("inspect", str(tmp_path / "missing")), "there is no folder"),
    ]
    for arguments, sentence in cases:
        code, _, errors = fogcatcher(*arguments, capsys=capsys)
        assert code == 2, arguments
        assert sentence in errors, (arguments, errors)
        assert errors.startswith("fogcatcher: ") and errors.count("\n") == 1, errors
    assert not (Path.cwd() / "runs").exists()  # nothing was written


def test_train_then_sample_writes_what_it_says(tmp_path, capsys, trained):
    _, run = trained
    code, said, _ = fogcatcher(
        "sample", str(run), "--seeds", "3-4,9", "--steps", "4", "--gif", "--out", str(tmp_path / "o"),
        "--condition", "label=a", capsys=capsys,
    )  # fmt: skip
    assert code == 0 and "3 pictures" in said
    written = {p.name for p in (tmp_path / "o").iterdir()}
    assert written == {"00003.png", "00004.png", "00009.png", "sheet.png", "denoising.gif"}
    with Image.open(tmp_path / "o" / "denoising.gif") as gif:
        assert 2 <= getattr(gif, "n_frames", 1) <= 4  # equal neighbours are stored once


def test_dry_run_writes_nothing(tmp_path, capsys, trained):
    data, _ = trained
    out = tmp_path / "run"
    code, said, _ = fogcatcher(
        "train",
        str(data),
        "--out",
        str(out),
        "--steps",
        "50",
        "--size-of-model",
        "tiny",
        "--dry-run",
        capsys=capsys,
    )
    assert code == 0 and "images/s" in said and "nothing was written" in said and not out.exists()


@pytest.mark.slow
def test_inspect_says_what_is_there(tmp_path, capsys):
    data = save_pictures(tmp_path / "data")
    (data / "a" / "broken.png").write_text("x")
    code, said, error = fogcatcher("inspect", str(data), capsys=capsys)
    for sentence in (
        "6 pictures, all 8x8, RGB",
        "1 picture cannot be used:\n  a/broken.png: is not a picture",
        "label: a (3), b (3), all equal",
        "condition: label (2 classes)",
        "network: ",
        "memory: ",
    ):
        assert sentence in said
    # The report comes first; then one bad picture of seven is more than the usual 5 %.
    assert code == 2 and "1 of 7 pictures (14%) cannot be used" in error
    assert fogcatcher("inspect", str(data), "--max-bad", "0.2", capsys=capsys)[0] == 0


def test_inspect_as_json_and_as_a_page(tmp_path, capsys):
    data = save_pictures(tmp_path / "data")
    (data / "a" / "broken.png").write_text("x")
    (data / "notes.txt").write_text("x")
    page = tmp_path / "report.html"
    code, said, _ = fogcatcher(
        "inspect", str(data), "--json", "--html", str(page), "--max-bad", "1", capsys=capsys
    )
    report = json.loads(said)  # the whole of standard output
    assert code == 0 and report["pictures"] == 6 and (report["width"], report["height"]) == (8, 8)
    assert report["skipped"] == {"a/broken.png": "is not a picture, whatever its name says"}
    assert set(report["ignored"]) == {"notes.txt"}
    assert report["conditions"] == [{"type": "category", "name": "label", "classes": ["a", "b"]}]
    assert report["forecast"]["seconds_per_step"] > 0
    assert "a/broken.png" in page.read_text(encoding="utf-8")


def test_seed_lists():
    assert parse_seeds("7") == [7]
    assert parse_seeds("0-3, 9,20-21") == [0, 1, 2, 3, 9, 20, 21]
    for wrong in ("", "a", "3-1", "-1", "1--2", "0-99999999"):
        with pytest.raises(UserError):
            parse_seeds(wrong)


def test_sizes_are_width_by_height():
    assert parse_size("16") == (16, 16) and parse_size("24x32") == (32, 24)


def test_conditions_and_mixes():
    assert parse_condition(("kind=food",)) == {"kind": "food"}
    assert parse_condition(("kind=hero:1,food:0.6", "colour=#ff0000")) == {
        "kind": "hero:1,food:0.6",
        "colour": "#ff0000",
    }
    with pytest.raises(UserError, match="form NAME=VALUE"):
        parse_condition(("kind",))
    for twice in (("kind=food", "kind=hero"), ("kind=food", "hp=3", "kind=food")):
        with pytest.raises(UserError, match="names kind twice"):
            parse_condition(twice)
    with pytest.raises(UserError, match="names an attribute twice"):
        parse_guidance("kind=3,kind=2")


def test_guidance_is_one_scale_or_one_per_attribute():
    assert parse_guidance("2.5") == 2.5 and parse_guidance("kind=3,palette=1.5") == {
        "kind": 3,
        "palette": 1.5,
    }
    with pytest.raises(UserError, match="not a number, nor like kind=3"):
        parse_guidance("strong")


@pytest.mark.parametrize("arguments", [("--help",), ("sample", "--help")])
def test_help_does_not_load_torch(arguments):
    code = (
        f"import sys\nsys.argv = ['fogcatcher', *{arguments}]\n"
        "from fogcatcher.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    "command",
    [
        "train",
        "train-classifier",
        "sample",
        "evaluate",
        "explain",
        "grid",
        "reproduce",
        "inspect",
        "demo",
        "data split-sheet",
        "data join-sheet",
        "palette extract",
        "palette apply",
    ],
)
def test_every_command_shows_an_example(command, capsys):
    code, said, _ = fogcatcher(*command.split(), "--help", capsys=capsys)
    assert code == 0 and f"fogcatcher {command}" in said and "Example:" in said


@pytest.mark.slow
def test_what_classify_and_segment_refuse(tmp_path, capsys, trained):
    data, run = trained
    plain = save_pictures(tmp_path / "plain")
    Image.new("RGB", (8, 8)).save(tmp_path / "one.mask.png")
    bare = ["--out", str(tmp_path / "bare"), "--steps", "1", "--size-of-model", "tiny", "--condition", "none"]
    main(["train", str(plain), *bare])
    capsys.readouterr()
    cases = [
        (
            ("classify", str(run), str(data), "--attribute", "colour"),
            "unknown attribute 'colour'. Valid: label.",
        ),
        (("classify", str(run), str(data), "--pairs", "1"), "--pairs must be at least 2, not 1"),
        (("classify", str(run), str(tmp_path / "missing")), "there is no folder"),
        (("classify", str(tmp_path / "bare"), str(data)), "this model knows no classes to choose from"),
        (("segment", str(run), str(data), "--labelled", str(tmp_path / "missing")), "there is no folder"),
        (("segment", str(run), str(data), "--labelled", str(data)), "has no masks: put NAME.mask.png"),
        (
            ("segment", str(run), str(data), "--labelled", str(tmp_path)),
            "has no picture: put one.png beside it",
        ),
    ]
    for arguments, sentence in cases:
        code, _, errors = fogcatcher(*arguments, capsys=capsys)
        assert code == 2 and sentence in errors and errors.count("\n") == 1, arguments


def test_classify_says_and_writes_the_class_of_every_picture(tmp_path, capsys, trained):
    data, run = trained
    out = tmp_path / "classes.csv"
    code, said, _ = fogcatcher(
        "classify", str(run), str(data), "--pairs", "6", "--out", str(out), capsys=capsys
    )
    assert code == 0 and "6 pictures: " in said and " of 6 labelled pictures" in said
    header, *rows = (line.split(",") for line in out.read_text().splitlines())
    assert header[:5] == ["name", "class", "next", "margin", "label"]
    assert sorted((row[0], row[4]) for row in rows) == sorted(
        (f"{'a' if i % 2 else 'b'}/{i}.png", "a" if i % 2 else "b") for i in range(6)
    )
    # One picture alone, four times as large, gets the answer that it gets in the folder.
    large = tmp_path / "large.png"
    with Image.open(data / "a" / "1.png") as picture:
        picture.resize((32, 32), Image.Resampling.NEAREST).save(large)
    code, said, _ = fogcatcher("classify", str(run), str(large), "--pairs", "6", capsys=capsys)
    answer = next(row[1] for row in rows if row[0] == "a/1.png")
    assert code == 0 and said.startswith(f"large.png  {answer}  (")


@pytest.mark.slow
def test_segment_writes_a_mask_for_every_picture(tmp_path, capsys, trained):
    _, run = trained
    examples = tmp_path / "examples"
    examples.mkdir()
    for i in range(2):
        picture, mask = Image.new("RGB", (8, 8), (20 * i, 0, 0)), Image.new("RGB", (8, 8), (255, 0, 0))
        picture.paste((200, 255, 255), (4, 0, 8, 8))
        mask.paste((0, 0, 255), (4, 0, 8, 8))
        picture.save(examples / f"{i}.png")
        mask.save(examples / f"{i}.mask.png")
    out = tmp_path / "out"
    code, said, _ = fogcatcher(
        "segment", str(run), str(examples), "--labelled", str(examples), "--out", str(out), capsys=capsys
    )
    assert code == 0 and "2 labelled pictures, 2 classes" in said
    assert sorted(path.name for path in out.iterdir()) == ["0.mask.png", "1.mask.png", "sheet.png"]
    with Image.open(out / "0.mask.png") as mask:
        assert len(mask.getcolors() or []) == 2
        # Far from the edge the two halves, black and bright, are told apart.
        assert mask.convert("RGB").getpixel((0, 4)) == (255, 0, 0)
        assert mask.convert("RGB").getpixel((7, 4)) == (0, 0, 255)
