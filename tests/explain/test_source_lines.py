"""Where something is defined, by the name of its file: never anything but this package's own sources."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.diffusion.process import Process
from fogcatcher.explain.source_lines import PROJECT, named_lines, source_lines

PROCESS = "fogcatcher/diffusion/process.py"


def test_a_name_leads_where_the_object_does():
    assert named_lines(PROCESS, "Process.corrupt") == source_lines(Process.corrupt)
    assert named_lines(PROCESS, "Process") == source_lines(Process)


def test_a_constant_is_found_too():
    assert named_lines("fogcatcher/explain/source_lines.py", "PROJECT").code.startswith("PROJECT = Path(")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (PROCESS, "Process.nothing"),
        (PROCESS, ""),
        (PROCESS, "Process.corrupt.alpha.beta"),
        ("fogcatcher/nothing.py", "Process"),
        ("fogcatcher/../setup.py", "Process"),
        ("fogcatcher/../tests/conftest.py", "pytest"),
        ("../" + PROCESS, "Process"),
        ("/etc/passwd", "root"),
        (str(PROJECT / PROCESS), "Process"),
        ("fogcatcher/diffusion/process.py\n", "Process"),
        ("tests/explain/test_source_lines.py", "PROCESS"),
        ("fogcatcher/diffusion", "Process"),
    ],
)
def test_nothing_else_is_read(path, name):
    with pytest.raises(UserError, match="there is no "):
        named_lines(path, name)


class Slow:
    """Something in a circle, so that the collector ends it; another thread goes on in the meantime."""

    def __init__(self):
        self.me = self

    def __del__(self):
        time.sleep(1e-4)


def test_several_threads_may_ask_at_once():
    """CPython 3.11 raises SystemError where a tree is begun while another thread's is half built."""

    def ask(_):
        Slow()
        return named_lines(PROCESS, "Process.corrupt")

    usual = gc.get_threshold()
    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(ask, range(100)))
    finally:
        gc.set_threshold(*usual)
    assert set(found) == {source_lines(Process.corrupt)}
