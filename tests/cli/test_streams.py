"""Output arrives as far as it can, and what is taken away or named oddly ends no command in a traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.base.processes import ALONE, Processes, told
from fogcatcher.model.model import folder_of
from fogcatcher.model.places import SHIPPED

FOGCATCHER = [sys.executable, "-m", "fogcatcher"]
PRINTS = """
import sys
from fogcatcher.cli.streams import open_streams
open_streams()
for i in range(20000):
    print("line", i)
print("done", file=sys.stderr)
"""


def test_a_letter_that_the_terminal_lacks_is_written_out(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*FOGCATCHER, "sample", "caf\u00e9"], capture_output=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 2 and done.stderr.startswith(b"fogcatcher: there is no run directory caf\\xe9")


def test_a_reader_that_goes_does_not_end_what_is_done():
    command = [sys.executable, "-c", PRINTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == b"line 0\n"
        child.stdout.close()
        assert child.stderr.read() == b"done\n" and child.wait() == 0


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.15, 0.3, 0.6])
def test_an_early_ctrl_c_says_little(seconds):
    with subprocess.Popen([*FOGCATCHER, "sample", "sprites"], stderr=subprocess.PIPE) as child:
        time.sleep(seconds)
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None and b"Traceback" not in child.stderr.read()
        assert child.wait() in (130, -signal.SIGINT)


def test_what_a_launcher_did_not_set_is_a_sentence(monkeypatch):
    for rank, count, local in (
        ("x", "2", "0"),
        ("2", "2", "0"),
        ("-1", "2", "0"),
        ("0", "2", "1"),
        ("0", "two", "0"),
    ):
        for name, value in (("RANK", rank), ("WORLD_SIZE", count), ("LOCAL_RANK", local)):
            monkeypatch.setenv(name, value)
        with pytest.raises(UserError, match="RANK"):
            told()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert told() == Processes(0, 2, 0)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert told() == ALONE


def test_a_folder_without_a_model_hides_no_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sprites", "evaluation").mkdir(parents=True)
    assert folder_of("sprites") == SHIPPED / "sprites"
    Path("sprites", "config.json").write_text("{}")
    assert folder_of("sprites") == Path("sprites")
