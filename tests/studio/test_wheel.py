"""The wheel alone, away from the checkout, has the studio with its page."""

import json
import os
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

import fogcatcher

PACKAGE = Path(fogcatcher.__file__).parent
LARGEST = 30_000_000
ALONE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""The checkout is not to be found by what is installed elsewhere."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (PACKAGE / "studio/page/index.html").exists():
        pytest.skip("the page is not built here: make page")
    out = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(PACKAGE.parent)], check=True)
    return next(out.glob("*.whl"))


def test_the_page_is_in_it_and_nobodys_sources_are(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "fogcatcher/studio/page/index.html" in names
    assert {"fogcatcher/studio/words/es.json", "fogcatcher/shipped/sprites/thumb.png"} <= set(names)
    assert {Path(name).suffix for name in names if "studio/page/assets" in name} >= {".js", ".css"}
    assert not [name for name in names if "node_modules" in name or name.startswith(("tests/", "studio/"))]
    assert wheel.stat().st_size < LARGEST


@contextmanager
def started(python: str, folder: Path, **environment: str) -> Iterator[str]:
    """The studio of an installation, started in a folder away from the checkout; yields its link."""
    process = subprocess.Popen(
        [python, "-m", "fogcatcher", "studio", "my-game", "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=ALONE | environment,
    )
    try:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.communicate()


def code_of(link: str) -> tuple[str, bytes]:
    """Return the name of the page's script in the wheel, and what the studio sends for it."""
    page = urllib.request.urlopen(link, timeout=20).read().decode()
    script = page.partition('src="')[2].partition('"')[0]
    code = urllib.request.urlopen(urljoin(link, script), timeout=20).read()
    return f"fogcatcher/studio/page/{script.removeprefix('./')}", code


@pytest.mark.slow
def test_it_starts_the_studio_with_its_page(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    with started(sys.executable, tmp_path, PYTHONPATH=str(tmp_path / "installed")) as link:
        name, code = code_of(link)
        told = json.load(urllib.request.urlopen(urljoin(link, "/api/options?language=es"), timeout=60))
    assert code == zipfile.ZipFile(wheel).read(name)
    assert told["said"]["there is no such file in the workspace."].startswith("no hay")


MOST_MORE = 15
"""Packages that the extra may add."""


@pytest.mark.slow
def test_an_empty_environment_needs_no_more_than_the_extra(wheel, tmp_path):
    """Install it as people do, count what the extra adds, open the page, draw a picture."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "empty")], check=True)
    python = str(tmp_path / "empty" / ("Scripts" if os.name == "nt" else "bin") / "python")

    def install(what: str) -> set[str]:
        quiet = ["--quiet", "--disable-pip-version-check", "-c", str(PACKAGE.parent / "constraints.txt")]
        command = [python, "-m", "pip", "install", *quiet, what]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=ALONE)
        if "Failed to establish a new connection" in done.stderr:
            pytest.skip("no package registry can be reached from here")
        assert done.returncode == 0, done.stderr[-2000:]
        listed = [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
        said = subprocess.run(listed, stdout=subprocess.PIPE, cwd=tmp_path, env=ALONE).stdout
        return {one["name"] for one in json.loads(said)}

    before = install(str(wheel))
    more = install(f"{wheel}[studio]") - before
    assert "fastapi" in more and len(more) <= MOST_MORE, sorted(more)
    with started(python, tmp_path) as link:
        name, code = code_of(link)
        assert code == zipfile.ZipFile(wheel).read(name)
        picture = drawn_by(link)
    assert (tmp_path / "my-game" / picture["id"]).read_bytes()[:4] == b"\x89PNG"


def drawn_by(link: str) -> Any:
    """Ask a studio for one picture of the shipped model, and return what it says of it."""

    def ask(path: str, body: Any = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        head = {"X-Fogcatcher": "1", "Content-Type": "application/json"}
        request = urllib.request.Request(urljoin(link, path), sent, head)
        return json.loads(urllib.request.urlopen(request, timeout=60).read())

    wanted = {"model": "shipped.sprites", "seeds": [1], "settings": {"steps": 4}}
    job = ask("/api/jobs", {"kind": "draw", "request": wanted})
    until = time.monotonic() + 120
    while job["state"] in ("queued", "running") and time.monotonic() < until:
        time.sleep(0.2)
        job = ask(f"/api/jobs/{job['id']}")
    assert job["state"] == "done", job
    return job["result"]["pictures"][0]
