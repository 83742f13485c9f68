"""What is wrong is told before torch is loaded; a reader who leaves early is no error; names in any case."""

import subprocess
import sys
from pathlib import Path

import pytest

from fogcatcher.base.errors import UserError, known_name
from fogcatcher.cli.main import main
from fogcatcher.drawing.settings import settings_of
from fogcatcher.model.places import local_folder
from tests.commands import fogcatcher, refused
from tests.random_models import random_model
from tests.small_trainings import save_pictures

WRONG = [
    "sample nowhere",
    "sample features",
    "sample sprites --sampler eluer",
    "sample sprites --guidance strong",
    "vary nowhere a.png",
    "interpolate nowhere 1 2",
    "grid nowhere --x steps=5,10",
    "evaluate nowhere",
    "explain nowhere",
    "classify nowhere pictures",
    "train nowhere",
    "inspect nowhere",
    "train . --size 4",
    "train . --fit stretch",
]
SCRIPT = """
import sys
from fogcatcher.cli.main import main
for line in sys.stdin.read().splitlines():
    try:
        main(line.split())
        print("no error:", line)
    except SystemExit as stop:
        if stop.code != 2:
            print("exit", stop.code, line)
    if "torch" in sys.modules:
        print("torch was loaded by:", line)
        break
"""


def test_the_first_error_comes_without_the_libraries_that_take_seconds(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input="\n".join(WRONG), capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "" and done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("fogcatcher: ") >= len(WRONG) - 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_a_reader_who_leaves_early_is_no_error(arguments):
    with subprocess.Popen(
        [sys.executable, "-m", "fogcatcher", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        assert command.stdout and command.stderr
        command.stdout.close()  # before a word is written, as head may
        said = command.stderr.read()
        assert command.wait() == 0 and said == b""


def test_features_are_told_what_they_are(capsys):
    said = refused("sample", "features", capsys=capsys)
    assert "no model that draws" in said and "base-32, course, ddpm, sprites" in said
    with pytest.raises(UserError, match=r"shipped: base-32, course, ddpm, sprites"):
        local_folder("feature")


# --- names in any case --------------------------------------------------------------------------


def test_a_name_is_known_in_any_case_unless_two_differ_in_it():
    assert known_name("x", "DDIM", ["ddim", "ddpm"]) == "ddim"
    assert known_name("x", "A", ["a", "A"]) == "A" and known_name("x", "a", ["a", "A"]) == "a"
    with pytest.raises(UserError, match="unknown x 'Ab'"):
        known_name("x", "Ab", ["ab", "AB"])


def test_a_drawing_asked_for_in_capitals_keeps_the_usual_names():
    model = random_model()
    small = model.sample(2, {"kind": "hero"}, sampler="ddim", grid="linspace", steps=2, limit="dynamic")
    large = model.sample(
        2,
        {"KIND": "Hero"},
        settings=settings_of({"limit": "Dynamic"}),
        sampler="DDIM",
        grid="LinSpace",
        steps=2,
    )
    assert large.rows.equal(small.rows) and large.recipes == small.recipes
    mixed = model.sample(1, {"kind": "HERO:1,Food:0.5"}, steps=1)
    assert mixed.made[0].condition == {"kind": {"hero": 1.0, "food": 0.5}}


def test_choices_of_the_command_are_taken_in_capitals(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random_model().save(Path("run"))
    asked = (
        "sample",
        "run",
        "-n",
        "1",
        "--steps",
        "1",
        "--limit",
        "CLIP",
        "--palette",
        "PICO8",
        "--out",
        "o",
    )
    assert fogcatcher(*asked, capsys=capsys)[0] == 0


# --- one number of steps ------------------------------------------------------------------------


def test_a_dry_run_says_one_number_of_steps(tmp_path, capsys, monkeypatch):
    """What was timed to plan the run is not timed again, which gave another number."""
    monkeypatch.setattr("fogcatcher.runs.prepare.time_step", lambda run, seconds: 0.25)
    monkeypatch.setattr("fogcatcher.runs.forecast.time_step", lambda run, seconds: 1 / 0)
    save_pictures(tmp_path / "data", 6)
    main(["train", str(tmp_path / "data"), "--minutes", "20", "--size-of-model", "tiny", "--dry-run"])
    words = capsys.readouterr().out.replace(",", "").split()
    steps = {
        words[i - 1] for i, word in enumerate(words) if word.startswith("steps") and words[i - 1].isdigit()
    }
    assert len(steps) == 1 and 4000 < int(steps.pop()) <= 20 * 60 / 0.25


# --- what a sheet shows by itself ---------------------------------------------------------------


def test_a_sheet_that_leaves_classes_out_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random_model().save(Path("run"))  # of three classes
    for count, said in (("9", "shown: 2 of the 3 of kind"), ("17", "")):
        code, out, _ = fogcatcher("sample", "run", "-n", count, "--steps", "1", "--out", count, capsys=capsys)
        assert code == 0 and (said in out if said else "shown:" not in out)
