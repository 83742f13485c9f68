"""Files are written whole, in their own place, and nowhere else, whatever links somebody has laid there."""

import ast
import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import fogcatcher
from fogcatcher.base import disk
from fogcatcher.base.disk import open_to_append, remove_leftovers, write_atomically, write_text
from fogcatcher.runs.log import RowLog

OWN = {"disk.py", "store.py", "uploads.py", "diffusers_pipeline.py"}
"""The one writer; what fills a folder of the cache, or one just made for an upload; what must run where
nothing of ours is."""


def written(call: ast.Call) -> ast.expr | None:
    """Where a call writes a file; None where it writes none."""
    first, second = [*call.args, None, None][:2]
    match call.func:
        case ast.Attribute(value=path, attr="write_text" | "write_bytes" | "touch"):
            return path
        case ast.Attribute(attr="savefig"):
            return first
        case ast.Attribute(attr="save") if any(keyword.arg == "format" for keyword in call.keywords):
            return first
        case ast.Name("save_file"):
            return second
        case ast.Name("open") if isinstance(second, ast.Constant) and set(str(second.value)) & set("wax+"):
            return first
    return None


def writes_elsewhere(code: str) -> list[int]:
    """The lines where a file is written that is no ``part`` of ``write_atomically``, nor one in memory."""
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    targets = [(call.lineno, target) for call in calls if (target := written(call)) is not None]
    fine = {"part", "file", "stream", "os.devnull"}
    return [line for line, target in targets if ast.unparse(target) not in fine]


def test_everything_is_written_through_one_function():
    """A file of its own making would follow links, could be half written, and had rights of its own."""
    root = Path(fogcatcher.__file__).parent
    wrong = {
        path.relative_to(root).as_posix(): lines
        for path in root.rglob("*.py")
        if path.name not in OWN and (lines := writes_elsewhere(path.read_text()))
    }
    assert not wrong
    bad = "path.write_text('x')\nopen(p, 'w')\nimage.save(p, format='PNG')\nsave_file(t, p)"
    assert writes_elsewhere(bad) == [1, 2, 3, 4]


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "victim"
    path.parent.mkdir()
    path.write_text("precious")
    return path


def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path, victim):
    for name, target in (("linked", victim), ("dangling", victim.parent / "new")):
        (tmp_path / name).symlink_to(target)
        write_text(tmp_path / name, "mine")
        assert not (tmp_path / name).is_symlink() and (tmp_path / name).read_text() == "mine"
    assert victim.read_text() == "precious" and list(victim.parent.iterdir()) == [victim]


def test_no_name_beside_the_place_can_be_guessed(tmp_path, victim):
    """What earlier versions opened is a link here; and what is written lies where others may not look."""
    for name in (".report.html.part", "report.html.part"):
        (tmp_path / name).symlink_to(victim)
    seen = []

    def write(part: Path) -> None:
        seen.append((part.parent, stat.S_IMODE(part.parent.stat().st_mode)))
        part.write_text("mine")

    for _ in range(2):
        write_atomically(tmp_path / "report.html", write)
    assert victim.read_text() == "precious"
    assert [mode for _, mode in seen] == [0o700, 0o700] and seen[0][0] != seen[1][0]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"elsewhere", "report.html", ".report.html.part", "report.html.part"}


def test_a_log_does_not_follow_links(tmp_path, victim):
    for name, target in (("a.jsonl", victim), ("b.jsonl", victim.parent / "new")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(OSError):
            open_to_append(tmp_path / name)
        RowLog(tmp_path / name, 0).add({"step": 1})
        assert (tmp_path / name).read_text() == '{"step": 1}\n' and not (tmp_path / name).is_symlink()
    assert victim.read_text() == "precious" and list(victim.parent.iterdir()) == [victim]


def test_pipes_devices_and_folders_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path(os.devnull)):
        before = path.lstat().st_mode
        with pytest.raises(OSError):
            write_text(path, "x")
        with pytest.raises(OSError):
            open_to_append(path)
        assert path.lstat().st_mode == before


def test_leftovers_are_not_looked_for_behind_links(tmp_path, victim):
    run = tmp_path / "run"
    (run / "state").mkdir(parents=True)
    (run / "samples").symlink_to(victim.parent)
    theirs = victim.parent / ".x.part"
    for path in (theirs, run / "state" / ".x.part", run / ".tmpabcdef"):
        path.write_text("x")
    killed = run / ".model.safetensors.a1b2.part"
    killed.mkdir()
    (killed / "model.safetensors").write_text("x")
    (killed / "link").symlink_to(victim)
    remove_leftovers(run)
    assert theirs.exists() and victim.exists()
    assert sorted(path.name for path in run.rglob("*")) == ["samples", "state"]


def test_all_files_may_be_read_by_the_same_people(tmp_path):
    """safetensors makes its files for their owner alone; what was closed on purpose stays closed."""
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "weights", lambda part: save_file({"x": torch.zeros(1)}, part))
        write_text(tmp_path / "text", "x")
        (tmp_path / "closed").write_text("x")
        (tmp_path / "closed").chmod(0o600)
        write_text(tmp_path / "closed", "y")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"weights": 0o640, "text": 0o640, "closed": 0o600}


def test_the_place_is_named_where_nothing_can_be_written(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_text(tmp_path / "none" / "file", "x")
    assert caught.value.filename == str(tmp_path / "none" / "file")
    assert disk.is_full(OSError(28, "full"))
