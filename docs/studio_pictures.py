"""The pictures of docs/studio.md: a studio on an empty folder, a browser, and what it shows.

    python docs/studio_pictures.py

It needs the page (make page), the extras of development, and chromium. All that can be seen in the
pictures was drawn by the shipped model or by the rules of the built-in sprites.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).parent
SIZE = {"width": 1280, "height": 800}
PATIENCE = 300_000  # milliseconds


def main() -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no browser: apt-get install chromium")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fogcatcher", "studio", f"{folder}/my-game", "--no-browser"]
        service = subprocess.Popen([*command, "--port", str(port)])
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/state")
            with sync_playwright() as driver:
                opened = driver.chromium.launch(executable_path=browser)
                page = opened.new_page(viewport=SIZE, locale="en", reduced_motion="reduce")  # type: ignore[arg-type]
                page.set_default_timeout(PATIENCE)
                _tour(page, f"http://127.0.0.1:{port}/#")
                opened.close()
        finally:
            service.terminate()
            service.wait()


def _wait_for(address: str) -> None:
    for _ in range(600):
        try:
            urlopen(address).close()
            return
        except OSError:
            time.sleep(0.2)
    sys.exit("the studio did not start")


def _tour(page: Page, base: str) -> None:
    page.goto(f"{base}/home")
    page.locator(".emerging canvas").wait_for()
    _keep(page, "studio-home")
    page.get_by_role("button", name="Draw the first pictures").click()
    drawn = page.locator(".stage button.bare")
    drawn.first.wait_for()
    page.locator(".gallery .tile").nth(7).wait_for()
    _keep(page, "studio-draw")
    drawn.first.click()
    page.get_by_role("button", name="Repair").click()
    canvas = page.locator(".painter canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.6 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=6)
    page.mouse.up()
    _keep(page, "studio-edit")
    page.goto(f"{base}/data?name=builtin")
    page.locator(".report").wait_for()
    _keep(page, "studio-data")
    page.goto(f"{base}/explain")
    page.locator(".toy .walk").first.wait_for()
    page.locator("#lesson-toy").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#lesson-toy').scrollIntoView()")
    _keep(page, "studio-explain")


def _keep(page: Page, name: str) -> None:
    """A PNG of at most 256 colours: the page has few, and the file stays small."""
    page.wait_for_function("() => [...document.images].every(image => image.complete)")
    page.wait_for_timeout(1500)
    path = DOCS / f"{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    main()
