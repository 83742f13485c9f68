"""The wheel alone, away from the checkout, has the studio with its page."""

import os
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import urljoin

import pytest

import fogcatcher

PACKAGE = Path(fogcatcher.__file__).parent
LARGEST = 30_000_000


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
    assert {Path(name).suffix for name in names if "studio/page/assets" in name} >= {".js", ".css"}
    assert not [name for name in names if "node_modules" in name or name.startswith(("tests/", "studio/"))]
    assert wheel.stat().st_size < LARGEST


def test_it_starts_the_studio_with_its_page(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    process = subprocess.Popen(
        [sys.executable, "-m", "fogcatcher", "studio", "my-game", "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
    )
    try:
        assert process.stdout
        link = process.stdout.readline().split()[-1]
        page = urllib.request.urlopen(link, timeout=20).read().decode()
        script = page.partition('src="')[2].partition('"')[0]
        code = urllib.request.urlopen(urljoin(link, script), timeout=20).read()
        assert code == zipfile.ZipFile(wheel).read(f"fogcatcher/studio/page/{script.removeprefix('./')}")
    finally:
        process.terminate()
        process.communicate()
