"""The command line in this process, and a folder of pictures to give it."""

from pathlib import Path

import pytest
from PIL import Image

from fogcatcher.cli.main import main


def fogcatcher(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, output and errors."""
    code = 0
    try:
        main(list(arguments))
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that is a mistake; return the one sentence that says so."""
    code, _, said = fogcatcher(*arguments, capsys=capsys)
    assert code == 2 and said.startswith("fogcatcher: ") and said.count("\n") == 1, (arguments, said)
    return said


def save_pictures(folder: Path, n: int = 6) -> Path:
    for i in range(n):
        target = folder / ("a" if i % 2 else "b") / f"{i}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (10 * i, 0, 200)).save(target)
    return folder
